//! A thousand people in one room: lines that are kept before they are delivered, to everybody.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use qism_client::{Person, command, converse};
use qism_signaling::protocol::{Command, LessonId, Recipients, Role, limits};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    figures::{Figures, quantile},
    hands,
    process::{seconds_between, tell_threads},
    server::{SETTLED, Server},
};

/// Lines per second where latency is measured: a very lively class.
const LIVELY: u64 = 20;
/// Lines per second, evenly spaced, where the steady fan-out is measured.
const BUSY: u64 = 100;
/// Lines at once where the fan-out of bursts is measured: a class that answers a question.
const BURST: usize = 50;
/// Time from burst to burst.
const BURST_EVERY: Duration = Duration::from_millis(500);
/// Lines per second of one person, under the limit of 5.
const OF_ONE: u64 = 4;
/// People of a class who raise and lower their hands, so many times a second: under the limit of 20 frames.
const APPENDING: usize = 90;
const WAVES_PER_S: u32 = 18;
/// Of so many readers the delay of each line is measured; the rest count.
const MEASURING: usize = 20;

/// What the readers count together.
struct Counts {
    start: Instant,
    lines: AtomicU64,
    delays_ms: Mutex<Vec<f64>>,
}

/// What goes to a socket's task; bounded: a writer waits for a server that reads slowly.
type Writer = mpsc::Sender<Message>;

pub async fn run(program: &Path, sockets: usize, seconds: u64, figures: &mut Figures) -> anyhow::Result<()> {
    println!("chat: {sockets} sockets in one room");
    let server = Server::start(program, sockets)?;
    let counts =
        Arc::new(Counts { start: Instant::now(), lines: AtomicU64::new(0), delays_ms: Mutex::default() });
    let people = sign_in(&server, sockets).await?;
    let lesson = people[0].lesson().await?;
    let mut writers = enter_measured(&server, &people, lesson, &counts, figures).await?;
    let during = Duration::from_secs(seconds);
    latency(&mut writers, &counts, during, figures).await?;
    for pattern in [Pattern::Bursts, Pattern::Steady] {
        fan_out(&server, &mut writers, &counts, (pattern, during), figures).await?;
        system_calls(&server, &mut writers, &counts, pattern, figures).await?;
    }
    drop(writers);
    appends(&server, sockets, during, figures).await
}

/// The teacher and all the students but one.
async fn sign_in(server: &Server, sockets: usize) -> anyhow::Result<Vec<Person>> {
    let logins = std::iter::once("teacher1".to_owned()).chain((1..sockets).map(|n| format!("student{n}")));
    Person::sign_in_all(&server.url, logins.collect()).await
}

/// Half enter, then the others: what one more socket costs is the slope, without what the lesson itself costs.
async fn enter_measured(
    server: &Server,
    people: &[Person],
    lesson: LessonId,
    counts: &Arc<Counts>,
    figures: &mut Figures,
) -> anyhow::Result<Vec<Writer>> {
    let (first, others) = people.split_at(people.len() / 2);
    let mut writers = enter(first, lesson, counts).await?;
    tokio::time::sleep(SETTLED).await;
    let memory = server.process().memory();
    writers.extend(enter(others, lesson, counts).await?);
    tokio::time::sleep(SETTLED).await;
    let more = server.process().memory().saturating_sub(memory);
    figures.put("chat.idle_socket_bytes", more as f64 / others.len() as f64);
    Ok(writers)
}

/// Everybody enters; each has a reader task. The writers, teacher first.
async fn enter(people: &[Person], lesson: LessonId, counts: &Arc<Counts>) -> anyhow::Result<Vec<Writer>> {
    let mut writers = Vec::new();
    for (index, person) in people.iter().enumerate() {
        let (socket, _) = person.enter(lesson).await?;
        let (writer, outgoing) = mpsc::channel(64);
        let (counts, measures) = (counts.clone(), index < MEASURING);
        let pings = tokio::time::interval(limits::PING_INTERVAL);
        tokio::spawn(converse(socket, outgoing, pings, move |text| counts.take(text, measures)));
        writers.push(writer);
    }
    Ok(writers)
}

impl Counts {
    fn take(&self, text: &str, measures: bool) {
        if text.contains("\"type\":\"said\"") {
            self.lines.fetch_add(1, Ordering::Relaxed);
            if measures && let Some(sent) = sent_at(text) {
                let delay = self.start.elapsed().saturating_sub(sent).as_secs_f64() * 1_000.0;
                self.delays_ms.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
            }
        }
    }
}

/// The time in the text of a line: `at <nanoseconds> …`.
fn sent_at(text: &str) -> Option<Duration> {
    let (_, rest) = text.split_once("\"at ")?;
    rest.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn line(counts: &Counts) -> Message {
    let text = format!("at {} هل يمكن إعادة الشرح من فضلك؟ (question 12)", counts.start.elapsed().as_nanos());
    command(Command::Say { text, to: Recipients::Everyone })
}

/// Writers take turns so that together they say `rate` lines a second.
async fn talk(writers: &mut [Writer], counts: &Counts, rate: u64, during: Duration) -> anyhow::Result<u64> {
    let speakers = (rate.div_ceil(OF_ONE) as usize).clamp(1, writers.len());
    let mut timer = tokio::time::interval(Duration::from_secs(1) / rate as u32);
    let (until, mut said) = (Instant::now() + during, 0);
    while Instant::now() < until {
        timer.tick().await;
        writers[said % speakers].send(line(counts)).await?;
        said += 1;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(said as u64)
}

async fn latency(
    writers: &mut [Writer],
    counts: &Counts,
    during: Duration,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    counts.delays_ms.lock().unwrap_or_else(PoisonError::into_inner).clear();
    talk(writers, counts, LIVELY, during).await?;
    let mut delays = std::mem::take(&mut *counts.delays_ms.lock().unwrap_or_else(PoisonError::into_inner));
    delays.sort_by(f64::total_cmp);
    figures.put("chat.p50_ms", quantile(&delays, 0.5));
    figures.put("chat.p99_ms", quantile(&delays, 0.99));
    Ok(())
}

/// How the lines of a measurement come.
#[derive(Clone, Copy)]
enum Pattern {
    /// [`BURST`] at once, every [`BURST_EVERY`].
    Bursts,
    /// [`BUSY`] a second, one by one.
    Steady,
}

impl Pattern {
    async fn talk(self, writers: &mut [Writer], counts: &Counts, during: Duration) -> anyhow::Result<u64> {
        match self {
            Self::Bursts => talk_in_bursts(writers, counts, during).await,
            Self::Steady => talk(writers, counts, BUSY, during).await,
        }
    }

    fn key(self, name: &str) -> String {
        match self {
            Self::Bursts => format!("chat.{name}"),
            Self::Steady => format!("chat.steady_{name}"),
        }
    }
}

/// [`BURST`] people write in the same moment, others in the next.
async fn talk_in_bursts(writers: &mut [Writer], counts: &Counts, during: Duration) -> anyhow::Result<u64> {
    let mut timer = tokio::time::interval(BURST_EVERY);
    let (until, mut said) = (Instant::now() + during, 0);
    while Instant::now() < until {
        timer.tick().await;
        for _ in 0..BURST {
            writers[said % writers.len()].send(line(counts)).await?;
            said += 1;
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(said as u64)
}

/// CPU of the whole server, receiving, keeping and acknowledging included, by deliveries.
async fn fan_out(
    server: &Server,
    writers: &mut [Writer],
    counts: &Counts,
    (pattern, during): (Pattern, Duration),
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let (cpu, lines) = (server.process().cpu(), counts.lines.load(Ordering::Relaxed));
    let said = pattern.talk(writers, counts, during).await?;
    let after = server.process().cpu();
    let delivered = counts.lines.load(Ordering::Relaxed) - lines;
    let seconds = seconds_between(&cpu, &after);
    tell_threads(&cpu, &after);
    figures.put(pattern.key("deliveries_per_cpu_s"), delivered as f64 / seconds);
    figures.put(pattern.key("delivered_share"), delivered as f64 / (said * writers.len() as u64) as f64);
    Ok(())
}

async fn system_calls(
    server: &Server,
    writers: &mut [Writer],
    counts: &Counts,
    pattern: Pattern,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let during = Duration::from_secs(4);
    let process = server.process();
    let counting = tokio::spawn(async move { process.system_calls(during).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lines = counts.lines.load(Ordering::Relaxed);
    pattern.talk(writers, counts, Duration::from_secs(2)).await?;
    let delivered = counts.lines.load(Ordering::Relaxed) - lines;
    match counting.await? {
        Some(calls) if delivered > 0 => {
            figures.put(pattern.key("syscalls_per_delivery"), calls as f64 / delivered as f64)
        }
        _ => println!("  {}: strace is missing or not allowed", pattern.key("syscalls_per_delivery")),
    }
    Ok(())
}

/// Two other classes raise and lower their hands as fast as they may, each waiting for the answer: how many events a
/// second are kept and acknowledged.
async fn appends(
    server: &Server,
    per_class: usize,
    during: Duration,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let each = per_class.min(APPENDING);
    let mut hands = Vec::new();
    for class in [2, 3] {
        let first = (class - 1) * per_class;
        let students = (1..=each).map(|n| format!("student{}", first + n));
        let logins = std::iter::once(format!("teacher{class}")).chain(students).collect();
        let people = Person::sign_in_all(&server.url, logins).await?;
        let lesson = people[0].lesson().await?;
        for person in &people {
            hands.push(person.enter(lesson).await?);
        }
    }
    let students = hands.into_iter().filter(|(_, welcome)| welcome.role == Role::Student);
    let students = students.map(|(socket, welcome)| (socket, welcome.user)).collect();
    let waved = hands::wave(students, f64::from(WAVES_PER_S), during).await?;
    figures.put("chat.appends_per_s", waved.per_s());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_line_is_read_back() {
        let text = r#"{"type":"event","event":{"type":"said","text":"at 1500 هل"}}"#;
        assert_eq!(sent_at(text), Some(Duration::from_nanos(1_500)));
        assert_eq!(sent_at("{}"), None);
    }
}
