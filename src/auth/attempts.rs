//! Back-off against guessing passwords, such that a school behind one address is not locked out by one pupil.
//!
//! Failures of one login from one address (IPv6: one /64) double its wait; a flood of failures from one address, whatever the logins,
//! slows that address down; success forgets the login's failures. Time is an argument.

use std::{net::IpAddr, time::Duration};

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

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    latest: u64,
}

/// Counts failed sign-ins. Times are milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub struct Attempts {
    /// By hash: logins are personal data.
    by_login: DashMap<(IpAddr, [u8; 32]), Failures>,
    by_address: DashMap<IpAddr, Failures>,
}

impl Attempts {
    /// Counts an attempt on a login before its password is checked, so that a thousand guesses at once are not all the
    /// first; the time to wait instead, if it may not be made now.
    pub fn begin(&self, address: IpAddr, login: &str, now: u64) -> Result<(), Duration> {
        let address = network(address);
        self.sweep(now);
        let mut entry =
            self.by_login.entry(key(address, login)).or_insert(Failures { count: 0, latest: now });
        let (latest, wait) = login_wait(*entry);
        let wait = left(latest, wait, now).max(self.crowd_wait(address, now));
        if !wait.is_zero() {
            return Err(wait);
        }
        *entry = Failures { count: entry.count.saturating_add(1), latest: now };
        Ok(())
    }

    /// The time to wait for whoever has stood in line behind a flood of failures from the same address.
    pub fn recheck(&self, address: IpAddr, now: u64) -> Result<(), Duration> {
        let wait = self.crowd_wait(network(address), now);
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    fn crowd_wait(&self, address: IpAddr, now: u64) -> Duration {
        let crowd = self.by_address.get(&address).filter(|failures| failures.count >= ADDRESS_PER_MINUTE);
        crowd.map_or(Duration::ZERO, |failures| left(failures.latest, MINUTE, now))
    }

    /// What others counted of the same login and address; each as (how often, `latest`).
    pub fn learn(
        &self,
        address: IpAddr,
        login: &str,
        by_login: Option<(u32, u64)>,
        by_address: Option<(u32, u64)>,
    ) {
        let address = network(address);
        let failures = |(count, latest)| Failures { count, latest };
        match by_login {
            Some(told) => drop(self.by_login.insert(key(address, login), failures(told))),
            None => drop(self.by_login.remove(&key(address, login))),
        }
        if let Some(told) = by_address {
            self.by_address.insert(address, failures(told));
        }
    }

    /// The attempt that was begun has failed.
    pub fn failed(&self, address: IpAddr, now: u64) {
        let address = network(address);
        let mut crowd = self.by_address.entry(address).or_insert(Failures { count: 0, latest: now });
        // `latest` is the start of the minute that is counted.
        if left(crowd.latest, MINUTE, now).is_zero() {
            *crowd = Failures { count: 0, latest: now };
        }
        crowd.count += 1;
    }

    pub fn succeeded(&self, address: IpAddr, login: &str) {
        self.by_login.remove(&key(network(address), login));
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

/// Under which names servers count the same login and address together: hashes, since both are personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    pub login: String,
    pub address: String,
}

impl Keys {
    pub fn of(address: IpAddr, login: &str) -> Self {
        let address = network(address).to_string();
        let hashed = |text: String| hex(&Sha256::digest(text.as_bytes()));
        Self { login: hashed(format!("{address} {login}")), address: hashed(address) }
    }
}

fn key(address: IpAddr, login: &str) -> (IpAddr, [u8; 32]) {
    (address, Sha256::digest(login.as_bytes()).into())
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

    fn address(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    /// A wrong password, if it may be tried.
    fn guess(attempts: &Attempts, address: IpAddr, login: &str, now: u64) -> Result<(), Duration> {
        attempts.begin(address, login, now)?;
        attempts.failed(address, now);
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
        let address = |n: u64| IpAddr::from(std::net::Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(n)));
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
