//! Reading transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1) in place: every subscriber
//! sends it ten times a second and more.

use std::time::Duration;

/// Bytes before the first chunk: RTCP header, two SSRCs, base, count, reference time and number of the feedback.
const HEAD: usize = 20;
/// Packet type and format in the first two bytes, without version and padding.
const KIND: (u8, u8) = (15, 205);
/// Unit of the reference time.
const REFERENCE: Duration = Duration::from_millis(64);
/// Unit of a delta, in microseconds.
const DELTA: i64 = 250;

/// One feedback.
#[derive(Clone, Copy, Debug)]
pub struct Feedback<'a> {
    base: u16,
    count: u16,
    /// The first arrival is told from here on, by the receiver's clock.
    reference: Duration,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

/// What became of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    Lost,
    /// It came, nobody says when.
    Untold,
    /// It came then, by the receiver's clock.
    At(Duration),
}

impl<'a> Feedback<'a> {
    /// Reads one RTCP packet; `None` when it is no transport-wide feedback or is cut off.
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        let (head, rest) = packet.split_at_checked(HEAD)?;
        if (head[0] & 31, head[1]) != KIND {
            return None;
        }
        let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let (base, count) = (number(12), number(14));
        let mut left = usize::from(count);
        let mut length = 0;
        while left > 0 {
            let chunk = chunk_at(rest, length)?;
            left = left.saturating_sub(chunk.count());
            length += 2;
        }
        let (chunks, deltas) = rest.split_at(length);
        let reference = REFERENCE * u32::from_be_bytes([0, head[16], head[17], head[18]]);
        Some(Self { base, count, reference, chunks, deltas })
    }

    /// How many packets it says to tell of.
    pub fn count(&self) -> usize {
        self.count.into()
    }

    /// Each packet that is told of, by its transport-wide number, in their order.
    pub fn packets(&self) -> impl Iterator<Item = (u16, Arrival)> + use<'a> {
        let (mut deltas, mut at) = (self.deltas, self.reference.as_micros() as i64);
        let arrivals = self.symbols().map(move |symbol| {
            let delta = match symbol {
                0 => return Arrival::Lost,
                1 => deltas.split_first_chunk().map(|([delta], rest)| (i64::from(*delta), rest)),
                2 => deltas
                    .split_first_chunk()
                    .map(|(delta, rest)| (i64::from(i16::from_be_bytes(*delta)), rest)),
                _ => None,
            };
            let Some((delta, rest)) = delta else { return Arrival::Untold };
            deltas = rest;
            at = (at + delta * DELTA).max(0);
            Arrival::At(Duration::from_micros(at as u64))
        });
        let base = self.base;
        (0..self.count).map(move |place| base.wrapping_add(place)).zip(arrivals)
    }

    /// How many packets there are up to the last that came; what follows may still be on its way.
    pub fn told(&self) -> usize {
        let came = self.symbols().take(self.count.into()).enumerate().filter(|(_, symbol)| *symbol != 0);
        came.last().map_or(0, |(place, _)| place + 1)
    }

    /// Two bits for each packet, some more at the end.
    fn symbols(&self) -> impl Iterator<Item = u16> + use<'a> {
        let chunks = self.chunks;
        let chunks = (0..chunks.len()).step_by(2).filter_map(move |at| chunk_at(chunks, at));
        chunks.flat_map(|chunk| (0..chunk.count()).map(move |place| chunk.symbol(place)))
    }
}

/// Sixteen bits that tell of some packets.
#[derive(Clone, Copy, Debug)]
struct Chunk(u16);

fn chunk_at(bytes: &[u8], at: usize) -> Option<Chunk> {
    Some(Chunk(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)))
}

impl Chunk {
    fn count(self) -> usize {
        match self.0 >> 14 {
            0b10 => 14,
            0b11 => 7,
            _ => usize::from(self.0 & 0x1fff),
        }
    }

    fn symbol(self, place: usize) -> u16 {
        match self.0 >> 14 {
            0b10 => self.0 >> (13 - place) & 1,
            0b11 => self.0 >> (12 - 2 * place) & 3,
            _ => self.0 >> 13 & 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use rtc::{
        interceptor::convert_twcc,
        rtcp::{packet::unmarshal, transport_feedbacks::transport_layer_cc::TransportLayerCc},
    };

    use super::*;

    /// The same by rtc's types.
    fn reference(packet: &[u8]) -> Option<Vec<(u16, Arrival)>> {
        let packets = unmarshal(&mut Bytes::copy_from_slice(packet)).ok()?;
        let feedback: &TransportLayerCc = packets.first()?.as_any().downcast_ref()?;
        let told = convert_twcc(feedback).into_iter().map(|packet| {
            let arrival = match (packet.arrived, packet.arrival) {
                (false, _) => Arrival::Lost,
                (true, None) => Arrival::Untold,
                (true, Some(at)) => Arrival::At(at),
            };
            (packet.sequence_number, arrival)
        });
        Some(told.take(feedback.packet_status_count.into()).collect())
    }

    fn read(packet: &[u8]) -> Option<Vec<(u16, Arrival)>> {
        Some(Feedback::parse(packet)?.packets().collect())
    }

    /// A packet with this base, count and reference time.
    fn packet(base: u16, count: u16, reference: u32, rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x8f, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
        packet.extend(base.to_be_bytes());
        packet.extend(count.to_be_bytes());
        packet.extend(&reference.to_be_bytes()[1..]);
        packet.push(9);
        packet.extend(rest);
        packet.resize(packet.len().next_multiple_of(4), 0);
        let words = (packet.len() / 4 - 1) as u16;
        packet[2..4].copy_from_slice(&words.to_be_bytes());
        packet
    }

    #[test]
    fn every_kind_of_chunk_is_read() {
        let chunks = [0x20, 3, 0b1010_0000, 0, 0b1101_1000, 0, 0x00, 2];
        let deltas = [4, 0, 8, 1, 2, 0xff, 0xfe];
        let bytes: Vec<u8> = chunks.into_iter().chain(deltas).collect();
        let packet = packet(65_534, 3 + 14 + 7 + 2, 10, &bytes);
        let told = read(&packet).expect("a feedback");
        let at = |micros: u64| Arrival::At(Duration::from_micros(640_000 + micros));
        assert_eq!(told[..3], [(65_534, at(1_000)), (65_535, at(1_000)), (0, at(3_000))]);
        assert_eq!(told[3..5], [(1, at(3_250)), (2, Arrival::Lost)], "one bit each");
        assert_eq!(told[17..19], [(15, at(3_750)), (16, at(3_250))], "two bits each, one later than told");
        assert_eq!(Feedback::parse(&packet).map(|feedback| feedback.told()), Some(19));
        assert_eq!(reference(&packet), Some(told));
    }

    proptest! {
        #[test]
        fn it_reads_what_rtc_reads(
            base: u16,
            count in 0u16..600,
            time in 0u32..1 << 23,
            rest in proptest::collection::vec(any::<u8>(), 0..120),
        ) {
            // Deltas are there for all: what of fewer belongs to whom is nobody's concern.
            let rest = [rest, vec![0; 2 * 600]].concat();
            let packet = packet(base, count, time, &rest);
            if let Some(told) = reference(&packet) {
                prop_assert_eq!(read(&packet), Some(told));
            }
        }

        #[test]
        fn it_survives_anything(packet in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(feedback) = Feedback::parse(&packet) {
                prop_assert!(feedback.told() <= feedback.packets().count());
            }
        }
    }
}
