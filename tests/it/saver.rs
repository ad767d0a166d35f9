//! A listener who saves data gets the voice in a third of the packets, frame by frame the same, and pays at most 11 MB an
//! hour for it.

use qism_signaling::{
    hub::ports::DataPlan,
    protocol::{LegKind, Slot, Source},
};

use crate::{
    peer::{Plane, Received, Subscriber, eventually, lesson},
    sfu::{is_up, publish, share_heard},
};

const VOICE: u32 = 10_000;
const SAVER: DataPlan = DataPlan { saver: true, left: None };

const SEATS: [(Slot, Source); 1] = [(Slot::TEACHER_AUDIO, Source::Microphone)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saver_gets_a_third_of_the_packets_in_one_unbroken_stream() {
    let (plane, _publisher, subscriber) = lesson(&SEATS).await;
    let received = subscriber.received.clone();
    eventually("the voice flows", || received.count(VOICE) > 20).await;
    plane.spare(subscriber.leg, SAVER);
    let of_three = |packet: &rtc::rtp::Packet| packet.payload[..2] == [0xfc | 3, 3];
    let first = || received.packets(VOICE).iter().position(of_three);
    eventually("the first comes joined", || first().is_some()).await;
    let first = first().expect("just seen");
    eventually("more come", || received.count(VOICE) > first + 50).await;
    let joined = received.packets(VOICE)[first..].to_vec();
    let took = joined[joined.len() - 1].header.timestamp.wrapping_sub(joined[0].header.timestamp);
    let mean = took as usize / (joined.len() - 1);
    assert!(mean * 10 >= 2_880 * 9, "60 ms each are 2,880 of the clock, not {mean}");
    let whole = joined.iter().filter(|packet| of_three(packet)).count();
    assert!(whole * 10 >= joined.len() * 9, "{whole} of {} carry three frames", joined.len());
    let length = 2 + 3 * 79;
    assert!(joined.iter().filter(|packet| packet.payload.len() == length).count() >= whole);
    plane.spare(subscriber.leg, DataPlan::default());
    let plain =
        || received.packets(VOICE)[first..].iter().filter(|packet| packet.payload.len() == 80).count();
    eventually("as it comes, again", || plain() > 35).await;
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

/// Packets of three frames each, among those that came since.
fn joined(received: &Received, since: usize) -> (usize, usize) {
    let came = received.packets(VOICE)[since..].to_vec();
    (came.iter().filter(|packet| packet.payload[..2] == [0xfc | 3, 3]).count(), came.len())
}

/// Each thread joins for its own listeners, and mends what they lose. These peers do not take redundant audio.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saver_on_another_thread_gets_it_joined_over_a_link_that_loses_a_fifth() {
    let mut plane = Plane::start_on(2, 1);
    let publisher = publish(&mut plane, &[Source::Microphone]).await;
    let user = publisher.leg.user;
    let home = Subscriber::join(&plane).await;
    let (guest, link) = Subscriber::join_over_link(&plane, 11).await;
    for leg in [home.leg, guest.leg] {
        is_up(&mut plane, LegKind::Subscriber).await;
        plane.assign(leg, Slot::TEACHER_AUDIO, user, Source::Microphone);
    }
    plane.spare(guest.leg, SAVER);
    publisher.send();
    eventually("both hear", || home.received.count(VOICE) > 60 && guest.received.count(VOICE) > 20).await;
    let (whole, all) = joined(&guest.received, 2);
    assert!(whole * 10 >= all * 9, "{whole} of {all} carry three frames");
    assert_eq!(joined(&home.received, 0).0, 0, "whoever does not save gets it as it comes");
    assert!(guest.received.packets(VOICE).iter().all(|packet| packet.header.extensions.is_empty()));
    link.lose(20);
    let sfu = plane.sfu.clone();
    eventually("voices are sent again", || sfu.counters().echoes > 3).await;
    let then = guest.received.count(VOICE);
    eventually("the voice flows on", || guest.received.count(VOICE) > then + 100).await;
    let (whole, all) = joined(&guest.received, then);
    assert!(whole * 10 >= all * 9, "{whole} of {all} carry three frames");
    let share = share_heard(&guest.received.sequences(VOICE), 80);
    assert!(share > 0.9, "{share}: twice one in five lost is one in 25");
    plane.sfu.stop();
}
