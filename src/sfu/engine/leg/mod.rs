//! One WebRTC connection: ICE-lite, DTLS, SRTP. It takes datagrams and gives datagrams back; the sockets, the clock
//! and what flows inside belong to others.

pub mod client_hello;
mod control;
pub mod dtls;
mod flight;
pub mod ice;
pub mod inbound;
pub mod srtcp;
pub mod srtp;
pub mod stun;

use std::{net::IpAddr, net::SocketAddr, sync::Arc, time::Instant};

use crate::sfu::{
    engine::{identity::Identity, net::streams::STREAM},
    forward::account::Account,
    sdp::{Description, SdpError, Setup},
};
use control::ControlLimit;
use dtls::{Dtls, DtlsError, PeerFingerprint};
use ice::IceLite;
use inbound::STREAMS;
use srtp::Srtp;

/// Where a peer is and how to reach it: replies leave from the address that the peer wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// Index of our socket.
    pub socket: u8,
    pub peer: SocketAddr,
    /// Our own address, on a socket that listens on all.
    pub local: Option<IpAddr>,
}

/// The secure transport of one leg.
pub struct Transport {
    pub ice: IceLite,
    identity: Arc<Identity>,
    /// `None` until the peer's fingerprint is known (a subscriber that has not answered).
    dtls: Option<Box<Dtls>>,
    /// `None` until DTLS is done.
    pub srtp: Option<Srtp>,
    /// Checks and handshakes; SRTP counts its own.
    pub account: Account,
    pub control: ControlLimit,
}

impl Transport {
    pub fn new(ice: IceLite, identity: Arc<Identity>) -> Self {
        Self {
            ice,
            identity,
            dtls: None,
            srtp: None,
            account: Account::default(),
            control: ControlLimit::default(),
        }
    }

    /// Takes the peer's description; on a connection that stands, only its ICE half is new.
    pub fn accept(&mut self, peer: &Description) -> Result<(), SdpError> {
        let fingerprint = PeerFingerprint::of(peer).ok_or(SdpError::Missing("fingerprint"))?;
        if self.dtls.as_ref().is_none_or(|dtls| dtls.peer() != &fingerprint) {
            let is_client = peer.transport.setup == Some(Setup::Passive);
            self.dtls = Some(Box::new(Dtls::new(self.identity.clone(), fingerprint, is_client)));
            self.srtp = None;
        }
        Ok(())
    }

    /// True when the description belongs to the peer we know: same certificate.
    pub fn is_same_peer(&self, peer: &Description) -> bool {
        let known = self.dtls.as_deref().map(Dtls::peer);
        known.is_some() && known == PeerFingerprint::of(peer).as_ref()
    }

    /// Takes a DTLS datagram; true when the connection came up by it. On a connection that stands, only an authentic
    /// goodbye ends it: whoever can forge a source address must not be able to.
    pub fn handle_dtls(&mut self, datagram: &[u8], now: Instant) -> Result<bool, DtlsError> {
        let Some(dtls) = &mut self.dtls else { return Ok(false) };
        self.account.count(datagram.len());
        if self.srtp.is_some() && is_plain_alert(datagram) {
            return Ok(false);
        }
        match dtls.read(datagram, now) {
            Ok(Some(keys)) => {
                self.srtp = Some(Srtp::new(&keys, STREAMS, &self.identity)?);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) if self.srtp.is_none() || error.is_goodbye() => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Starts the handshake where we are the client and the path is known; repeats lost flights.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        match &mut self.dtls {
            Some(dtls) if self.ice.path().is_some() => dtls.handle_timeout(now),
            _ => Ok(()),
        }
    }

    /// True while a lost flight may have to be sent again, after the handshake too.
    pub fn is_repeating(&self) -> bool {
        self.dtls.as_deref().is_some_and(Dtls::is_repeating)
    }

    /// Fetches what tells whether a flight may have to be sent again.
    pub fn fetch_handshake(&self) {
        self.dtls.iter().for_each(|dtls| dtls.fetch());
    }

    /// The next DTLS datagram to send.
    pub fn poll_transmit(&mut self) -> Option<bytes::BytesMut> {
        let datagram = self.dtls.as_mut()?.poll_transmit()?;
        self.account.count(datagram.len());
        Some(datagram)
    }

    /// Bytes that the peer's network carried since this was last asked, both directions, headers included.
    pub fn take_carried(&mut self) -> u64 {
        let header = self.ice.path().map_or(0, |path| header(&path));
        let media = self.srtp.as_mut().map_or(0, |srtp| srtp.account.take(header));
        media + self.account.take(header)
    }

    /// Says goodbye: a close_notify for the peer, sent at best effort.
    pub fn close(&mut self, now: Instant) {
        if let Some(dtls) = &mut self.dtls {
            dtls.close(now);
        }
    }
}

/// Bytes of headers around each datagram: IP and UDP; or IP, TCP with timestamps, and the length of the frame. What TCP
/// acknowledges costs less than what its larger segments save.
fn header(path: &Path) -> u64 {
    let ip = if path.peer.is_ipv4() { 20 } else { 40 };
    ip + if path.socket == STREAM { 34 } else { 8 }
}

/// An alert of epoch 0, before encryption: content type, version, epoch.
fn is_plain_alert(datagram: &[u8]) -> bool {
    matches!(datagram, [21, _, _, 0, 0, ..])
}
