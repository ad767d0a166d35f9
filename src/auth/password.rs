//! Passwords: argon2id, in a bounded number of threads. Addresses take turns, and browsers that are known: whoever tries thousands at
//! once waits behind themselves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use super::Origin;
use crate::telemetry::Redacted;

/// Each takes 19 MiB and a core for some 20 ms: a class signing in waits in line instead of taking the machine.
const AT_ONCE: usize = 2;
/// Longer ones are refused unhashed.
const MAX_BYTES: usize = 256;
/// With more lines than this, those in which nobody stands are cleared away.
const LINES: usize = 1_024;

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("the stored password hash cannot be read: {0}")]
    Hash(String),
    #[error("the password task was lost")]
    Lost,
}

/// Checks passwords, a few at a time.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// First come first served, among those who are at the head of their line.
    places: Arc<Semaphore>,
    lines: Arc<Mutex<HashMap<Origin, Arc<Semaphore>>>>,
    /// Checked when there is no such account, so that the time does not tell.
    nobody: Arc<str>,
}

impl Passwords {
    pub fn new() -> Result<Self, PasswordError> {
        let nobody = hash_now("nobody has this password")?.into();
        Ok(Self { places: Arc::new(Semaphore::new(AT_ONCE)), lines: Arc::default(), nobody })
    }

    /// Waits at the end of this address's or browser's line.
    pub async fn place(&self, origin: Origin) -> Result<Place, PasswordError> {
        let line = self.line(origin).acquire_owned().await;
        let place = self.places.clone().acquire_owned().await;
        let lost = |_| PasswordError::Lost;
        Ok(Place { _line: line.map_err(lost)?, _place: place.map_err(lost)? })
    }

    fn line(&self, origin: Origin) -> Arc<Semaphore> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= LINES {
            // Whoever stands in a line holds it.
            lines.retain(|_, line| Arc::strong_count(line) > 1);
        }
        lines.entry(origin).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
    }

    /// True when `password` is the one behind `hash`; without a hash it takes as long and is false.
    pub async fn fits(
        &self,
        password: Redacted<String>,
        hash: Option<&str>,
        place: Place,
    ) -> Result<bool, PasswordError> {
        if password.reveal().len() > MAX_BYTES {
            return Ok(false);
        }
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let fits = spawn_blocking(move || {
            // Also when nobody waits for the answer any more.
            let _place = place;
            verify(password.reveal(), &hash)
        });
        Ok(fits.await.map_err(|_| PasswordError::Lost)?? && known)
    }
}

/// The right to have one password checked now.
#[derive(Debug)]
pub struct Place {
    _line: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

fn verify(password: &str, hash: &str) -> Result<bool, PasswordError> {
    let hash = PasswordHash::new(hash).map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// The PHC string of a password, in this very thread.
pub fn hash_now(password: &str) -> Result<String, PasswordError> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| PasswordError::Hash(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> Origin {
        Origin::of([10, 0, 0, n].into())
    }

    #[tokio::test]
    async fn whoever_tries_hundreds_at_once_keeps_their_own_address_waiting() {
        let passwords = Passwords::new().expect("ready");
        let in_turn = async |from: u8, order: &Mutex<Vec<u8>>| {
            let place = passwords.place(address(from)).await.expect("a place");
            order.lock().expect("whole").push(from);
            tokio::task::yield_now().await;
            drop(place);
        };
        let order = Mutex::new(Vec::new());
        let flood = futures_util::future::join_all((0..300).map(|_| in_turn(1, &order)));
        let others = futures_util::future::join_all((2..5).map(|from| in_turn(from, &order)));
        futures_util::future::join(flood, others).await;
        let order = order.into_inner().expect("whole");
        let last = order.iter().rposition(|from| *from != 1).expect("they had their turn");
        assert!(last < 12, "{:?}", &order[..20]);
    }

    #[tokio::test]
    async fn lines_in_which_nobody_stands_are_not_kept() {
        let passwords = Passwords::new().expect("ready");
        let held = passwords.place(address(0)).await.expect("a place");
        for n in 0..5_000_u32 {
            drop(passwords.place(Origin::of(n.to_be_bytes().into())).await.expect("a place"));
        }
        let lines = passwords.lines.lock().expect("whole");
        assert!(lines.len() <= LINES && lines.contains_key(&address(0)), "{}", lines.len());
        drop(held);
    }

    #[tokio::test]
    async fn only_the_right_password_fits_and_nobody_has_none() {
        let passwords = Passwords::new().expect("ready");
        let hash = hash_now("كلمة السر 1").expect("hashed");
        assert!(hash.starts_with("$argon2id$"));
        let fits = async |text: &str, hash: Option<&str>| {
            let place = passwords.place(address(1)).await.expect("a place");
            passwords.fits(Redacted::new(text.to_owned()), hash, place).await.expect("checked")
        };
        assert!(fits("كلمة السر 1", Some(&hash)).await);
        assert!(!fits("كلمة السر 2", Some(&hash)).await);
        assert!(!fits("nobody has this password", None).await);
        assert!(!fits(&"x".repeat(10_000), Some(&hash)).await);
    }
}
