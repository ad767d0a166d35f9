//! Passwords: argon2id, in a bounded number of threads.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::telemetry::Redacted;

/// Each takes 19 MiB and a core for some 20 ms: a class signing in waits in line instead of taking the machine.
const AT_ONCE: usize = 2;
/// Longer ones are refused unhashed.
const MAX_BYTES: usize = 256;

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
    places: Arc<Semaphore>,
    /// Checked when there is no such account, so that the time does not tell.
    nobody: Arc<str>,
}

impl Passwords {
    pub fn new() -> Result<Self, PasswordError> {
        let nobody = hash_now("nobody has this password")?.into();
        Ok(Self { places: Arc::new(Semaphore::new(AT_ONCE)), nobody })
    }

    /// True when `password` is the one behind `hash`; without a hash it takes as long and is false.
    pub async fn fits(&self, password: Redacted<String>, hash: Option<&str>) -> Result<bool, PasswordError> {
        if password.reveal().len() > MAX_BYTES {
            return Ok(false);
        }
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let place = self.places.clone().acquire_owned().await.map_err(|_| PasswordError::Lost)?;
        let fits = spawn_blocking(move || {
            let _place = place;
            verify(password.reveal(), &hash)
        });
        Ok(fits.await.map_err(|_| PasswordError::Lost)?? && known)
    }
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

    #[tokio::test]
    async fn only_the_right_password_fits_and_nobody_has_none() {
        let passwords = Passwords::new().expect("ready");
        let hash = hash_now("كلمة السر 1").expect("hashed");
        assert!(hash.starts_with("$argon2id$"));
        let fits = async |text: &str, hash: Option<&str>| {
            passwords.fits(Redacted::new(text.to_owned()), hash).await.expect("checked")
        };
        assert!(fits("كلمة السر 1", Some(&hash)).await);
        assert!(!fits("كلمة السر 2", Some(&hash)).await);
        assert!(!fits("nobody has this password", None).await);
        assert!(!fits(&"x".repeat(10_000), Some(&hash)).await);
    }
}
