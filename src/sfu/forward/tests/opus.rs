use proptest::prelude::*;

use super::*;
use crate::sfu::forward::packet::Content;

const FRAME: Duration = Duration::from_millis(20);
/// Hybrid, super-wideband, 20 ms, mono; and SILK, wideband, 20 ms, mono.
const HYBRID: u8 = 13 << 3;
const SILK: u8 = 9 << 3;

fn packet(sequence: u64, timestamp: u32, payload: &[u8], arrived: Instant) -> Packet {
    let payload = Bytes::copy_from_slice(payload);
    let (marker, captured, content) = (false, Some(timestamp), Content::Sound);
    Packet { sequence, timestamp, marker, captured, arrived, payload, content }
}

/// One frame of speech.
fn speech(toc: u8, sequence: u64, length: usize) -> Vec<u8> {
    let mut payload = vec![toc];
    payload.extend((0..length).map(|at| (sequence as usize * 31 + at) as u8));
    payload
}

/// A decoder's reading of a packet (RFC 6716 section 3.2), written apart from the writer: its frames as lone packets.
pub fn frames(packet: &[u8]) -> Vec<Vec<u8>> {
    let toc = packet[0];
    let alone = |frame: &[u8]| [&[toc & !3], frame].concat();
    if toc & 3 != 3 {
        return vec![packet.to_vec()];
    }
    let (is_variable, count) = (packet[1] & 0x80 != 0, usize::from(packet[1] & 0x3f));
    assert_eq!(packet[1] & 0x40, 0, "no padding");
    let mut rest = &packet[2..];
    let mut lengths = Vec::new();
    while is_variable && lengths.len() + 1 < count {
        let first = usize::from(rest[0]);
        let (length, used) = if first < 252 { (first, 1) } else { (first + 4 * usize::from(rest[1]), 2) };
        lengths.push(length);
        rest = &rest[used..];
    }
    if !is_variable {
        assert_eq!(rest.len() % count, 0);
        lengths = vec![rest.len() / count; count - 1];
    }
    let mut frames = Vec::new();
    for length in lengths {
        frames.push(alone(&rest[..length]));
        rest = &rest[length..];
    }
    frames.push(alone(rest));
    frames
}

/// Feeds packets in the order of their arrival, looks every 10 ms, and yields what came out, and when.
fn join(mut packets: Vec<Packet>, start: Instant) -> Vec<(Packet, Instant)> {
    packets.sort_by_key(|packet| packet.arrived);
    let (mut joiner, mut out) = (Joiner::default(), Vec::new());
    let mut packets = packets.into_iter().peekable();
    let mut now = start;
    while now < start + Duration::from_secs(60) {
        now += Duration::from_millis(10);
        while let Some(packet) = packets.next_if(|packet| packet.arrived <= now) {
            joiner.push(packet);
        }
        out.extend(std::iter::from_fn(|| joiner.poll(now)).map(|packet| (packet, now)));
        if packets.peek().is_none() && joiner.waiting.is_empty() {
            break;
        }
    }
    out
}

fn lengths(out: &[(Packet, Instant)]) -> Vec<usize> {
    out.iter().map(|(packet, _)| frames(&packet.payload).len()).collect()
}

fn continuous(count: u64, start: Instant) -> Vec<Packet> {
    let one = |n: u64| {
        packet(n, n as u32 * 960, &speech(HYBRID, n, 40 + n as usize % 3), start + FRAME * (n as u32 + 1))
    };
    (0..count).map(one).collect()
}

#[test]
fn speech_leaves_by_threes_and_its_frames_come_back() {
    let start = Instant::now();
    let packets = continuous(9, start);
    let out = join(packets.clone(), start);
    assert_eq!(lengths(&out), [3, 3, 3]);
    let frames: Vec<Vec<u8>> = out.iter().flat_map(|(packet, _)| frames(&packet.payload)).collect();
    assert!(frames.iter().zip(&packets).all(|(frame, packet)| *frame == packet.payload));
    let numbers: Vec<(u64, u32)> =
        out.iter().map(|(packet, _)| (packet.sequence, packet.timestamp)).collect();
    assert_eq!(numbers, [(1, 0), (2, 2_880), (3, 5_760)]);
}

#[test]
fn equal_frames_need_no_lengths() {
    let frames: [&[u8]; 3] = [&[1; 40], &[2; 40], &[3; 40]];
    assert_eq!(write(HYBRID, frames.into_iter()).len(), 2 + 120);
    let long: [&[u8]; 3] = [&[1; 40], &[2; 300], &[3; 1_275]];
    assert_eq!(write(HYBRID, long.into_iter()).len(), 2 + 1 + 2 + 40 + 300 + 1_275);
}

#[test]
fn a_change_of_kind_or_a_pause_ends_a_packet() {
    let start = Instant::now();
    let at = |n: u32| start + FRAME * n;
    let packets = vec![
        packet(0, 0, &speech(HYBRID, 0, 40), at(1)),
        packet(1, 960, &speech(HYBRID, 1, 40), at(2)),
        packet(2, 1_920, &speech(SILK, 2, 30), at(3)),
        // Silence is told once and its frame left alone; speech goes on after a pause.
        packet(3, 2_880, &[SILK], at(4)),
        packet(4, 22_080, &speech(SILK, 4, 30), at(24)),
        packet(5, 23_040, &speech(SILK, 5, 30), at(25)),
        packet(6, 24_000, &speech(SILK, 6, 30), at(26)),
    ];
    let out = join(packets, start);
    assert_eq!(lengths(&out), [2, 1, 1, 3]);
    assert!(out[..3].iter().all(|(_, when)| *when <= at(4)), "nobody waits in vain");
}

#[test]
fn a_lost_frame_is_a_gap_in_time_and_an_overtaken_one_is_not_lost() {
    let start = Instant::now();
    let mut packets = continuous(9, start);
    packets.remove(4);
    let out = join(packets, start);
    let times: Vec<(u32, usize)> = out.iter().map(|(p, _)| (p.timestamp, frames(&p.payload).len())).collect();
    assert_eq!(times, [(0, 3), (2_880, 1), (4_800, 3), (7_680, 1)]);
    let mut packets = continuous(9, start);
    packets[4].arrived += FRAME + FRAME / 2;
    assert_eq!(lengths(&join(packets, start)), [3, 3, 3]);
}

#[test]
fn the_last_words_do_not_wait_for_ever() {
    let start = Instant::now();
    let out = join(continuous(5, start), start);
    assert_eq!(lengths(&out), [3, 2]);
    assert!(out[1].1 <= start + FRAME * 4 + PATIENCE + Duration::from_millis(10));
}

#[test]
fn what_is_joined_already_or_longer_passes_as_it_is() {
    let start = Instant::now();
    let joined = write(HYBRID, [&[1u8; 40][..], &[2; 41]].into_iter());
    let sixty = speech(11 << 3, 9, 100);
    let packets = vec![packet(7, 0, &joined, start), packet(8, 1_920, &sixty, start + FRAME)];
    let out = join(packets, start);
    assert_eq!(out.iter().map(|(packet, _)| packet.payload.to_vec()).collect::<Vec<_>>(), [joined, sixty]);
}

/// What happens to each frame on its way: how long it is, whether it begins another configuration, whether a pause goes
/// before it, whether it is lost, and how late it is.
fn fates() -> impl Strategy<Value = Vec<(usize, bool, bool, bool, u64)>> {
    let one = (
        0usize..400,
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.1),
        0u64..70,
    );
    proptest::collection::vec(one, 1..200)
}

proptest! {
    /// Whatever is lost, late, silent or different: a decoder finds the very frames, each once, in order, at its time and soon.
    #[test]
    fn a_decoder_finds_the_very_frames(fates in fates()) {
        let start = Instant::now();
        let (mut toc, mut timestamp, mut sent) = (HYBRID, 0u32, Vec::new());
        for (n, (length, changes, pauses, lost, late)) in fates.into_iter().enumerate() {
            toc = if changes { toc ^ HYBRID ^ SILK } else { toc };
            timestamp += if pauses { 9_600 } else { 960 };
            let arrived = start + Duration::from_millis(u64::from(timestamp) / 48 + late);
            if !lost {
                sent.push(packet(n as u64, timestamp, &speech(toc, n as u64, length), arrived));
            }
        }
        let out = join(sent.clone(), start);
        let mut found = Vec::new();
        for (place, (packet, when)) in out.iter().enumerate() {
            prop_assert_eq!(packet.sequence, place as u64 + 1);
            let frames = frames(&packet.payload);
            prop_assert!(frames.len() <= 3);
            for (at, frame) in frames.into_iter().enumerate() {
                found.push((packet.timestamp + at as u32 * 960, frame, *when));
            }
        }
        prop_assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order, each once");
        for (timestamp, frame, when) in &found {
            let own = sent.iter().find(|packet| packet.timestamp == *timestamp);
            let own = own.expect("nothing is made up");
            prop_assert_eq!(&own.payload[..], &frame[..]);
            prop_assert!(*when <= own.arrived + PATIENCE + Duration::from_millis(20));
        }
        // Only what came after its successors had left is missing.
        let latest = Duration::from_millis(20);
        for packet in sent.iter().filter(|it| it.arrived <= start + Duration::from_millis(u64::from(it.timestamp) / 48) + latest) {
            prop_assert!(found.iter().any(|(timestamp, ..)| *timestamp == packet.timestamp), "{}", packet.sequence);
        }
    }
}
