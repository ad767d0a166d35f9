//! The SFU's wall clock as RTCP writes it: seconds since 1900 in 32.32 fixed point.

use std::{
    sync::LazyLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Seconds from 1900 to 1970.
const EPOCH: u64 = 2_208_988_800;

/// A moment, and what the wall clock showed then.
type Anchor = (Instant, u64);

/// The wall clock is read once and goes on evenly: one that is set while a lesson runs would pull its voices and pictures apart.
static ANCHOR: LazyLock<Anchor> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (Instant::now(), (EPOCH << 32).wrapping_add(fixed(since)))
});

/// The time of then, the same on all threads.
pub fn at(now: Instant) -> u64 {
    let (began, ntp) = *ANCHOR;
    match now.checked_duration_since(began) {
        Some(since) => ntp.wrapping_add(fixed(since)),
        None => ntp.wrapping_sub(fixed(began - now)),
    }
}

fn fixed(span: std::time::Duration) -> u64 {
    let fraction = (u64::from(span.subsec_nanos()) << 32) / 1_000_000_000;
    (span.as_secs() << 32) | fraction
}

/// A time in units of a media clock, wrapping.
pub fn in_units(ntp: u64, clock_rate: u32) -> u32 {
    ((u128::from(ntp) * u128::from(clock_rate)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_goes_on_evenly_from_the_wall_clocks_time() {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() + EPOCH;
        let now = Instant::now();
        assert!((at(now) >> 32).abs_diff(wall) <= 1);
        let later = now + Duration::from_secs(100);
        assert_eq!(at(later + Duration::from_millis(250)).wrapping_sub(at(later)).div_ceil(1 << 10), 1 << 20);
        assert_eq!(in_units(at(later) - at(now), 48_000).div_ceil(10), 480_000);
    }
}
