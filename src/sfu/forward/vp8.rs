//! The VP8 payload descriptor (RFC 7741): what a packet says about its frame, and writing it with other numbers.

/// What the descriptor and the first bytes of the frame tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// Bytes before the VP8 data.
    pub length: usize,
    /// First packet of a frame.
    pub starts_frame: bool,
    /// First packet of a key frame.
    pub key_frame: bool,
    /// Picture size, told by key frames only.
    pub size: Option<(u16, u16)>,
    /// 7 or 15 bits.
    pub picture: Option<u16>,
    /// Index of the last base-layer frame.
    pub tl0: Option<u8>,
    /// Temporal layer, 0 is the base; with the flag "depends on nothing but the base layer".
    pub temporal: Option<(u8, bool)>,
    /// 5 bits.
    pub key_index: Option<u8>,
}

/// The numbers a rewritten descriptor gets, for the fields the original has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// 15 bits.
    pub picture: u16,
    pub tl0: u8,
    /// 5 bits.
    pub key_index: u8,
}

/// Longest descriptor: first byte, extension byte, picture (2), TL0, temporal and key index.
pub const LONGEST: usize = 6;

impl Descriptor {
    /// Reads the head of an RTP payload; `None` when it is cut short.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader { payload, at: 0 };
        let first = reader.byte()?;
        let mut descriptor = Self { starts_frame: first & 0x10 != 0 && first & 0x0f == 0, ..Self::default() };
        if first & 0x80 != 0 {
            descriptor.read_extension(&mut reader)?;
        }
        descriptor.length = reader.at;
        descriptor.read_frame(payload.get(reader.at..)?);
        Some(descriptor)
    }

    fn read_extension(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let present = reader.byte()?;
        if present & 0x80 != 0 {
            self.picture = Some(reader.picture()?);
        }
        if present & 0x40 != 0 {
            self.tl0 = Some(reader.byte()?);
        }
        if present & 0x30 != 0 {
            let byte = reader.byte()?;
            self.temporal = (present & 0x20 != 0).then_some((byte >> 6, byte & 0x20 != 0));
            self.key_index = (present & 0x10 != 0).then_some(byte & 0x1f);
        }
        Some(())
    }

    /// The frame tag and, in a key frame, the size after the start code.
    fn read_frame(&mut self, frame: &[u8]) {
        self.key_frame = self.starts_frame && frame.first().is_some_and(|tag| tag & 1 == 0);
        if let (true, [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..]) = (self.key_frame, frame) {
            let size = |low, high| u16::from_le_bytes([low, high]) & 0x3fff;
            self.size = Some((size(*w0, *w1), size(*h0, *h1)));
        }
    }

    /// Appends the descriptor with `numbers` in place of its own; the picture number is always written in 15 bits.
    /// `original` is the payload this was read from.
    pub fn write(&self, original: &[u8], numbers: Numbers, out: &mut Vec<u8>) {
        let Some(&first) = original.first() else { return };
        out.push(first);
        let Some(&present) = original.get(1).filter(|_| first & 0x80 != 0) else { return };
        out.push(present);
        if self.picture.is_some() {
            out.extend((numbers.picture | 0x8000).to_be_bytes());
        }
        if self.tl0.is_some() {
            out.push(numbers.tl0);
        }
        if present & 0x30 != 0 {
            let temporal = original.get(self.length - 1).copied().unwrap_or(0) & 0xe0;
            out.push(temporal | self.key_index.map_or(0, |_| numbers.key_index & 0x1f));
        }
    }
}

struct Reader<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.payload.get(self.at).copied();
        self.at += 1;
        byte
    }

    fn picture(&mut self) -> Option<u16> {
        let high = self.byte()?;
        if high & 0x80 == 0 {
            return Some(u16::from(high));
        }
        Some(u16::from_be_bytes([high & 0x7f, self.byte()?]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 16] =
        [0x90, 0xf0, 0x81, 0x02, 7, 0x65, 0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 0x02, 0x68, 0x01];

    #[test]
    fn a_key_frame_tells_its_size_and_numbers() {
        let descriptor = Descriptor::parse(&KEY).expect("well formed");
        assert!(descriptor.starts_frame && descriptor.key_frame);
        assert_eq!(descriptor.size, Some((640, 360)));
        assert_eq!((descriptor.picture, descriptor.tl0), (Some(0x102), Some(7)));
        assert_eq!((descriptor.temporal, descriptor.key_index), (Some((1, true)), Some(5)));
        assert_eq!(descriptor.length, 6);
    }

    #[test]
    fn written_numbers_are_read_back_and_flags_stay() {
        let numbers = Numbers { picture: 0x7fff, tl0: 200, key_index: 31 };
        let mut out = Vec::new();
        Descriptor::parse(&KEY).expect("well formed").write(&KEY, numbers, &mut out);
        out.extend(&KEY[6..]);
        let read = Descriptor::parse(&out).expect("well formed");
        assert_eq!((read.picture, read.tl0, read.key_index), (Some(0x7fff), Some(200), Some(31)));
        assert_eq!(read.temporal, Some((1, true)));
        assert_eq!(read.size, Some((640, 360)));
    }

    #[test]
    fn a_descriptor_of_one_byte_and_nothing_behind_it_is_written() {
        let mut out = Vec::new();
        Descriptor::parse(&[0x10]).expect("well formed").write(&[0x10], Numbers::default(), &mut out);
        assert_eq!(out, [0x10]);
    }

    #[test]
    fn a_seven_bit_picture_grows_to_fifteen() {
        let payload = [0x90, 0x80, 0x05, 0x01, 0xff];
        let descriptor = Descriptor::parse(&payload).expect("well formed");
        let mut out = Vec::new();
        descriptor.write(&payload, Numbers { picture: 300, ..Numbers::default() }, &mut out);
        assert_eq!(out, [0x90, 0x80, 0x81, 0x2c]);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Some(descriptor) = Descriptor::parse(&bytes) {
                let mut out = Vec::new();
                descriptor.write(&bytes, Numbers::default(), &mut out);
                prop_assert!(out.len() <= LONGEST);
            }
        }
    }
}
