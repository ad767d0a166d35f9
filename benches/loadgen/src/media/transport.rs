//! The client's side of one media connection: ICE (controlling, one candidate pair), DTLS client, SRTP. Without sockets:
//! datagrams go in, datagrams come out.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc::{
    crypto::{HashAlgorithm, RTCCryptoProvider, providers::RingProvider},
    dtls::{
        config::{ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig},
        crypto::Certificate,
        endpoint::{Endpoint, EndpointEvent},
        extension::extension_use_srtp::SrtpProtectionProfile,
    },
    shared::{TransportProtocol, error::Error},
    srtp::{
        config::{Config, LABEL_EXTRACTOR_DTLS_SRTP},
        context::Context,
        protection_profile::ProtectionProfile,
    },
    stun::{
        attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME, RawAttribute},
        fingerprint::FINGERPRINT,
        integrity::MessageIntegrity,
        message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, is_stun_message},
        textattrs::TextAttribute,
        xoraddr::XorMappedAddress,
    },
};

use super::sdp::{Local, Remote};

/// The endpoint knows its peer by an address; this one stands for the server.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4);
/// Checks until the first answer, then as often as browsers.
const CHECKING: Duration = Duration::from_millis(50);
const CONSENT: Duration = Duration::from_millis(2_500);

/// Key and salt of connections that are up from the start ([`Transport::keyed`]).
pub const MASTER: ([u8; 16], [u8; 12]) = ([7; 16], [9; 12]);

/// One certificate for all: making a thousand would be the load client's work, not the server's.
pub struct Identity {
    provider: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
    fingerprint: String,
}

impl Identity {
    pub fn generate() -> anyhow::Result<Self> {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
        let certificate = Certificate::generate_self_signed(vec!["load".to_owned()], provider.crypto())?;
        let digest = provider.crypto().hash(HashAlgorithm::Sha256, certificate.certificate[0].as_ref());
        let digest = digest.map_err(|error| anyhow::anyhow!("{error}"))?;
        let fingerprint = digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
        Ok(Self { provider, certificate, fingerprint })
    }

    fn config(&self) -> Result<Arc<HandshakeConfig>, Error> {
        let config = ConfigBuilder::default()
            .with_crypto_provider(self.provider.clone())
            .with_certificates(vec![self.certificate.clone()])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
            .with_insecure_skip_verify(true) // the server is our own child on loopback
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .build(true, None)?;
        Ok(Arc::new(config))
    }
}

/// One connection.
pub struct Transport {
    identity: Arc<Identity>,
    local: Local,
    remote: Remote,
    next_check: Instant,
    answered: bool,
    /// To the server's last check, until it is sent. libnice checks although it is lite, and takes no media path before it is
    /// answered; a second check that comes before this is sent replaces it, and is answered all the same.
    reply: Option<Vec<u8>>,
    dtls: Endpoint,
    /// (out, in) once the handshake is done.
    srtp: Option<(Context, Context)>,
}

impl Transport {
    /// Our side of a connection to be.
    pub fn local(identity: &Identity) -> Local {
        Local {
            ufrag: format!("{:08x}", rand::random::<u32>()),
            password: format!("{:032x}", rand::random::<u128>()),
            fingerprint: identity.fingerprint.clone(),
        }
    }

    pub fn new(identity: Arc<Identity>, local: Local, remote: Remote, now: Instant) -> Self {
        let dtls = Endpoint::new(PEER, TransportProtocol::UDP, None);
        Self { identity, local, remote, next_check: now, answered: false, reply: None, dtls, srtp: None }
    }

    /// A connection that is up: both sides have [`MASTER`].
    pub fn keyed(identity: Arc<Identity>, remote: Remote, now: Instant) -> Result<Self, Error> {
        let ((key, salt), crypto) = (MASTER, identity.provider.crypto());
        let context = || Context::new(&key, &salt, ProtectionProfile::AeadAes128Gcm, None, None, crypto);
        let srtp = Some((context()?, context()?));
        let local = Self::local(&identity);
        Ok(Self { answered: true, srtp, ..Self::new(identity, local, remote, now) })
    }

    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    pub fn is_up(&self) -> bool {
        self.srtp.is_some()
    }

    /// Datagrams that are due.
    pub fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut out: Vec<Vec<u8>> = self.reply.take().into_iter().collect();
        if now >= self.next_check {
            self.next_check = now + if self.answered { CONSENT } else { CHECKING };
            out.extend(self.check());
        }
        if self.dtls.poll_timeout(&PEER).is_some_and(|due| now >= due) {
            let _ = self.dtls.handle_timeout(PEER, now);
        }
        while let Some(transmit) = self.dtls.poll_transmit() {
            out.push(transmit.message.to_vec());
        }
        out
    }

    /// A binding request that nominates the pair.
    fn check(&self) -> Option<Vec<u8>> {
        let raw = |typ, value: Vec<u8>| RawAttribute { typ, length: value.len() as u16, value };
        let username = format!("{}:{}", self.remote.ufrag, self.local.ufrag);
        let crypto = self.identity.provider.crypto();
        let password = self.remote.password.clone();
        let mut message = Message::new();
        message.new_transaction_id().ok()?;
        let id = message.transaction_id;
        let setters: [Box<dyn Setter>; 8] = [
            Box::new(id),
            Box::new(BINDING_REQUEST),
            Box::new(TextAttribute::new(ATTR_USERNAME, username)),
            Box::new(raw(ATTR_PRIORITY, (126u32 << 24).to_be_bytes().to_vec())),
            Box::new(raw(ATTR_ICE_CONTROLLING, 1u64.to_be_bytes().to_vec())),
            Box::new(raw(ATTR_USE_CANDIDATE, Vec::new())),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(password, crypto)),
            Box::new(FINGERPRINT),
        ];
        message.build(&setters).ok()?;
        Some(message.raw)
    }

    /// The answer to a check of the server's.
    fn reply_to(&self, request: &Message) -> Option<Vec<u8>> {
        let (crypto, server) = (self.identity.provider.crypto(), self.remote.address);
        let password = self.local.password.clone();
        let setters: [Box<dyn Setter>; 5] = [
            Box::new(request.transaction_id),
            Box::new(BINDING_SUCCESS),
            Box::new(XorMappedAddress { ip: IpAddr::V4(*server.ip()), port: server.port() }),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(password, crypto)),
            Box::new(FINGERPRINT),
        ];
        let mut message = Message::new();
        message.build(&setters).ok()?;
        Some(message.raw)
    }

    /// Takes a datagram that is not media.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) -> anyhow::Result<()> {
        match datagram.first() {
            Some(0..=3) if is_stun_message(datagram) => self.receive_stun(datagram, now),
            Some(20..=63) => self.receive_dtls(datagram, now),
            _ => Ok(()),
        }
    }

    fn receive_stun(&mut self, datagram: &[u8], now: Instant) -> anyhow::Result<()> {
        let mut message = Message::new();
        message.unmarshal_binary(datagram)?;
        if message.typ == BINDING_REQUEST {
            self.reply = self.reply_to(&message);
        }
        if message.typ == BINDING_SUCCESS && !self.answered {
            self.answered = true;
            self.next_check = now + CONSENT;
            self.dtls.connect(now, PEER, self.identity.config()?, None)?;
        }
        Ok(())
    }

    fn receive_dtls(&mut self, datagram: &[u8], now: Instant) -> anyhow::Result<()> {
        for event in self.dtls.read(now, PEER, None, BytesMut::from(datagram))? {
            if let EndpointEvent::HandshakeComplete = event {
                self.srtp = Some(self.keys()?);
            }
        }
        Ok(())
    }

    fn keys(&self) -> Result<(Context, Context), Error> {
        let profile = ProtectionProfile::AeadAes128Gcm;
        let state = self.dtls.get_connection_state(PEER).ok_or(Error::HandshakeInProgress)?;
        let mut config = Config { profile, ..Config::default() };
        let material =
            state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], config.keying_material_len())?;
        config.set_session_keys_from_keying_material(material.as_ref(), true)?;
        let (keys, crypto) = (&config.keys, self.identity.provider.crypto());
        Ok((
            Context::new(&keys.local_master_key, &keys.local_master_salt, profile, None, None, crypto)?,
            Context::new(&keys.remote_master_key, &keys.remote_master_salt, profile, None, None, crypto)?,
        ))
    }

    /// Seals an RTP packet.
    pub fn seal(&mut self, packet: &[u8]) -> Option<BytesMut> {
        self.srtp.as_mut()?.0.encrypt_rtp(packet).ok()
    }

    /// Seals an RTCP packet.
    pub fn seal_rtcp(&mut self, packet: &[u8]) -> Option<BytesMut> {
        self.srtp.as_mut()?.0.encrypt_rtcp(packet).ok()
    }

    /// Opens an RTCP packet.
    pub fn open_rtcp(&mut self, packet: &[u8]) -> Option<BytesMut> {
        self.srtp.as_mut()?.1.decrypt_rtcp(packet).ok()
    }

    /// Opens an RTP packet.
    pub fn open(&mut self, packet: &[u8]) -> Option<BytesMut> {
        self.srtp.as_mut()?.1.decrypt_rtp(packet).ok()
    }
}

#[cfg(test)]
mod tests {
    use rtc::stun::attributes::ATTR_XORMAPPED_ADDRESS;

    use super::*;

    #[test]
    fn a_check_is_answered_once() {
        let (identity, now) = (Arc::new(Identity::generate().expect("keys")), Instant::now());
        let (local, theirs) = (Transport::local(&identity), Transport::local(&identity));
        let remote = |side: &Local| Remote {
            ufrag: side.ufrag.clone(),
            password: side.password.clone(),
            address: std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7),
            transport_extension: None,
            repairs: Vec::new(),
        };
        let server = Transport::new(identity.clone(), theirs.clone(), remote(&local), now);
        let mut client = Transport::new(identity.clone(), local.clone(), remote(&theirs), now);
        client.poll(now);
        client.receive(&server.check().expect("a check"), now).expect("well formed");
        let sent = client.poll(now);
        assert_eq!((sent.len(), client.poll(now).len()), (1, 0));
        let mut answer = Message::new();
        answer.unmarshal_binary(&sent[0]).expect("well formed");
        assert_eq!(answer.typ, BINDING_SUCCESS);
        assert!(answer.contains(ATTR_XORMAPPED_ADDRESS));
        let crypto = identity.provider.crypto();
        MessageIntegrity::check(&mut answer, local.password.as_bytes(), crypto).expect("our password");
    }
}
