//! Back-off against guessing passwords, such that a school behind one address is not locked out by one pupil.
//!
//! Failures of one login from one address (IPv6: one /64) double its wait; a flood of failures from one address, whatever the logins,
//! slows that address down; success forgets the login's failures. A browser in which the person has signed in before (`devices`) is
//! counted by itself, and no flood from its address slows it down. Success does not pay for an address's failures: whoever guesses
//! would sign in as themselves in between. Time is an argument.

use std::{fmt, net::IpAddr, time::Duration};

use dashmap::DashMap;
use sha2::{Digest as _, Sha256};

use super::{network, token::hex};

/// Free mistakes of one login from one address.
const FREE: u32 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Failures per minute that one address may have in all: three classes mistyping at once.
const ADDRESS_PER_MINUTE: u32 = 120;
/// Failures of one address are counted for so long.
pub const MINUTE: Duration = Duration::from_secs(60);
/// Entries are forgotten after this much peace.
const FORGET: Duration = Duration::from_secs(15 * 60);
/// More entries than this are swept; an attacker with many addresses costs us no more memory.
const SWEEP_ABOVE: usize = 50_000;

/// Where attempts at one login come from that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Whoever is at this address.
    Network(IpAddr),
    /// A browser in which this person has signed in before.
    Browser([u8; 16]),
}

impl Origin {
    pub fn of(address: IpAddr) -> Self {
        Self::Network(network(address))
    }

    /// The address whose failures in all count.
    fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Network(address) => Some(*address),
            Self::Browser(_) => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => write!(f, "{address}"),
            Self::Browser(nonce) => f.write_str(&hex(nonce)),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    latest: u64,
}

/// Counts failed sign-ins. Times are milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub struct Attempts {
    /// By hash: logins are personal data.
    by_login: DashMap<(Origin, [u8; 32]), Failures>,
    by_address: DashMap<IpAddr, Failures>,
}

impl Attempts {
    /// Counts an attempt on a login before its password is checked, so that a thousand guesses at once are not all the
    /// first; the time to wait instead, if it may not be made now.
    pub fn begin(&self, origin: Origin, login: &str, now: u64) -> Result<(), Duration> {
        self.sweep(now);
        let mut entry = self.by_login.entry(key(origin, login)).or_insert(Failures { count: 0, latest: now });
        let (latest, wait) = login_wait(*entry);
        let wait = left(latest, wait, now).max(self.crowd_wait(origin, now));
        if !wait.is_zero() {
            return Err(wait);
        }
        *entry = Failures { count: entry.count.saturating_add(1), latest: now };
        Ok(())
    }

    /// The time to wait for whoever has stood in line behind a flood of failures from the same address.
    pub fn recheck(&self, origin: Origin, now: u64) -> Result<(), Duration> {
        let wait = self.crowd_wait(origin, now);
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    fn crowd_wait(&self, origin: Origin, now: u64) -> Duration {
        let Some(address) = origin.address() else { return Duration::ZERO };
        let crowd = self.by_address.get(&address).filter(|failures| failures.count >= ADDRESS_PER_MINUTE);
        crowd.map_or(Duration::ZERO, |failures| left(failures.latest, MINUTE, now))
    }

    /// What others counted of the same login and origin, and of its address; each as (how often, `latest`).
    pub fn learn(
        &self,
        origin: Origin,
        login: &str,
        by_login: Option<(u32, u64)>,
        by_address: Option<(u32, u64)>,
    ) {
        let failures = |(count, latest)| Failures { count, latest };
        match by_login {
            Some(told) => drop(self.by_login.insert(key(origin, login), failures(told))),
            None => drop(self.by_login.remove(&key(origin, login))),
        }
        if let (Some(address), Some(told)) = (origin.address(), by_address) {
            self.by_address.insert(address, failures(told));
        }
    }

    /// The attempt that was begun has failed.
    pub fn failed(&self, origin: Origin, now: u64) {
        let Some(address) = origin.address() else { return };
        let mut crowd = self.by_address.entry(address).or_insert(Failures { count: 0, latest: now });
        // `latest` is the start of the minute that is counted.
        if left(crowd.latest, MINUTE, now).is_zero() {
            *crowd = Failures { count: 0, latest: now };
        }
        crowd.count += 1;
    }

    pub fn succeeded(&self, origin: Origin, login: &str) {
        self.by_login.remove(&key(origin, login));
    }

    fn sweep(&self, now: u64) {
        if self.by_login.len() > SWEEP_ABOVE {
            self.by_login.retain(|_, failures| !left(failures.latest, FORGET, now).is_zero());
        }
        if self.by_address.len() > SWEEP_ABOVE {
            self.by_address.retain(|_, failures| !left(failures.latest, MINUTE, now).is_zero());
        }
        if self.by_login.len() > 2 * SWEEP_ABOVE {
            self.by_login.clear();
        }
    }
}

/// Under which names servers count the same login and origin together: hashes, since both are personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    pub login: String,
    pub address: Option<String>,
}

impl Keys {
    pub fn of(origin: Origin, login: &str) -> Self {
        let hashed = |text: String| hex(&Sha256::digest(text.as_bytes()));
        let address = origin.address().map(|address| hashed(address.to_string()));
        Self { login: hashed(format!("{origin} {login}")), address }
    }
}

fn key(origin: Origin, login: &str) -> (Origin, [u8; 32]) {
    (origin, Sha256::digest(login.as_bytes()).into())
}

/// 1, 2, 4… seconds after the free mistakes.
fn login_wait(failures: Failures) -> (u64, Duration) {
    let over = failures.count.saturating_sub(FREE);
    let wait = if over == 0 { Duration::ZERO } else { Duration::from_secs(1 << (over - 1).min(6)) };
    (failures.latest, wait.min(LONGEST_WAIT))
}

fn left(since: u64, wait: Duration, now: u64) -> Duration {
    Duration::from_millis((since + wait.as_millis() as u64).saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> Origin {
        Origin::of([10, 0, 0, n].into())
    }

    /// A wrong password, if it may be tried.
    fn guess(attempts: &Attempts, origin: Origin, login: &str, now: u64) -> Result<(), Duration> {
        attempts.begin(origin, login, now)?;
        attempts.failed(origin, now);
        Ok(())
    }

    #[test]
    fn guessing_one_login_takes_longer_and_longer() {
        let attempts = Attempts::default();
        let mut now = 0;
        for _ in 0..FREE {
            assert_eq!(guess(&attempts, address(1), "salma", now), Ok(()));
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(guess(&attempts, address(1), "salma", now), Ok(()));
            let wait = guess(&attempts, address(1), "salma", now).expect_err("must wait");
            waits.push(wait.as_secs());
            now += wait.as_millis() as u64;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn guesses_at_the_same_moment_count_before_they_are_checked() {
        let attempts = Attempts::default();
        let begun = (0..1_000).filter(|_| attempts.begin(address(1), "salma", 0).is_ok()).count();
        assert_eq!(begun, FREE as usize + 1);
    }

    #[test]
    fn one_pupil_locks_out_neither_the_class_nor_the_same_login_elsewhere() {
        let attempts = Attempts::default();
        for _ in 0..20 {
            let _ = guess(&attempts, address(1), "salma", 0);
        }
        assert!(attempts.begin(address(1), "salma", 0).is_err());
        assert_eq!(attempts.begin(address(1), "omar", 0), Ok(()));
        assert_eq!(attempts.begin(address(2), "salma", 0), Ok(()));
        attempts.succeeded(address(1), "salma");
        assert_eq!(attempts.begin(address(1), "salma", 0), Ok(()));
    }

    #[test]
    fn a_guesser_with_a_whole_ipv6_network_is_one_guesser() {
        let attempts = Attempts::default();
        let address =
            |n: u64| Origin::of(std::net::Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(n)).into());
        let tried = (0..1_000).filter(|&n| guess(&attempts, address(n), "salma", 0).is_ok()).count();
        assert_eq!(tried, FREE as usize + 1);
    }

    #[test]
    fn a_school_that_signs_in_at_once_behind_one_address_does_not_wait() {
        let attempts = Attempts::default();
        for n in 0..2_000 {
            assert_eq!(attempts.begin(address(1), &format!("s{n}"), 0), Ok(()));
        }
    }

    #[test]
    fn what_others_counted_counts_and_what_they_forgot_is_forgotten() {
        let attempts = Attempts::default();
        attempts.learn(address(1), "salma", Some((FREE + 3, 1_000)), None);
        assert!(attempts.begin(address(1), "salma", 1_001).is_err());
        attempts.learn(address(1), "salma", None, Some((ADDRESS_PER_MINUTE, 1_000)));
        assert!(attempts.begin(address(1), "omar", 1_002).is_err());
        assert_eq!(attempts.begin(address(2), "salma", 1_003), Ok(()));
    }

    #[test]
    fn a_flood_from_the_schools_address_slows_no_browser_that_is_known() {
        let (attempts, known, other) =
            (Attempts::default(), Origin::Browser([1; 16]), Origin::Browser([2; 16]));
        for n in 0..ADDRESS_PER_MINUTE {
            assert_eq!(guess(&attempts, address(1), &format!("s{n}"), 0), Ok(()));
        }
        for _ in 0..20 {
            let _ = guess(&attempts, address(1), "salma", 0);
        }
        assert!(attempts.begin(address(1), "salma", 0).is_err());
        assert_eq!(attempts.begin(known, "salma", 0), Ok(()));
        assert_eq!(attempts.recheck(known, 0), Ok(()));
        // A known browser that is stolen guesses as slowly as any, at this one login.
        let tried = (0..1_000).filter(|_| guess(&attempts, known, "salma", 0).is_ok()).count();
        assert_eq!(tried, FREE as usize);
        assert_eq!(attempts.begin(other, "salma", 0), Ok(()));
    }

    #[test]
    fn a_flood_over_many_logins_slows_its_address_for_a_minute() {
        let attempts = Attempts::default();
        for n in 0..ADDRESS_PER_MINUTE {
            assert_eq!(guess(&attempts, address(1), &format!("s{n}"), 0), Ok(()));
        }
        assert!(attempts.begin(address(1), "somebody new", 0).is_err());
        assert!(attempts.recheck(address(1), 0).is_err() && attempts.recheck(address(2), 0).is_ok());
        assert_eq!(attempts.begin(address(2), "somebody new", 0), Ok(()));
        assert_eq!(guess(&attempts, address(1), "somebody new", 60_000), Ok(()));
        assert_eq!(attempts.begin(address(1), "somebody new", 60_001), Ok(()));
    }
}
