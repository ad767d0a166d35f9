//! A lesson on two engine threads, with real peers: what one thread receives, subscribers of the other get, and only that.

use qism_signaling::protocol::{LegKind, Slot, Source};

use crate::{
    peer::{Plane, Publisher, Received, Subscriber, eventually, stops},
    sfu::{self, EVERYTHING, both, in_order, is_up},
};

/// On two threads, so many subscribers on each; the publisher is permitted and connected.
async fn on_two_threads(share: usize) -> (Plane, Publisher) {
    let mut plane = Plane::start_on(2, share);
    let publisher = sfu::publish(&mut plane, &EVERYTHING).await;
    (plane, publisher)
}

/// Joins and receives everything of the publisher.
async fn join(plane: &mut Plane, publisher: &Publisher) -> Subscriber {
    sfu::join(plane, publisher.leg.user).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_and_picture_cross_once_and_arrive_in_order_on_both_threads() {
    let (mut plane, publisher) = on_two_threads(1).await;
    let home = join(&mut plane, &publisher).await;
    let guest = join(&mut plane, &publisher).await;
    let second_guest = join(&mut plane, &publisher).await;
    publisher.send();
    for (name, subscriber) in [("home", &home), ("guest", &guest), ("second guest", &second_guest)] {
        eventually(name, || both(&subscriber.received).0 > 60 && both(&subscriber.received).1 > 60).await;
        assert!(in_order(&subscriber.received), "{name}");
    }
    let totals = plane.sfu.counters();
    let (voices, pictures) = both(&guest.received);
    let of_one = (voices + pictures) as u64;
    assert!(totals.packets_crossed >= of_one, "{totals:?}");
    assert!(totals.packets_crossed < of_one * 3 / 2, "not once per subscriber: {totals:?}");
    assert_eq!(totals.packets_not_crossed, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_frame_that_only_the_other_thread_waits_for_is_asked_of_the_publisher() {
    let (mut plane, publisher) = on_two_threads(1).await;
    let home = join(&mut plane, &publisher).await;
    publisher.send_with_key_frames_on_demand(&plane.sfu);
    eventually("pictures flow at home", || both(&home.received).1 > 20).await;
    let asked = plane.sfu.counters().plis_out;
    let guest = join(&mut plane, &publisher).await;
    eventually("pictures flow on the other thread", || both(&guest.received).1 > 20).await;
    assert!(plane.sfu.counters().plis_out > asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_permission_stops_the_packets_on_both_threads_and_a_new_one_starts_them() {
    let (mut plane, publisher) = on_two_threads(1).await;
    let home = join(&mut plane, &publisher).await;
    let guest = join(&mut plane, &publisher).await;
    publisher.send_with_key_frames_on_demand(&plane.sfu);
    let all = [&home.received, &guest.received];
    eventually("both flow on both", || all.iter().all(|it| both(it).0 > 20 && both(it).1 > 20)).await;
    plane.permit(publisher.leg.user, &[Source::Microphone]);
    for it in all {
        stops("pictures, while the voice flows on", || both(it).1 as u64, || both(it).0 as u64).await;
    }
    let now = all.map(both);
    plane.permit(publisher.leg.user, &EVERYTHING);
    eventually("pictures flow again", || all.iter().zip(&now).all(|(it, then)| both(it).1 > then.1 + 20))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_who_reloads_the_page_goes_on_in_the_same_stream_on_both_threads() {
    let (mut plane, publisher) = on_two_threads(1).await;
    let home = join(&mut plane, &publisher).await;
    let guest = join(&mut plane, &publisher).await;
    publisher.send();
    let all = [&home.received, &guest.received];
    eventually("both flow on both", || all.iter().all(|it| both(it).0 > 20 && both(it).1 > 20)).await;
    let reloaded = Publisher::join_as(&plane, publisher.leg).await;
    publisher.leave().await;
    is_up(&mut plane, LegKind::Publisher).await;
    let then = all.map(both);
    reloaded.send();
    let further = |(it, then): (&&Received, &(usize, usize))| {
        let now = both(it);
        now.0 > then.0 + 20 && now.1 > then.1 + 20
    };
    eventually("both flow again on both", || all.iter().zip(&then).all(further)).await;
    assert!(all.iter().all(|it| in_order(it)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_publisher_reaches_thirty_subscribers_on_two_threads() {
    let (mut plane, publisher) = on_two_threads(15).await;
    let mut class = Vec::new();
    for _ in 0..30 {
        class.push(join(&mut plane, &publisher).await);
    }
    publisher.send();
    eventually("everybody hears and sees", || {
        class.iter().all(|it| both(&it.received).0 > 30 && both(&it.received).1 > 30)
    })
    .await;
    assert!(plane.sfu.counters().packets_crossed > 0);
}

/// The other thread answers from a ring of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_lost_on_the_way_from_the_other_thread_are_sent_again() {
    let (mut plane, publisher) = on_two_threads(1).await;
    let _home = join(&mut plane, &publisher).await;
    let (guest, link) = Subscriber::join_over_link(&plane, 7).await;
    plane.assign(guest.leg, Slot::TEACHER_AUDIO, publisher.leg.user, Source::Microphone);
    plane.assign(guest.leg, Slot::FIRST_CAMERA, publisher.leg.user, Source::Camera);
    is_up(&mut plane, LegKind::Subscriber).await;
    publisher.send();
    eventually("both flow", || both(&guest.received).0 > 20 && both(&guest.received).1 > 20).await;
    link.lose(20);
    let sfu = plane.sfu.clone();
    eventually("pictures are sent again", || sfu.counters().retransmissions > 3).await;
    eventually("voices are sent again", || sfu.counters().echoes > 3).await;
}
