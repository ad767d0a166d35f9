//! The journal in this very process: many lessons, one append in flight in each, as their rooms do it.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::ensure;
use qism::storage::Store;
use qism_signaling::{
    hub::ports::{Batch, Journal},
    protocol::{CommandId, Event, LessonId, Position, Recipients, UserId},
    room::chain,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::ten_days;
use crate::figures::{Figures, quantile};

const LESSONS: usize = 250;
/// Events of one append: a quiet class, one that answers a question.
const SIZES: [(usize, &str); 2] = [(1, ""), (8, "_by_8")];

pub async fn measure(engine: &str, url: &str, during: Duration, figures: &mut Figures) -> anyhow::Result<()> {
    measure_sizes(engine, url, during, &SIZES, figures).await?;
    ten_days::fill(url).await?;
    measure_sizes(engine, url, during, &[(1, "_ten_days")], figures).await
}

/// Appends of so many events each; the figures end in what stands beside.
async fn measure_sizes(
    engine: &str,
    url: &str,
    during: Duration,
    sizes: &[(usize, &str)],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let store = Store::open(url).await?;
    for &(events, suffix) in sizes {
        let mut writing = JoinSet::new();
        let began = Instant::now();
        for _ in 0..LESSONS {
            writing.spawn(write(store.journal(), events, began + during));
        }
        let (mut heads, mut delays) = (Vec::new(), Vec::new());
        while let Some(written) = writing.join_next().await {
            let (lesson, head, took) = written??;
            heads.push((lesson, head));
            delays.extend(took);
        }
        let seconds = began.elapsed().as_secs_f64();
        expect_kept(&*store.journal(), &heads).await?;
        let kept: u64 = heads.iter().map(|(_, head)| head.number).sum();
        delays.sort_by(f64::total_cmp);
        figures.put(format!("log.{engine}.appends_per_s{suffix}"), kept as f64 / seconds);
        figures.put(format!("log.{engine}.append_p50_ms{suffix}"), quantile(&delays, 0.5));
        figures.put(format!("log.{engine}.append_p99_ms{suffix}"), quantile(&delays, 0.99));
    }
    store.close().await;
    Ok(())
}

/// What was acknowledged is there.
async fn expect_kept(journal: &dyn Journal, heads: &[(LessonId, Position)]) -> anyhow::Result<()> {
    let lessons: Vec<LessonId> = heads.iter().map(|(lesson, _)| *lesson).collect();
    let kept = journal.heads(&lessons).await?;
    let lost = heads.iter().filter(|head| !kept.contains(head)).count();
    ensure!(lost == 0, "{lost} lessons do not end as acknowledged");
    Ok(())
}

/// Fills one lesson; tells its head and how long each append took, in milliseconds.
async fn write(
    journal: Arc<dyn Journal>,
    events: usize,
    until: Instant,
) -> anyhow::Result<(LessonId, Position, Vec<f64>)> {
    let (lesson, user) = (LessonId(Uuid::now_v7()), UserId(Uuid::now_v7()));
    let mut head = Position { number: 0, chain: journal.origin(lesson).await? };
    let mut delays = Vec::new();
    while Instant::now() < until {
        let batch = batch(lesson, user, head, events);
        let last = batch.events.last().map(|last| Position { number: last.number, chain: last.chain });
        let began = Instant::now();
        journal.append(batch).await?;
        delays.push(began.elapsed().as_secs_f64() * 1_000.0);
        head = last.unwrap_or(head);
    }
    Ok((lesson, head, delays))
}

/// Hands and chat lines in turns.
fn batch(lesson: LessonId, user: UserId, head: Position, events: usize) -> Batch {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let mut logged = Vec::with_capacity(events);
    let mut position = head;
    for _ in 0..events {
        let event = match position.number % 2 {
            0 => Event::HandRaised { user },
            _ => Event::Said {
                user,
                to: Recipients::Everyone,
                text: Some("هل يمكن إعادة الشرح من فضلك؟".into()),
            },
        };
        let next = chain::log(position, at, Some(user), CommandId(Uuid::now_v7()), event);
        position = Position { number: next.number, chain: next.chain };
        logged.push(next);
    }
    Batch { lesson, head, events: logged, erase: Vec::new() }
}
