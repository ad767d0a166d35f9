//! What a leg carries is counted as the network sees it, and a budget stops pictures before the voice.

use std::time::{Duration, Instant};

use qism_signaling::{
    hub::ports::{DataLeft, DataPlan, MediaEvent},
    protocol::{Slot, Source, UserId, media::Pictures},
};

use crate::peer::{Plane, eventually, lesson, stops};

const VOICE: u32 = 10_000;
const CAMERA: u32 = 10_006;

/// Bytes of a handshake, and of feedback, checks and reports in a second, at most.
const HANDSHAKE: u64 = 10_000;
const FEEDBACK: u64 = 2_000;

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
    let began = Instant::now();
    let (mut plane, publisher, subscriber) = lesson(&SEATS).await;
    let user = subscriber.leg.user;
    let received = subscriber.received.clone();
    eventually("both flow", || received.count(VOICE) > 150 && received.count(CAMERA) > 150).await;
    publisher.fall_silent();
    let all = || (received.count(VOICE) + received.count(CAMERA)) as u64;
    let sfu = plane.sfu.clone();
    // Reports and checks come in on and on.
    stops("both", all, || sfu.counters().packets_in).await;
    let (voices, pictures) = (received.count(VOICE) as u64, received.count(CAMERA) as u64);
    // IP and UDP 28, RTP 12, tag 16 or 10; pictures carry the transport number in 8 more.
    let least = voices * (80 + 28 + 12 + 10) + pictures * (700 + 28 + 12 + 8 + 10);
    let mut told = 0;
    while told < least {
        told += account(&mut plane, user).await;
    }
    let most = least * 11 / 10 + HANDSHAKE + FEEDBACK * (began.elapsed().as_secs() + 1);
    assert!(
        told <= most,
        "{told}: a tenth of {least} for what is sent again, and no more than {most} with all else"
    );
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
    let of = |ssrc| received.count(ssrc) as u64;
    stops("pictures, while the voice goes on over the budget", || of(CAMERA), || of(VOICE)).await;
    let camera = received.count(CAMERA);
    plane.spare(subscriber.leg, DataPlan::default());
    assert_eq!(plane.event(told).await, Pictures::Full);
    eventually("the camera is back", || received.count(CAMERA) > camera + 20).await;
    subscriber.leave().await;
    plane.sfu.stop();
}
