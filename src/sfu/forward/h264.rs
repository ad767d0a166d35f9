//! The head of an H.264 payload (RFC 6184): whether a picture can be begun with it. The parameter sets themselves are
//! read by `h264-reader`.

use h264_reader::{
    nal::sps::SeqParameterSet,
    rbsp::{BitReader, decode_nal},
};

/// NAL unit types (ITU-T H.264 table 7-1, RFC 6184 section 5.2).
const SEQUENCE_PARAMETERS: u8 = 7;
const AGGREGATE: u8 = 24;

/// What a packet says about its picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// It carries the sequence parameters, which senders put before every picture that needs no other.
    pub key_frame: bool,
    /// Picture size, told by key frames only.
    pub size: Option<(u16, u16)>,
}

impl Head {
    /// Reads an RTP payload; a malformed one is no key frame.
    pub fn parse(payload: &[u8]) -> Self {
        let Some(parameters) = sequence_parameters(payload) else { return Self::default() };
        Self { key_frame: true, size: size(parameters) }
    }
}

/// The first unit that is a sequence parameter set: alone, or in an aggregate (STAP-A).
fn sequence_parameters(payload: &[u8]) -> Option<&[u8]> {
    match payload.first()? & 0x1f {
        SEQUENCE_PARAMETERS => Some(payload),
        AGGREGATE => Units(&payload[1..]).find(|unit| unit[0] & 0x1f == SEQUENCE_PARAMETERS),
        _ => None,
    }
}

/// The units of an aggregate, each behind its length.
struct Units<'a>(&'a [u8]);

impl<'a> Iterator for Units<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (unit, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (!unit.is_empty()).then_some(unit)
    }
}

fn size(unit: &[u8]) -> Option<(u16, u16)> {
    let bits = decode_nal(unit).ok()?;
    let (width, height) = SeqParameterSet::from_bits(BitReader::new(&*bits)).ok()?.pixel_dimensions().ok()?;
    Some((u16::try_from(width).ok()?, u16::try_from(height).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Constrained baseline, 320 × 180, as Chromium's OpenH264 writes it.
    const SPS: [u8; 19] = [
        0x67, 0x42, 0xc0, 0x15, 0x8c, 0x8d, 0x40, 0xa0, 0xcb, 0xcf, 0x37, 0x01, 0x0d, 0x01, 0x07, 0x84, 0x42,
        0x35, 0x00,
    ];

    #[test]
    fn a_lone_parameter_set_starts_a_picture_and_tells_its_size() {
        assert_eq!(Head::parse(&SPS), Head { key_frame: true, size: Some((320, 180)) });
    }

    #[test]
    fn an_aggregate_starts_a_picture_when_it_holds_a_parameter_set() {
        let mut payload = vec![0x78, 0, 2, 0x09, 0xf0, 0, SPS.len() as u8];
        payload.extend(SPS);
        payload.extend([0, 2, 0x68, 0xce]);
        assert_eq!(Head::parse(&payload), Head::parse(&SPS));
        assert_eq!(Head::parse(&[0x78, 0, 2, 0x68, 0xce]), Head::default());
    }

    #[test]
    fn fragments_and_slices_start_nothing() {
        assert_eq!(Head::parse(&[0x7c, 0x85, 1, 2, 3]), Head::default());
        assert_eq!(Head::parse(&[0x41, 0x9a]), Head::default());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), is_set in any::<bool>()) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut().filter(|_| is_set) {
                *first = 0x67;
            }
            let head = Head::parse(&bytes);
            prop_assert!(head.key_frame || head.size.is_none());
        }
    }
}
