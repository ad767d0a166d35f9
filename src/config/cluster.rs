//! `[cluster]`: other servers beside this one, for the same schools.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{ByCode, Storage, overlay::Contradiction, server::path_or_none};
use crate::telemetry::Redacted;

/// Shorter keys are guessed.
const KEY_CHARS: usize = 32;
/// A name is part of a path and of the proxy's configuration.
const NAME_CHARS: usize = 32;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// With it the server is one of several. Holds a password.
    #[serde(deserialize_with = "redis")]
    pub redis: Option<Redacted<String>>,
    /// PEM file of the authorities that `rediss://` trusts instead of the machine's.
    #[serde(deserialize_with = "path_or_none")]
    pub redis_ca: Option<PathBuf>,
    /// `host:port` of each; the host in `redis` is then the name of the service that they watch.
    #[serde(deserialize_with = "sentinels")]
    pub sentinels: Vec<(String, u16)>,
    #[serde(deserialize_with = "key")]
    pub key: Option<Redacted<String>>,
    #[serde(deserialize_with = "name")]
    pub node: String,
    /// `None`: what browsers are told.
    #[serde(deserialize_with = "media_address")]
    pub media_address: Option<IpAddr>,
    /// Names of nodes, perhaps with a `*` at the end, by the beginning of schools' codes.
    #[serde(deserialize_with = "homes")]
    pub homes: ByCode<Vec<String>>,
}

impl Cluster {
    /// Rules between keys, also of other sections.
    pub(super) fn check(&self, storage: &Storage) -> Result<(), Contradiction> {
        let told =
            |key, problem: &str| Err(Contradiction { section: "cluster", key, problem: problem.into() });
        if self.redis.is_none() {
            return match () {
                () if !self.sentinels.is_empty() => told(
                    "sentinels",
                    "set cluster.redis too: its host is the name of the service that they watch",
                ),
                () if self.key.is_some() => {
                    told("key", "set cluster.redis too, or leave the key out: one server needs none")
                }
                () if self.media_address.is_some() => {
                    told("media_address", "set cluster.redis too, or leave it out: one server needs none")
                }
                () if !self.homes.is_empty() => {
                    told("homes", "set cluster.redis too, or leave them out: one server is everybody's home")
                }
                () if !self.node.is_empty() => {
                    told("node", "set cluster.redis too, or leave the name out: one server needs none")
                }
                () => Ok(()),
            };
        }
        if storage.url.is_file() {
            return told(
                "redis",
                "several servers cannot share a SQLite file: set storage.url to a PostgreSQL database (postgres://…), the same for all",
            );
        }
        if self.key.is_none() {
            return told("redis", "set cluster.key too, the same for all servers: openssl rand -hex 32");
        }
        if self.node.is_empty() {
            return told("redis", "set cluster.node too, another name for each server, e.g. \"node1\"");
        }
        Ok(())
    }
}

fn redis<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Redacted<String>>, D::Error> {
    let url = String::deserialize(from)?;
    if url.is_empty() {
        return Ok(None);
    }
    let rest = url.strip_prefix("rediss://").or_else(|| url.strip_prefix("redis://"));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(Some(Redacted::new(url))),
        _ => Err(D::Error::custom(
            "write redis://HOST:6379, or rediss://… for TLS; with a password redis://:PASSWORD@HOST:6379",
        )),
    }
}

fn sentinels<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, u16)>, D::Error> {
    let list = Vec::<String>::deserialize(from)?;
    let address = |text: &String| {
        let (host, port) = text.rsplit_once(':')?;
        Some((host.to_owned(), port.parse().ok()?)).filter(|_| !host.is_empty())
    };
    let wrong = |text: &String| {
        D::Error::custom(format!("`{text}` is no address: write host and port, e.g. 10.0.0.1:26379"))
    };
    list.iter().map(|text| address(text).ok_or_else(|| wrong(text))).collect()
}

fn key<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Redacted<String>>, D::Error> {
    let key = String::deserialize(from)?;
    match key.len() {
        0 => Ok(None),
        KEY_CHARS.. => Ok(Some(Redacted::new(key))),
        _ => Err(D::Error::custom(format!("at least {KEY_CHARS} characters: openssl rand -hex 32"))),
    }
}

fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    if is_name(&name) {
        Ok(name)
    } else {
        Err(D::Error::custom(format!("at most {NAME_CHARS} of a-z, 0-9 and -, e.g. \"node1\"")))
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= NAME_CHARS && name.chars().all(fits)
}

fn homes<'de, D: Deserializer<'de>>(from: D) -> Result<ByCode<Vec<String>>, D::Error> {
    let homes = BTreeMap::<String, Vec<String>>::deserialize(from)?;
    let is_fit = |name: &String| !name.is_empty() && is_name(name.strip_suffix('*').unwrap_or(name));
    for (code, nodes) in &homes {
        if code.is_empty() || nodes.is_empty() {
            return Err(D::Error::custom(
                "write the beginning of a school's code and names of servers, e.g. \"01\" = [\"node1\"]",
            ));
        }
        if let Some(wrong) = nodes.iter().find(|name| !is_fit(name)) {
            let problem = format!(
                "`{wrong}` is no name of a server: write its cluster.node, or a beginning and `*`, e.g. \"rabat-*\""
            );
            return Err(D::Error::custom(problem));
        }
    }
    Ok(homes.into_iter().collect())
}

fn media_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<IpAddr>, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = || D::Error::custom(format!("`{text}` is no IP address: write one, e.g. \"10.0.0.11\""));
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| wrong()) }
}
