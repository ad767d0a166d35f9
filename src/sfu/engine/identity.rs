//! Who this node is to its peers: one ECDSA P-256 certificate per process start, and the crypto provider.

use std::sync::Arc;

use rtc::{
    crypto::{HashAlgorithm, RTCCrypto, RTCCryptoProvider, providers::RingProvider},
    dtls::crypto::Certificate,
};

/// Certificate, fingerprint, randomness. Shared by all threads.
pub struct Identity {
    provider: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
    fingerprint: String,
}

impl Identity {
    /// Makes a new certificate.
    pub fn generate() -> Result<Self, rtc::shared::error::Error> {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
        let certificate = Certificate::generate_self_signed(vec!["qism".to_owned()], provider.crypto())?;
        let digest = provider
            .crypto()
            .hash(HashAlgorithm::Sha256, certificate.certificate[0].as_ref())
            .map_err(|error| rtc::shared::error::Error::Crypto(error.to_string()))?;
        Ok(Self { provider, certificate, fingerprint: hex(&digest) })
    }

    pub fn provider(&self) -> Arc<dyn RTCCryptoProvider> {
        self.provider.clone()
    }

    pub fn crypto(&self) -> &dyn RTCCrypto {
        self.provider.crypto()
    }

    pub fn certificate(&self) -> Certificate {
        self.certificate.clone()
    }

    /// SHA-256 of the certificate, `AA:BB:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// `AA:BB:…`
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}
