//! DTLS 1.2 by rtc's endpoint: the peer is authenticated by the fingerprint of its description, the outcome is the
//! SRTP keys. Path changes do not matter to it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc::{
    crypto::HashAlgorithm,
    dtls::{
        config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig},
        endpoint::{Endpoint, EndpointEvent},
        extension::extension_use_srtp::SrtpProtectionProfile,
    },
    shared::{TransportProtocol, error::Error},
    srtp::{
        config::{Config, LABEL_EXTRACTOR_DTLS_SRTP, SessionKeys},
        protection_profile::ProtectionProfile,
    },
};

use super::{
    client_hello::{ClientHello, GCM},
    flight::Flight,
};
use crate::sfu::{
    engine::{
        ahead::fetch,
        identity::{Identity, hex},
    },
    sdp::Description,
};

/// rtc's own repeats, in records of their own number; after seven it gives up. Those in between are [`Flight`]'s.
const FLIGHT_INTERVAL: Duration = Duration::from_secs(2);
/// … where we are the client: whose last answer is lost sends it again only for a record that it did not see.
const CLIENT_INTERVAL: Duration = Duration::from_millis(800);
/// Bytes of one handshake datagram.
const MTU: usize = 1_200;
/// The endpoint knows its peer by an address; ours is fixed, so that the association outlives path changes.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4);

/// Why a connection cannot be secured.
#[derive(Debug, thiserror::Error)]
#[error("DTLS: {0}")]
pub struct DtlsError(#[from] pub Error);

impl DtlsError {
    /// The peer closed the connection properly.
    pub fn is_goodbye(&self) -> bool {
        self.0 == Error::ErrConnClosed
    }
}

/// SHA-256 of the certificate that the peer announced, `AA:BB:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFingerprint(String);

impl PeerFingerprint {
    pub fn of(description: &Description) -> Option<Self> {
        description.transport.fingerprint.clone().map(Self)
    }

    /// As a row of the database tells it.
    pub fn told(fingerprint: String) -> Self {
        Self(fingerprint)
    }

    fn matches(&self, certificate: &[u8], identity: &Identity) -> bool {
        let digest = identity.crypto().hash(HashAlgorithm::Sha256, certificate);
        digest.is_ok_and(|digest| hex(&digest) == self.0)
    }
}

/// Keys of a finished handshake.
#[derive(Clone)]
pub struct Keys {
    pub profile: ProtectionProfile,
    pub session: SessionKeys,
}

/// One association.
pub struct Dtls {
    identity: Arc<Identity>,
    peer: PeerFingerprint,
    is_client: bool,
    /// As a server: fragments of the ClientHello until the profile can be chosen.
    hello: ClientHello,
    endpoint: Option<Endpoint>,
    flight: Flight,
    /// Something encrypted left: as a client our last flight, which takes all that the server sends in the clear.
    has_encrypted: bool,
}

impl Dtls {
    pub fn new(identity: Arc<Identity>, peer: PeerFingerprint, is_client: bool) -> Self {
        let (hello, flight) = (ClientHello::default(), Flight::default());
        Self { identity, peer, is_client, hello, endpoint: None, flight, has_encrypted: false }
    }

    pub fn peer(&self) -> &PeerFingerprint {
        &self.peer
    }

    /// Takes a datagram; the keys when the handshake ended with it.
    pub fn read(&mut self, datagram: &[u8], now: Instant) -> Result<Option<Keys>, DtlsError> {
        if self.is_client && self.has_encrypted && is_plain_handshake(datagram) {
            // A server that repeats what we have. rtc would stop its timer for it and start it no more.
            return Ok(None);
        }
        if self.endpoint.is_some() {
            return self.feed(datagram, now);
        }
        if self.is_client {
            return Ok(None);
        }
        let Some(profiles) = self.hello.read(datagram) else { return Ok(None) };
        let config = self.config(&choose(&profiles))?;
        self.endpoint = Some(Endpoint::new(PEER, TransportProtocol::UDP, Some(config)));
        let mut keys = None;
        for datagram in std::mem::take(&mut self.hello).into_datagrams() {
            keys = keys.or(self.feed(&datagram, now)?);
        }
        Ok(keys)
    }

    fn feed(&mut self, datagram: &[u8], now: Instant) -> Result<Option<Keys>, DtlsError> {
        let Some(endpoint) = &mut self.endpoint else { return Ok(None) };
        let events = endpoint.read(now, PEER, None, BytesMut::from(datagram));
        self.collect(now);
        let mut keys = None;
        for event in events? {
            match event {
                EndpointEvent::HandshakeComplete => keys = Some(self.export()?),
                EndpointEvent::PeerClosed => return Err(DtlsError(Error::ErrConnClosed)),
                _ => {}
            }
        }
        if keys.is_some() {
            self.end_handshake();
        }
        Ok(keys)
    }

    /// What the endpoint has to send is the flight that waits for an answer from now on.
    fn collect(&mut self, now: Instant) {
        let datagrams = self.drain();
        if !datagrams.is_empty() {
            self.flight.begin(datagrams, now);
        }
    }

    fn drain(&mut self) -> Vec<BytesMut> {
        let mut next = || Some(self.endpoint.as_mut()?.poll_transmit()?.message);
        let datagrams: Vec<BytesMut> = std::iter::from_fn(&mut next).collect();
        self.has_encrypted |= datagrams.iter().any(|datagram| has_encrypted(datagram));
        datagrams
    }

    /// The server speaks last; the client knows by it that all it sent was taken.
    fn end_handshake(&mut self) {
        self.flight.set_last();
        if self.is_client {
            self.flight.end();
        }
    }

    fn export(&self) -> Result<Keys, DtlsError> {
        let state = self.endpoint.as_ref().and_then(|endpoint| endpoint.get_connection_state(PEER));
        let state = state.ok_or(Error::HandshakeInProgress)?;
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => ProtectionProfile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            _ => return Err(DtlsError(Error::ErrNoSuchSrtpProfile)),
        };
        let mut config = Config { profile, ..Config::default() };
        let material =
            state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], config.keying_material_len())?;
        config.set_session_keys_from_keying_material(material.as_ref(), self.is_client)?;
        Ok(Keys { profile, session: config.keys })
    }

    /// Starts as a client, repeats lost flights.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        self.flight.handle_timeout(now);
        match &mut self.endpoint {
            Some(endpoint) => match endpoint.poll_timeout(&PEER) {
                Some(due) if now >= due => endpoint.handle_timeout(PEER, now)?,
                _ => return Ok(()),
            },
            None if self.is_client => self.connect(now)?,
            None => return Ok(()),
        }
        self.collect(now);
        Ok(())
    }

    /// Fetches what [`Self::is_repeating`] looks at.
    pub fn fetch(&self) {
        fetch(&self.flight);
    }

    /// True while time alone may make something to send.
    pub fn is_repeating(&self) -> bool {
        self.flight.is_repeating()
    }

    fn connect(&mut self, now: Instant) -> Result<(), DtlsError> {
        let config = self.config(&[GCM_PROFILE, CM_PROFILE])?;
        let mut endpoint = Endpoint::new(PEER, TransportProtocol::UDP, None);
        endpoint.connect(now, PEER, config, None)?;
        self.endpoint = Some(endpoint);
        Ok(())
    }

    pub fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.flight.poll_transmit()
    }

    pub fn close(&mut self, now: Instant) {
        if let Some(endpoint) = &mut self.endpoint {
            let _ = endpoint.close(now);
        }
        let goodbye = self.drain();
        self.flight.send_once(goodbye);
    }

    fn config(&self, profiles: &[SrtpProtectionProfile]) -> Result<Arc<HandshakeConfig>, DtlsError> {
        let (identity, peer) = (self.identity.clone(), self.peer.clone());
        let config = ConfigBuilder::default()
            .with_crypto_provider(self.identity.provider())
            .with_certificates(vec![self.identity.certificate()])
            .with_srtp_protection_profiles(profiles.to_vec())
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true) // self-signed by design: the fingerprint is the identity
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_flight_interval(if self.is_client { CLIENT_INTERVAL } else { FLIGHT_INTERVAL })
            .with_mtu(MTU)
            .with_verify_peer_certificate(Some(Arc::new(move |certificates, _| match certificates.first() {
                Some(certificate) if peer.matches(certificate, &identity) => Ok(()),
                _ => Err(Error::ErrNoMatchingCertificateFingerprint),
            })))
            .build(self.is_client, None)?;
        Ok(Arc::new(config))
    }
}

const GCM_PROFILE: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm;
const CM_PROFILE: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;

/// A datagram that begins with a handshake message of epoch 0: content type, version, epoch.
fn is_plain_handshake(datagram: &[u8]) -> bool {
    matches!(datagram, [22, _, _, 0, 0, ..])
}

/// Any of its records is of a later epoch.
fn has_encrypted(mut datagram: &[u8]) -> bool {
    while let [_, _, _, epoch @ .., _, _, _, _, _, _, high, low] = datagram.get(..13).unwrap_or_default() {
        if epoch != [0, 0] {
            return true;
        }
        datagram = datagram.get(13 + usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
    }
    false
}

/// GCM where the client lists it, else AES-CM.
fn choose(listed: &[u16]) -> [SrtpProtectionProfile; 1] {
    [if listed.contains(&GCM) { GCM_PROFILE } else { CM_PROFILE }]
}

#[cfg(test)]
#[path = "tests/dtls.rs"]
mod tests;
