//! What a server says of its condition beside its beat, for whoever watches the fleet.

use qism_signaling::protocol::IncarnationId;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use super::{StorageError, Store};

/// A server of another version may know less, or more: what it does not say is as on a server without trouble.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// When its process began, by the database's clock, milliseconds since the epoch; 0: not told.
    pub since: u64,
    /// Whether Redis carries; `None`: it needs none.
    pub bus: Option<bool>,
    /// What the last answer of the database took.
    pub database_ms: u32,
    /// Batches of events that the database did not take in the last minute.
    pub refused_batches: u64,
    /// Letters over Redis that were not sealed by the cluster's key, in the last minute.
    pub forged_letters: u64,
    /// Databases of the log that do not answer.
    pub logs_away: u64,
    /// What is committed could be lost with the database's primary.
    pub is_unsafe: bool,
    /// Connections that something waits for, since their readers are slow.
    pub waiting: u32,
    /// Old lessons that are to be packed.
    pub packing_due: u64,
    /// To the other servers, as far as there are any now.
    pub links: Vec<LinkCondition>,
}

/// One direction of a link, as its sending end sees it. Of the last seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkCondition {
    /// Name of the other server.
    pub to: String,
    pub is_up: bool,
    /// Bits per second, without IP and UDP headers.
    pub sent: u64,
    pub received: u64,
    /// Bits per second that it is said to bear.
    pub estimate: Option<u32>,
    pub round_trip_ms: Option<u32>,
    /// Per mille of the packets.
    pub lost: u16,
    /// Packets of pictures each second that were not sent, since it had no room.
    pub left_out: u64,
}

impl Condition {
    /// What was told; nothing where it cannot be read.
    pub(super) fn read(told: Option<&str>) -> Self {
        told.and_then(|told| serde_json::from_str(told).ok()).unwrap_or_default()
    }
}

impl Store {
    /// Replaces what a server said of itself before.
    pub async fn tell_condition(
        &self,
        own: IncarnationId,
        condition: &Condition,
    ) -> Result<(), StorageError> {
        // Invariant: a struct of numbers and names is written.
        let told = serde_json::to_string(condition).unwrap_or_default();
        sqlx::query(
            "INSERT INTO node_condition (incarnation, told) VALUES ($1, $2) \
             ON CONFLICT (incarnation) DO UPDATE SET told = excluded.told",
        )
        .bind(own.to_string())
        .bind(told)
        .execute(&self.school.write)
        .await?;
        Ok(())
    }

    /// Old lessons that were to be packed at the last look, or are left.
    pub fn packing_due(&self) -> u64 {
        self.logs.packing_due()
    }

    /// Batches of events that the database did not take, since the start.
    pub fn refused_batches(&self) -> u64 {
        self.logs.refused_batches()
    }

    /// Clears away what nobody says any more.
    pub(super) async fn forget_conditions(&self) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM node_condition WHERE incarnation NOT IN (SELECT incarnation FROM node)")
            .execute(&self.school.write)
            .await?;
        Ok(())
    }
}

/// Of an optional column.
pub(super) fn condition(found: &sqlx::any::AnyRow, column: usize) -> Result<Condition, StorageError> {
    Ok(Condition::read(found.try_get::<Option<String>, _>(column)?.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_version_says_is_read_as_far_as_it_is_known() {
        let told = r#"{"bus":false,"novelty":[1],"links":[{"to":"b","is_up":true}]}"#;
        let link = LinkCondition { to: "b".into(), is_up: true, ..LinkCondition::default() };
        let known = Condition { bus: Some(false), links: vec![link], ..Condition::default() };
        assert_eq!(Condition::read(Some(told)), known);
        assert_eq!((Condition::read(Some("?")), Condition::read(None)), Default::default());
    }
}
