//! Browsers in which somebody has signed in before. Their mistakes are counted apart, so that nobody else at the same address, where a
//! whole school may be, keeps them from signing in (OWASP: slow down online guessing attacks with device cookies).
//!
//! A mark names nobody: it is a nonce and an HMAC over nonce and sign-in name, whose key is the stored password hash. So every server
//! checks it, none keeps it, and a new password ends it. Whoever has one may try passwords of this one person, as slowly as everybody.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{attempts::Origin, token::hex, token::unhex};

/// People whose mark one browser keeps: a phone in a family. Whoever came before the last of them is unknown again.
const KEPT: usize = 4;
const NONCE_BYTES: usize = 16;
const SEAL_BYTES: usize = 32;

/// Of one browser, the latest first.
#[derive(Clone, Debug, Default)]
pub struct Marks(Vec<Mark>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    nonce: [u8; NONCE_BYTES],
    seal: [u8; SEAL_BYTES],
}

impl Marks {
    /// From a cookie. What cannot be one of ours is left out.
    pub fn parse(text: &str) -> Self {
        Self(text.split('.').take(KEPT).filter_map(Mark::parse).collect())
    }

    /// For the cookie: at most 387 characters.
    pub fn reveal(&self) -> String {
        let texts: Vec<String> = self.0.iter().map(|mark| hex(&mark.nonce) + &hex(&mark.seal)).collect();
        texts.join(".")
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This browser, if the person behind the password hash has signed in in it before.
    pub fn origin(&self, login: &str, password_hash: &str) -> Option<Origin> {
        self.of(login, password_hash).map(|mark| Origin::Browser(mark.nonce))
    }

    /// This person has signed in now.
    #[must_use]
    pub fn with(self, login: &str, password_hash: &str) -> Self {
        let own = self.of(login, password_hash).unwrap_or_else(|| Mark::new(login, password_hash));
        let others = self.0.into_iter().filter(|mark| *mark != own);
        Self(std::iter::once(own).chain(others).take(KEPT).collect())
    }

    fn of(&self, login: &str, password_hash: &str) -> Option<Mark> {
        let fits = |mark: &Mark| mac(&mark.nonce, login, password_hash).verify_slice(&mark.seal).is_ok();
        self.0.iter().copied().find(fits)
    }
}

impl Mark {
    fn new(login: &str, password_hash: &str) -> Self {
        let nonce = rand::random();
        Self { nonce, seal: mac(&nonce, login, password_hash).finalize().into_bytes().into() }
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = unhex(text)?;
        let (nonce, seal) = bytes.split_at_checked(NONCE_BYTES)?;
        Some(Self { nonce: nonce.try_into().ok()?, seal: seal.try_into().ok()? })
    }
}

fn mac(nonce: &[u8], login: &str, password_hash: &str) -> Hmac<Sha256> {
    // Invariant: HMAC takes keys of any length.
    let mac = Hmac::<Sha256>::new_from_slice(password_hash.as_bytes()).expect("any length");
    mac.chain_update(b"browser").chain_update(nonce).chain_update(login.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_to_whoever_signed_in_in_it_until_their_password_is_another() {
        let marks = Marks::parse("").with("salma", "hash").with("omar", "other");
        let back = Marks::parse(&marks.reveal());
        let origin = back.origin("salma", "hash");
        assert!(matches!(origin, Some(Origin::Browser(_))) && origin == marks.origin("salma", "hash"));
        assert_ne!(back.origin("omar", "other"), origin);
        for (login, hash) in [("salma", "new"), ("omar", "hash"), ("salm", "hash"), ("", "")] {
            assert_eq!(back.origin(login, hash), None, "{login} {hash}");
        }
    }

    #[test]
    fn a_browser_keeps_the_last_few_and_each_once() {
        let mut marks = Marks::default();
        for login in ["a", "b", "a", "c", "d", "e"] {
            marks = marks.with(login, "hash");
        }
        let known = ["a", "b", "c", "d", "e"].map(|login| marks.origin(login, "hash").is_some());
        assert_eq!(known, [true, false, true, true, true]);
        assert!(marks.reveal().len() <= 387);
    }

    #[test]
    fn what_is_no_mark_is_none() {
        let ours = Marks::default().with("salma", "hash").reveal();
        let changed = ours.replace(&ours[..2], if &ours[..2] == "00" { "11" } else { "00" });
        for text in ["", ".", "zz", "é", &ours[..94], &format!("{ours}00"), &changed] {
            assert_eq!(Marks::parse(text).origin("salma", "hash"), None, "{text}");
        }
        let many = vec![ours.as_str(); 1_000].join(".");
        assert_eq!(Marks::parse(&many).0.len(), KEPT);
    }
}
