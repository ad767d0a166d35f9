//! Where Redis is: an address, or Sentinels that know it.

use std::fmt;

use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};

/// The configuration names no Redis that could be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ServerError(#[from] redis::RedisError);

/// An address to connect to; asked anew for every connection, since Sentinels change their answer.
#[derive(Clone)]
pub struct RedisServer {
    info: ConnectionInfo,
    sentinels: Vec<(String, u16)>,
}

impl RedisServer {
    /// `url` is `redis://` or `rediss://`. With Sentinels its host is the name of the service; they are spoken to without TLS.
    pub fn new(url: &str, sentinels: &[(String, u16)]) -> Result<Self, ServerError> {
        let server = Self { info: url.into_connection_info()?, sentinels: sentinels.to_vec() };
        if !server.sentinels.is_empty() {
            server.sentinel()?;
        }
        Ok(server)
    }

    pub(super) async fn client(&self) -> Result<Client, ServerError> {
        if self.sentinels.is_empty() {
            return Ok(Client::open(self.info.clone())?);
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
        if matches!(self.info.addr(), ConnectionAddr::TcpTls { .. }) {
            builder = builder.set_client_to_redis_tls_mode(redis::TlsMode::Secure);
        }
        Ok(builder.build()?)
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
