//! Where the server is, and a connected line to it with or without TLS.

use std::{path::Path, str::FromStr, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::ProbeError;

/// Where Linux distributions keep the certificates they trust.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// `http(s)://host[:port]` of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub secure: bool,
    /// Name or address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
}

impl FromStr for Address {
    type Err = ProbeError;

    fn from_str(text: &str) -> Result<Self, ProbeError> {
        let wrong = || ProbeError::Address(text.to_owned());
        let uri: hyper::Uri = text.parse().map_err(|_| wrong())?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong());
        }
        let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { secure, host, port })
    }
}

impl Address {
    /// `host:port`, as in a `Host` header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// What a browser sends as `Origin`.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }
}

/// Which certificates are believed.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    #[default]
    System,
    /// Roots in a PEM file.
    File(std::path::PathBuf),
    /// Any, for a self-made certificate on one's own network.
    Anything,
}

impl Trust {
    /// A client's side of TLS that believes these.
    pub fn connector(&self) -> Result<TlsConnector, ProbeError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| ProbeError::Trust(error.to_string()))?;
        let config = match self {
            Self::Anything => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Credulous(provider)))
            }
            Self::File(path) => builder.with_root_certificates(roots(path)?),
            Self::System => {
                let path = SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.exists());
                let path = path.ok_or(ProbeError::Trust("this system has no root certificates".into()))?;
                builder.with_root_certificates(roots(path)?)
            }
        };
        Ok(TlsConnector::from(Arc::new(config.with_no_client_auth())))
    }
}

/// A connected byte stream.
pub(super) trait Line: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

/// Makes lines to one address.
#[derive(Clone)]
pub(super) struct Dialer {
    pub address: Address,
    tls: Option<TlsConnector>,
}

impl Dialer {
    pub fn new(address: Address, trust: &Trust) -> Result<Self, ProbeError> {
        let tls = address.secure.then(|| trust.connector()).transpose()?;
        Ok(Self { address, tls })
    }

    pub async fn dial(&self) -> Result<Box<dyn Line>, ProbeError> {
        let Address { host, port, .. } = &self.address;
        let failed = |error| ProbeError::Connect { address: self.address.origin(), error };
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(host.clone()).map_err(|_| ProbeError::Address(host.clone()))?;
        Ok(Box::new(tls.connect(name, stream).await.map_err(failed)?))
    }
}

fn roots(path: &Path) -> Result<RootCertStore, ProbeError> {
    let wrong = |error: String| ProbeError::Trust(format!("{}: {error}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        // System bundles hold old certificates that rustls cannot read: those are left out.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() { Err(wrong("no certificate in it".into())) } else { Ok(roots) }
}

/// Believes any certificate, but still checks that the server holds its key.
#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_port_and_nothing_else() {
        let address: Address = "http://127.0.0.1:7880/".parse().expect("an address");
        assert_eq!((address.origin().as_str(), address.port), ("http://127.0.0.1:7880", 7880));
        let address: Address = "https://school.example".parse().expect("an address");
        assert_eq!((address.authority().as_str(), address.port), ("school.example", 443));
        let address: Address = "http://[::1]:80".parse().expect("an address");
        assert_eq!((address.host.as_str(), address.authority().as_str()), ("::1", "[::1]"));
        for wrong in ["school.example", "ftp://a", "http://a/lesson", "http://a/?x=1", "", "https://"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
