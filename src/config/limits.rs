//! `[limits]`: what one machine and one address may take. Limits of the wire are constants in `protocol::limits`.

use std::time::Duration;

use serde::Deserialize;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub connections: usize,
    pub connections_per_address: usize,
    pub header_timeout_s: u32,
    pub write_stall_s: u32,
}

impl Limits {
    pub fn header_timeout(&self) -> Duration {
        Duration::from_secs(self.header_timeout_s.into())
    }

    pub fn write_stall(&self) -> Duration {
        Duration::from_secs(self.write_stall_s.into())
    }
}
