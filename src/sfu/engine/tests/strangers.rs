//! What a stranger can make the engine do: nothing that is kept, and no answer. And what a peer can that has keys: little.

use proptest::prelude::*;

use super::*;
use crate::sfu::engine::{leg::Path, legs::Role, room::downlink::Downlink};

/// How a stranger's datagram begins: as each of the protocols that share the port, or as nothing.
fn any_datagram() -> impl Strategy<Value = Vec<u8>> {
    let check = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    let (hello, media, control) = (vec![22, 0xfe, 0xfd, 0, 0], vec![0x90, 111, 0, 1], vec![0x81, 201, 0, 7]);
    let begin = prop_oneof![Just(Vec::new()), Just(check), Just(hello), Just(media), Just(control)];
    (begin, proptest::collection::vec(any::<u8>(), 0..1_400)).prop_map(|(mut begin, rest)| {
        begin.extend(rest);
        let length = begin.len().saturating_sub(20) as u16;
        if begin.starts_with(&[0, 1]) {
            begin[2..4].copy_from_slice(&length.to_be_bytes());
        }
        begin
    })
}

/// Changes of a check that names a leg which stands: (where, which byte then).
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)
}

fn lesson() -> Lesson {
    Lesson::begin(&Arc::new(Identity::generate().expect("a certificate")))
}

#[test]
fn the_lesson_of_these_tests_stands() {
    let mut lesson = lesson();
    let kept = lesson.kept();
    assert_eq!((kept.legs, kept.addresses, kept.rooms, kept.streams, kept.relays), (3, 3, 1, 0, 0));
    let again = check(&lesson.legs[0].1, lesson.worker.identity.clone());
    assert!(lesson.datagram(From::Stranger, &again) > 0, "whoever knows the password is answered");
    assert_eq!(lesson.kept().addresses, 4);
}

/// Whoever passed a check can forge a source address all the same.
#[test]
fn a_peer_cannot_take_the_address_of_another_whose_media_goes_there() {
    let mut lesson = lesson();
    let check = check(&lesson.legs[2].1, lesson.worker.identity.clone());
    assert_eq!(lesson.datagram(From::Publisher, &check), 0);
    let path = Path { socket: 0, peer: address(From::Publisher), local: None };
    assert_eq!(lesson.worker.legs.at(&path), Some(lesson.legs[0].0));
    // A network gives an address to somebody else once it is free.
    let own = super::check(&lesson.legs[0].1, lesson.worker.identity.clone());
    assert!(lesson.datagram(From::Stranger, &own) > 0, "the publisher moved");
    assert!(lesson.datagram(From::Publisher, &check) > 0);
    assert_eq!(lesson.worker.legs.at(&path), Some(lesson.legs[2].0));
}

fn downlink(lesson: &mut Lesson) -> &mut Downlink {
    match &mut lesson.worker.legs.get_mut(lesson.legs[1].0).expect("stands").role {
        Role::Subscriber(downlink) => downlink,
        Role::Publisher(_) => unreachable!("it subscribes"),
    }
}

/// Transport-wide feedback about so many packets that all came, in runs of 8,191.
fn feedback(packets: u16) -> Vec<u8> {
    let mut feedback = vec![0x8f, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0];
    feedback.extend(packets.to_be_bytes());
    feedback.extend([0, 0, 1, 0]);
    for _ in 0..packets.div_ceil(0x1fff) {
        feedback.extend((0x2000u16 | packets.min(0x1fff)).to_be_bytes());
    }
    feedback.resize(feedback.len() + usize::from(packets.min(400)), 4);
    feedback.resize(feedback.len().next_multiple_of(4), 0);
    let words = (feedback.len() / 4 - 1) as u16;
    feedback[2..4].copy_from_slice(&words.to_be_bytes());
    feedback
}

#[test]
fn feedback_that_tells_of_more_than_can_be_on_its_way_is_not_read() {
    let mut lesson = lesson();
    let departures = (0..20).map(Duration::from_millis).map(|after| lesson.now + after);
    for departure in departures.collect::<Vec<_>>() {
        downlink(&mut lesson).link.sent(1_000, departure);
    }
    lesson.control(From::Subscriber, &feedback(u16::MAX).repeat(3));
    assert_eq!(downlink(&mut lesson).link.estimate(), None);
    lesson.control(From::Subscriber, &feedback(20));
    assert!(downlink(&mut lesson).link.estimate().is_some());
}

#[test]
fn one_datagram_asks_for_so_many_packets_however_many_requests_are_in_it() {
    let mut lesson = lesson();
    for number in 0..3 {
        lesson.media(&key_frame_tests::key_frame(number));
    }
    let ssrc = (10_000 + u32::from(Slot::FIRST_CAMERA.0)).to_be_bytes();
    let request = [&[0x81, 205, 0, 3, 0, 0, 0, 1][..], &ssrc, &[0, 1, 0xff, 0xff]].concat();
    lesson.control(From::Subscriber, &request.repeat(70));
    assert_eq!(lesson.worker.counters.totals().nacks_in, 256);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn datagrams_of_strangers_keep_no_memory_and_get_no_answer(
        datagrams in proptest::collection::vec(any_datagram(), 1..40),
    ) {
        let mut lesson = lesson();
        let before = lesson.kept();
        for datagram in &datagrams {
            prop_assert_eq!(lesson.datagram(From::Stranger, datagram), 0);
            prop_assert_eq!(lesson.connection(datagram), 0);
        }
        prop_assert_eq!(lesson.kept(), before);
    }

    #[test]
    fn forged_checks_that_name_a_leg_keep_no_memory_and_get_no_answer(forgeries in proptest::collection::vec(changes(), 1..40)) {
        let mut lesson = lesson();
        let (before, forged) = (lesson.kept(), lesson.forged_check());
        for changes in &forgeries {
            let mut check = forged.clone();
            changes.iter().for_each(|(place, byte)| check[place.index(forged.len())] = *byte);
            prop_assert_eq!(lesson.datagram(From::Stranger, &check), 0);
            prop_assert_eq!(lesson.connection(&check), 0);
        }
        prop_assert_eq!(lesson.kept(), before);
    }
}
