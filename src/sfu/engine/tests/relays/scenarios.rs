//! How relays come up, heal, end, and what crosses them.

use super::*;
use crate::sfu::{
    engine::reports::told_losses,
    forward::listeners::{ReportedLoss, worst_decile},
};

#[test]
fn a_relay_is_up_and_carries_within_half_a_second() {
    let mut world = World::new(1);
    let took = world.until(5, Duration::from_secs(5)).expect("it carries");
    println!("first packets after {took:?} at a round trip of {:?}", TRAVEL * 2);
    assert!(took <= Duration::from_millis(700), "{took:?}");
    let totals = world.nodes[0].counters.totals();
    assert_eq!((totals.relays_opened, totals.relay_failures, totals.strangers), (1, 0, 0));
}

#[test]
fn what_a_link_loses_is_there_within_two_round_trips() {
    let mut world = World::new(2);
    world.run(Duration::from_secs(2));
    world.lost = 5;
    let first = world.sent;
    world.run(Duration::from_secs(60));
    let took: Vec<Option<Duration>> = (first..world.sent - 20).map(|count| world.voice[&count].1).collect();
    let late = |round_trips: u32| {
        // The way itself, the wait for packets out of order, and the grain of our time.
        let limit = TRAVEL + TRAVEL * 2 * round_trips + STEP * 2;
        took.iter().filter(|took| took.is_none_or(|took| took > limit)).count()
    };
    let never = took.iter().filter(|took| took.is_none()).count();
    println!(
        "of {}: {} after one round trip more, {} after two, {never} never",
        took.len(),
        late(1),
        late(2)
    );
    assert!(late(2) * 100 <= took.len() && never * 1_000 <= took.len());
    let totals = world.nodes[0].counters.totals();
    assert!(totals.relay_packets_repeated > 50, "{totals:?}");
}

#[test]
fn a_link_that_was_dark_carries_again_within_a_second_and_keeps_its_keys() {
    for seconds in [1, 3, 9, 25] {
        let mut world = World::new(3);
        world.run(Duration::from_secs(2));
        world.lost = 100;
        world.run(Duration::from_secs(seconds));
        world.lost = 0;
        let took = world.until(5, Duration::from_secs(10)).expect("it carries again");
        println!("after {seconds} s of darkness it took {took:?}");
        assert!(took <= Duration::from_secs(1), "{took:?} after {seconds} s");
        assert_eq!(world.nodes[0].counters.totals().relays_opened, 1, "nothing was agreed on anew");
    }
}

#[test]
fn nothing_but_knocks_is_sent_into_the_dark() {
    let mut world = World::new(4);
    world.run(Duration::from_secs(2));
    // What the first node sends is taken; the second one says nothing.
    world.nodes[1].ways.relays = Relays::new(None, 0, Vec::new());
    world.run(Duration::from_secs(3));
    let before = world.carried[1];
    world.run(Duration::from_secs(2));
    assert!(world.carried[1] - before <= 21, "{}", world.carried[1] - before);
}

#[test]
fn who_does_not_belong_gets_nothing_and_leaves_nothing() {
    let wrongs = [
        Wrong { key: true, ..Wrong::default() },
        Wrong { fingerprint: true, ..Wrong::default() },
        Wrong { unknown: true, ..Wrong::default() },
    ];
    for wrong in wrongs {
        let mut world = World::with(5, wrong);
        world.run(Duration::from_secs(10));
        assert_eq!(world.both(), [0, 0], "nothing is passed on");
        let totals = world.nodes[0].counters.totals();
        assert_eq!((totals.relays_opened, totals.relay_packets_out), (0, 0), "{totals:?}");
        if wrong.fingerprint {
            assert!(
                totals.relay_failures > 1 && totals.relay_failures < 12,
                "tried again, ever more seldom: {totals:?}"
            );
        } else {
            assert!(world.nodes[0].ways.relays.is_empty(), "no memory");
            assert_eq!(world.carried[1], 0, "no answer");
            assert!(totals.strangers > 5);
        }
    }
}

#[test]
fn a_node_that_lost_its_end_of_a_relay_makes_a_new_one() {
    let mut world = World::new(6);
    world.run(Duration::from_secs(2));
    let far = Far { node: incarnation(1), thread: 0 };
    world.nodes[0].ways.relays.remove(far);
    let took = world.until(5, Duration::from_secs(10)).expect("it carries again");
    println!("a lost end cost {took:?}");
    assert!(took <= Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_dead_node_and_an_idle_relay_are_forgotten() {
    let mut world = World::new(7);
    world.run(Duration::from_secs(2));
    let now = world.now;
    world.nodes[1].obey(Order::Meet(Vec::new().into()), now);
    assert!(world.nodes[1].ways.relays.is_empty());
    // The first one still takes the second for living, but is asked for nothing any more.
    world.nodes[1].ways.relays = Relays::new(None, 0, Vec::new());
    world.run(Duration::from_secs(40));
    assert!(world.nodes[0].ways.relays.is_empty());
    let exports = world.nodes[0].room(lesson()).tracks.iter().map(|track| track.exports.len()).sum::<usize>();
    assert_eq!(exports, 0);
}

#[test]
fn a_knock_that_is_sent_once_more_by_a_stranger_moves_nothing() {
    let mut world = World::new(8);
    world.run(Duration::from_secs(2));
    let (now, far) = (world.now, Far { node: incarnation(0), thread: 0 });
    let own = Far { node: incarnation(1), thread: 0 };
    let old = Knock { to: own, from: far, attempt: 0, known: 0 };
    let identity = world.nodes[1].identity.clone();
    let datagram = old.write(&[7; 32], identity.crypto()).expect("well formed");
    let stranger = Datagram { bytes: &datagram, peer: door(9), local: None };
    world.nodes[1].receive(0, stranger, now);
    assert!(world.nodes[1].batch.take().iter().all(|(path, _)| path.peer != door(9)), "no answer goes there");
    world.until(20, Duration::from_secs(1)).expect("it carries on");
}

#[test]
fn only_the_layers_that_are_received_cross_and_others_follow_at_once() {
    let mut world = World::new(9);
    world.run(Duration::from_secs(3));
    let per_second = |world: &mut World| {
        let before = world.nodes[0].counters.totals().relay_packets_out;
        world.run(Duration::from_secs(2));
        (world.nodes[0].counters.totals().relay_packets_out - before) / 2
    };
    assert_eq!(
        per_second(&mut world),
        150,
        "the voice, the layer that is shown, and the one to fall back to"
    );
    world.show(1, LayerCap::LOW);
    world.run(Duration::from_millis(500));
    assert_eq!(per_second(&mut world), 100);
    world.show(1, LayerCap::FULL);
    world.run(Duration::from_millis(500));
    assert_eq!(per_second(&mut world), 150);
    world.until(20, Duration::from_secs(1)).expect("and the picture flows");
}

#[test]
fn who_is_heard_on_a_node_is_told_over_the_relay_and_keeps_nothing_open() {
    let mut world = World::new(14);
    world.run(Duration::from_secs(2));
    let (lesson, speaker) = (lesson(), UserId(Uuid::from_u128(4)));
    let crowd = Voices::Speaking((0..40).map(|n| UserId(Uuid::from_u128(n))).collect());
    let voices =
        [Voices::Speaking(vec![speaker, teacher()]), Voices::Begins(speaker), Voices::Speaking(vec![])];
    for voices in voices {
        world.obey(1, MediaOrder::Heard { lesson, voices: voices.clone() });
        world.run(TRAVEL * 2);
        assert_eq!(world.heard_elsewhere(0), [(incarnation(1), voices)]);
    }
    world.obey(0, MediaOrder::Heard { lesson, voices: crowd });
    world.run(TRAVEL * 2);
    let heard = world.heard_elsewhere(1);
    assert!(matches!(&heard[..], [(_, Voices::Speaking(users))] if users.len() == 16), "{heard:?}");
    // Nobody on the second node needs anything any more.
    world.nodes[1].obey(Order::Hub(MediaOrder::CloseLesson { lesson }), world.now);
    for _ in 0..40 {
        world.obey(0, MediaOrder::Heard { lesson, voices: Voices::Begins(speaker) });
        world.run(Duration::from_secs(1));
    }
    assert_eq!(world.heard_elsewhere(1), [], "the lesson is not open there");
    assert!(world.nodes[0].ways.relays.is_empty());
}

#[test]
fn a_teacher_who_publishes_again_after_a_pause_is_heard_at_once() {
    for pause in [1, 20] {
        let mut world = World::new(10);
        world.run(Duration::from_secs(2));
        world.nodes[0].room(lesson()).unpublish(usize::MAX);
        world.next += Duration::from_secs(pause);
        world.run(Duration::from_secs(pause));
        world.publish(0);
        let took = world.until(5, Duration::from_secs(5)).expect("heard again");
        println!("published again after {pause} s: heard and seen {took:?} later");
        assert!(took <= Duration::from_millis(400), "{took:?}");
    }
}

#[test]
fn what_is_shut_and_opened_again_crosses_again() {
    for node in [0, 1] {
        let mut world = World::new(11);
        world.run(Duration::from_secs(2));
        let permit = |sources: &[Source]| MediaOrder::Permit {
            lesson: lesson(),
            user: teacher(),
            sources: sources.to_vec(),
        };
        world.obey(node, permit(&[]));
        // What is on its way still comes where the gate is open.
        world.run(TRAVEL * 2);
        let before = world.both();
        world.run(Duration::from_secs(1));
        assert_eq!(world.both(), before, "nothing while it is shut on either node");
        world.obey(node, permit(&SOURCES));
        world.until(5, Duration::from_secs(1)).expect("again");
    }
}

#[test]
fn a_teacher_who_moves_to_the_students_node_is_taken_from_there() {
    let mut world = World::new(12);
    world.run(Duration::from_secs(2));
    let (lesson, user) = (lesson(), teacher());
    world.obey(1, MediaOrder::Origin { lesson, user, node: None });
    world.obey(0, MediaOrder::Origin { lesson, user, node: Some(incarnation(1)) });
    world.until(20, Duration::from_secs(1)).expect("what still comes from the old node is taken");
    world.publish(1);
    world.at = 1;
    world.until(5, Duration::from_secs(1)).expect("and then what comes here");
    world.run(Duration::from_secs(8));
    let exports = world.nodes[0].room(lesson).tracks.iter().map(|track| track.exports.len()).sum::<usize>();
    assert_eq!(exports, 0, "nothing is asked of the old node");
}

#[test]
fn a_teacher_who_moves_away_is_heard_here_until_something_comes_from_there() {
    let mut world = World::new(13);
    // The student hears a teacher on the same node first, who then moves to the other one.
    world.publish(1);
    let (lesson, user) = (lesson(), teacher());
    world.obey(1, MediaOrder::Origin { lesson, user, node: None });
    world.at = 1;
    world.run(Duration::from_secs(2));
    world.obey(1, MediaOrder::Origin { lesson, user, node: Some(incarnation(0)) });
    world.publish(0);
    // The new leg is there and silent, while the old one goes on.
    world.until(50, Duration::from_millis(1_100)).expect("not one packet less");
    world.at = 0;
    let took = world.until(5, Duration::from_secs(1)).expect("from the new node");
    // Up to 200 ms are the wait for the next key frame.
    assert!(took <= Duration::from_millis(500), "{took:?}");
}

/// Only the media's part of it: demand there, voice back.
#[test]
fn a_voice_that_gets_a_seat_on_the_other_node_is_there_after_one_round_trip() {
    let mut world = World::new(5);
    let (leg, slot, cap) = (student(), Slot(1), LayerCap::FULL);
    world.obey(1, MediaOrder::Assign { leg, slot: Slot::TEACHER_AUDIO, publication: None, cap });
    let (mut longest, publication) =
        (Duration::ZERO, Publication { user: teacher(), source: Source::Microphone });
    for round in 0..20 {
        // Nobody on that node wants it any more.
        world.run(Duration::from_millis(6_000 + round * 7));
        let (before, began) = (world.passed(slot), world.now);
        world.obey(1, MediaOrder::Assign { leg, slot, publication: Some(publication), cap });
        while world.passed(slot) == before && world.now < began + Duration::from_secs(2) {
            world.step();
        }
        longest = longest.max(world.now - began);
        world.obey(1, MediaOrder::Assign { leg, slot, publication: None, cap });
    }
    println!("after at most {longest:?} at a round trip of {:?}", TRAVEL * 2);
    // The next packet of the voice, and the grain of our time on each of three ways.
    assert!(longest <= TRAVEL * 2 + PACKET + STEP * 3, "{longest:?}");
}

#[test]
fn what_listeners_on_another_node_lose_is_known_where_the_speaker_is() {
    let mut world = World::new(3);
    world.run(Duration::from_secs(2));
    let told = |world: &mut World| {
        let now = world.now;
        let Worker { rooms, legs, .. } = &mut world.nodes[0];
        let track = rooms[&lesson()].tracks.iter().find(|track| track.is_audio()).expect("the voice");
        worst_decile(told_losses(track, legs).into_iter(), now)
    };
    assert_eq!(told(&mut world), 0);
    let (leg, at) = (world.nodes[1].legs.indices().next().expect("the student"), world.now);
    let state = world.nodes[1].legs.get_mut(leg).expect("stands");
    let Role::Subscriber(downlink) = &mut state.role else { panic!("a subscriber") };
    downlink.slot(Slot::TEACHER_AUDIO).expect("there").loss = Some(ReportedLoss { fraction: 40, at });
    world.run(Duration::from_millis(1_500));
    assert_eq!(told(&mut world), 40);
    world.run(Duration::from_secs(25));
    assert_eq!(told(&mut world), 0, "what is not told again is of the past");
}
