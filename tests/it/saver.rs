//! A listener who saves data gets the voice in a third of the packets, frame by frame the same, and pays at most 11 MB an
//! hour for it.

use std::time::Duration;

use qism_signaling::{
    hub::ports::DataPlan,
    protocol::{Slot, Source},
};

use crate::peer::{eventually, lesson};

const VOICE: u32 = 10_000;
const SAVER: DataPlan = DataPlan { saver: true, left: None };

const SEATS: [(Slot, Source); 1] = [(Slot::TEACHER_AUDIO, Source::Microphone)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saver_gets_a_third_of_the_packets_in_one_unbroken_stream() {
    let (plane, _publisher, subscriber) = lesson(&SEATS).await;
    let received = subscriber.received.clone();
    eventually("the voice flows", || received.count(VOICE) > 20).await;
    plane.spare(subscriber.leg, SAVER);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = received.count(VOICE);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let joined = received.packets(VOICE)[before..].to_vec();
    assert!((35..=55).contains(&joined.len()), "{} packets of 60 ms in 3 s", joined.len());
    let whole = joined.iter().filter(|packet| packet.payload[..2] == [0xfc | 3, 3]).count();
    assert!(whole * 10 >= joined.len() * 9, "{whole} of {} carry three frames", joined.len());
    let length = 2 + 3 * 79;
    assert!(joined.iter().filter(|packet| packet.payload.len() == length).count() >= whole);
    plane.spare(subscriber.leg, DataPlan::default());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = received.count(VOICE);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(received.count(VOICE) - before >= 35, "as it comes, again");
    let packets = received.packets(VOICE);
    let in_order = |pair: &[rtc::rtp::Packet]| {
        let [before, after] = [&pair[0].header, &pair[1].header];
        after.sequence_number == before.sequence_number.wrapping_add(1)
            && (after.timestamp.wrapping_sub(before.timestamp) as i32) > 0
    };
    assert!(packets.windows(2).all(in_order), "numbers and times go on over both changes");
    let markers = packets.iter().filter(|packet| packet.header.marker).count();
    assert_eq!(markers, 3, "a marker where each form begins");
    subscriber.leave().await;
    plane.sfu.stop();
}
