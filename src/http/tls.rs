//! HTTPS from certificate files that are taken up again when they change, without a restart.

use std::{
    fmt, fs, io,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Why the certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{file}: {problem}")]
    File { file: String, problem: String },
    #[error("server.tls_key is not the key of server.tls_certificate, or cannot be used")]
    Pair(#[from] rustls::Error),
}

/// The certificate in use, replaced whole.
pub struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the files; fails when they are missing, unreadable or do not fit together.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let current = RwLock::new(Arc::new(read(&files)?));
        Ok(Arc::new(Self { files, current }))
    }

    /// Accepts HTTP/2 and HTTP/1.1.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Looks at the files for as long as the task lives. A bad pair is told once and the old one stays.
    pub fn watch(self: &Arc<Self>) -> JoinHandle<()> {
        let certificate = self.clone();
        tokio::spawn(async move {
            let mut seen = stamp(&certificate.files);
            loop {
                tokio::time::sleep(LOOK).await;
                let now = stamp(&certificate.files);
                if now != seen {
                    seen = now;
                    certificate.reload();
                }
            }
        })
    }

    fn reload(&self) {
        match read(&self.files) {
            Ok(fresh) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                tracing::info!(certificate = %self.files.certificate.display(), "certificate taken up");
            }
            Err(error) => tracing::warn!(%error, "the changed certificate is not usable; the old one stays"),
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| told(&files.certificate, &error))?;
    if chain.is_empty() {
        return Err(told(&files.certificate, &"no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| told(&files.key, &error))?;
    Ok(CertifiedKey::from_der(chain, key, &ring::default_provider())?)
}

fn told(file: &Path, problem: &dyn fmt::Display) -> TlsError {
    TlsError::File { file: file.display().to_string(), problem: problem.to_string() }
}

/// Changes whenever one of the files is written or replaced.
fn stamp(files: &TlsFiles) -> [Option<(SystemTime, u64)>; 2] {
    let of = |path: &Path| -> io::Result<_> {
        let data = fs::metadata(path)?;
        Ok((data.modified()?, data.len()))
    };
    [of(&files.certificate).ok(), of(&files.key).ok()]
}
