//! The token of a signed-in browser: random, in a cookie; the store keeps only its hash.

use sha2::{Digest as _, Sha256};

use crate::telemetry::Redacted;

const BYTES: usize = 32;

/// Never logged: whoever has it is signed in.
#[derive(Clone, Debug)]
pub struct Token(Redacted<String>);

impl Token {
    pub fn random() -> Self {
        Self(Redacted::new(hex(&rand::random::<[u8; BYTES]>())))
    }

    /// From a cookie; `None` when it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let ours = text.len() == BYTES * 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        ours.then(|| Self(Redacted::new(text.to_owned())))
    }

    /// For the cookie.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// For the store.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.0.reveal().as_bytes()))
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_cookie_and_nothing_else_does() {
        let token = Token::random();
        let back = Token::parse(token.reveal()).expect("ours");
        assert_eq!(back.hash(), token.hash());
        assert_ne!(token.hash(), token.reveal());
        assert!(Token::parse("").is_none() && Token::parse(&"g".repeat(64)).is_none());
        assert!(!format!("{token:?}").contains(token.reveal()));
    }
}
