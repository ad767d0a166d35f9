//! Where Redis is: an address, or Sentinels that know it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, TlsCertificates,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};

/// The configuration names no Redis that could be.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("{0}")]
    Redis(#[from] redis::RedisError),
    #[error("cannot read the certificates in {path}: {problem}")]
    Authorities { path: PathBuf, problem: io::Error },
}

/// An address to connect to; asked anew for every connection, since Sentinels change their answer.
#[derive(Clone)]
pub struct RedisServer {
    info: ConnectionInfo,
    sentinels: Vec<(String, u16)>,
    /// Who vouches for its certificate; `None`: whom the machine trusts.
    authorities: Option<Vec<u8>>,
}

impl RedisServer {
    /// `url` is `redis://` or `rediss://`. With Sentinels its host is the name of the service; they are spoken to without TLS.
    pub fn new(url: &str, sentinels: &[(String, u16)]) -> Result<Self, ServerError> {
        let (info, sentinels) = (url.into_connection_info()?, sentinels.to_vec());
        let server = Self { info, sentinels, authorities: None };
        if !server.sentinels.is_empty() {
            server.sentinel()?;
        }
        Ok(server)
    }

    /// Trusts the certificate authorities in this file (PEM), and no others.
    pub fn trusting(mut self, path: &Path) -> Result<Self, ServerError> {
        let told = |problem| ServerError::Authorities { path: path.to_owned(), problem };
        self.authorities = Some(std::fs::read(path).map_err(told)?);
        Ok(self)
    }

    fn certificates(&self) -> TlsCertificates {
        TlsCertificates { client_tls: None, root_cert: self.authorities.clone() }
    }

    pub(super) async fn client(&self) -> Result<Client, ServerError> {
        if self.sentinels.is_empty() {
            return Ok(match self.is_secure() {
                true => Client::build_with_tls(self.info.clone(), self.certificates())?,
                false => Client::open(self.info.clone())?,
            });
        }
        Ok(self.sentinel()?.async_get_client().await?)
    }

    fn sentinel(&self) -> Result<SentinelClient, ServerError> {
        let addresses = self.sentinels.iter().map(|(host, port)| ConnectionAddr::Tcp(host.clone(), *port));
        let settings = self.info.redis_settings();
        let mut builder = SentinelClientBuilder::new(addresses, self.host(), SentinelServerType::Master)?
            .set_client_to_redis_db(settings.db());
        if let Some(username) = settings.username() {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if self.is_secure() {
            builder = builder
                .set_client_to_redis_tls_mode(redis::TlsMode::Secure)
                .set_client_to_redis_certificates(self.certificates());
        }
        Ok(builder.build()?)
    }

    fn is_secure(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }

    fn host(&self) -> &str {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
            _ => "",
        }
    }
}

impl fmt::Display for RedisServer {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.info.addr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let server = RedisServer::new("redis://:s3cret@127.0.0.1:6380/2", &[]).expect("a server");
        assert_eq!(server.to_string(), "127.0.0.1:6380");
    }

    #[test]
    fn with_sentinels_the_host_is_the_service() {
        let sentinels = [("10.0.0.1".to_owned(), 26_379)];
        let server = RedisServer::new("redis://:s3cret@qism", &sentinels).expect("a server");
        assert_eq!(server.host(), "qism");
    }

    #[test]
    fn tls_is_understood() {
        RedisServer::new("rediss://redis.example:6380", &[]).expect("a server");
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(RedisServer::new("redis://host:port", &[]).is_err());
    }
}
