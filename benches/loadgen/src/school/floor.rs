//! The floor: what giving a line to the kernel once for each listener costs, with no hub around it. The same bytes at the same
//! pace to readers that do the same; a ratio to it means something on any machine.

use std::{
    io::Write as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use qism_client::converse;
use qism_signaling::protocol::{Chain, CommandId, Event, Logged, Recipients, ServerFrame, UserId};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::protocol::Role};
use uuid::Uuid;

use super::{room::Counts, scenario::Scenario};
use crate::process::{self, thread_cpu};

/// Sockets at most: a process may have so many files, and both ends are here.
const SOCKETS: usize = 4_000;
/// Nobody pings here.
const NEVER: Duration = Duration::from_secs(24 * 3_600);
/// A text of 126 to 65,535 bytes, final, unmasked (RFC 6455, section 5.2).
const HEAD: [u8; 2] = [0x81, 126];

/// Microseconds of CPU by line and listener of the one thread that writes.
pub async fn cpu_us_per_delivery(scenario: &Scenario, counts: &Arc<Counts>) -> anyhow::Result<f64> {
    let mut reading = JoinSet::new();
    let mut classes = Vec::new();
    for _ in 0..scenario.lessons.min(SOCKETS.div_ceil(scenario.students + 1)) {
        classes.push(class(scenario.students + 1, counts, &mut reading).await?);
    }
    let rate = scenario.lines_per_lesson_per_s * scenario.lessons as f64;
    let during = Duration::from_secs(scenario.chat_s);
    let frame = frame(counts.line())?;
    let is_pinned = process::is_pinned();
    let writing = tokio::task::spawn_blocking(move || {
        if is_pinned {
            process::pin(process::SERVER_CORE)?;
        }
        let cost = write(&classes, &frame, rate, during);
        if is_pinned {
            process::pin(process::LOAD_CORE)?;
        }
        cost
    });
    writing.await?
}

/// So many connections; the ends that are written to.
async fn class(
    people: usize,
    counts: &Arc<Counts>,
    reading: &mut JoinSet<()>,
) -> anyhow::Result<Vec<TcpStream>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut ours = Vec::with_capacity(people);
    for _ in 0..people {
        let theirs = TcpStream::connect(listener.local_addr()?)?;
        theirs.set_nonblocking(true)?;
        let theirs = MaybeTlsStream::Plain(tokio::net::TcpStream::from_std(theirs)?);
        let socket = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        let counts = counts.clone();
        let read = move |text: &str| {
            if let Ok(ServerFrame::Event(Logged { event: Event::Said { .. }, .. })) =
                serde_json::from_str(text)
            {
                counts.lines.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        };
        let never = tokio::time::interval_at(tokio::time::Instant::now() + NEVER, NEVER);
        reading.spawn(async move {
            let (_open, outgoing) = mpsc::channel(1);
            converse(socket, outgoing, never, read).await;
        });
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        ours.push(stream);
    }
    Ok(ours)
}

/// What the server sends to a class for such a line, as bytes on the socket.
fn frame(text: String) -> anyhow::Result<Vec<u8>> {
    let user = UserId(Uuid::now_v7());
    let said = Logged {
        number: 1_000,
        chain: Chain(u64::MAX),
        at: 1_795_480_501_861,
        sender: Some(user),
        command: CommandId(Uuid::now_v7()),
        event: Event::Said { user, to: Recipients::Everyone, text: Some(text) },
    };
    let payload = serde_json::to_vec(&ServerFrame::Event(said))?;
    let length = u16::try_from(payload.len())?.to_be_bytes();
    Ok([&HEAD[..], &length, &payload].concat())
}

/// Lines of all classes, evenly spread.
fn write(classes: &[Vec<TcpStream>], frame: &[u8], rate: f64, during: Duration) -> anyhow::Result<f64> {
    let (began, before, mut written) = (Instant::now(), thread_cpu(), 0);
    for (line, class) in classes.iter().cycle().enumerate() {
        let due = began + Duration::from_secs_f64(line as f64 / rate);
        if due >= began + during {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for mut listener in class {
            listener.write_all(frame)?;
        }
        written += class.len();
    }
    Ok((thread_cpu() - before).as_secs_f64() * 1e6 / written.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_listener_reads_every_line() {
        let small = include_str!("../../../scenarios/small.toml").replace("chat_s = 5", "chat_s = 1");
        let scenario = Scenario::parse(&small).expect("sound");
        let counts = Arc::new(Counts::new(Instant::now()));
        let cost = cpu_us_per_delivery(&scenario, &counts).await.expect("measured");
        assert!(cost > 0.0);
        let lines = scenario.lines_per_lesson_per_s as u64 * scenario.people() as u64;
        // The last ones may be on their way still.
        assert!(counts.lines.load(Ordering::Relaxed) + scenario.students as u64 + 1 >= lines);
    }
}
