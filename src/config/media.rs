//! `[media]`: ports and addresses of voice, camera and screen.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::turn;
use crate::telemetry::Redacted;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    pub udp_port: u16,
    /// Whether the HTTP port takes media connections.
    pub tcp: bool,
    /// The port told for them; `None`: the one listened on.
    #[serde(default)]
    pub tcp_port: Option<u16>,
    #[serde(deserialize_with = "turn::urls")]
    pub turn_urls: Vec<String>,
    #[serde(deserialize_with = "turn::secret")]
    pub turn_secret: Redacted<String>,
    #[serde(deserialize_with = "turn::lifetime")]
    pub turn_lifetime_s: Duration,
    #[serde(deserialize_with = "thread_count")]
    pub threads: usize,
    /// Empty: every address except loopback.
    pub listen_addresses: Vec<IpAddr>,
    /// Empty: the listening ones.
    pub public_addresses: Vec<IpAddr>,
}

impl Media {
    /// What no single key can be wrong about. The text names the key.
    pub(super) fn check(&self) -> Result<(), String> {
        match (self.turn_urls.is_empty(), self.turn_secret.reveal().is_empty()) {
            (false, true) => Err("media.turn_secret is needed with media.turn_urls".into()),
            (true, false) => Err("media.turn_urls is needed with media.turn_secret".into()),
            _ => Ok(()),
        }
    }
}

const MAX_THREADS: usize = 64;

fn thread_count<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let count = usize::deserialize(from)?;
    if (1..=MAX_THREADS).contains(&count) {
        Ok(count)
    } else {
        Err(D::Error::custom(format!("must be at least 1 and at most {MAX_THREADS}")))
    }
}
