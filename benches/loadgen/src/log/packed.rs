//! What an event takes in the store while its lesson is young, and when the lesson is packed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use qism::{storage::Store, telemetry::metrics::Value};
use qism_signaling::{
    hub::ports::Batch,
    protocol::{CommandId, Event, LessonId, Position, Recipients, UserId, event::EndReason},
    room::{Room, chain},
};
use uuid::Uuid;

use crate::figures::{Figures, median};

const LESSONS: usize = 40;
const PEOPLE: usize = 41;
const EVENTS: usize = 600;
/// Of a lesson that is opened again.
const LONG: usize = 5_000;
/// Events that a room reads at once.
const PAGE: usize = 500;
/// Written together.
const BY: usize = 20;

/// `size` tells the bytes of all events with their indices.
pub async fn measure(
    engine: &str,
    url: &str,
    size: impl AsyncFn() -> anyhow::Result<u64>,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let store = Store::open(url).await?;
    let before = size().await?;
    for _ in 0..LESSONS {
        teach(&store, LessonId(Uuid::now_v7()), EVENTS, false).await?;
    }
    store.close().await;
    // Lets go of the file.
    drop(store);
    let bytes = size().await?.saturating_sub(before) as f64;
    let events = (LESSONS * EVENTS) as f64;
    figures.put(format!("log.{engine}.event_bytes"), bytes / events);
    let store = Store::open(url).await?;
    let (began, tomorrow) = (Instant::now(), store.database_now().await? + 86_400_000);
    let packed = store.pack(tomorrow, Duration::ZERO).await?;
    ensure!(packed == LESSONS, "{packed} of {LESSONS} lessons were packed");
    figures.put(format!("log.{engine}.pack_ms"), began.elapsed().as_secs_f64() * 1_000.0 / packed as f64);
    let told = store.log_samples().into_iter().find(|sample| sample.name == "qism_packed_bytes_total");
    let Value::Counter(bytes) = told.context("not told")?.value else { anyhow::bail!("no counter") };
    figures.put(format!("log.{engine}.packed_event_bytes"), bytes / events);
    let long = LessonId(Uuid::now_v7());
    teach(&store, long, LONG, false).await?;
    figures.put(format!("log.{engine}.cold_start_ms"), cold_start(&store, long).await?);
    store.pack(tomorrow, Duration::ZERO).await?;
    figures.put(format!("log.{engine}.packed_cold_start_ms"), cold_start(&store, long).await?);
    store.close().await;
    Ok(())
}

/// Hands up and down, and every third event a chat line, by forty students and a teacher, up to so many events; and its end.
pub async fn teach(store: &Store, lesson: LessonId, total: usize, ends: bool) -> anyhow::Result<()> {
    let journal = store.journal();
    let people: Vec<UserId> = (0..PEOPLE).map(|_| UserId(Uuid::now_v7())).collect();
    let known = journal.heads(&[lesson]).await?.pop();
    let mut head = match known {
        Some((_, head)) => head,
        None => Position { number: 0, chain: journal.origin(lesson).await? },
    };
    let mut at = store.database_now().await?;
    while (head.number as usize) < total {
        let (before, mut events) = (head, Vec::with_capacity(BY));
        for _ in 0..BY {
            let number = head.number as usize;
            let user = people[rand::random_range(..PEOPLE)];
            at += rand::random_range(100..9_000);
            let event = match number % 3 {
                0 => Event::HandRaised { user },
                1 => Event::HandLowered { user, by: user },
                _ => Event::Said { user, to: Recipients::Everyone, text: Some(line(number)) },
            };
            let next = chain::log(head, at, Some(user), CommandId(Uuid::now_v7()), event);
            head = Position { number: next.number, chain: next.chain };
            events.push(next);
        }
        if ends && head.number as usize >= total {
            let end = Event::Ended { by: None, reason: EndReason::TimeOver };
            events.push(chain::log(head, at, None, CommandId(Uuid::now_v7()), end));
        }
        journal.append(Batch { lesson, head: before, events, erase: Vec::new() }).await?;
    }
    Ok(())
}

/// Milliseconds from nothing to the lesson's state, as a room that opens has it; the median of some.
async fn cold_start(store: &Store, lesson: LessonId) -> anyhow::Result<f64> {
    let journal = store.journal();
    let mut took = Vec::new();
    for _ in 0..9 {
        let began = Instant::now();
        let mut room = Room::new(journal.origin(lesson).await?);
        loop {
            let events = journal.read(lesson, room.head.number, PAGE).await?;
            events.iter().for_each(|logged| room.apply(logged));
            if events.len() < PAGE {
                break;
            }
        }
        ensure!(room.head.number as usize >= LONG, "folded up to {}", room.head.number);
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(median(took))
}

fn line(number: usize) -> String {
    const LINES: [&str; 6] = [
        "هل يمكن إعادة الشرح من فضلك؟",
        "نعم أستاذة",
        "الجواب هو",
        "لم أفهم السؤال الثاني",
        "Est-ce que c'est l'exercice de la page",
        "شكرا",
    ];
    format!("{} {}", LINES[rand::random_range(..LINES.len())], number * rand::random_range(1..99))
}
