//! Taking rights back and giving them again: accounts disabled and enabled, passwords replaced, students moved.

use std::{collections::HashMap, time::Duration};

use qism_signaling::{
    hub::Hub,
    protocol::{UserId, limits},
};
use rand::seq::IndexedRandom as _;
use uuid::Uuid;

use super::{Account, Broken, School, SchoolRole};
use crate::{auth::hash_now, storage::Withdrawal, telemetry::Redacted};

/// How often a server looks for withdrawals; a right that was taken back is gone from open lessons within a second.
const LOOK: Duration = Duration::from_millis(500);
/// Each is told this often: somebody may be on the way through the door just then.
const TELLINGS: u8 = 4;
/// Withdrawals that were older than this when they were last looked for are done with, however long ago that is: the machine may have slept, its
/// clock may have been set.
const DONE_MS: u64 = 60_000;

/// Letters and digits that nobody confuses on a printed slip.
const SLIP_LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
const SLIP_LENGTH: usize = 10;

#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("nobody has the login {0}")]
    Unknown(String),
    #[error("{0} is not a student")]
    NoStudent(String),
    #[error("the school has no class {0}")]
    UnknownClass(String),
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl School {
    /// The account can do nothing any more; open lessons put the person out within a second.
    pub async fn disable(&self, login: &str) -> Result<(), AccountError> {
        let account = self.known(login).await?;
        Ok(self.store.disable_account(account.user, self.now()).await.map_err(Broken::from)?)
    }

    /// A lesson that put the person out lets them in again when its teacher does.
    pub async fn enable(&self, login: &str) -> Result<(), AccountError> {
        let account = self.known(login).await?;
        Ok(self.store.enable_account(account.user).await.map_err(Broken::from)?)
    }

    /// A new password at random, for a slip. Whoever is signed in with the old one is signed out.
    pub async fn replace_password(&self, login: &str) -> Result<Redacted<String>, AccountError> {
        let account = self.known(login).await?;
        let password = slip_password();
        let hash = hash_now(&password).map_err(Broken::from)?;
        self.store.replace_password(account.user, &hash, self.now()).await.map_err(Broken::from)?;
        Ok(Redacted::new(password))
    }

    /// A student changes class: lessons of the old one are over for them, those of the new one are open.
    pub async fn move_to_class(&self, login: &str, class: &str) -> Result<(), AccountError> {
        let account = self.known(login).await?;
        if !account.is(SchoolRole::Student) {
            return Err(AccountError::NoStudent(login.to_owned()));
        }
        let group = self.store.group_by_name(account.school, class.trim()).await.map_err(Broken::from)?;
        let group = group.ok_or_else(|| AccountError::UnknownClass(class.to_owned()))?;
        Ok(self.store.move_to_group(account.user, group, self.now()).await.map_err(Broken::from)?)
    }

    pub(super) async fn known(&self, login: &str) -> Result<Account, AccountError> {
        let account =
            self.store.account_by_login(&login.trim().to_lowercase()).await.map_err(Broken::from)?;
        account.ok_or_else(|| AccountError::Unknown(login.to_owned()))
    }

    /// Carries out what any program on the same store withdraws, for ever.
    pub async fn watch_withdrawals(&self, hub: &Hub) {
        let (mut changes, mut told) = (self.store.changes(), Tellings::default());
        let mut looked = self.now();
        loop {
            if changes.any().await || told.is_owing() {
                // A server that stood still missed nothing.
                let since = watched_from(looked, self.now());
                match self.store.withdrawals_since(since).await {
                    Ok(recent) => {
                        looked = self.now();
                        carry_out(&told.due(&recent), hub).await;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "withdrawals cannot be read");
                        changes = self.store.changes();
                    }
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether a ticket issued then has lost its right since.
    pub(super) async fn is_void(&self, user: UserId, expires_at: u64) -> Result<bool, Broken> {
        let issued_at = expires_at.saturating_sub(limits::TICKET.as_millis() as u64);
        Ok(self.store.withdrawn_since(user, issued_at).await?)
    }
}

async fn carry_out(withdrawals: &[Withdrawal], hub: &Hub) {
    for withdrawal in withdrawals {
        match withdrawal.erased {
            true => hub.erase(withdrawal.user).await,
            false => hub.withdraw(withdrawal.user, None).await,
        }
    }
}

/// The moment whose withdrawals may still be untold, by when they were last looked for and now; in milliseconds since the Unix epoch.
fn watched_from(looked: u64, now: u64) -> u64 {
    looked.min(now).saturating_sub(DONE_MS)
}

/// How often each recent withdrawal was told.
#[derive(Debug, Default)]
struct Tellings(HashMap<Uuid, u8>);

impl Tellings {
    /// Some are to be told again.
    fn is_owing(&self) -> bool {
        self.0.values().any(|told| *told < TELLINGS)
    }

    /// Those to tell now.
    fn due(&mut self, recent: &[Withdrawal]) -> Vec<Withdrawal> {
        self.0.retain(|id, _| recent.iter().any(|withdrawal| withdrawal.id == *id));
        let mut due = Vec::new();
        for withdrawal in recent {
            let told = self.0.entry(withdrawal.id).or_default();
            if *told < TELLINGS {
                *told += 1;
                due.push(*withdrawal);
            }
        }
        due
    }
}

pub(super) fn slip_password() -> String {
    let mut rng = rand::rng();
    // Invariant: there are letters to choose from.
    let letter = |_| char::from(*SLIP_LETTERS.choose(&mut rng).expect("letters"));
    (0..SLIP_LENGTH).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_withdrawn_while_the_machine_slept_or_before_its_clock_was_set_forward_is_told() {
        let (looked, hour) = (1_000_000_000, 3_600_000);
        for now in [looked + 500, looked + hour, looked - hour] {
            assert!(watched_from(looked, now) < looked.min(now), "{now}");
        }
    }

    #[test]
    fn a_withdrawal_is_told_a_few_times_and_then_no_more() {
        let of =
            |n| Withdrawal { id: Uuid::from_u128(n), user: UserId(Uuid::from_u128(10 + n)), erased: n == 2 };
        let (one, two) = (of(1), of(2));
        let mut told = Tellings::default();
        assert!(!told.is_owing());
        assert_eq!(told.due(&[one]), [one]);
        for _ in 1..TELLINGS {
            assert!(told.is_owing());
            assert_eq!(told.due(&[one, two]), [one, two]);
        }
        assert!(told.is_owing());
        assert_eq!(told.due(&[one, two]), [two]);
        assert!(!told.is_owing() && told.due(&[one, two]).is_empty());
        assert!(told.due(&[]).is_empty() && told.0.is_empty());
    }

    #[test]
    fn a_slip_password_is_long_and_has_no_letters_that_look_alike() {
        let password = slip_password();
        assert_eq!(password.len(), SLIP_LENGTH);
        assert!(!password.contains(['0', 'o', '1', 'l', 'i']));
        assert_ne!(password, slip_password());
    }
}
