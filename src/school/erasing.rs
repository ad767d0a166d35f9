//! A person is erased on request (law 09-08; GDPR article 17): a director does it for students and teachers of the own school, an
//! operator for anybody.

use std::time::Duration;

use qism_signaling::protocol::{Name, UserId};
use serde::Serialize;

use super::{Account, AccountError, Broken, School, SchoolRole, accounts::slip_password};
use crate::{auth::hash_now, storage::Erasure};

/// How often a server looks for erasures.
const LOOK: Duration = Duration::from_secs(2);
/// One round through a school's lessons takes no longer; then another server takes over.
const ROUND_MS: u64 = 10 * 60_000;
/// After one that failed, since a database did not answer.
const RETRY_MS: u64 = 5_000;
/// A room that opens in that very moment may have read what is erased in it right after, and a report could take it along: another
/// round follows when no lesson of the school is open any more …
const AGAIN_MS: u64 = 60_000;
/// … or after a day: no lesson is that long.
const LONGEST_LESSON_MS: u64 = 24 * 60 * 60_000;
/// Who may be erased.
const ERASABLE: [SchoolRole; 3] = [SchoolRole::Student, SchoolRole::Teacher, SchoolRole::Guardian];

/// The people of a school, for its director.
#[derive(Clone, Debug, Serialize)]
pub struct People {
    pub people: Vec<PersonRow>,
    /// Erased people whose words are not out of all lessons yet.
    pub erasing: u64,
}

/// Somebody who may be erased.
#[derive(Clone, Debug, Serialize)]
pub struct PersonRow {
    pub user: UserId,
    pub login: String,
    pub name: Name,
    pub roles: Vec<SchoolRole>,
    /// Names of the groups that a student is in, or that a teacher teaches.
    pub groups: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error("only a director erases people of the own school")]
    NotAllowed,
    #[error("nobody of the school has this id")]
    Unknown,
    /// Heads and operators of a school are changed by an operator.
    #[error("somebody with this function is not erased here")]
    Protected,
    #[error("the sign-in name was not repeated")]
    NotConfirmed,
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl School {
    /// `None` for everybody but directors.
    pub async fn people(&self, account: &Account) -> Result<Option<People>, Broken> {
        if !account.is(SchoolRole::Director) {
            return Ok(None);
        }
        let all = self.store.accounts(Some(account.school)).await?;
        let own = all.into_iter().filter(|it| are_erasable(&it.roles));
        let row = |it: crate::storage::ListedAccount| PersonRow {
            user: it.user,
            login: it.login,
            name: it.name,
            roles: it.roles,
            groups: it.groups,
        };
        let erasing = self.store.erasures_under_way(account.school).await?;
        Ok(Some(People { people: own.map(row).collect(), erasing }))
    }

    /// Erases somebody, whose sign-in name is said once more. The account is empty when this returns, what they wrote follows.
    pub async fn erase(&self, director: &Account, user: UserId, login: &str) -> Result<(), EraseError> {
        if !director.is(SchoolRole::Director) {
            return Err(EraseError::NotAllowed);
        }
        let person = self.store.account_by_id(user).await.map_err(Broken::from)?;
        let person = person.filter(|it| it.school == director.school).ok_or(EraseError::Unknown)?;
        if !are_erasable(&person.roles) || person.user == director.user {
            return Err(EraseError::Protected);
        }
        if login.trim().to_lowercase() != person.login {
            return Err(EraseError::NotConfirmed);
        }
        self.empty_account(&person, Some(director.user)).await?;
        tracing::info!(person = %user, director = %director.user, "a person is erased");
        Ok(())
    }

    /// The same on an operator's word, whatever the person's function is.
    pub async fn erase_by_login(&self, login: &str) -> Result<(), AccountError> {
        let person = self.known(login).await?;
        Ok(self.empty_account(&person, None).await?)
    }

    /// Open lessons put the person out, and lose what they wrote, within a second; old ones follow.
    async fn empty_account(&self, person: &Account, director: Option<UserId>) -> Result<(), Broken> {
        let password = hash_now(&slip_password())?;
        let erasure = Erasure { person: person.user, school: person.school, at: self.now() };
        Ok(self.store.erase_account(erasure, director, &password).await?)
    }

    /// Takes the words of erased people out of old lessons, for ever.
    pub async fn carry_out_erasures(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = self.carry_out_one().await {
                tracing::warn!(%error, "an erasure is not carried out; again in a while");
            }
        }
    }

    async fn carry_out_one(&self) -> Result<(), Broken> {
        let now = self.now();
        let Some(erasure) = self.store.claim_erasure(now, now + ROUND_MS).await? else { return Ok(()) };
        let is_last =
            now >= erasure.at + LONGEST_LESSON_MS || !self.store.is_teaching(erasure.school, now).await?;
        let texts = match self.store.erase_words(erasure).await {
            Ok(texts) => texts,
            Err(error) => {
                self.store.postpone_erasure(erasure.person, self.now() + RETRY_MS).await?;
                return Err(error.into());
            }
        };
        if is_last {
            self.store.finish_erasure(erasure.person, self.now()).await?;
            tracing::info!(person = %erasure.person, texts, "what an erased person wrote is out of all lessons");
        } else {
            self.store.postpone_erasure(erasure.person, self.now() + AGAIN_MS).await?;
        }
        Ok(())
    }
}

fn are_erasable(roles: &[SchoolRole]) -> bool {
    !roles.is_empty() && roles.iter().all(|role| ERASABLE.contains(role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_runs_a_school_is_not_erased_from_within_it() {
        use SchoolRole::{Director, Guardian, Student, Supervisor, Teacher};
        assert!(are_erasable(&[Student]) && are_erasable(&[Teacher, Guardian]));
        for protected in [&[Director] as &[_], &[Teacher, Supervisor], &[]] {
            assert!(!are_erasable(protected), "{protected:?}");
        }
    }
}
