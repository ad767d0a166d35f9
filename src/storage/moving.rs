//! `qism transfer`: lessons into the databases that are named for their schools, in two steps ([`logs::Logs::copy_ahead`] says how).

use super::{
    StorageError, Store,
    logs::{Ahead, Leftovers, Logs},
    open::{Pools, Use},
    shares::LessonSchools,
};
use crate::config::Databases;

/// Every lesson is where it is looked for: servers may start.
pub struct Transferred {
    pub lessons: u64,
    leftovers: Leftovers,
    logs: Logs,
    school: Pools,
}

impl Store {
    /// Copies lessons that are over to where they will be looked for, also out of databases that are named no more, beside running
    /// servers that share them out as before.
    pub async fn copy_ahead(databases: &Databases, from: &[String]) -> Result<Ahead, StorageError> {
        let school = Self::school_for(databases, Use::Command).await?;
        let logs = Logs::made(databases, Use::Alone, LessonSchools::new(school.clone())).await?;
        let done = logs.copy_ahead(from).await;
        logs.close().await;
        school.close().await;
        done
    }

    /// Moves every lesson that was not copied ahead as it is, and has all of them looked for in their new places. No server may run.
    pub async fn transfer(databases: &Databases, from: &[String]) -> Result<Transferred, StorageError> {
        let school = Self::school_for(databases, Use::Alone).await?;
        let schools = LessonSchools::new(school.clone());
        if schools.is_served().await? {
            return Err(StorageError::InUse { path: "this database".into() });
        }
        let logs = Logs::made(databases, Use::Alone, schools).await?;
        let (lessons, leftovers) = logs.put_in_place(from).await?;
        Ok(Transferred { lessons, leftovers, logs, school })
    }
}

impl Transferred {
    /// Deletes what is left of them elsewhere, also while servers run.
    pub async fn clear(self) -> Result<u64, StorageError> {
        let deleted = self.leftovers.delete().await;
        self.logs.close().await;
        self.school.close().await;
        deleted
    }
}
