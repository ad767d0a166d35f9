//! The subscriber's offer: one fixed table of slots, written once per leg. Payload types, extension ids and SSRCs are
//! the same on every leg of every lesson, so nothing is ever renumbered.

use qism_signaling::protocol::Slot;

use super::{Local, codec};
use crate::sfu::forward::{extensions::Kind, packet::Codec};

/// Payload types of the subscriber leg.
pub const VP8: u8 = 96;
pub const VP8_RTX: u8 = 97;
pub const H264: u8 = 98;
pub const H264_RTX: u8 = 99;
pub const OPUS: u8 = 111;
pub const RED: u8 = 63;
/// Extension ids of the subscriber leg.
pub const MID_EXTENSION: u8 = 1;
pub const TRANSPORT_EXTENSION: u8 = 4;
/// Slots that every subscriber has: teacher, three speakers, screen, screen audio.
pub const FIXED_SLOTS: u8 = 6;
/// A table is never larger.
pub const MOST_SLOTS: u8 = 16;

/// The slots of one subscriber leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriberTerms {
    slots: u8,
}

impl SubscriberTerms {
    /// A table with room for this many cameras, as far as the table goes.
    pub fn new(cameras: u8) -> Self {
        Self { slots: FIXED_SLOTS.saturating_add(cameras).min(MOST_SLOTS) }
    }

    pub fn slots(self) -> impl Iterator<Item = Slot> {
        (0..self.slots).map(Slot)
    }
}

/// The SSRC of a slot's media.
pub fn ssrc(slot: Slot) -> u32 {
    10_000 + u32::from(slot.0)
}

/// The SSRC of a slot's retransmissions.
pub fn retransmission_ssrc(slot: Slot) -> u32 {
    20_000 + u32::from(slot.0)
}

/// The slot that an SSRC named by the peer (in feedback) belongs to.
pub fn slot_of_ssrc(ssrc: u32) -> Option<Slot> {
    let slot = ssrc.checked_sub(10_000).filter(|slot| *slot < u32::from(MOST_SLOTS))?;
    Some(Slot(slot as u8))
}

/// True for slots that carry sound.
pub fn is_audio(slot: Slot) -> bool {
    use qism_signaling::protocol::SlotKind;
    matches!(slot.kind(), SlotKind::TeacherAudio | SlotKind::SpeakerAudio | SlotKind::ScreenAudio)
}

/// Writes the offer, as any peer understands it. Where it is to fit, with the welcome, what TCP sends at once, the hub packs it.
pub fn offer(terms: SubscriberTerms, local: &Local) -> String {
    let mids: Vec<String> = terms.slots().map(|slot| slot.0.to_string()).collect();
    let mids: Vec<&str> = mids.iter().map(String::as_str).collect();
    let mut text = String::new();
    local.write_head(&mids, &mut text);
    terms.slots().for_each(|slot| write_slot(slot, local, &mut text));
    text
}

fn write_slot(slot: Slot, local: &Local, out: &mut String) {
    match is_audio(slot) {
        true => out.push_str(&format!("m=audio 9 UDP/TLS/RTP/SAVPF {OPUS} {RED}\r\n")),
        false => out.push_str(&format!("m=video 9 UDP/TLS/RTP/SAVPF {VP8} {VP8_RTX} {H264} {H264_RTX}\r\n")),
    }
    local.write_transport(out);
    let number = slot.0;
    let stream = stream(slot);
    out.push_str(&format!("a=mid:{number}\r\na=sendonly\r\na=msid:{stream} slot-{number}\r\n"));
    out.push_str(&format!("a=extmap:{MID_EXTENSION} {}\r\n", Kind::Mid.uri()));
    // On sound too, though its packets are sent without: Chromium ignores transport-cc that is not everywhere.
    out.push_str(&format!("a=extmap:{TRANSPORT_EXTENSION} {}\r\n", Kind::TransportSequence.uri()));
    match is_audio(slot) {
        true => write_audio(slot, out),
        false => write_video(slot, out),
    }
}

fn write_audio(slot: Slot, out: &mut String) {
    codec::write(Codec::Opus, OPUS, None, out);
    out.push_str(&format!("a=rtpmap:{RED} red/48000/2\r\na=fmtp:{RED} {OPUS}/{OPUS}\r\n"));
    write_source(ssrc(slot), out);
}

fn write_video(slot: Slot, out: &mut String) {
    codec::write(Codec::Vp8, VP8, Some(VP8_RTX), out);
    codec::write(Codec::H264, H264, Some(H264_RTX), out);
    out.push_str(&format!("a=ssrc-group:FID {} {}\r\n", ssrc(slot), retransmission_ssrc(slot)));
    write_source(ssrc(slot), out);
    write_source(retransmission_ssrc(slot), out);
}

fn write_source(ssrc: u32, out: &mut String) {
    out.push_str(&format!("a=ssrc:{ssrc} cname:lesson\r\n"));
}

/// The stream a slot belongs to: browsers keep the sound and picture of one stream in step. The first camera slot is
/// where the teacher's camera usually sits.
fn stream(slot: Slot) -> String {
    match slot {
        Slot::TEACHER_AUDIO | Slot::FIRST_CAMERA => "teacher".to_owned(),
        Slot::SCREEN | Slot::SCREEN_AUDIO => "screen".to_owned(),
        Slot(number) => format!("slot-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Candidates, *};

    #[test]
    fn the_table_is_fixed_and_bounded() {
        let local = Local {
            ufrag: "ufrag".into(),
            password: "password".into(),
            fingerprint: "AA".into(),
            setup: "actpass",
            candidates: Candidates::default(),
        };
        let text = offer(SubscriberTerms::new(2), &local);
        assert!(text.contains("a=group:BUNDLE 0 1 2 3 4 5 6 7\r\n"));
        assert_eq!(text.matches("m=audio").count(), 5);
        assert_eq!(text.matches("m=video").count(), 3);
        assert!(text.contains("a=ssrc-group:FID 10004 20004\r\n"));
        assert_eq!(text.matches("a=end-of-candidates").count(), 8);
        let longest = offer(SubscriberTerms::new(6), &local).len();
        assert!(longest < 8_500, "{longest} bytes");
        assert_eq!(SubscriberTerms::new(200).slots().count(), usize::from(MOST_SLOTS));
        assert_eq!(slot_of_ssrc(10_004), Some(Slot(4)));
        assert_eq!(slot_of_ssrc(20_004), None);
    }
}
