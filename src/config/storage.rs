//! `[storage]`: where lessons and the school are kept.

use std::{path::Path, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    #[serde(deserialize_with = "known_store")]
    pub url: String,
    pub standby: Standby,
    /// After its last event; 0: never.
    pub pack_after_days: u32,
}

/// As in `config/default.toml`.
const PACK_AFTER_DAYS: u32 = 7;

/// Whether another PostgreSQL may take the place of this one, and commits must therefore wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standby {
    /// If one is seen.
    Auto,
    Required,
    None,
}

impl Storage {
    /// The file of a server on one machine.
    pub fn in_folder(folder: &Path) -> Self {
        let url = format!("sqlite://{}", folder.join("qism.db").display());
        Self { url, standby: Standby::Auto, pack_after_days: PACK_AFTER_DAYS }
    }

    /// How long after its last event a lesson is packed.
    pub fn pack_after(&self) -> Option<Duration> {
        (self.pack_after_days > 0)
            .then(|| Duration::from_secs(u64::from(self.pack_after_days) * 24 * 60 * 60))
    }

    /// One server's own.
    pub fn is_file(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// Without the password, for logs and errors.
    pub fn shown(&self) -> String {
        match self.url.rsplit_once('@') {
            Some((_, place)) => format!("postgres://…@{place}"),
            None => self.url.clone(),
        }
    }
}

fn known_store<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let url = String::deserialize(from)?;
    let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    if known { Ok(url) } else { Err(D::Error::custom("the URL must start with sqlite:// or postgres://")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let url = "postgres://qism:s@cret@db.example/qism".into();
        let storage = Storage { url, standby: Standby::Auto, pack_after_days: 0 };
        assert_eq!(storage.shown(), "postgres://…@db.example/qism");
    }
}
