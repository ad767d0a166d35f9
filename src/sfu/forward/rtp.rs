//! The RTP header (RFC 3550), read once per packet into a value that is cheap to copy.

use super::extensions::{Map, Values};

/// Smallest RTP packet.
pub const FIXED_HEADER: usize = 12;

/// A parsed header. The packet it belongs to stays where it is; `payload` are offsets into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub extensions: Values,
    pub payload_start: usize,
    /// Padding is left out: equal to `payload_start` for a packet of padding only.
    pub payload_end: usize,
}

impl Header {
    /// Reads the header of a decrypted packet; `None` when it is malformed.
    pub fn parse(packet: &[u8], map: &Map) -> Option<Self> {
        let fixed: &[u8; FIXED_HEADER] = packet.first_chunk()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let (extensions, payload_start) = read_extensions(packet, map)?;
        let payload_end = packet.len().checked_sub(padding(packet)?)?;
        (payload_start <= payload_end).then_some(Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            extensions,
            payload_start,
            payload_end,
        })
    }
}

/// The extension values and where the payload starts.
fn read_extensions(packet: &[u8], map: &Map) -> Option<(Values, usize)> {
    let start = FIXED_HEADER + usize::from(packet[0] & 0x0f) * 4;
    if packet[0] & 0x10 == 0 {
        return Some((Values::default(), start));
    }
    let head: &[u8; 4] = packet.get(start..)?.first_chunk()?;
    let length = usize::from(u16::from_be_bytes([head[2], head[3]])) * 4;
    let block = packet.get(start + 4..start + 4 + length)?;
    let values = Values::read(u16::from_be_bytes([head[0], head[1]]), block, map)?;
    Some((values, start + 4 + length))
}

fn padding(packet: &[u8]) -> Option<usize> {
    if packet[0] & 0x20 == 0 {
        return Some(0);
    }
    packet.last().map(|&count| usize::from(count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::extensions::{Kind, Token};
    use super::*;

    fn map() -> Map {
        let mut map = Map::default();
        map.insert(1, Kind::AudioLevel);
        map.insert(4, Kind::TransportSequence);
        map.insert(10, Kind::Rid);
        map
    }

    fn packet() -> Vec<u8> {
        let mut packet = vec![0xb0, 0x80 | 96, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 7];
        packet.extend([0xbe, 0xde, 0, 3]);
        packet.extend([0x10, 0x85, 0x41, 0xab, 0xcd, 0xa0, b'h', 0, 0x70, 1, 0, 0]);
        packet.extend([1, 2, 3, 0, 0, 3]);
        packet
    }

    #[test]
    fn reads_every_field_and_leaves_padding_out() {
        let header = Header::parse(&packet(), &map()).expect("well formed");
        assert!(header.marker);
        assert_eq!((header.payload_type, header.sequence), (96, 0x1234));
        assert_eq!((header.timestamp, header.ssrc), (9, 7));
        assert_eq!(header.extensions.audio_level, Some(5));
        assert_eq!(header.extensions.transport_sequence, Some(0xabcd));
        assert_eq!(header.extensions.rid, Some(Token::new(b"h")));
        assert_eq!(&packet()[header.payload_start..header.payload_end], &[1, 2, 3]);
    }

    #[test]
    fn an_element_over_the_end_is_malformed() {
        let mut packet = packet();
        packet[16] = 0x1f;
        packet[15] = 1;
        assert_eq!(Header::parse(&packet, &map()), None);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(header) = Header::parse(&bytes, &map()) {
                prop_assert!(header.payload_end <= bytes.len());
            }
        }
    }
}
