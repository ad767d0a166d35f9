//! Answers a publisher: VP8 with RTX and simulcast for pictures, for a camera H.264 beside it, Opus for sound, everything
//! else refused section by section so that the bundle stays whole.

use qism_signaling::protocol::{Source, media::OfferedTrack};

use super::{
    Description, Local, SdpError, codec,
    section::{MediaKind, Section},
};
use crate::sfu::forward::{
    extensions::{Kind, Map},
    packet::Codec,
};

/// Layers of one publication that are received.
pub const LAYERS: usize = 3;

/// One accepted section of a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub mid: String,
    pub source: Source,
    /// What may come, what we would rather have first.
    pub formats: Vec<Format>,
    /// Simulcast layers by rid; empty for a single encoding.
    pub rids: Vec<String>,
    /// SSRCs told in the offer: media, and (media, RTX) pairs.
    pub ssrcs: Vec<u32>,
    pub repairs: Vec<(u32, u32)>,
}

/// One agreed encoding of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    pub codec: Codec,
    pub payload_type: u8,
    pub retransmission: Option<u8>,
}

impl Upstream {
    /// The codec of a payload type, of media or of its retransmissions.
    pub fn codec_of(&self, payload_type: u8, is_repair: bool) -> Option<Codec> {
        let number = |format: &Format| match is_repair {
            true => format.retransmission,
            false => Some(format.payload_type),
        };
        Some(self.formats.iter().find(|format| number(format) == Some(payload_type))?.codec)
    }

    /// True when it may come in this codec.
    pub fn speaks(&self, codec: Codec) -> bool {
        self.formats.iter().any(|format| format.codec == codec)
    }
}

/// What an answer binds us to.
#[derive(Clone, Debug, Default)]
pub struct PublisherTerms {
    pub upstreams: Vec<Upstream>,
    pub extensions: Map,
}

/// The answer to `offer`, whose sections carry the sources told in `tracks`.
pub fn answer(
    offer: &Description,
    tracks: &[OfferedTrack],
    local: &Local,
) -> Result<(String, PublisherTerms), SdpError> {
    check_mids(offer)?;
    let mut terms = PublisherTerms::default();
    let mut sections = String::new();
    for section in &offer.sections {
        match accept(section, tracks)? {
            Some(upstream) => {
                write_accepted(section, &upstream, local, &mut sections);
                section.extensions.iter().for_each(|(id, kind)| terms.extensions.insert(*id, *kind));
                terms.upstreams.push(upstream);
            }
            None => write_rejected(section, &mut sections),
        }
    }
    if terms.upstreams.is_empty() {
        return Err(SdpError::Missing("a section with VP8 or Opus that a track names"));
    }
    let mids: Vec<&str> = terms.upstreams.iter().map(|upstream| upstream.mid.as_str()).collect();
    let mut text = String::new();
    local.write_head(&mids, &mut text);
    text.push_str(&sections);
    Ok((text, terms))
}

fn check_mids(offer: &Description) -> Result<(), SdpError> {
    for (index, section) in offer.sections.iter().enumerate() {
        if section.mid.is_empty() {
            return Err(SdpError::Missing("mid of a media section"));
        }
        if offer.sections[..index].iter().any(|earlier| earlier.mid == section.mid) {
            return Err(refuse(section, "its mid is used twice"));
        }
    }
    Ok(())
}

fn refuse(section: &Section, reason: &'static str) -> SdpError {
    SdpError::Section { mid: section.mid.clone(), reason }
}

/// What the section becomes; `None` when it is not for us.
fn accept(section: &Section, tracks: &[OfferedTrack]) -> Result<Option<Upstream>, SdpError> {
    let Some(track) = tracks.iter().find(|track| track.mid == section.mid) else { return Ok(None) };
    let kind = if track.source.is_audio() { MediaKind::Audio } else { MediaKind::Video };
    if section.kind != kind {
        return Err(refuse(section, "its kind does not fit its source"));
    }
    if tracks.iter().filter(|other| other.source == track.source).count() > 1 {
        return Err(refuse(section, "its source is that of another section, too"));
    }
    if section.rids.len() > LAYERS {
        return Err(refuse(section, "more than three simulcast layers"));
    }
    let formats = codec::agree(section, track.source);
    if section.rejected || formats.is_empty() {
        return Ok(None);
    }
    Ok(Some(Upstream {
        mid: section.mid.clone(),
        source: track.source,
        formats,
        rids: section.rids.clone(),
        ssrcs: section.ssrcs.clone(),
        repairs: section.repairs.clone(),
    }))
}

fn write_rejected(section: &Section, out: &mut String) {
    let Section { media, protocol, formats, mid, .. } = section;
    out.push_str(&format!(
        "m={media} 0 {protocol} {formats}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=inactive\r\n"
    ));
}

fn write_accepted(section: &Section, upstream: &Upstream, local: &Local, out: &mut String) {
    let numbers = upstream.formats.iter().flat_map(|it| [Some(it.payload_type), it.retransmission]);
    let formats: Vec<String> = numbers.flatten().map(|number| number.to_string()).collect();
    let formats = formats.join(" ");
    out.push_str(&format!("m={} 9 UDP/TLS/RTP/SAVPF {formats}\r\n", section.media));
    local.write_transport(out);
    out.push_str(&format!("a=mid:{}\r\na=recvonly\r\n", section.mid));
    for (id, kind) in section.extensions.iter().filter(|(_, kind)| is_useful(*kind, upstream)) {
        out.push_str(&format!("a=extmap:{id} {}\r\n", kind.uri()));
    }
    for format in &upstream.formats {
        codec::write(format.codec, format.payload_type, format.retransmission, out);
    }
    write_layers(upstream, out);
}

fn is_useful(kind: Kind, upstream: &Upstream) -> bool {
    match kind {
        Kind::Mid | Kind::TransportSequence => true,
        Kind::AudioLevel => upstream.source.is_audio(),
        Kind::Rid | Kind::RepairedRid => !upstream.rids.is_empty(),
    }
}

fn write_layers(upstream: &Upstream, out: &mut String) {
    for rid in &upstream.rids {
        out.push_str(&format!("a=rid:{rid} recv\r\n"));
    }
    if !upstream.rids.is_empty() {
        out.push_str(&format!("a=simulcast:recv {}\r\n", upstream.rids.join(";")));
    }
}

#[cfg(test)]
#[path = "tests/answer.rs"]
mod tests;
