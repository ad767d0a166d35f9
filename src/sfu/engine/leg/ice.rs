//! ICE-lite (RFC 8445): we answer checks and follow the peer's nomination. An address is bound only after its
//! MESSAGE-INTEGRITY was verified, the latest USE-CANDIDATE wins, and a restart keeps the old credentials until the
//! new ones are nominated.

use std::time::{Duration, Instant};

use rtc::crypto::RTCCrypto;

use super::{Path, stun::Request};

/// Without a sign of consent (RFC 7675) for this long we stop sending.
pub const CONSENT: Duration = Duration::from_secs(6);
/// … and for this long the leg is lost.
pub const LOST: Duration = Duration::from_secs(30);
/// Addresses of one leg that are routed to it; a peer that moves more often loses its oldest.
pub const ADDRESSES: usize = 8;

/// A user fragment and its password, ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub ufrag: String,
    pub password: String,
}

/// What an authenticated check brought.
#[derive(Debug)]
pub struct Checked {
    pub response: Vec<u8>,
    /// An address that gave way to it.
    pub evicted: Option<Path>,
}

/// The ICE state of one leg.
#[derive(Debug)]
pub struct IceLite {
    current: Credentials,
    /// Valid beside the current ones until nominated.
    pending: Option<Credentials>,
    selected: Option<Path>,
    /// Addresses that passed a check, oldest first.
    bound: Vec<Path>,
    heard: Instant,
}

impl IceLite {
    pub fn new(credentials: Credentials, now: Instant) -> Self {
        Self { current: credentials, pending: None, selected: None, bound: Vec::new(), heard: now }
    }

    /// Begins a restart.
    pub fn restart(&mut self, credentials: Credentials) {
        self.pending = Some(credentials);
    }

    /// Where to send; nothing before a check, nor without consent.
    pub fn path(&self) -> Option<Path> {
        self.selected
    }

    /// Where to send media now.
    pub fn live_path(&self, now: Instant) -> Option<Path> {
        self.selected.filter(|_| now < self.heard + CONSENT)
    }

    /// True when nothing authentic was heard for [`LOST`].
    pub fn is_lost(&self, now: Instant) -> bool {
        now >= self.heard + LOST
    }

    /// Something authentic (SRTP) came from the peer.
    pub fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    pub fn bound(&self) -> &[Path] {
        &self.bound
    }

    /// Takes a binding request addressed to one of our user fragments; `None` when it is not authentic.
    pub fn check(
        &mut self,
        request: &mut Request,
        path: Path,
        now: Instant,
        crypto: &dyn RTCCrypto,
    ) -> Option<Checked> {
        let is_pending = self.pending.as_ref().is_some_and(|pending| pending.ufrag == request.ufrag());
        let credentials = match &self.pending {
            Some(pending) if is_pending => pending,
            _ if self.current.ufrag == request.ufrag() => &self.current,
            _ => return None,
        };
        if !request.is_authentic(&credentials.password, crypto) {
            return None;
        }
        let response = request.response(path.peer, &credentials.password, crypto)?;
        self.heard = now;
        self.follow(request.nominates, is_pending, path);
        Some(Checked { response, evicted: self.bind(path) })
    }

    /// This address is no more.
    pub fn forget(&mut self, path: Path) {
        self.bound.retain(|bound| *bound != path);
        self.selected = self.selected.filter(|selected| *selected != path);
    }

    fn follow(&mut self, nominates: bool, is_pending: bool, path: Path) {
        if nominates
            && is_pending
            && let Some(pending) = self.pending.take()
        {
            self.current = pending;
        }
        if nominates || self.selected.is_none() {
            self.selected = Some(path);
        }
    }

    /// As if a check from there had come.
    #[cfg(test)]
    pub fn select(&mut self, path: Path) {
        self.follow(true, false, path);
        self.bind(path);
    }

    /// Yields the address that gives way.
    fn bind(&mut self, path: Path) -> Option<Path> {
        if self.bound.contains(&path) {
            return None;
        }
        let evicted = (self.bound.len() == ADDRESSES).then(|| self.bound.remove(0));
        self.bound.push(path);
        evicted
    }
}

#[cfg(test)]
#[path = "tests/ice.rs"]
mod tests;
