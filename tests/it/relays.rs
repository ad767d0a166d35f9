//! One lesson on the media planes of several nodes, with real peers: what one node receives once, everybody on the others
//! gets, and nothing else.

use std::time::Duration;

use qism::sfu::{Membership, Neighbor};
use qism_signaling::{
    hub::ports::{MediaOrder, MediaPlane as _},
    protocol::{IncarnationId, LegKind, LessonId, Source, UserId},
};
use uuid::Uuid;

use crate::{
    lossy::LossyLink,
    peer::{Plane, Publisher, Subscriber, eventually, stops},
    sfu::{self, EVERYTHING, both, in_order, is_up},
};

const KEY: [u8; 32] = [7; 32];

/// The media plane of one node.
struct Node {
    plane: Plane,
    incarnation: IncarnationId,
}

impl Node {
    fn start(lesson: LessonId) -> Self {
        Self::start_on(lesson, 1, KEY)
    }

    fn start_on(lesson: LessonId, threads: usize, key: [u8; 32]) -> Self {
        let incarnation = IncarnationId(Uuid::now_v7());
        let mut plane = Plane::start_in(Some(Membership { incarnation, key }), threads, 1);
        plane.lesson = lesson;
        Self { plane, incarnation }
    }

    fn row(&self) -> Neighbor {
        let (doors, fingerprint) = (self.plane.sfu.doors().to_vec(), self.plane.sfu.fingerprint().to_owned());
        Neighbor { incarnation: self.incarnation, doors, fingerprint }
    }

    /// This person's tracks come in on that node.
    fn origin(&self, user: UserId, at: &Self) {
        let node = (at.incarnation != self.incarnation).then_some(at.incarnation);
        self.plane.sfu.order(MediaOrder::Origin { lesson: self.plane.lesson, user, node });
    }

    /// Bytes to and from other nodes.
    fn carried(&self) -> u64 {
        let totals = self.plane.sfu.counters();
        totals.relay_bytes_out + totals.relay_bytes_in
    }

    async fn publish(&mut self, sources: &[Source]) -> Publisher {
        sfu::publish(&mut self.plane, sources).await
    }

    /// Joins and receives everything of a publisher.
    async fn join(&mut self, user: UserId) -> Subscriber {
        sfu::join(&mut self.plane, user).await
    }
}

/// All know each other.
fn introduce(nodes: &[&Node]) {
    for node in nodes {
        let others = nodes.iter().filter(|other| other.incarnation != node.incarnation);
        node.plane.sfu.meet(others.map(|other| other.row()).collect());
    }
}

fn two() -> (Node, Node) {
    let lesson = LessonId(Uuid::new_v4());
    let (one, other) = (Node::start(lesson), Node::start(lesson));
    introduce(&[&one, &other]);
    (one, other)
}

/// The publisher of one node is known on the other.
fn known(user: UserId, at: &Node, on: &Node) {
    on.plane.permit(user, &EVERYTHING);
    on.origin(user, at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn voice_and_pictures_cross_to_the_other_node_and_arrive_in_order() {
    let (mut here, mut there) = two();
    let publisher = here.publish(&EVERYTHING).await;
    known(publisher.leg.user, &here, &there);
    let near = here.join(publisher.leg.user).await;
    let far = there.join(publisher.leg.user).await;
    publisher.send();
    for (name, subscriber) in [("near", &near), ("far", &far)] {
        eventually(name, || both(&subscriber.received).0 > 60 && both(&subscriber.received).1 > 60).await;
        assert!(in_order(&subscriber.received), "{name}");
    }
    let totals = here.plane.sfu.counters();
    assert_eq!((totals.relays_opened, totals.relay_failures), (1, 0), "{totals:?}");
    let link =
        || here.plane.sfu.links().pop().filter(|link| link.round_trip.is_some() && link.tally.told > 60);
    eventually("the link is known", || link().is_some()).await;
    let link = link().expect("just now");
    assert_eq!((link.node, link.is_live), (there.incarnation, true));
    let totals = here.plane.sfu.counters();
    assert!(link.tally.bytes_out > 20_000 && link.tally.bytes_out <= totals.relay_bytes_out, "{link:?}");
    assert!(link.tally.bytes_in > 0 && link.tally.bytes_in <= totals.relay_bytes_in, "{link:?}");
    assert!(link.estimate.is_some() && link.round_trip < Some(Duration::from_secs(1)), "{link:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_track_crosses_once_however_many_receive_it() {
    let (mut here, mut there) = two();
    let publisher = here.publish(&EVERYTHING).await;
    known(publisher.leg.user, &here, &there);
    let mut viewers = vec![there.join(publisher.leg.user).await];
    publisher.send();
    let mut carried = Vec::new();
    for count in [1, 6] {
        while viewers.len() < count {
            viewers.push(there.join(publisher.leg.user).await);
        }
        let last = viewers.last().expect("one at least").received.clone();
        eventually("the newest receives both", || both(&last).0 > 20 && both(&last).1 > 20).await;
        let (bytes, packets) = (there.carried(), both(&last).0);
        eventually("two seconds of the voice", || both(&last).0 >= packets + 100).await;
        // Per packet of the voice: the test machine's own pace does not count.
        carried.push((there.carried() - bytes) as f64 / (both(&last).0 - packets) as f64);
    }
    eprintln!("bytes between the nodes per 20 ms: {:.0} with 1 viewer, {:.0} with 6", carried[0], carried[1]);
    assert!((carried[1] / carried[0] - 1.0).abs() < 0.2, "{carried:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_relay_carries_both_ways() {
    let (mut here, mut there) = two();
    let (one, other) = (here.publish(&EVERYTHING).await, there.publish(&EVERYTHING).await);
    known(one.leg.user, &here, &there);
    known(other.leg.user, &there, &here);
    let at_there = there.join(one.leg.user).await;
    let at_here = here.join(other.leg.user).await;
    one.send();
    other.send();
    for received in [&at_there.received, &at_here.received] {
        eventually("both are heard and seen", || both(received).0 > 30 && both(received).1 > 30).await;
    }
    let opened = [&here, &there].map(|node| node.plane.sfu.counters().relays_opened);
    assert_eq!(opened, [1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_permission_stops_the_packets_on_either_node() {
    let (mut here, mut there) = two();
    let publisher = here.publish(&EVERYTHING).await;
    let user = publisher.leg.user;
    known(user, &here, &there);
    let far = there.join(user).await;
    publisher.send_with_key_frames_on_demand(&here.plane.sfu);
    for node in [&here, &there] {
        let before = both(&far.received);
        eventually("voice and pictures flow", || {
            let now = both(&far.received);
            now.0 > before.0 + 20 && now.1 > before.1 + 20
        })
        .await;
        node.plane.permit(user, &[Source::Microphone]);
        let of = || both(&far.received);
        stops("pictures, while the voice flows on", || of().1 as u64, || of().0 as u64).await;
        node.plane.permit(user, &EVERYTHING);
    }
    let then = both(&far.received);
    eventually("pictures flow again", || both(&far.received).1 > then.1 + 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_from_another_node_reaches_the_other_threads_too() {
    let lesson = LessonId(Uuid::new_v4());
    let (mut here, mut there) = (Node::start_on(lesson, 2, KEY), Node::start_on(lesson, 2, KEY));
    introduce(&[&here, &there]);
    let publisher = here.publish(&EVERYTHING).await;
    known(publisher.leg.user, &here, &there);
    // One subscriber for each thread.
    let viewers = [
        here.join(publisher.leg.user).await,
        here.join(publisher.leg.user).await,
        there.join(publisher.leg.user).await,
        there.join(publisher.leg.user).await,
    ];
    publisher.send();
    for viewer in &viewers {
        eventually("heard and seen", || both(&viewer.received).0 > 30 && both(&viewer.received).1 > 30).await;
    }
    assert!(there.plane.sfu.counters().packets_crossed > 0);
    assert_eq!(there.plane.sfu.counters().relays_opened, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_who_moves_to_another_node_goes_on_in_the_same_stream_everywhere() {
    let lesson = LessonId(Uuid::new_v4());
    let (mut first, mut second, mut third) = (Node::start(lesson), Node::start(lesson), Node::start(lesson));
    introduce(&[&first, &second, &third]);
    let publisher = first.publish(&EVERYTHING).await;
    let user = publisher.leg.user;
    [&second, &third].into_iter().for_each(|node| known(user, &first, node));
    let viewers = [first.join(user).await, second.join(user).await, third.join(user).await];
    publisher.send();
    let all = || viewers.each_ref().map(|viewer| both(&viewer.received));
    eventually("all hear and see", || all().iter().all(|it| it.0 > 20 && it.1 > 20)).await;
    // The line moves first, then the media: until it comes, the old one is heard.
    [&first, &second, &third].into_iter().for_each(|node| node.origin(user, &second));
    let before = all();
    eventually("the old one is heard on", || all().iter().zip(before).all(|(it, then)| it.0 > then.0 + 10))
        .await;
    let moved = Publisher::join_as(&second.plane, publisher.leg).await;
    is_up(&mut second.plane, LegKind::Publisher).await;
    moved.send();
    publisher.leave().await;
    let before = all();
    eventually("all hear and see again", || {
        all().iter().zip(before).all(|(it, then)| it.0 > then.0 + 40 && it.1 > then.1 + 40)
    })
    .await;
    for viewer in &viewers {
        assert!(in_order(&viewer.received));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_that_the_link_loses_are_sent_again_and_its_loss_heals() {
    let lesson = LessonId(Uuid::new_v4());
    let (mut here, mut there) = (Node::start(lesson), Node::start(lesson));
    // Each reaches the other over a link of its own.
    let links = [
        LossyLink::open(there.plane.sfu.doors()[0].port(), 1).await,
        LossyLink::open(here.plane.sfu.doors()[0].port(), 2).await,
    ];
    let over = |node: &Node, link: &LossyLink| Neighbor {
        doors: vec![([127, 0, 0, 1], link.port).into()],
        ..node.row()
    };
    here.plane.sfu.meet(vec![over(&there, &links[0])]);
    there.plane.sfu.meet(vec![over(&here, &links[1])]);
    let publisher = here.publish(&EVERYTHING).await;
    known(publisher.leg.user, &here, &there);
    let far = there.join(publisher.leg.user).await;
    publisher.send();
    eventually("both flow", || both(&far.received).0 > 20 && both(&far.received).1 > 20).await;
    links.iter().for_each(|link| link.lose(5));
    let before = both(&far.received);
    eventually("both flow on", || {
        let now = both(&far.received);
        now.0 > before.0 + 300 && now.1 > before.1 + 300
    })
    .await;
    assert!(here.plane.sfu.counters().relay_packets_repeated > 5);
    links.iter().for_each(|link| link.lose(100));
    tokio::time::sleep(Duration::from_secs(3)).await;
    links.iter().for_each(|link| link.lose(0));
    let (before, lit) = (both(&far.received), std::time::Instant::now());
    eventually("both flow again", || {
        let now = both(&far.received);
        now.0 > before.0 + 5 && now.1 > before.1 + 5
    })
    .await;
    eprintln!("after three seconds without a link both flowed {:?} after its return", lit.elapsed());
}
