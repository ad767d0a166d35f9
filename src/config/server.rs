//! `[server]`: where browsers reach us.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::Network;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: SocketAddr,
    /// Empty: the host that the browser asked for.
    #[serde(deserialize_with = "origins")]
    pub public_origins: Vec<String>,
    /// Reverse proxies whose word on the client's address is taken.
    pub trusted_proxies: Vec<Network>,
    #[serde(deserialize_with = "path_or_none")]
    pub tls_certificate: Option<PathBuf>,
    #[serde(deserialize_with = "path_or_none")]
    pub tls_key: Option<PathBuf>,
    #[serde(deserialize_with = "path_or_none")]
    pub web_dir: Option<PathBuf>,
}

/// Certificate chain and key, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Server {
    /// Present when we serve HTTPS ourselves.
    pub fn tls(&self) -> Option<TlsFiles> {
        let (certificate, key) = self.tls_certificate.clone().zip(self.tls_key.clone())?;
        Some(TlsFiles { certificate, key })
    }

    /// Browsers reach us by HTTPS: our own or a proxy's.
    pub fn secure(&self) -> bool {
        self.tls().is_some() || self.public_origins.iter().any(|origin| origin.starts_with("https://"))
    }

    /// Rules between keys.
    pub(super) fn check(&self) -> Result<(), String> {
        match (&self.tls_certificate, &self.tls_key) {
            (Some(_), None) => Err("server.tls_certificate is set: set server.tls_key too".into()),
            (None, Some(_)) => Err("server.tls_key is set: set server.tls_certificate too".into()),
            _ if !self.trusted_proxies.is_empty() && self.public_origins.is_empty() => Err(
                "server.trusted_proxies is set: set server.public_origins too, to the address in the browser"
                    .into(),
            ),
            _ => Ok(()),
        }
    }
}

pub(super) fn path_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(from)?;
    Ok((!path.as_os_str().is_empty()).then_some(path))
}

fn origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let list = Vec::<String>::deserialize(from)?;
    match list.iter().find(|origin| !is_origin(origin)) {
        Some(bad) => Err(D::Error::custom(format!(
            "`{bad}` is not an origin: write scheme and host without a path, e.g. https://qism.example.ma"
        ))),
        None => Ok(list),
    }
}

/// `http(s)://host[:port]` in lower case, as browsers send it.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) && text == text.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn an_origin_has_a_scheme_and_no_path() {
        assert!(is_origin("https://qism.example.ma") && is_origin("http://[::1]:7880"));
        for bad in ["qism.example.ma", "https://qism.example.ma/", "https://", "https://Qism.example.ma", "*"]
        {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
