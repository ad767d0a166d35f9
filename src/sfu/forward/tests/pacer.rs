use bytes::Bytes;

use super::super::{packet::Content, vp8::Descriptor};
use super::*;

const LANE: usize = 4;

/// One packet of a frame: its number is also its time.
fn packet(sequence: u64, frame: u32, bytes: usize, temporal: u8, is_key: bool, now: Instant) -> Packet {
    Packet {
        sequence,
        timestamp: frame * 3_000,
        marker: false,
        captured: None,
        arrived: now,
        payload: Bytes::from(vec![0; bytes]),
        content: Content::Vp8(Descriptor {
            starts_frame: is_key,
            key_frame: is_key,
            temporal: Some((temporal, false)),
            ..Descriptor::default()
        }),
    }
}

/// A pacer of a link, and what flows in one slot.
struct Rig {
    pacer: Pacer,
    now: Instant,
    flow: Flow,
    sequence: u64,
    left: Vec<u64>,
    restarts: usize,
}

impl Rig {
    fn new(bitrate: Option<u32>) -> Self {
        let (now, mut pacer) = (Instant::now(), Pacer::new(8));
        pacer.set_link(bitrate, false, now);
        Self {
            pacer,
            now,
            flow: Flow { current: Some((0, 0)), awaited: None },
            sequence: 0,
            left: Vec::new(),
            restarts: 0,
        }
    }

    fn handled(&mut self, sequence: u64) {
        self.flow.current = Some((0, sequence));
    }

    /// A frame of so many packets comes in; how many of them left, wait, were left out.
    fn frame(&mut self, frame: u32, packets: usize, temporal: u8, is_key: bool) -> [usize; 3] {
        let mut fates = [0; 3];
        for part in 0..packets {
            self.sequence += 1;
            let packet = packet(self.sequence, frame, 1_000, temporal, is_key && part == 0, self.now);
            match self.pacer.offer(LANE, 0, &packet, self.flow, self.now) {
                Fate::Leaves => {
                    fates[0] += 1;
                    self.pacer.sent(1_000);
                    self.left.push(self.sequence);
                    self.handled(self.sequence);
                }
                Fate::Stays => fates[1] += 1,
                Fate::LeftOut => {
                    fates[2] += 1;
                    self.handled(self.sequence);
                }
            }
        }
        fates
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.now += Duration::from_millis(5);
            while let Some(next) = self.pacer.poll(self.now) {
                self.restarts += usize::from(next.restarts);
                self.handled(next.sequence);
                if !next.left_out {
                    self.pacer.sent(1_000);
                    self.left.push(next.sequence);
                }
            }
        }
    }
}

#[test]
fn on_a_good_link_everything_leaves_at_once() {
    let mut rig = Rig::new(Some(8_000_000));
    for frame in 1..100 {
        assert_eq!(rig.frame(frame, 5, 0, frame == 1), [5, 0, 0]);
        rig.pass(Duration::from_millis(33));
    }
    let mut rig = Rig::new(None);
    assert_eq!(rig.frame(1, 400, 0, true), [400, 0, 0], "nothing is known of the link");
}

#[test]
fn a_key_frame_is_spread_and_what_follows_waits_for_it() {
    let mut rig = Rig::new(Some(400_000));
    let [left, waits, _] = rig.frame(1, 20, 0, true);
    assert!(left <= 3 && left + waits == 20, "{left} at once");
    assert_eq!(rig.frame(2, 1, 0, false), [0, 1, 0]);
    rig.pass(Duration::from_millis(200));
    let after = rig.left.len();
    assert!((9..=13).contains(&after), "400 kbit/s: {after}");
    rig.pass(Duration::from_millis(300));
    assert_eq!(rig.left, (1..=21).collect::<Vec<u64>>());
    assert!(!rig.pacer.is_waiting());
}

#[test]
fn upper_temporal_layers_are_left_out_first_and_what_is_drawn_upon_them_too() {
    let mut rig = Rig::new(Some(100_000));
    rig.frame(1, 6, 0, true);
    assert_eq!(rig.frame(2, 1, 1, false), [0, 1, 0], "waits, or is left out in its place");
    rig.frame(3, 1, 2, false);
    rig.frame(4, 1, 0, false);
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.left, [1, 2, 3, 4, 5, 6, 9]);
    assert_eq!(rig.flow.current, Some((0, 9)), "every number was handled, in order");
    assert!(!rig.pacer.take_broken(LANE));
}

#[test]
fn a_queue_that_is_too_long_ends_with_a_whole_frame_and_a_wish_for_a_key_frame() {
    let mut rig = Rig::new(Some(100_000));
    for frame in 1..40 {
        rig.frame(frame, 2, 0, frame == 1);
    }
    assert!(!rig.pacer.take_broken(LANE), "what waits leaves first");
    rig.pass(Duration::from_secs(3));
    assert_eq!(rig.left.len() % 2, 0, "whole frames: {:?}", rig.left);
    assert!((6..14).contains(&rig.left.len()), "{:?}", rig.left);
    assert!(rig.pacer.take_broken(LANE) && !rig.pacer.take_broken(LANE));
}

#[test]
fn a_new_key_frame_takes_the_place_of_what_has_not_begun_to_leave() {
    let mut rig = Rig::new(Some(100_000));
    rig.frame(1, 6, 0, true);
    rig.frame(2, 3, 0, false);
    rig.frame(3, 6, 0, true);
    rig.pass(Duration::from_secs(3));
    assert_eq!(rig.left, [1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15]);
    assert_eq!(rig.restarts, 1);
}

#[test]
fn two_key_frames_behind_each_other_do_not_ask_for_a_third() {
    let mut rig = Rig::new(Some(48_000));
    rig.frame(1, 20, 0, true);
    rig.pass(Duration::from_millis(200));
    rig.frame(2, 20, 0, true);
    for frame in 3..5 {
        rig.pass(Duration::from_millis(500));
        rig.frame(frame, 1, 0, false);
    }
    rig.pass(Duration::from_secs(8));
    assert_eq!(rig.left, (1..=42).collect::<Vec<u64>>());
    assert!(!rig.pacer.take_broken(LANE));
}

#[test]
fn a_key_frame_is_known_while_it_waits_and_when_it_left() {
    let mut rig = Rig::new(Some(48_000));
    assert!(!rig.pacer.has_key_frame(LANE, 0) && rig.pacer.key_frame_left(LANE, 0).is_none());
    rig.frame(1, 6, 0, true);
    assert!(rig.pacer.has_key_frame(LANE, 0) && !rig.pacer.has_key_frame(LANE, 1));
    rig.pass(Duration::from_secs(2));
    assert!(!rig.pacer.has_key_frame(LANE, 0));
    let left = rig.pacer.key_frame_left(LANE, 0).expect("it left");
    assert!(rig.now - left > Duration::from_millis(800) && rig.pacer.key_frame_left(LANE, 1).is_none());
}

#[test]
fn a_packet_that_came_late_takes_its_place() {
    let mut rig = Rig::new(Some(100_000));
    rig.frame(1, 4, 0, true);
    rig.sequence += 1;
    rig.frame(1, 1, 0, false);
    let late = packet(5, 1, 1_000, 0, false, rig.now);
    assert_eq!(rig.pacer.offer(LANE, 0, &late, rig.flow, rig.now), Fate::Stays);
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.left, [1, 2, 3, 4, 5, 6]);
    let late = packet(3, 1, 1_000, 0, false, rig.now);
    assert_eq!(rig.pacer.offer(LANE, 0, &late, rig.flow, rig.now), Fate::Leaves, "its gap was kept");
}

#[test]
fn while_the_link_is_silent_nothing_leaves() {
    let mut rig = Rig::new(Some(8_000_000));
    rig.pacer.set_link(Some(8_000_000), true, rig.now);
    assert_eq!(rig.frame(1, 2, 0, true), [0, 2, 0]);
    rig.pass(Duration::from_millis(200));
    assert!(rig.left.is_empty());
    rig.pacer.set_link(Some(8_000_000), false, rig.now);
    rig.pass(Duration::from_millis(5));
    assert_eq!(rig.left, [1, 2]);
}

#[test]
fn another_source_leaves_nothing_behind() {
    let mut rig = Rig::new(Some(100_000));
    rig.frame(1, 8, 0, true);
    assert!(rig.pacer.is_waiting());
    rig.pacer.clear(LANE);
    assert!(!rig.pacer.is_waiting());
}

#[test]
fn a_frame_that_others_are_drawn_upon_waits_rather_than_cost_a_key_frame() {
    let mut rig = Rig::new(Some(48_000));
    rig.frame(1, 12, 0, true);
    rig.pass(Duration::from_secs(3));
    assert!(!rig.pacer.is_waiting(), "the key frame left");
    // Each takes half a second of the link, twice as long as anything may wait that can be left out.
    for frame in 2..20 {
        rig.frame(frame, 3, 0, false);
        rig.pass(Duration::from_millis(450));
    }
    assert!(!rig.pacer.take_broken(LANE));
    rig.pass(Duration::from_secs(3));
    assert_eq!(rig.left, (1..=66).collect::<Vec<u64>>());
    assert!(!rig.pacer.take_broken(LANE));
}

#[test]
fn what_is_to_be_sent_again_leaves_before_what_waits_and_once() {
    let mut rig = Rig::new(Some(100_000));
    rig.frame(1, 8, 0, true);
    rig.pacer.sent(1_000);
    assert!(!rig.pacer.may_repair(rig.now), "the link takes nothing now");
    (0..3).for_each(|_| rig.pacer.owe(LANE, 2));
    assert_eq!(rig.pacer.poll_owed(rig.now), None);
    rig.now += Duration::from_millis(500);
    assert_eq!(rig.pacer.poll_owed(rig.now), Some((LANE, 2)));
    assert_eq!(rig.pacer.poll_owed(rig.now), None);
    (0..2 * OWED as u64).for_each(|number| rig.pacer.owe(LANE, number));
    assert_eq!(std::iter::from_fn(|| rig.pacer.poll_owed(rig.now)).count(), OWED);
}

#[test]
fn what_a_newer_key_frame_takes_the_place_of_is_not_sent_again() {
    let mut rig = Rig::new(Some(100_000));
    rig.frame(1, 8, 0, true);
    rig.pacer.owe(LANE, 2);
    rig.pacer.owe(LANE + 1, 2);
    assert!(!rig.pacer.is_outdated(LANE, 0, 8));
    rig.frame(2, 8, 0, true);
    assert!(rig.pacer.is_outdated(LANE, 0, 8) && !rig.pacer.is_outdated(LANE, 0, 9));
    assert!(!rig.pacer.is_outdated(LANE, 1, 8) && !rig.pacer.is_outdated(LANE + 1, 0, 8));
    rig.now += Duration::from_secs(1);
    assert_eq!(std::iter::from_fn(|| rig.pacer.poll_owed(rig.now)).collect::<Vec<_>>(), [(LANE + 1, 2)]);
}
