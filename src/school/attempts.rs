//! Back-off at the sign-in: counted in this process, and with other servers on the same database together with them.

use std::net::IpAddr;

use super::{Broken, School, SignInRefusal};
use crate::auth::{Keys, MINUTE};

impl School {
    /// Counts an attempt, or says how long to wait. What other servers counted counts here.
    pub(super) async fn begin_attempt(&self, address: IpAddr, login: &str) -> Result<(), SignInRefusal> {
        let now = self.now();
        if !self.store.is_shared() {
            return self.try_attempt(address, login, now);
        }
        let keys = Keys::of(address, login);
        let by_login = self.store.attempts(&keys.login).await.map_err(Broken::from)?;
        let by_address = self.store.attempts(&keys.address).await.map_err(Broken::from)?;
        self.attempts.learn(address, login, by_login, by_address);
        self.try_attempt(address, login, now)?;
        self.store.count_attempt(&keys.login, now).await.map_err(Broken::from)?;
        Ok(())
    }

    fn try_attempt(&self, address: IpAddr, login: &str, now: u64) -> Result<(), SignInRefusal> {
        self.attempts.begin(address, login, now).map_err(|wait| SignInRefusal::TooManyAttempts { wait })
    }

    pub(super) async fn attempt_failed(&self, address: IpAddr, login: &str) -> Result<(), Broken> {
        let now = self.now();
        self.attempts.failed(address, now);
        if self.store.is_shared() {
            self.store.count_in_span(&Keys::of(address, login).address, now, MINUTE).await?;
        }
        Ok(())
    }

    pub(super) async fn attempt_succeeded(&self, address: IpAddr, login: &str) -> Result<(), Broken> {
        self.attempts.succeeded(address, login);
        if self.store.is_shared() {
            self.store.forget_attempts(&Keys::of(address, login).login).await?;
        }
        Ok(())
    }
}
