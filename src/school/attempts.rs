//! Back-off at the sign-in: counted in this process, and with other servers on the same database together with them.

use std::net::IpAddr;

use super::{Account, Broken, School, SignInRefusal};
use crate::auth::{Keys, MINUTE, Marks, Origin};

impl School {
    /// Together with whom this attempt is counted, and the account where it had to be read for that.
    pub(super) async fn origin(
        &self,
        address: IpAddr,
        login: &str,
        marks: &Marks,
    ) -> Result<(Origin, Option<Account>), Broken> {
        if marks.is_empty() {
            return Ok((Origin::of(address), None));
        }
        let account = self.store.account_by_login(login).await?;
        let known = account.as_ref().and_then(|account| marks.origin(login, &account.password));
        Ok((known.unwrap_or_else(|| Origin::of(address)), account))
    }

    /// Counts an attempt, or says how long to wait. What other servers counted counts here.
    pub(super) async fn begin_attempt(&self, origin: Origin, login: &str) -> Result<(), SignInRefusal> {
        let now = self.now();
        if !self.store.is_shared() {
            return self.try_attempt(origin, login, now);
        }
        let keys = Keys::of(origin, login);
        let by_login = self.store.attempts(&keys.login).await.map_err(Broken::from)?;
        let by_address = match &keys.address {
            Some(address) => self.store.attempts(address).await.map_err(Broken::from)?,
            None => None,
        };
        self.attempts.learn(origin, login, by_login, by_address);
        self.try_attempt(origin, login, now)?;
        self.store.count_attempt(&keys.login, now).await.map_err(Broken::from)?;
        Ok(())
    }

    fn try_attempt(&self, origin: Origin, login: &str, now: u64) -> Result<(), SignInRefusal> {
        self.attempts.begin(origin, login, now).map_err(|wait| SignInRefusal::TooManyAttempts { wait })
    }

    pub(super) async fn attempt_failed(&self, origin: Origin, login: &str) -> Result<(), Broken> {
        let now = self.now();
        self.attempts.failed(origin, now);
        match Keys::of(origin, login).address {
            Some(address) if self.store.is_shared() => {
                Ok(self.store.count_in_span(&address, now, MINUTE).await?)
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn attempt_succeeded(&self, origin: Origin, login: &str) -> Result<(), Broken> {
        self.attempts.succeeded(origin, login);
        if self.store.is_shared() {
            self.store.forget_attempts(&Keys::of(origin, login).login).await?;
        }
        Ok(())
    }
}
