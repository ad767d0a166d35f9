//! One teacher publishes voice and a camera; 50, then 200 students receive them through real ICE, DTLS and SRTP.

mod audience;
mod publisher;
mod sdp;
mod transport;
mod wire;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use qism_signaling::protocol::{ClientFrame, ReceiveMode, ServerFrame, WantedVideo, limits};

use crate::{
    figures::{Figures, quantile},
    floor,
    person::{Person, Socket, message, wait},
    process::{seconds_between, tell_threads},
    server::{SETTLED, Server},
};
use audience::Audience;
use publisher::Publisher;

/// Sizes of the class; the figures carry them in their keys.
const CLASSES: [usize; 2] = [50, 200];

pub async fn run(program: &Path, seconds: u64, figures: &mut Figures) -> anyhow::Result<()> {
    let mut memory = Vec::new();
    for students in CLASSES {
        memory.push(lesson(program, students, Duration::from_secs(seconds), figures).await?);
    }
    // What one more subscriber costs: the slope between the two classes, without what any lesson costs.
    let more = (CLASSES[1] - CLASSES[0]) as f64;
    figures.put("media.bytes_per_subscriber", (memory[1] - memory[0]) / more);
    Ok(())
}

/// The bytes that the server took for all its subscribers.
async fn lesson(
    program: &Path,
    students: usize,
    during: Duration,
    figures: &mut Figures,
) -> anyhow::Result<f64> {
    println!("media: one publisher, {students} subscribers");
    let server = Server::start(program, students.max(30))?;
    let start = Instant::now();
    let logins = std::iter::once("teacher1".to_owned()).chain((1..=students).map(|n| format!("student{n}")));
    let people = Person::sign_in_all(&server.url, logins.collect()).await?;
    let (teacher, class) = people.split_first().context("a teacher")?;
    tokio::time::sleep(SETTLED).await;
    let lesson = teacher.lesson().await?;
    let (mut socket, welcome) = teacher.enter(lesson).await?;
    let publisher = Publisher::open(&mut socket, start).await?;
    keep(socket);
    let memory = server.process().memory();
    let audience = Audience::new(students, start)?;
    let mut joins = Vec::new();
    for (index, person) in class.iter().enumerate() {
        let began = Instant::now();
        let (mut socket, _) = person.enter(lesson).await?;
        let camera = WantedVideo { user: welcome.user, width: 1_280, height: 720 };
        let receive = ClientFrame::Receive { mode: ReceiveMode::Everything, cameras: vec![camera] };
        socket.send(message(&receive)).await?;
        socket.send(message(&ClientFrame::OpenSubscriber { cameras: 2 })).await?;
        let offer = wait(&mut socket, |frame| match frame {
            ServerFrame::SubscriberOffer { sdp } => Some(sdp),
            _ => None,
        });
        let offer = offer.await?;
        let answer = audience.join(index, &offer)?;
        socket.send(message(&ClientFrame::SubscriberAnswer { sdp: answer })).await?;
        keep(socket);
        audience.is_up(index).await?;
        joins.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let bytes = server.process().memory().saturating_sub(memory);
    audience.restart();
    let (cpu, began, sent) = (server.process().cpu(), Instant::now(), publisher.sent());
    tokio::time::sleep(during).await;
    let after = server.process().cpu();
    let (heard, elapsed, sent) = (audience.heard(), began.elapsed(), publisher.sent() - sent);
    let microseconds = seconds_between(&cpu, &after) * 1e6;
    tell_threads(&cpu, &after);
    println!(
        "    {sent} packets published, {} delivered, {:.0} a second",
        heard.packets,
        heard.packets as f64 / elapsed.as_secs_f64()
    );
    let per_packet = microseconds / heard.packets as f64;
    figures.put(format!("media.cpu_us_per_packet.{students}"), per_packet);
    let floor = tokio::task::spawn_blocking(move || floor::cpu_us_per_packet(students)).await??;
    figures.put(format!("media.floor_us_per_packet.{students}"), floor);
    figures.put(format!("media.times_the_floor.{students}"), per_packet / floor);
    joins.sort_by(f64::total_cmp);
    // The larger class is the figure without a size.
    figures.put("media.p50_ms", quantile(&heard.delays_ms, 0.5));
    figures.put("media.p99_ms", quantile(&heard.delays_ms, 0.99));
    figures.put("media.loss", heard.lost as f64 / (heard.lost + heard.packets) as f64);
    figures.put("media.join_ms", quantile(&joins, 0.5));
    Ok(bytes as f64)
}

/// Reads and pings in the background, so that the server sees somebody.
fn keep(mut socket: Socket) {
    tokio::spawn(async move {
        let mut pings = tokio::time::interval(limits::PING_INTERVAL);
        loop {
            let ended = tokio::select! {
                incoming = socket.next() => !matches!(incoming, Some(Ok(_))),
                _ = pings.tick() => socket.send(message(&ClientFrame::Ping { nonce: 0 })).await.is_err(),
            };
            if ended {
                return;
            }
        }
    });
}
