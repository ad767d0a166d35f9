//! One media section (`m=` and its attributes) of a peer's description.

use crate::sfu::forward::extensions::Kind;

/// Codecs, rids and the like listed per section; more are an error.
const ENTRIES: usize = 64;

/// What flows in a section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaKind {
    Audio,
    Video,
    /// Data channels and whatever comes: answered with port 0.
    #[default]
    Other,
}

/// A codec of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedCodec {
    pub payload_type: u8,
    /// `VP8`, `opus`, `rtx`, …
    pub name: String,
}

/// A parsed section.
#[derive(Clone, Debug, Default)]
pub struct Section {
    pub kind: MediaKind,
    /// First and third word of the `m=` line, repeated when the section is rejected.
    pub media: String,
    pub protocol: String,
    pub formats: String,
    pub mid: String,
    pub rejected: bool,
    pub codecs: Vec<OfferedCodec>,
    /// (payload type, `a=fmtp` parameters).
    pub parameters: Vec<(u8, String)>,
    /// (RTX payload type, payload type it repairs).
    pub retransmissions: Vec<(u8, u8)>,
    pub extensions: Vec<(u8, Kind)>,
    /// In the order of the offer.
    pub rids: Vec<String>,
    /// SSRCs told in the description, primary first, with the RTX one where grouped.
    pub ssrcs: Vec<u32>,
    pub repairs: Vec<(u32, u32)>,
}

impl Section {
    /// Reads the value of an `m=` line.
    pub fn parse(value: &str) -> Result<Self, &'static str> {
        // They are repeated where the section is rejected.
        if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err("m=: printable characters");
        }
        let mut words = value.splitn(4, ' ');
        let mut word = || words.next().ok_or("m=: media, port, protocol and formats");
        let (media, port, protocol, formats) = (word()?, word()?, word()?, word()?);
        let kind = match media {
            "audio" => MediaKind::Audio,
            "video" => MediaKind::Video,
            _ => MediaKind::Other,
        };
        Ok(Self {
            kind,
            media: media.to_owned(),
            protocol: protocol.to_owned(),
            formats: formats.to_owned(),
            rejected: port == "0",
            ..Self::default()
        })
    }

    /// Reads one attribute of the section.
    pub fn read_attribute(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "mid" => self.read_mid(value),
            "rtpmap" => self.read_codec(value),
            "fmtp" => self.read_format(value),
            "extmap" => self.read_extension(value),
            "rid" => self.read_rid(value),
            "ssrc" => self.read_ssrc(value),
            "ssrc-group" => self.read_group(value),
            // RFC 9143: port 0 with this means *only inside the bundle*, not *rejected*. Firefox offers so.
            "bundle-only" => {
                self.rejected = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn read_mid(&mut self, value: &str) -> Result<(), &'static str> {
        let fits = (1..=16).contains(&value.len()) && value.bytes().all(is_token);
        self.mid = fits.then(|| value.to_owned()).ok_or("mid: 1 to 16 token characters")?;
        Ok(())
    }

    fn read_codec(&mut self, value: &str) -> Result<(), &'static str> {
        let (payload_type, encoding) = value.split_once(' ').ok_or("rtpmap: payload type and codec")?;
        let payload_type = payload_type_of(payload_type).ok_or("rtpmap: payload type 0 to 127")?;
        let name = encoding.split('/').next().unwrap_or(encoding).to_owned();
        push(&mut self.codecs, OfferedCodec { payload_type, name })
    }

    fn read_format(&mut self, value: &str) -> Result<(), &'static str> {
        let Some((payload_type, parameters)) = value.split_once(' ') else { return Ok(()) };
        if let Some(payload_type) = payload_type_of(payload_type) {
            push(&mut self.parameters, (payload_type, parameters.to_ascii_lowercase()))?;
        }
        let repaired = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("apt="));
        match (payload_type_of(payload_type), repaired.and_then(payload_type_of)) {
            (Some(payload_type), Some(repaired)) => push(&mut self.retransmissions, (payload_type, repaired)),
            _ => Ok(()),
        }
    }

    /// `id[/direction] uri [attributes]`: Firefox writes the direction, which must not be echoed.
    fn read_extension(&mut self, value: &str) -> Result<(), &'static str> {
        let (id, rest) = value.split_once(' ').ok_or("extmap: id and uri")?;
        let uri = rest.split(' ').next().unwrap_or(rest);
        let Some(kind) = Kind::of_uri(uri) else { return Ok(()) };
        let id = id.split('/').next().and_then(|id| id.parse().ok()).filter(|id| (1..=14).contains(id));
        push(&mut self.extensions, (id.ok_or("extmap: id 1 to 14")?, kind))
    }

    fn read_rid(&mut self, value: &str) -> Result<(), &'static str> {
        let mut words = value.split(' ');
        let (rid, direction) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let fits = (1..=16).contains(&rid.len()) && rid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !fits {
            return Err("rid: 1 to 16 letters and digits");
        }
        if direction != "send" {
            return Ok(());
        }
        push(&mut self.rids, rid.to_owned())
    }

    fn read_ssrc(&mut self, value: &str) -> Result<(), &'static str> {
        let ssrc = value.split(' ').next().and_then(|ssrc| ssrc.parse().ok()).ok_or("ssrc: a number")?;
        if self.ssrcs.contains(&ssrc) {
            return Ok(());
        }
        push(&mut self.ssrcs, ssrc)
    }

    fn read_group(&mut self, value: &str) -> Result<(), &'static str> {
        let mut words = value.split(' ');
        if words.next() != Some("FID") {
            return Ok(());
        }
        let mut ssrc = || words.next().and_then(|word| word.parse().ok()).ok_or("ssrc-group: two numbers");
        let pair = (ssrc()?, ssrc()?);
        push(&mut self.repairs, pair)
    }

    /// The payload types of a codec by name, in the order of the section.
    pub fn payload_types(&self, name: &str) -> impl Iterator<Item = u8> {
        let codecs = self.codecs.iter().filter(move |codec| codec.name.eq_ignore_ascii_case(name));
        codecs.map(|codec| codec.payload_type)
    }

    /// True when the parameters of a payload type have this one, such as `packetization-mode=1`.
    pub fn has_parameter(&self, payload_type: u8, parameter: &str) -> bool {
        let mut told = self.parameters.iter().filter(|(told_for, _)| *told_for == payload_type);
        told.any(|(_, parameters)| parameters.split(';').any(|it| it.trim() == parameter))
    }

    /// The payload type that retransmits another.
    pub fn retransmission_of(&self, payload_type: u8) -> Option<u8> {
        self.retransmissions.iter().find(|(_, repaired)| *repaired == payload_type).map(|(rtx, _)| *rtx)
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'!' | b'~')
}

fn payload_type_of(text: &str) -> Option<u8> {
    text.parse().ok().filter(|payload_type| *payload_type < 128)
}

fn push<T>(list: &mut Vec<T>, entry: T) -> Result<(), &'static str> {
    if list.len() == ENTRIES {
        return Err("too many entries of this kind");
    }
    list.push(entry);
    Ok(())
}
