//! SRTP of one connection. Opening media is rtc's; sealing with AES-GCM, which happens once per subscriber and packet, is
//! done in place in the send buffer: the keys are derived here and used through rtc's AEAD. So are those for feedback.

use rtc::{
    crypto::{AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, RTCCrypto},
    rtp::Header,
    shared::error::Error,
    srtp::{context::Context, protection_profile::ProtectionProfile},
};

use super::{
    dtls::{DtlsError, Keys},
    inbound::Inbound,
    srtcp::Opener,
};
use crate::sfu::{
    engine::{ahead::fetch, identity::Identity},
    forward::{account::Account, rtp::FIXED_HEADER},
};

pub const TAG: usize = 16;
pub const SALT: usize = 12;
/// Key derivation labels (RFC 3711 section 4.3.1).
const LABEL_KEY: u8 = 0;
const LABEL_SALT: u8 = 2;

/// Both directions of one connection.
pub struct Srtp {
    sealer: Sealer,
    /// Of feedback; without GCM rtc opens it.
    opener: Option<Opener>,
    /// What passed, sealed.
    pub account: Account,
    /// Apart, since subscribers with GCM hardly need them.
    contexts: Box<Contexts>,
}

/// rtc's.
struct Contexts {
    outbound: Context,
    inbound: Inbound,
}

enum Sealer {
    Gcm(GcmSealer),
    /// AES-CM with HMAC-SHA1, by rtc's context.
    Classic,
}

/// What is sealed: its place in the stream gives the nonce.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub ssrc: u32,
    /// Unwrapped sequence number: roll-over counter and number.
    pub sequence: u64,
}

/// Bits of the first byte of an RTP header: padding follows, an extension follows (RFC 3550 section 5.1).
pub const PADDED: u8 = 0x20;
pub const EXTENDED: u8 = 0x10;

impl Place {
    /// Appends the fixed RTP header of the packet at this place; `kind` is its marker and payload type.
    pub fn write_header(&self, flags: u8, kind: u8, timestamp: u32, buffer: &mut Vec<u8>) {
        let mut header = [0; FIXED_HEADER];
        header[..2].copy_from_slice(&[0x80 | flags, kind]);
        header[2..4].copy_from_slice(&(self.sequence as u16).to_be_bytes());
        header[4..8].copy_from_slice(&timestamp.to_be_bytes());
        header[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        buffer.extend_from_slice(&header);
    }
}

impl Srtp {
    /// Takes so many streams of the peer.
    pub fn new(keys: &Keys, streams: usize, identity: &Identity) -> Result<Self, DtlsError> {
        let crypto = identity.crypto();
        let (session, profile) = (&keys.session, keys.profile);
        let (sealer, opener) = match profile {
            ProtectionProfile::AeadAes128Gcm => (
                Sealer::Gcm(GcmSealer::new(&session.local_master_key, &session.local_master_salt, crypto)?),
                Some(Opener::new(&session.remote_master_key, &session.remote_master_salt, crypto)?),
            ),
            _ => (Sealer::Classic, None),
        };
        let outbound =
            Context::new(&session.local_master_key, &session.local_master_salt, profile, None, None, crypto)?;
        let contexts = Box::new(Contexts { outbound, inbound: Inbound::new(keys, streams, identity)? });
        Ok(Self { sealer, opener, account: Account::default(), contexts })
    }

    /// Streams of the peer that were authentic; control messages under GCM are not counted here.
    pub fn streams(&self) -> usize {
        self.contexts.inbound.streams()
    }

    /// Opens an SRTP packet; `None` when it is forged, replayed, or of one stream too many.
    pub fn open_rtp(&mut self, packet: &[u8]) -> Option<bytes::BytesMut> {
        let opened = self.contexts.inbound.open_rtp(packet)?;
        self.account.count(packet.len());
        Some(opened)
    }

    /// Opens an SRTCP packet into `opened`; `None` when it is forged or replayed.
    pub fn open_rtcp(&mut self, packet: &[u8], opened: &mut Vec<u8>) -> Option<()> {
        match &mut self.opener {
            Some(opener) => opener.open(packet, opened)?,
            None => {
                opened.clear();
                opened.extend_from_slice(&self.contexts.inbound.open_rtcp(packet)?);
            }
        }
        self.account.count(packet.len());
        Some(())
    }

    /// Protects an RTCP packet.
    pub fn seal_rtcp(&mut self, packet: &[u8]) -> Option<bytes::BytesMut> {
        let sealed = self.contexts.outbound.encrypt_rtcp(packet).ok()?;
        self.account.count(sealed.len());
        Some(sealed)
    }

    /// Protects the RTP packet that starts at `start` of the buffer and ends with it; `header` bytes stay readable.
    pub fn seal_rtp(&mut self, place: Place, buffer: &mut Vec<u8>, start: usize, header: usize) -> bool {
        let sealed = match &mut self.sealer {
            Sealer::Gcm(sealer) => sealer.seal(place, buffer, start, header),
            Sealer::Classic => seal_classic(&mut self.contexts.outbound, buffer, start),
        };
        if sealed {
            self.account.count(buffer.len() - start);
        }
        sealed
    }

    /// Fetches the key that packets are sealed with.
    pub fn fetch_sealer(&self) {
        if let Sealer::Gcm(sealer) = &self.sealer {
            fetch(&*sealer.cipher);
        }
    }

    /// Fetches what opening feedback needs.
    pub fn fetch_opener(&self) {
        self.opener.iter().for_each(Opener::fetch);
    }
}

/// Copies through rtc's context: for the few peers without GCM.
fn seal_classic(context: &mut Context, buffer: &mut Vec<u8>, start: usize) -> bool {
    let mut packet = &buffer[start..];
    let Ok(header) = <Header as rtc::shared::marshal::Unmarshal>::unmarshal(&mut packet) else {
        return false;
    };
    let Ok(sealed) = context.encrypt_rtp_with_header(&buffer[start..], &header) else { return false };
    buffer.truncate(start);
    buffer.extend_from_slice(&sealed);
    true
}

struct GcmSealer {
    cipher: Box<dyn AeadCipher>,
    salt: [u8; SALT],
}

impl GcmSealer {
    fn new(master_key: &[u8], master_salt: &[u8], crypto: &dyn RTCCrypto) -> Result<Self, DtlsError> {
        let (cipher, salt) = gcm((LABEL_KEY, LABEL_SALT), master_key, master_salt, crypto)?;
        Ok(Self { cipher, salt })
    }

    fn seal(&mut self, place: Place, buffer: &mut Vec<u8>, start: usize, header: usize) -> bool {
        let nonce = nonce(place, &self.salt);
        let (aad, plain) = buffer[start..].split_at_mut(header);
        let mut tag = [0; TAG];
        let sealed = self.cipher.seal_in_place(&nonce, aad, plain, &mut tag).is_ok();
        buffer.extend_from_slice(&tag);
        sealed
    }
}

/// Derives the cipher and the salt of these labels.
pub fn gcm(
    (key, salt): (u8, u8),
    master_key: &[u8],
    master_salt: &[u8],
    crypto: &dyn RTCCrypto,
) -> Result<(Box<dyn AeadCipher>, [u8; SALT]), DtlsError> {
    let key = derive(key, master_key, master_salt, crypto)?;
    let salt = derive(salt, master_key, master_salt, crypto)?;
    let cipher =
        crypto.new_aead(AeadAlgorithm::Aes128Gcm, &key).map_err(|error| Error::Crypto(error.to_string()))?;
    let mut short = [0; SALT];
    short.copy_from_slice(&salt[..SALT]);
    Ok((cipher, short))
}

/// RFC 7714 sections 8.1 and 9.1: zero, SSRC, roll-over counter and number (of SRTCP its index), under the salt.
pub fn nonce(place: Place, salt: &[u8; SALT]) -> [u8; SALT] {
    let mut nonce = [0; SALT];
    nonce[2..6].copy_from_slice(&place.ssrc.to_be_bytes());
    nonce[6..].copy_from_slice(&place.sequence.to_be_bytes()[2..]);
    for (byte, salt) in nonce.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    nonce
}

/// AES-CM key derivation (RFC 3711 section 4.3) of one block, which is all that AES-128 needs.
fn derive(label: u8, key: &[u8], salt: &[u8], crypto: &dyn RTCCrypto) -> Result<[u8; 16], DtlsError> {
    let mut block = [0; 16];
    block.iter_mut().zip(salt).for_each(|(byte, salt)| *byte = *salt);
    block[7] ^= label;
    crypto
        .block_encrypt(BlockCipherAlgorithm::Aes128, key, &mut block)
        .map_err(|error| Error::Crypto(error.to_string()))?;
    Ok(block)
}

#[cfg(test)]
mod tests {
    use rtc::srtp::config::SessionKeys;

    use super::{super::inbound::STREAMS, *};

    fn pair(profile: ProtectionProfile) -> (Srtp, Srtp) {
        let identity = Identity::generate().expect("a certificate");
        let (one, two) = (vec![1; 16], vec![2; 16]);
        let (salt_one, salt_two) = (vec![3; profile.salt_len()], vec![4; profile.salt_len()]);
        let keys = |local: &[u8], local_salt: &[u8], remote: &[u8], remote_salt: &[u8]| Keys {
            profile,
            session: SessionKeys {
                local_master_key: local.to_vec(),
                local_master_salt: local_salt.to_vec(),
                remote_master_key: remote.to_vec(),
                remote_master_salt: remote_salt.to_vec(),
            },
        };
        let a = Srtp::new(&keys(&one, &salt_one, &two, &salt_two), STREAMS, &identity).expect("keys");
        let b = Srtp::new(&keys(&two, &salt_two, &one, &salt_one), STREAMS, &identity).expect("keys");
        (a, b)
    }

    /// A packet with the given number, behind three bytes that belong to another.
    fn packet(sequence: u16) -> Vec<u8> {
        let mut buffer = vec![9, 9, 9, 0x80, 96];
        buffer.extend(sequence.to_be_bytes());
        buffer.extend([0, 0, 0, 1, 0, 0, 0, 7, 10, 20, 30]);
        buffer
    }

    #[test]
    fn what_we_seal_in_place_rtc_opens_over_the_roll_over_and_not_twice() {
        for profile in [ProtectionProfile::AeadAes128Gcm, ProtectionProfile::Aes128CmHmacSha1_80] {
            let (mut ours, mut theirs) = pair(profile);
            for sequence in [30_000u64, 60_000, 65_535, 65_536, 90_000, 115_000, 131_072] {
                let mut buffer = packet(sequence as u16);
                let plain = buffer[3..].to_vec();
                assert!(ours.seal_rtp(Place { ssrc: 7, sequence }, &mut buffer, 3, 12));
                assert_eq!(buffer[..3], [9, 9, 9]);
                assert_eq!(theirs.open_rtp(&buffer[3..]).as_deref(), Some(&plain[..]), "{sequence}");
                assert_eq!(theirs.open_rtp(&buffer[3..]), None, "a replay");
            }
        }
    }

    #[test]
    fn a_packet_that_was_lost_opens_when_it_is_sealed_once_more_after_later_ones() {
        for profile in [ProtectionProfile::AeadAes128Gcm, ProtectionProfile::Aes128CmHmacSha1_80] {
            let (mut ours, mut theirs) = pair(profile);
            let mut sealed = |sequence: u64| {
                let mut buffer = packet(sequence as u16);
                assert!(ours.seal_rtp(Place { ssrc: 7, sequence }, &mut buffer, 3, 12));
                buffer.split_off(3)
            };
            let (first, lost, later) = (sealed(65_534), sealed(65_535), sealed(65_536));
            assert!(theirs.open_rtp(&first).is_some() && theirs.open_rtp(&later).is_some());
            let again = sealed(65_535);
            assert_eq!(again, lost, "the very same bytes");
            assert!(theirs.open_rtp(&again).is_some());
        }
    }
}
