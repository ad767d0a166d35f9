//! Whether what PostgreSQL commits outlives its primary: how it must be set when a standby may take the primary's place.

use sqlx::Row as _;

use crate::storage::{StorageError, open::Pools};

/// What the operator says of standbys (`storage.standby`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StandbyRule {
    /// Whoever streams this database, or has a physical replication slot in it, counts as a standby.
    #[default]
    Auto,
    /// There is one, even if it is away just now.
    Required,
    /// No copy of this database will ever take its place.
    None,
}

/// Why something acknowledged could be lost. The text is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortfall {
    #[error(
        "commits do not wait for the disk: synchronous_commit is off\n  set it to on (ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf();)"
    )]
    Unflushed,
    #[error(
        "commits do not wait for the standby: synchronous_commit is {0}\n  set it to on or remote_apply (ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf();), or storage.standby = \"none\" if no copy will ever take this database's place"
    )]
    WaitsTooLittle(String),
    #[error(
        "commits do not wait for the standby: synchronous_standby_names is empty\n  set it (ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'; SELECT pg_reload_conf();), or storage.standby = \"none\" if no copy will ever take this database's place"
    )]
    Asynchronous,
}

impl Shortfall {
    /// The first line, for those who only ask whether all is well.
    pub fn brief(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }
}

/// Base backups and archives stream like standbys, and are none. Logical subscribers hold logical slots. All of it may be
/// seen without privileges.
const SETTINGS: &str = "SELECT current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), \
     (SELECT CAST(COUNT(*) AS BIGINT) FROM pg_stat_replication \
         WHERE application_name NOT IN ('pg_basebackup', 'pg_receivewal') \
         AND pid NOT IN (SELECT active_pid FROM pg_replication_slots WHERE slot_type = 'logical' AND active_pid IS NOT NULL)) \
     + (SELECT CAST(COUNT(*) AS BIGINT) FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary)";

/// What is wrong with a database's settings; `None`: all that is acknowledged outlives the primary.
pub async fn shortfall(pools: &Pools, rule: StandbyRule) -> Result<Option<Shortfall>, StorageError> {
    if pools.sqlite {
        return Ok(None);
    }
    let found = sqlx::query(SETTINGS).fetch_one(&pools.read).await?;
    let standbys = found.try_get::<i64, _>(2)?;
    Ok(judge(rule, found.try_get(0)?, found.try_get(1)?, standbys > 0))
}

/// PostgreSQL 15 documentation, section 20.5.1 (`synchronous_commit`) and 20.6.2 (`synchronous_standby_names`).
fn judge(rule: StandbyRule, commit: String, names: String, seen: bool) -> Option<Shortfall> {
    if commit == "off" {
        return Some(Shortfall::Unflushed);
    }
    let is_expected = match rule {
        StandbyRule::Auto => seen,
        StandbyRule::Required => true,
        StandbyRule::None => false,
    };
    match commit.as_str() {
        _ if !is_expected => None,
        "on" | "remote_apply" if names.trim().is_empty() => Some(Shortfall::Asynchronous),
        "on" | "remote_apply" => None,
        _ => Some(Shortfall::WaitsTooLittle(commit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(rule: StandbyRule, commit: &str, names: &str, seen: bool) -> Option<Shortfall> {
        judge(rule, commit.into(), names.into(), seen)
    }

    #[test]
    fn a_lone_primary_needs_no_standby_and_a_standby_must_be_waited_for() {
        use StandbyRule::{Auto, None as Never, Required};
        assert_eq!(judged(Auto, "on", "", false), None);
        assert_eq!(judged(Auto, "local", "", false), None);
        assert_eq!(judged(Auto, "on", "", true), Some(Shortfall::Asynchronous));
        assert_eq!(judged(Auto, "on", "ANY 1 (*)", true), None);
        assert_eq!(judged(Auto, "remote_apply", "a", true), None);
        assert_eq!(judged(Required, "on", " ", false), Some(Shortfall::Asynchronous));
        assert_eq!(judged(Required, "on", "a", false), None);
        assert_eq!(judged(Never, "on", "", true), None);
        for little in ["local", "remote_write"] {
            assert_eq!(judged(Auto, little, "a", true), Some(Shortfall::WaitsTooLittle(little.into())));
        }
    }

    #[test]
    fn a_commit_that_does_not_wait_for_the_disk_is_never_enough() {
        for rule in [StandbyRule::Auto, StandbyRule::Required, StandbyRule::None] {
            assert_eq!(judged(rule, "off", "a", false), Some(Shortfall::Unflushed));
        }
        assert_eq!(
            Shortfall::Unflushed.brief(),
            "commits do not wait for the disk: synchronous_commit is off"
        );
    }
}
