//! Answers a publisher: VP8 with RTX and simulcast for pictures, Opus for sound, everything else refused section by
//! section so that the bundle stays whole.

use qism_signaling::protocol::{Source, media::OfferedTrack};

use super::{
    Description, Local, SdpError,
    section::{MediaKind, Section},
};
use crate::sfu::forward::extensions::{Kind, Map};

/// Layers of one publication that are received.
pub const LAYERS: usize = 3;

/// One accepted section of a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub mid: String,
    pub source: Source,
    pub payload_type: u8,
    pub retransmission: Option<u8>,
    /// Simulcast layers by rid; empty for a single encoding.
    pub rids: Vec<String>,
    /// SSRCs told in the offer: media, and (media, RTX) pairs.
    pub ssrcs: Vec<u32>,
    pub repairs: Vec<(u32, u32)>,
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
    let (kind, codec) = match track.source.is_audio() {
        true => (MediaKind::Audio, "opus"),
        false => (MediaKind::Video, "VP8"),
    };
    if section.kind != kind {
        return Err(refuse(section, "its kind does not fit its source"));
    }
    if section.rids.len() > LAYERS {
        return Err(refuse(section, "more than three simulcast layers"));
    }
    let Some(payload_type) = section.payload_type(codec).filter(|_| !section.rejected) else {
        return Ok(None);
    };
    Ok(Some(Upstream {
        mid: section.mid.clone(),
        source: track.source,
        payload_type,
        retransmission: section.retransmission_of(payload_type),
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
    let formats = match upstream.retransmission {
        Some(retransmission) => format!("{} {retransmission}", upstream.payload_type),
        None => upstream.payload_type.to_string(),
    };
    out.push_str(&format!("m={} 9 UDP/TLS/RTP/SAVPF {formats}\r\n", section.media));
    local.write_transport(out);
    out.push_str(&format!("a=mid:{}\r\na=recvonly\r\n", section.mid));
    for (id, kind) in section.extensions.iter().filter(|(_, kind)| is_useful(*kind, upstream)) {
        out.push_str(&format!("a=extmap:{id} {}\r\n", kind.uri()));
    }
    match upstream.source.is_audio() {
        true => write_audio(upstream, out),
        false => write_video(upstream, out),
    }
}

fn is_useful(kind: Kind, upstream: &Upstream) -> bool {
    match kind {
        Kind::Mid | Kind::TransportSequence => true,
        Kind::AudioLevel => upstream.source.is_audio(),
        Kind::Rid | Kind::RepairedRid => !upstream.rids.is_empty(),
    }
}

fn write_audio(upstream: &Upstream, out: &mut String) {
    let payload_type = upstream.payload_type;
    out.push_str(&format!(
        "a=rtpmap:{payload_type} opus/48000/2\r\na=rtcp-fb:{payload_type} transport-cc\r\n\
         a=fmtp:{payload_type} minptime=10;useinbandfec=1;usedtx=1;stereo=0\r\n"
    ));
}

fn write_video(upstream: &Upstream, out: &mut String) {
    let payload_type = upstream.payload_type;
    out.push_str(&format!("a=rtpmap:{payload_type} VP8/90000\r\n"));
    for feedback in ["nack", "nack pli", "transport-cc"] {
        out.push_str(&format!("a=rtcp-fb:{payload_type} {feedback}\r\n"));
    }
    if let Some(retransmission) = upstream.retransmission {
        out.push_str(&format!(
            "a=rtpmap:{retransmission} rtx/90000\r\na=fmtp:{retransmission} apt={payload_type}\r\n"
        ));
    }
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
