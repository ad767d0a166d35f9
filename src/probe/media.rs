//! What the probe sends and how it reads what comes: a tone in Opus and a color in VP8, both encoded beforehand (there
//! is no codec in this program), and the few header bits that tell a key frame and its size.

use rtc::rtp;

/// A second of a 440 Hz tone: 50 Opus packets of 20 ms, each behind its length (two bytes, big endian).
const TONE: &[u8] = include_bytes!("fixtures/tone.opus-packets");
/// A second of green, 320 × 180: a VP8 key frame and nine that follow it, each behind its length.
const COLOR: &[u8] = include_bytes!("fixtures/color.vp8-frames");

/// Packets of one second that is repeated for ever.
#[derive(Clone, Debug)]
pub(super) struct Loop {
    payloads: Vec<Vec<u8>>,
    payload_type: u8,
    /// RTP clock ticks between packets.
    step: u32,
    is_picture: bool,
    /// Packets of each picture.
    parts: u32,
}

/// What a packet of a large picture carries.
const PART: usize = 1_100;

impl Loop {
    pub fn tone() -> Self {
        Self { payloads: split(TONE), payload_type: 111, step: 960, is_picture: false, parts: 1 }
    }

    pub fn color() -> Self {
        Self { payloads: split(COLOR), payload_type: 96, step: 9_000, is_picture: true, parts: 1 }
    }

    /// The same pictures, each filled up to so many whole packets: what is behind its end a decoder does not read. A key frame each half
    /// second, since requests for one are not answered.
    pub fn large(parts: u32) -> Self {
        let mut large = Self { parts, ..Self::color() };
        let half = large.payloads.len() / 2;
        large.payloads[half] = large.payloads[0].clone();
        large
    }

    /// Packets of which each belongs to the same moment.
    pub fn parts(&self) -> u32 {
        self.parts
    }

    /// Moments per second.
    pub fn rate(&self) -> u32 {
        self.payloads.len() as u32
    }

    /// Packet number `part` of the moment `count` since the start.
    pub fn packet(&self, count: u32, part: u32, ssrc: u32) -> rtp::Packet {
        let payload = &self.payloads[count as usize % self.payloads.len()];
        let mut payload = match (self.is_picture, part) {
            (true, 0) => describe(payload, count),
            (true, _) => describe(&[], count),
            (false, _) => payload.clone(),
        };
        if self.parts > 1 {
            payload.resize(payload.len().max(PART), 0);
        }
        if part > 0 {
            // It does not start a frame.
            payload[0] &= 0xef;
        }
        rtp::Packet {
            header: rtp::Header {
                version: 2,
                // In sound the marker tells the start of a talk spurt, in pictures the end of a frame.
                marker: if self.is_picture { part + 1 == self.parts } else { count == 0 },
                payload_type: self.payload_type,
                sequence_number: count.wrapping_mul(self.parts).wrapping_add(part) as u16,
                timestamp: count.wrapping_mul(self.step),
                ssrc,
                ..Default::default()
            },
            payload: payload.into(),
        }
    }
}

fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let [high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        payloads.push(rest[..length].to_vec());
        bytes = &rest[length..];
    }
    payloads
}

/// The VP8 payload descriptor (RFC 7741 section 4.2): first packet of a frame, 15-bit picture id.
fn describe(frame: &[u8], count: u32) -> Vec<u8> {
    let id = (count as u16 & 0x7fff) | 0x8000;
    let mut payload = vec![0x90, 0x80];
    payload.extend(id.to_be_bytes());
    payload.extend_from_slice(frame);
    payload
}

/// Width and height when this VP8 payload starts a key frame.
pub(super) fn key_frame_size(payload: &[u8]) -> Option<(u16, u16)> {
    let frame = skip_descriptor(payload)?;
    // RFC 6386 section 9.1: bit 0 clear is a key frame; then three bytes of start code, width, height.
    let is_key = frame.first()? & 1 == 0 && frame.get(3..6)? == [0x9d, 0x01, 0x2a];
    let size = |at: usize| Some(u16::from_le_bytes([*frame.get(at)?, *frame.get(at + 1)?]) & 0x3fff);
    if is_key { Some((size(6)?, size(8)?)) } else { None }
}

/// The frame's bytes, when the payload starts one.
fn skip_descriptor(payload: &[u8]) -> Option<&[u8]> {
    let first = *payload.first()?;
    if first & 0x1f != 0x10 {
        return None;
    }
    let mut at = 1;
    if first & 0x80 != 0 {
        let extended = *payload.get(at)?;
        at += 1;
        if extended & 0x80 != 0 {
            at += if payload.get(at)? & 0x80 != 0 { 2 } else { 1 };
        }
        at += usize::from(extended & 0x40 != 0) + usize::from(extended & 0x30 != 0);
    }
    payload.get(at..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tone_is_fifty_packets_and_the_color_begins_with_a_key_frame() {
        let tone = Loop::tone();
        assert_eq!(tone.rate(), 50);
        assert_eq!(tone.packet(50, 0, 1).payload, tone.packet(0, 0, 1).payload);
        let color = Loop::color();
        assert_eq!(color.rate(), 10);
        for count in 0..20_u32 {
            let expected = count.is_multiple_of(10).then_some((320, 180));
            assert_eq!(key_frame_size(&color.packet(count, 0, 1).payload), expected, "frame {count}");
        }
    }

    #[test]
    fn a_large_picture_starts_once_and_ends_once() {
        let large = Loop::large(12);
        let packets: Vec<_> = (0..12).map(|part| large.packet(10, part, 1)).collect();
        assert!(packets.iter().zip(0..).all(|(packet, part)| packet.header.sequence_number == 120 + part));
        assert!(
            packets.iter().all(|packet| packet.payload.len() >= PART && packet.header.timestamp == 90_000)
        );
        let keys: Vec<_> = packets.iter().filter_map(|packet| key_frame_size(&packet.payload)).collect();
        assert_eq!(keys, [(320, 180)]);
        let ends: Vec<bool> = packets.iter().map(|packet| packet.header.marker).collect();
        assert_eq!(ends.iter().position(|ends| *ends), Some(11));
    }

    #[test]
    fn what_is_no_start_of_a_key_frame_has_no_size() {
        for payload in [&[][..], &[0x90], &[0x90, 0x80], &[0x80, 0, 0, 0], &[0x10, 0, 0, 0, 0x9d, 1, 0x2a, 1]]
        {
            assert_eq!(key_frame_size(payload), None);
        }
    }
}
