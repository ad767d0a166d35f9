//! The bell rings: two hundred students join in one second, and all wait for the same first picture.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::{lesson::Lesson, publisher::Pattern};
use crate::figures::{Figures, quantile};

const STUDENTS: usize = 200;
const WITHIN: Duration = Duration::from_secs(1);
/// After so long everybody sees something, or the bench says who does not.
const WATCHED: Duration = Duration::from_secs(4);

pub async fn run(program: &Path, share: usize, figures: &mut Figures) -> anyhow::Result<()> {
    let students = STUDENTS / share;
    println!("media: {students} join in one second");
    let lesson = Lesson::start(program, students, Instant::now()).await?;
    lesson.publisher.send(Pattern::Slow);
    tokio::time::sleep(WITHIN).await;
    let (asked, began) = (lesson.publisher.asked(), Instant::now());
    let tap = |index: usize| began + WITHIN * index as u32 / students as u32;
    let joins = (0..students).map(|index| {
        let lesson = &lesson;
        async move {
            tokio::time::sleep_until(tap(index).into()).await;
            lesson.join(index).await
        }
    });
    let failed = join_all(joins).await.into_iter().filter(Result::is_err).count();
    tokio::time::sleep((began + WATCHED).saturating_duration_since(Instant::now())).await;
    let seconds = began.elapsed().as_secs_f64();
    figures.put("media.keyframe_requests_per_s", (lesson.publisher.asked() - asked) as f64 / seconds);
    let first = lesson.audience.first_pictures(students);
    let mut waits: Vec<f64> = first
        .iter()
        .enumerate()
        .filter_map(|(index, came)| Some(came.as_ref()?.saturating_duration_since(tap(index))))
        .map(|wait| wait.as_secs_f64() * 1_000.0)
        .collect();
    println!("    {failed} joins failed, {} see a picture", waits.len());
    waits.sort_by(f64::total_cmp);
    figures.put("media.first_frame_seen", waits.len() as f64);
    figures.put("media.first_frame_p50_ms", quantile(&waits, 0.5));
    figures.put("media.first_frame_p95_ms", quantile(&waits, 0.95));
    Ok(())
}
