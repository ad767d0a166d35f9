//! The codecs of our dialect, and their lines. Pictures come in VP8, which every browser decodes; a camera may come in H.264
//! beside it, constrained baseline with packetization mode 1, the one form that all hardware encoders and browsers
//! share. A screen may not: VP8 tells which of its frames can be left out, H.264 does not.

use qism_signaling::protocol::Source;

use super::{
    Description,
    answer::Format,
    section::{MediaKind, Section},
};
use crate::sfu::forward::packet::Codec;

const OPUS_PARAMETERS: &str = "minptime=10;useinbandfec=1;usedtx=1;stereo=0";
const H264_PARAMETERS: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";

fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "opus",
        Codec::Vp8 => "VP8",
        Codec::H264 => "H264",
    }
}

/// What we take of an offered section; empty when it lacks the codec that everybody decodes.
pub fn agree(section: &Section, source: Source) -> Vec<Format> {
    let wanted: &[Codec] = match source {
        Source::Microphone | Source::ScreenAudio => &[Codec::Opus],
        Source::Camera => &[Codec::Vp8, Codec::H264],
        Source::Screen => &[Codec::Vp8],
    };
    let found = wanted.iter().map(|&codec| Some((codec, payload_type(section, codec)?)));
    // What comes after a missing one is no substitute for it.
    let found = found.take_while(Option::is_some).flatten();
    found
        .map(|(codec, payload_type)| Format {
            codec,
            payload_type,
            retransmission: section.retransmission_of(payload_type),
        })
        .collect()
}

fn payload_type(section: &Section, codec: Codec) -> Option<u8> {
    let fits = |payload_type: &u8| codec != Codec::H264 || is_our_h264(section, *payload_type);
    section.payload_types(name(codec)).find(fits)
}

fn is_our_h264(section: &Section, payload_type: u8) -> bool {
    ["packetization-mode=1", "profile-level-id=42e01f"]
        .iter()
        .all(|parameter| section.has_parameter(payload_type, parameter))
}

/// What a receiver can make of what we offer, by its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    pub h264: bool,
    /// Redundant audio (RFC 2198).
    pub red: bool,
}

impl Abilities {
    pub fn of(answer: &Description) -> Self {
        Self {
            h264: takes(answer, MediaKind::Video, name(Codec::H264)),
            red: takes(answer, MediaKind::Audio, "red"),
        }
    }
}

/// True when all accepted sections of this kind list the codec.
fn takes(answer: &Description, kind: MediaKind, codec: &str) -> bool {
    let mut sections = answer.sections.iter().filter(|it| it.kind == kind && !it.rejected);
    sections.all(|section| section.payload_types(codec).next().is_some())
}

/// Appends the lines of one codec.
pub fn write(codec: Codec, payload_type: u8, retransmission: Option<u8>, out: &mut String) {
    let (clock, feedbacks, parameters): (_, &[&str], _) = match codec {
        Codec::Opus => ("48000/2", &["transport-cc"], Some(OPUS_PARAMETERS)),
        Codec::Vp8 => ("90000", &["nack", "nack pli", "transport-cc"], None),
        Codec::H264 => ("90000", &["nack", "nack pli", "transport-cc"], Some(H264_PARAMETERS)),
    };
    out.push_str(&format!("a=rtpmap:{payload_type} {}/{clock}\r\n", name(codec)));
    for feedback in feedbacks {
        out.push_str(&format!("a=rtcp-fb:{payload_type} {feedback}\r\n"));
    }
    if let Some(parameters) = parameters {
        out.push_str(&format!("a=fmtp:{payload_type} {parameters}\r\n"));
    }
    if let Some(retransmission) = retransmission {
        out.push_str(&format!(
            "a=rtpmap:{retransmission} rtx/90000\r\na=fmtp:{retransmission} apt={payload_type}\r\n"
        ));
    }
}
