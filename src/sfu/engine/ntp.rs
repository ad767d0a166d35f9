//! The SFU's wall clock as RTCP writes it: seconds since 1900 in 32.32 fixed point.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds from 1900 to 1970.
const EPOCH: u64 = 2_208_988_800;

/// Now.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    (since.as_secs().wrapping_add(EPOCH) << 32) | fraction
}

/// A time in units of a media clock, wrapping.
pub fn in_units(ntp: u64, clock_rate: u32) -> u32 {
    ((u128::from(ntp) * u128::from(clock_rate)) >> 32) as u32
}
