//! Opening what a peer sends, by rtc's context, with two things that it lacks. It keeps something of each SSRC from the first packet
//! on, before it knows whether that is forged: it only gets to see streams of which a packet was authentic. And under AES-CM it
//! takes a control packet that says it is not encrypted without looking at its tag: it gets to see none.

use std::{collections::HashSet, sync::Arc};

use bytes::BytesMut;
use rtc::{
    crypto::RTCCryptoProvider,
    shared::error::Result,
    srtp::{
        context::Context,
        option::{srtcp_replay_protection, srtp_replay_protection},
        protection_profile::ProtectionProfile,
    },
};

use super::dtls::Keys;
use crate::sfu::engine::identity::Identity;

/// Streams that a browser may send; it needs some twenty. Packets of more are dropped.
pub const STREAMS: usize = 64;
/// Packets of unknown streams that one context is tried with: so many forgeries are kept of at most, until it is thrown away.
const TRIES: u32 = 64;
/// Replay windows: a retransmitted packet has a number of its own, so this only has to bridge reordering.
const RTP_WINDOW: usize = 512;
const RTCP_WINDOW: usize = 64;
/// Bytes of the tag of an SRTCP packet under AES-CM (RFC 5764 section 4.1.2), and of its index.
const CLASSIC_TAG: usize = 10;
const INDEX: usize = 4;
/// First bit of the index.
const ENCRYPTED: u8 = 0x80;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Media,
    Control,
}

impl Kind {
    /// Who sends it, readable without a key (RFC 3550 sections 5.1 and 6.4.1).
    fn ssrc(self, packet: &[u8]) -> Option<u32> {
        let at = if self == Self::Media { 8 } else { 4 };
        Some(u32::from_be_bytes(*packet.get(at..)?.first_chunk()?))
    }

    fn open(self, context: &mut Context, packet: &[u8]) -> Option<BytesMut> {
        let opened = match self {
            Self::Media => context.decrypt_rtp(packet),
            Self::Control => context.decrypt_rtcp(packet),
        };
        opened.ok()
    }
}

/// One direction of one connection.
pub struct Inbound {
    keys: Keys,
    provider: Arc<dyn RTCCryptoProvider>,
    context: Context,
    /// Streams of which something authentic came: those that `context` knows.
    known: HashSet<(Kind, u32)>,
    /// More streams are not listened to.
    most: usize,
    /// Packets of unknown streams are tried with it, and how many were.
    trial: Option<(Context, u32)>,
}

impl Inbound {
    /// Opens what is sealed with the remote half of the keys, of so many streams.
    pub fn new(keys: &Keys, most: usize, identity: &Identity) -> Result<Self> {
        let (keys, provider) = (keys.clone(), identity.provider());
        let context = context(&keys, &*provider)?;
        Ok(Self { keys, provider, context, known: HashSet::new(), most, trial: None })
    }

    /// Streams that are listened to.
    pub fn streams(&self) -> usize {
        self.known.len()
    }

    /// Opens an SRTP packet; `None` when it is forged, replayed, or of one stream too many.
    pub fn open_rtp(&mut self, packet: &[u8]) -> Option<BytesMut> {
        self.open(Kind::Media, packet)
    }

    /// Opens an SRTCP packet; `None` as for SRTP, and when it is not encrypted.
    pub fn open_rtcp(&mut self, packet: &[u8]) -> Option<BytesMut> {
        // RFC 3711 section 3.4 and RFC 7714 section 9: the index, whose first bit tells it, is before the one's tag, behind the other's.
        let tag = match self.keys.profile {
            ProtectionProfile::AeadAes128Gcm | ProtectionProfile::AeadAes256Gcm => 0,
            _ => CLASSIC_TAG,
        };
        let index = packet.len().checked_sub(tag + INDEX)?;
        if packet[index] & ENCRYPTED == 0 {
            return None;
        }
        self.open(Kind::Control, packet)
    }

    fn open(&mut self, kind: Kind, packet: &[u8]) -> Option<BytesMut> {
        let stream = (kind, kind.ssrc(packet)?);
        if !self.known.contains(&stream) {
            if self.known.len() >= self.most || !self.is_authentic(kind, packet)? {
                return None;
            }
            self.known.insert(stream);
        }
        kind.open(&mut self.context, packet)
    }

    fn is_authentic(&mut self, kind: Kind, packet: &[u8]) -> Option<bool> {
        let (mut trial, tries) = match self.trial.take() {
            Some(trial) => trial,
            None => (context(&self.keys, &*self.provider).ok()?, 0),
        };
        let is_authentic = kind.open(&mut trial, packet).is_some();
        // Of an authentic stream nothing stays behind in it that could take its next packet for a replay.
        if !is_authentic && tries + 1 < TRIES {
            self.trial = Some((trial, tries + 1));
        }
        Some(is_authentic)
    }
}

fn context(keys: &Keys, provider: &dyn RTCCryptoProvider) -> Result<Context> {
    Context::new(
        &keys.session.remote_master_key,
        &keys.session.remote_master_salt,
        keys.profile,
        Some(srtp_replay_protection(RTP_WINDOW)),
        Some(srtcp_replay_protection(RTCP_WINDOW)),
        provider.crypto(),
    )
}

#[cfg(test)]
mod tests {
    use rtc::srtp::config::SessionKeys;

    use super::*;

    /// What seals, and what opens.
    fn pair(profile: ProtectionProfile, most: usize) -> (Context, Inbound) {
        let identity = Identity::generate().expect("a certificate");
        let (key, salt) = (vec![1; profile.key_len()], vec![3; profile.salt_len()]);
        let theirs = Context::new(&key, &salt, profile, None, None, identity.crypto()).expect("keys");
        let session = SessionKeys {
            local_master_key: vec![2; profile.key_len()],
            local_master_salt: vec![4; profile.salt_len()],
            remote_master_key: key,
            remote_master_salt: salt,
        };
        let ours = Inbound::new(&Keys { profile, session }, most, &identity).expect("keys");
        (theirs, ours)
    }

    fn media(ssrc: u32, number: u16) -> Vec<u8> {
        let number = number.to_be_bytes();
        [&[0x80, 96][..], &number, &[0, 0, 0, 1], &ssrc.to_be_bytes(), &[7; 20]].concat()
    }

    fn report(ssrc: u32) -> Vec<u8> {
        [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes()].concat()
    }

    const PROFILES: [ProtectionProfile; 2] =
        [ProtectionProfile::AeadAes128Gcm, ProtectionProfile::Aes128CmHmacSha1_80];

    #[test]
    fn forged_streams_leave_nothing_behind_and_no_room_is_taken_from_authentic_ones() {
        for profile in PROFILES {
            let (mut theirs, mut ours) = pair(profile, 2);
            for ssrc in 0..1_000 {
                let forged = [media(ssrc, 1), vec![9; 16]].concat();
                assert_eq!(ours.open_rtp(&forged), None);
                assert_eq!(ours.open_rtcp(&[report(ssrc), vec![0xf9; 24]].concat()), None);
                assert!(ours.trial.as_ref().is_none_or(|(_, tries)| *tries < TRIES));
            }
            assert!(ours.known.is_empty());
            let (sealed, told) = (theirs.encrypt_rtp(&media(5, 1)), theirs.encrypt_rtcp(&report(5)));
            assert_eq!(ours.open_rtp(&sealed.expect("sealed")).as_deref(), Some(&media(5, 1)[..]));
            assert_eq!(ours.open_rtcp(&told.expect("sealed")).as_deref(), Some(&report(5)[..]));
        }
    }

    #[test]
    fn a_peer_sends_so_many_streams_and_no_more() {
        for profile in PROFILES {
            let (mut theirs, mut ours) = pair(profile, 2);
            let mut seal = |ssrc, number| theirs.encrypt_rtp(&media(ssrc, number)).expect("sealed");
            assert!(ours.open_rtp(&seal(1, 1)).is_some() && ours.open_rtp(&seal(2, 1)).is_some());
            assert_eq!(ours.open_rtp(&seal(3, 1)), None);
            assert!(ours.open_rtp(&seal(1, 2)).is_some(), "the first goes on");
        }
    }

    #[test]
    fn the_first_packet_of_a_stream_is_opened_once() {
        for profile in PROFILES {
            let (mut theirs, mut ours) = pair(profile, STREAMS);
            let sealed = theirs.encrypt_rtp(&media(1, 1)).expect("sealed");
            assert!(ours.open_rtp(&sealed).is_some());
            assert_eq!(ours.open_rtp(&sealed), None, "a replay");
            let told = theirs.encrypt_rtcp(&report(1)).expect("sealed");
            assert!(ours.open_rtcp(&told).is_some());
            assert_eq!(ours.open_rtcp(&told), None, "a replay");
        }
    }

    #[test]
    fn a_control_packet_that_says_it_is_not_encrypted_is_a_forgery() {
        for profile in PROFILES {
            let (_, mut ours) = pair(profile, STREAMS);
            for tail in 0..40 {
                assert_eq!(ours.open_rtcp(&[report(5), vec![0; tail]].concat()), None, "{tail}");
            }
        }
    }
}
