//! Opening SRTCP under AES-128-GCM (RFC 7714 section 9): every subscriber's feedback comes by it, ten times a second and more.

use rtc::crypto::{AeadCipher, RTCCrypto};

use super::{
    dtls::DtlsError,
    srtp::{Place, SALT, TAG, gcm, nonce},
};
use crate::sfu::engine::ahead::fetch;

/// Key derivation labels (RFC 3711 section 4.3.2).
const LABEL_KEY: u8 = 3;
const LABEL_SALT: u8 = 5;
/// Version, kind, length and sender stay readable.
const HEAD: usize = 8;
/// Whether it is encrypted, and the packet's number.
const INDEX: usize = 4;
const ENCRYPTED: u32 = 1 << 31;
/// Senders that one peer may be; a browser is one for each of its streams. Packets of more are dropped.
const SENDERS: usize = 64;

/// Opens what one peer sends.
pub struct Opener {
    cipher: Box<dyn AeadCipher>,
    salt: [u8; SALT],
    /// Only of senders who were authentic.
    senders: Vec<(u32, Window)>,
}

/// Which of the newest numbers came.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    newest: u32,
    /// The lowest bit stands for the newest.
    came: u64,
}

impl Window {
    fn is_fresh(self, number: u32) -> bool {
        match self.newest.checked_sub(number) {
            None => true,
            Some(age) => age < u64::BITS && self.came >> age & 1 == 0,
        }
    }

    fn take(&mut self, number: u32) {
        match number.checked_sub(self.newest) {
            Some(step) => {
                self.came = self.came.checked_shl(step).unwrap_or(0) | 1;
                self.newest = number;
            }
            None => self.came |= 1 << (self.newest - number),
        }
    }
}

impl Opener {
    pub fn new(master_key: &[u8], master_salt: &[u8], crypto: &dyn RTCCrypto) -> Result<Self, DtlsError> {
        let (cipher, salt) = gcm((LABEL_KEY, LABEL_SALT), master_key, master_salt, crypto)?;
        Ok(Self { cipher, salt, senders: Vec::new() })
    }

    /// Puts the plain packet into `opened`; `None` when it is forged, replayed or not encrypted.
    pub fn open(&mut self, packet: &[u8], opened: &mut Vec<u8>) -> Option<()> {
        let (rest, index) = packet.split_last_chunk::<INDEX>()?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>()?;
        let head = sealed.first_chunk::<HEAD>()?;
        let ssrc = u32::from_be_bytes(*head.last_chunk()?);
        let number = u32::from_be_bytes(*index);
        if number & ENCRYPTED == 0 {
            return None;
        }
        let number = number & !ENCRYPTED;
        let known = self.senders.iter().position(|(sender, _)| *sender == ssrc);
        if known.map_or(self.senders.len() == SENDERS, |place| !self.senders[place].1.is_fresh(number)) {
            return None;
        }
        let mut aad = [0; HEAD + INDEX];
        aad[..HEAD].copy_from_slice(head);
        aad[HEAD..].copy_from_slice(index);
        let nonce = nonce(Place { ssrc, sequence: number.into() }, &self.salt);
        opened.clear();
        opened.extend_from_slice(sealed);
        self.cipher.open_in_place(&nonce, &aad, &mut opened[HEAD..], tag).ok()?;
        let place = known.unwrap_or_else(|| {
            self.senders.push((ssrc, Window::default()));
            self.senders.len() - 1
        });
        self.senders[place].1.take(number);
        Some(())
    }

    /// Fetches the key.
    pub fn fetch(&self) {
        fetch(&*self.cipher);
        fetch(&self.senders[..]);
    }
}

#[cfg(test)]
#[path = "tests/srtcp.rs"]
mod tests;
