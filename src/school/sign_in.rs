//! Who is who: signing in and out, and what the app says about the person.

use std::{net::IpAddr, time::Duration};

use qism_signaling::protocol::{Name, UserId, snapshot::Localized};
use serde::Serialize;

use super::{Account, Broken, School, SchoolRole};
use crate::{
    auth::{Marks, Token},
    telemetry::Redacted,
};

/// A browser stays signed in this long; a shared phone signs out by its button.
pub const STAYS: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Longer sign-in names are nobody's.
const LOGIN_BYTES: usize = 256;

/// Interface languages, the one of most readers first.
const LANGUAGES: [&str; 3] = ["ar", "fr", "en"];

/// A browser that has just proven who sits at it.
pub struct SignedIn {
    pub token: Token,
    pub account: Account,
    /// The browser is known to this person from now on.
    pub marks: Marks,
}

#[derive(Debug, thiserror::Error)]
pub enum SignInRefusal {
    /// Wrong password or no such login: never told apart.
    #[error("wrong login or password")]
    WrongCredentials,
    #[error("too many attempts")]
    TooManyAttempts { wait: Duration },
    #[error("the account is disabled")]
    Disabled,
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// What the app knows of the person who uses it.
#[derive(Clone, Debug, Serialize)]
pub struct Me {
    pub user: UserId,
    pub login: String,
    pub name: Name,
    pub roles: Vec<HeldRole>,
    pub school: MySchool,
    pub languages: [&'static str; 3],
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct HeldRole {
    pub role: SchoolRole,
}

#[derive(Clone, Debug, Serialize)]
pub struct MySchool {
    pub code: String,
    pub name: Localized,
}

impl School {
    /// Checks login and password; slows guessing down. `marks`: who is known to the browser.
    pub async fn sign_in(
        &self,
        login: &str,
        password: Redacted<String>,
        address: IpAddr,
        marks: Marks,
    ) -> Result<SignedIn, SignInRefusal> {
        // Printed slips are copied by hand: case and space do not matter.
        let login = login.trim().to_lowercase();
        if login.len() > LOGIN_BYTES || login.contains('\0') {
            // PostgreSQL would refuse the question, as if the database were away.
            return Err(SignInRefusal::WrongCredentials);
        }
        let (origin, known) = self.origin(address, &login, &marks).await?;
        self.begin_attempt(origin, &login).await?;
        let place = self.passwords.place(origin).await.map_err(Broken::from)?;
        self.attempts.recheck(origin, self.now()).map_err(|wait| SignInRefusal::TooManyAttempts { wait })?;
        let account = match known {
            Some(account) => Some(account),
            None => self.store.account_by_login(&login).await.map_err(Broken::from)?,
        };
        let hash = account.as_ref().map(|account| account.password.as_str());
        let fits = self.passwords.fits(password, hash, place).await.map_err(Broken::from)?;
        let Some(account) = account.filter(|_| fits) else {
            self.attempt_failed(origin, &login).await?;
            return Err(SignInRefusal::WrongCredentials);
        };
        if account.disabled {
            return Err(SignInRefusal::Disabled);
        }
        self.attempt_succeeded(origin, &login).await?;
        let (token, now) = (Token::random(), self.now());
        let expires_at = now + STAYS.as_millis() as u64;
        let added = self.store.add_sign_in(&token.hash(), &account, now, expires_at).await;
        if !added.map_err(Broken::from)? {
            // A new password, or the end of the account, came between.
            return Err(SignInRefusal::WrongCredentials);
        }
        let marks = marks.with(&login, &account.password);
        Ok(SignedIn { token, account, marks })
    }

    pub async fn sign_out(&self, token: &Token) -> Result<(), Broken> {
        Ok(self.store.remove_sign_in(&token.hash()).await?)
    }

    /// Who holds this token; nobody when it has expired or the account was disabled meanwhile.
    pub async fn who(&self, token: &Token) -> Result<Option<Account>, Broken> {
        let account = self.store.account_by_sign_in(&token.hash(), self.now()).await?;
        Ok(account.filter(|account| !account.disabled))
    }

    pub async fn me(&self, account: &Account) -> Result<Me, Broken> {
        let school = self.store.school_by_id(account.school).await?;
        let school = school.map(|school| MySchool { code: school.code, name: school.name });
        Ok(Me {
            user: account.user,
            login: account.login.clone(),
            name: account.name.clone(),
            roles: account.roles.iter().map(|role| HeldRole { role: *role }).collect(),
            school: school.unwrap_or_else(|| MySchool { code: String::new(), name: Localized::default() }),
            languages: LANGUAGES,
        })
    }
}
