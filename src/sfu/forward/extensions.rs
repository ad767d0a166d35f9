//! Header extensions of RFC 8285: which id means what on a leg, and the values of one packet.

/// The extensions we read from publishers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Mid,
    Rid,
    RepairedRid,
    AudioLevel,
    TransportSequence,
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::Mid, Self::Rid, Self::RepairedRid, Self::AudioLevel, Self::TransportSequence];

    /// The name in `a=extmap`.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::TransportSequence => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
        }
    }

    pub fn of_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.uri() == uri)
    }
}

/// Which id carries which extension on one leg. Ids above 15 (two-byte form only) are not used by browsers here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Map {
    kinds: [Option<Kind>; 16],
}

impl Map {
    pub fn insert(&mut self, id: u8, kind: Kind) {
        if let Some(place) = self.kinds.get_mut(usize::from(id)) {
            *place = Some(kind);
        }
    }

    fn kind(&self, id: u8) -> Option<Kind> {
        self.kinds.get(usize::from(id)).copied().flatten()
    }
}

/// A mid or rid: at most 16 bytes, longer ones are cut (and so match nothing).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Token {
    bytes: [u8; 16],
    length: u8,
}

impl Token {
    pub fn new(text: &[u8]) -> Self {
        let length = text.len().min(16);
        let mut bytes = [0; 16];
        bytes[..length].copy_from_slice(&text[..length]);
        Self { bytes, length: length as u8 }
    }
}

/// What the extensions of one packet say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values {
    pub mid: Option<Token>,
    pub rid: Option<Token>,
    /// The rid whose packets this stream retransmits.
    pub repaired_rid: Option<Token>,
    /// Loudness as −dBov: 0 is the loudest, 127 silence.
    pub audio_level: Option<u8>,
    /// Number of the packet on the whole connection (transport-wide congestion control).
    pub transport_sequence: Option<u16>,
}

impl Values {
    fn set(&mut self, kind: Kind, value: &[u8]) {
        match kind {
            Kind::Mid => self.mid = Some(Token::new(value)),
            Kind::Rid => self.rid = Some(Token::new(value)),
            Kind::RepairedRid => self.repaired_rid = Some(Token::new(value)),
            Kind::AudioLevel => self.audio_level = value.first().map(|byte| byte & 0x7f),
            Kind::TransportSequence => {
                self.transport_sequence = value.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
            }
        }
    }

    /// Reads the extension block of a header; `None` when an element runs over its end.
    pub(super) fn read(profile: u16, block: &[u8], map: &Map) -> Option<Self> {
        match profile {
            0xbede => Self::read_elements(block, map, one_byte_head),
            0x1000..=0x100f => Self::read_elements(block, map, two_byte_head),
            _ => Some(Self::default()),
        }
    }

    fn read_elements(
        mut block: &[u8],
        map: &Map,
        head: impl Fn(&[u8]) -> Option<(u8, usize, usize)>,
    ) -> Option<Self> {
        let mut values = Self::default();
        while let Some(&first) = block.first() {
            if first == 0 {
                block = &block[1..];
                continue;
            }
            let (id, start, length) = head(block)?;
            let value = block.get(start..start + length)?;
            if let Some(kind) = map.kind(id) {
                values.set(kind, value);
            }
            block = &block[start + length..];
        }
        Some(values)
    }
}

/// (id, start of the value, its length).
fn one_byte_head(block: &[u8]) -> Option<(u8, usize, usize)> {
    let first = *block.first()?;
    (first >> 4 != 15).then_some((first >> 4, 1, usize::from(first & 15) + 1))
}

fn two_byte_head(block: &[u8]) -> Option<(u8, usize, usize)> {
    Some((*block.first()?, 2, usize::from(*block.get(1)?)))
}
