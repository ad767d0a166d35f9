//! `[storage]`: where lessons and the school are kept.

use std::{path::Path, time::Duration};

use serde::Deserialize;

use super::Databases;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    pub url: Databases,
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
        Self { url: url.into(), standby: Standby::Auto, pack_after_days: PACK_AFTER_DAYS }
    }

    /// How long after its last event a lesson is packed.
    pub fn pack_after(&self) -> Option<Duration> {
        (self.pack_after_days > 0)
            .then(|| Duration::from_secs(u64::from(self.pack_after_days) * 24 * 60 * 60))
    }
}
