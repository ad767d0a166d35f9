#[path = "numbers.rs"]
mod numbers;

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::{
    pacer::{self, Pacer},
    packet::Content,
};
use super::*;

/// A VP8 publication: one packet a picture, 30 pictures a second, layers with numbers of their own.
struct Source {
    start: Instant,
    sequence: u64,
    timestamp: u32,
    picture: u16,
    tl0: u8,
    frame: u32,
}

impl Source {
    fn new(start: Instant, salt: u16) -> Self {
        Self {
            start,
            sequence: 70_000 + u64::from(salt),
            timestamp: u32::from(salt).wrapping_mul(1_000_003),
            picture: salt,
            tl0: salt as u8,
            frame: 0,
        }
    }

    /// The next packet, of temporal layer `temporal`.
    fn next(&mut self, key_frame: bool, temporal: u8) -> Packet {
        self.sequence += 1;
        self.frame += 1;
        self.picture = (self.picture + 1) & 0x7fff;
        if temporal == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        Packet {
            sequence: self.sequence,
            timestamp: self.timestamp.wrapping_add(3000 * self.frame),
            marker: true,
            captured: None,
            arrived: self.start + Duration::from_micros(33_333) * self.frame,
            payload: Bytes::from_static(b"picture"),
            content: Content::Vp8(Descriptor {
                starts_frame: true,
                key_frame,
                picture: Some(self.picture),
                tl0: Some(self.tl0),
                temporal: Some((temporal, temporal == 1)),
                ..Descriptor::default()
            }),
        }
    }
}

fn started(layer: usize) -> Forwarder {
    let mut forwarder = Forwarder::new(90_000, 1000);
    forwarder.want(Some(layer));
    forwarder
}

#[test]
fn a_slot_starts_at_a_key_frame() {
    let (mut forwarder, mut source) = (started(0), Source::new(Instant::now(), 9));
    assert_eq!(forwarder.forward(0, &source.next(false, 0)), None);
    assert_eq!(forwarder.awaited(), Some(0));
    let sent = forwarder.forward(0, &source.next(true, 0)).expect("key frame");
    assert_eq!(sent.sequence, 1000);
    assert_eq!(forwarder.awaited(), None);
}

#[test]
fn a_layer_switch_is_seamless() {
    let start = Instant::now();
    let mut forwarder = started(0);
    let (mut small, mut large) = (Source::new(start, 5), Source::new(start, 900));
    let before = forwarder.forward(0, &small.next(true, 0)).expect("key frame");
    let _ = large.next(false, 0);
    forwarder.want(Some(1));
    let still = forwarder.forward(0, &small.next(false, 0)).expect("the old layer flows on");
    let after = forwarder.forward(1, &large.next(true, 0)).expect("the new layer's key frame");
    assert_eq!((still.sequence, after.sequence), (before.sequence + 1, before.sequence + 2));
    assert_eq!(after.numbers.picture, still.numbers.picture + 1);
    assert_eq!(after.numbers.tl0, still.numbers.tl0.wrapping_add(1));
    let step = after.timestamp.wrapping_sub(still.timestamp);
    assert!((1..=3000).contains(&step), "the clock goes on: {step}");
    assert_eq!(forwarder.forward(0, &small.next(false, 0)), None, "the old layer is cut");
}

#[test]
fn a_late_part_of_a_key_frame_that_was_sent_does_not_begin_a_slot_that_starts_again() {
    let (mut forwarder, mut source) = (started(0), Source::new(Instant::now(), 3));
    let _ = forwarder.forward(0, &source.next(true, 0)).expect("key frame");
    let late = source.next(true, 0);
    let before = forwarder.forward(0, &source.next(false, 0)).expect("what follows the late one");
    forwarder.want(None);
    let _ = source.next(false, 0);
    forwarder.want(Some(0));
    assert_eq!(forwarder.forward(0, &late), None);
    assert_eq!(forwarder.awaited(), Some(0));
    let after = forwarder.forward(0, &source.next(true, 0)).expect("the next key frame");
    assert_eq!(after.sequence, before.sequence + 1);
}

#[test]
fn temporal_layers_are_dropped_without_a_hole() {
    let (mut forwarder, mut source) = (started(0), Source::new(Instant::now(), 3));
    forwarder.want_temporal(0);
    let mut sent = Vec::new();
    for frame in 0..12 {
        let temporal = [0, 2, 1, 2][frame % 4];
        sent.extend(forwarder.forward(0, &source.next(frame == 0, temporal)));
    }
    assert_eq!(sent.len(), 3);
    assert!(sent.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
    assert!(sent.windows(2).all(|pair| pair[1].numbers.picture == pair[0].numbers.picture + 1));
}

#[test]
fn a_retransmission_finds_its_packet_with_the_numbers_it_had() {
    let (mut forwarder, mut source) = (started(2), Source::new(Instant::now(), 44));
    let first = source.next(true, 0);
    let sent = forwarder.forward(2, &first).expect("key frame");
    let _ = forwarder.forward(2, &source.next(false, 0));
    let full = forwarder.full_sequence(sent.sequence as u16);
    assert_eq!(forwarder.origin(full), Some((2, first.sequence)));
    assert_eq!(forwarder.rewrite(2, &first), Some(sent));
    assert_eq!(forwarder.origin(full + 2), None, "not sent yet");
}

#[test]
fn a_late_packet_that_is_left_out_keeps_its_number_for_padding() {
    let (mut forwarder, mut source) = (started(0), Source::new(Instant::now(), 3));
    forwarder.want_temporal(0);
    let first = forwarder.forward(0, &source.next(true, 0)).expect("key frame");
    let late = source.next(false, 2);
    let third = forwarder.forward(0, &source.next(false, 0)).expect("base layer");
    assert_eq!(third.sequence, first.sequence + 2, "the missing one may have been needed");
    assert_eq!(forwarder.forward(0, &late), None);
    assert_eq!(forwarder.origin(first.sequence + 1), Some((0, late.sequence)));
    assert!(forwarder.leaves_out(&late));
}

#[test]
fn capture_times_align_layers() {
    let start = Instant::now();
    let mut forwarder = started(0);
    let (mut small, mut large) = (Source::new(start, 5), Source::new(start, 900));
    let key = Packet { captured: Some(10_000), ..small.next(true, 0) };
    let before = forwarder.forward(0, &key).expect("key frame");
    forwarder.want(Some(1));
    let key = Packet { captured: Some(14_500), ..large.next(true, 0) };
    let after = forwarder.forward(1, &key).expect("key frame");
    assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 4_500);
}

#[test]
fn an_audio_slot_changes_its_speaker_without_a_jump() {
    let now = Instant::now();
    let packet = |sequence, timestamp, after| Packet {
        sequence,
        timestamp,
        marker: false,
        captured: None,
        arrived: now + Duration::from_millis(after),
        payload: Bytes::from_static(b"opus"),
        content: Content::Sound,
    };
    let mut forwarder = Forwarder::new(48_000, 7);
    forwarder.want(Some(0));
    let one = forwarder.forward(0, &packet(70_000, 5_000, 0)).expect("audio flows at once");
    forwarder.restart();
    let two = forwarder.forward(0, &packet(90_000, 4_000_000_000, 20)).expect("the next speaker");
    assert_eq!((one.sequence, two.sequence), (7, 8));
    assert_eq!(two.timestamp.wrapping_sub(one.timestamp), 960);
}

/// What happens to one packet on its way to the SFU.
#[derive(Clone, Debug)]
struct Fate {
    layer: usize,
    lost: bool,
    late: bool,
    temporal: u8,
    want: Option<usize>,
    key_frame: bool,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (0usize..2, 0u8..10, 0u8..10, 0u8..3, 0usize..20, 0u8..8).prop_map(
        |(layer, lost, late, temporal, want, key)| Fate {
            layer,
            lost: lost == 0,
            late: late == 0,
            temporal: if key == 0 { 0 } else { temporal },
            want: (want < 2).then_some(want),
            key_frame: key == 0,
        },
    );
    proptest::collection::vec(fate, 1..300)
}

/// What left so far: each number was one packet, and pictures and their times went forward.
#[derive(Default)]
struct Shown {
    seen: std::collections::HashMap<u64, (usize, u64)>,
    newest: Option<Rewritten>,
}

impl Shown {
    fn take(&mut self, sent: Rewritten, of: (usize, u64)) -> Result<(), TestCaseError> {
        let known = self.seen.insert(sent.sequence, of);
        prop_assert!(known.is_none_or(|known| known == of));
        if let Some(newest) = self.newest.filter(|newest| sent.sequence > newest.sequence) {
            let step = |from: u16, to: u16| (to.wrapping_sub(from) & 0x7fff) as u32;
            prop_assert!(step(newest.numbers.picture, sent.numbers.picture) < 0x4000);
            prop_assert!(sent.timestamp.wrapping_sub(newest.timestamp) < 1 << 31);
        }
        if self.newest.is_none_or(|newest| sent.sequence > newest.sequence) {
            self.newest = Some(sent);
        }
        Ok(())
    }
}

proptest! {
    /// Loss, reordering, temporal drops and layer switches in any order.
    #[test]
    fn numbers_never_repeat_and_go_forward(fates in fates()) {
        let start = Instant::now();
        let mut sources = [Source::new(start, 11), Source::new(start, 30_000)];
        let mut forwarder = started(0);
        forwarder.want_temporal(1);
        let mut waiting: Option<(usize, Packet)> = None;
        let mut shown = Shown::default();
        for (step, fate) in (0..).zip(fates) {
            sources.iter_mut().for_each(|source| source.frame = step);
            if let Some(layer) = fate.want {
                forwarder.want(Some(layer));
            }
            let packet = sources[fate.layer].next(fate.key_frame, fate.temporal);
            let mut arriving = Vec::new();
            if fate.late && waiting.is_none() {
                waiting = Some((fate.layer, packet));
            } else if !fate.lost {
                arriving.push((fate.layer, packet));
                arriving.extend(waiting.take());
            }
            for (layer, mut packet) in arriving {
                packet.arrived = start + Duration::from_micros(33_333) * (step + 1);
                let Some(sent) = forwarder.forward(layer, &packet) else { continue };
                shown.take(sent, (layer, packet.sequence))?;
            }
        }
    }

    /// The same behind a pacer on a narrow link: frames wait, are left out, or are dropped until a key frame.
    #[test]
    fn numbers_go_forward_whatever_the_pacer_drops(fates in fates(), bitrate in 20_000u32..2_000_000) {
        let start = Instant::now();
        let mut sources = [Source::new(start, 11), Source::new(start, 30_000)];
        let (mut forwarder, mut queue) = (started(0), Pacer::new(1));
        queue.set_link(Some(bitrate), false, start);
        let mut ring = std::collections::HashMap::new();
        let mut shown = Shown::default();
        let mut waiting: Option<(usize, Packet)> = None;
        for (step, fate) in (0..).zip(fates) {
            let now = start + Duration::from_micros(33_333) * (step + 1);
            sources.iter_mut().for_each(|source| source.frame = step);
            if let Some(layer) = fate.want {
                forwarder.want(Some(layer));
            }
            let mut packet = sources[fate.layer].next(fate.key_frame, fate.temporal);
            packet.payload = Bytes::from(vec![0; if fate.key_frame { 9_000 } else { 2_500 }]);
            packet.arrived = now;
            let mut arriving = Vec::new();
            if fate.late && waiting.is_none() {
                waiting = Some((fate.layer, packet));
            } else if !fate.lost {
                arriving.push((fate.layer, packet));
                arriving.extend(waiting.take());
            }
            let mut left = Vec::new();
            for (layer, packet) in arriving {
                ring.insert((layer, packet.sequence), packet.clone());
                match queue.offer(0, layer, &packet, forwarder.flow(), now) {
                    pacer::Fate::Leaves => left.extend(forwarder.forward(layer, &packet).map(|sent| (sent, layer, packet.sequence))),
                    pacer::Fate::LeftOut => forwarder.leave_out(layer, &packet),
                    pacer::Fate::Stays => {}
                }
            }
            while let Some(next) = queue.poll(now) {
                let packet = &ring[&(next.layer, next.sequence)];
                if next.restarts {
                    forwarder.stop();
                }
                if next.is_entry && !forwarder.takes(next.layer) {
                    forwarder.stop();
                    queue.clear(0);
                } else if next.left_out {
                    forwarder.leave_out(next.layer, packet);
                } else if let Some(sent) = forwarder.forward(next.layer, packet) {
                    queue.sent(packet.payload.len());
                    left.push((sent, next.layer, next.sequence));
                }
            }
            if queue.take_broken(0) {
                forwarder.stop();
            }
            for (sent, layer, sequence) in left {
                shown.take(sent, (layer, sequence))?;
            }
        }
    }
}

#[test]
fn the_clock_of_one_publisher_tells_nothing_of_another() {
    let start = Instant::now();
    let (mut one, mut two) = (Source::new(start, 1), Source::new(start, 2));
    let mut forwarder = Forwarder::new(90_000, 0);
    forwarder.want(Some(0));
    let packet = Packet { captured: Some(500_000), ..one.next(true, 0) };
    let first = forwarder.forward(0, &packet).expect("sent");
    forwarder.restart();
    assert_eq!(forwarder.anchor().expect("sent").captured, None);
    // Half a second later by our clock, a tenth by theirs.
    let arrived = packet.arrived + Duration::from_millis(500);
    let packet = Packet { captured: Some(509_000), arrived, ..two.next(true, 0) };
    let second = forwarder.forward(0, &packet).expect("sent");
    assert_eq!(second.timestamp.wrapping_sub(first.timestamp), 45_000);
}
