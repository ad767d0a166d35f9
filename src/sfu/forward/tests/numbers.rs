//! The numbers of a slot under all that can happen at once: pictures of many packets in VP8 or H.264, packets lost, late, doubled or
//! sent again, layers and temporal layers that change, publishers who begin anew.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::Bytes;
use proptest::prelude::*;

use super::super::super::{h264, packet::Content, sequence::Unwrapper, vp8::Descriptor};
use super::*;

/// Between two pictures.
const STEP: Duration = Duration::from_micros(33_333);
/// A retransmission comes so many pictures late at most.
const LATEST: u32 = 12;

/// One picture of one layer, and what becomes of its packets on their way to the SFU.
#[derive(Clone, Debug)]
struct Shot {
    layer: usize,
    key_frame: bool,
    temporal: u8,
    /// By packet: how many pictures late it comes; lost without any, doubled with two.
    arrivals: Vec<Vec<u32>>,
    wish: Wish,
}

/// What changes before the picture.
#[derive(Clone, Debug)]
enum Wish {
    Nothing,
    Layer(Option<usize>),
    Temporal(u8),
    /// What flows is broken off.
    Stop,
    /// Another publisher.
    Restart,
}

fn arrivals() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![
        12 => Just(vec![0]),
        1 => Just(Vec::new()),
        2 => (1..=LATEST).prop_map(|late| vec![late]),
        1 => (0..=LATEST).prop_map(|late| vec![0, late]),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        24 => Just(Wish::Nothing),
        2 => proptest::option::weighted(0.8, 0usize..3).prop_map(Wish::Layer),
        2 => (0u8..3).prop_map(Wish::Temporal),
        1 => Just(Wish::Stop),
        1 => Just(Wish::Restart),
    ]
}

fn shots() -> impl Strategy<Value = Vec<Shot>> {
    let packets = proptest::collection::vec(arrivals(), 1..6);
    let shot =
        (0usize..3, 0u8..6, 0u8..3, packets, wish()).prop_map(|(layer, key, temporal, arrivals, wish)| {
            let key_frame = key == 0;
            Shot { layer, key_frame, temporal: if key_frame { 0 } else { temporal }, arrivals, wish }
        });
    proptest::collection::vec(shot, 1..200)
}

/// A simulcast layer at its publisher.
struct Layer {
    sequence: u64,
    timestamp: u32,
    picture: u16,
    tl0: u8,
}

impl Layer {
    /// Near the ends of all its numbers.
    fn new(layer: u16) -> Self {
        let sequence = 65_536 * 2 - 100 * u64::from(layer);
        Self { sequence, timestamp: u32::MAX - 50_000, picture: 0x7fff - 20 * layer, tl0: 250 }
    }

    fn shoot(&mut self, shot: &Shot, codec_is_vp8: bool, step: u32) -> Vec<Packet> {
        self.picture = (self.picture + 1) & 0x7fff;
        self.tl0 = self.tl0.wrapping_add(u8::from(shot.temporal == 0));
        let count = shot.arrivals.len();
        let packets = (0..count).map(|part| {
            self.sequence += 1;
            let content = match codec_is_vp8 {
                true => Content::Vp8(Descriptor {
                    starts_frame: part == 0,
                    key_frame: part == 0 && shot.key_frame,
                    picture: Some(self.picture),
                    tl0: Some(self.tl0),
                    temporal: Some((shot.temporal, false)),
                    ..Descriptor::default()
                }),
                false => Content::H264(h264::Head { key_frame: part == 0 && shot.key_frame, size: None }),
            };
            Packet {
                sequence: self.sequence,
                timestamp: self.timestamp.wrapping_add(3_000 * step),
                marker: part + 1 == count,
                captured: None,
                arrived: Instant::now(),
                payload: Bytes::from_static(b"a part of a picture"),
                content,
            }
        });
        packets.collect()
    }
}

/// What is known of the packets that left.
#[derive(Default)]
struct Receiver {
    /// By outgoing number: publisher, layer, incoming number.
    came: HashMap<u64, (u32, usize, u64)>,
    newest: Option<Rewritten>,
    /// By publisher, layer and incoming time: the number and the time of that picture.
    pictures: HashMap<(u32, usize, u32), (u16, u32)>,
    /// By number: of which picture. A number of 15 bits comes again after many.
    numbers: HashMap<u64, (u32, usize, u32)>,
    unwrapper: Unwrapper,
}

impl Receiver {
    fn take(&mut self, sent: Rewritten, source: (u32, usize), packet: &Packet) -> Result<(), TestCaseError> {
        let whose = (source.0, source.1, packet.sequence);
        let known = self.came.insert(sent.sequence, whose);
        prop_assert!(
            known.is_none_or(|known| known == whose),
            "{known:?} and {whose:?} as {}",
            sent.sequence
        );
        let picture = (source.0, source.1, packet.timestamp);
        let (number, time) = *self.pictures.entry(picture).or_insert((sent.numbers.picture, sent.timestamp));
        prop_assert_eq!((number, time), (sent.numbers.picture, sent.timestamp), "one picture");
        if packet.vp8().is_some() {
            // Doubled: 15 bits become 16.
            let full = self.unwrapper.unwrap(sent.numbers.picture << 1) >> 1;
            let known = self.numbers.insert(full, picture);
            prop_assert!(known.is_none_or(|known| known == picture), "two pictures are {full}");
        }
        if let Some(before) = self.newest {
            if before.sequence >= sent.sequence {
                return Ok(());
            }
            prop_assert!(sent.timestamp.wrapping_sub(before.timestamp) < 1 << 31, "time goes on");
            let step = sent.numbers.picture.wrapping_sub(before.numbers.picture) & 0x7fff;
            prop_assert!(step < 0x4000, "pictures go on");
            prop_assert!(sent.numbers.tl0.wrapping_sub(before.numbers.tl0) < 0x80, "the base layer goes on");
        }
        self.newest = Some(sent);
        Ok(())
    }
}

fn play(shots: &[Shot], codec_is_vp8: bool) -> Result<(), TestCaseError> {
    let start = Instant::now();
    let mut layers: Vec<Layer> = (1..=3).map(Layer::new).collect();
    let (mut forwarder, mut receiver) = (started(0), Receiver::default());
    let mut coming: Vec<(u32, usize, Packet)> = Vec::new();
    let (mut publisher, mut kept) = (0, HashSet::new());
    for (step, shot) in (0u32..).zip(shots) {
        match shot.wish {
            Wish::Nothing => {}
            Wish::Layer(layer) => forwarder.want(layer),
            Wish::Temporal(temporal) => forwarder.want_temporal(temporal),
            Wish::Stop => forwarder.stop(),
            Wish::Restart => {
                forwarder.restart();
                // What is on its way belongs to streams that nobody knows any more.
                coming.clear();
                publisher += 1;
            }
        }
        let packets = layers[shot.layer].shoot(shot, codec_is_vp8, step);
        for (packet, arrivals) in packets.into_iter().zip(&shot.arrivals) {
            coming.extend(arrivals.iter().map(|late| (step + late, shot.layer, packet.clone())));
        }
        let (now, later): (Vec<_>, Vec<_>) = coming.drain(..).partition(|(at, ..)| *at <= step);
        coming = later;
        for (_, layer, mut packet) in now {
            // The ring takes each once.
            if !kept.insert((layer, packet.sequence)) {
                continue;
            }
            packet.arrived = start + STEP * (step + 1);
            let Some(sent) = forwarder.forward(layer, &packet) else { continue };
            receiver.take(sent, (publisher, layer), &packet)?;
            prop_assert_eq!(forwarder.full_sequence(sent.sequence as u16), sent.sequence);
            prop_assert_eq!(forwarder.origin(sent.sequence), Some((layer, packet.sequence)));
            prop_assert_eq!(forwarder.rewrite(layer, &packet), Some(sent), "sent again it is the same");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn vp8_goes_on_whatever_happens(shots in shots()) {
        play(&shots, true)?;
    }

    #[test]
    fn h264_goes_on_whatever_happens(shots in shots()) {
        play(&shots, false)?;
    }
}
