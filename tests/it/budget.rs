//! What a leg carries is counted as the network sees it, and a budget stops pictures before the voice.

use std::time::Duration;

use qism_signaling::{
    hub::ports::{DataLeft, DataPlan, MediaEvent},
    protocol::{Slot, Source, UserId, media::Pictures},
};

use crate::peer::{Plane, eventually, lesson};

const VOICE: u32 = 10_000;
const CAMERA: u32 = 10_006;

/// Voice and camera.
const SEATS: [(Slot, Source); 2] =
    [(Slot::TEACHER_AUDIO, Source::Microphone), (Slot::FIRST_CAMERA, Source::Camera)];

/// Bytes told of this person with the next account.
async fn account(plane: &mut Plane, user: UserId) -> u64 {
    plane
        .event(|event| match event {
            MediaEvent::Carried { bytes, .. } => bytes.iter().find(|(of, _)| *of == user).map(|(_, it)| *it),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_counted_with_their_headers() {
    let (mut plane, _publisher, subscriber) = lesson(&SEATS).await;
    let user = subscriber.leg.user;
    let received = subscriber.received.clone();
    eventually("both flow", || received.count(VOICE) > 20 && received.count(CAMERA) > 20).await;
    account(&mut plane, user).await;
    let packets = || (received.count(VOICE) as u64, received.count(CAMERA) as u64);
    let before = packets();
    let mut told = 0;
    for _ in 0..2 {
        told += account(&mut plane, user).await;
    }
    let after = packets();
    let (voices, pictures) = (after.0 - before.0, after.1 - before.1);
    // IP and UDP 28, RTP 12, tag 16 or 10; pictures carry the transport number in 8 more.
    let least = voices * (80 + 28 + 12 + 10) + pictures * (700 + 28 + 12 + 8 + 10);
    assert!(told >= least * 95 / 100, "{told} for at least {least}");
    assert!(told <= least * 115 / 100, "{told}: feedback and checks are no more than a tenth of {least}");
    subscriber.leave().await;
    plane.sfu.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_stops_the_camera_and_never_the_voice() {
    let (mut plane, _publisher, subscriber) = lesson(&SEATS).await;
    let received = subscriber.received.clone();
    eventually("both flow", || received.count(VOICE) > 20 && received.count(CAMERA) > 20).await;
    let spare = |bytes| {
        let left = Some(DataLeft { bytes, time: Duration::from_secs(3_600) });
        plane.spare(subscriber.leg, DataPlan { saver: false, left });
    };
    spare(10_000);
    let told = |event: &MediaEvent| match event {
        MediaEvent::PicturesSpared { pictures, .. } => Some(*pictures),
        _ => None,
    };
    assert_eq!(plane.event(told).await, Pictures::None);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (voice, camera) = (received.count(VOICE), received.count(CAMERA));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(received.count(VOICE) >= voice + 15, "the voice goes on over the budget");
    assert_eq!(received.count(CAMERA), camera, "no picture costs anything any more");
    plane.spare(subscriber.leg, DataPlan::default());
    assert_eq!(plane.event(told).await, Pictures::Full);
    eventually("the camera is back", || received.count(CAMERA) > camera + 20).await;
    subscriber.leave().await;
    plane.sfu.stop();
}
