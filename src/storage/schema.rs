//! Making and upgrading tables. Steps are numbered, applied once each, never edited after a release.

use std::cmp::Ordering;

use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};

use super::{
    StorageError,
    open::{Part, Pools},
};

const SCHOOL: &[&str] = &[
    include_str!("migrations/school/001_school.sql"),
    include_str!("migrations/school/002_withdrawal.sql"),
    include_str!("migrations/school/003_node.sql"),
    include_str!("migrations/school/004_relay.sql"),
    include_str!("migrations/school/005_starting.sql"),
    include_str!("migrations/school/006_place.sql"),
    include_str!("migrations/school/007_session.sql"),
    include_str!("migrations/school/008_event_format.sql"),
    include_str!("migrations/school/009_share.sql"),
    include_str!("migrations/school/010_condition.sql"),
    include_str!("migrations/school/011_erasure.sql"),
    include_str!("migrations/school/012_people.sql"),
];
const LOG: &[&str] = &[
    include_str!("migrations/log/001_log.sql"),
    include_str!("migrations/log/002_days.sql"),
    include_str!("migrations/log/003_mark.sql"),
    include_str!("migrations/log/004_copied.sql"),
    include_str!("migrations/log/005_copied_at.sql"),
];

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS schema_step (part TEXT NOT NULL PRIMARY KEY, step BIGINT NOT NULL)";

/// Servers that start at the same moment upgrade one after the other. SQLite has one server.
pub const ALONE: &str = "DO $$ BEGIN PERFORM pg_advisory_xact_lock(7116105); END $$";

/// Brings one part up to this program's version; refuses one from the future.
pub async fn upgrade(pools: &Pools, part: Part) -> Result<(), StorageError> {
    apply_steps(pools, part).await.map_err(|error| match error {
        StorageError::Sql(problem) => StorageError::Upgrade { part: part.name(), problem },
        other => other,
    })
}

async fn apply_steps(pools: &Pools, part: Part) -> Result<(), StorageError> {
    let (key, steps) = steps(part);
    let mut transaction = pools.write.begin().await?;
    if !pools.sqlite {
        sqlx::raw_sql(ALONE).execute(&mut *transaction).await?;
    }
    sqlx::query(TABLE).execute(&mut *transaction).await?;
    let found = found(&mut transaction, key).await?;
    let known = steps.len() as i64;
    if found > known {
        return Err(StorageError::Newer { part: part.name(), found, known });
    }
    for step in &steps[found as usize..] {
        let step = if pools.sqlite { (*step).to_owned() } else { for_postgres(step) };
        sqlx::raw_sql(AssertSqlSafe(step)).execute(&mut *transaction).await?;
    }
    sqlx::query("DELETE FROM schema_step WHERE part = $1").bind(key).execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO schema_step (part, step) VALUES ($1, $2)")
        .bind(key)
        .bind(known)
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

/// The few words that only PostgreSQL has stand in comments: `/* PostgreSQL: PARTITION BY RANGE (day) */`.
fn for_postgres(step: &str) -> String {
    let mut parts = step.split("/* PostgreSQL: ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + &part.replacen(" */", "", 1))
}

/// A copy may be older: the server upgrades it when it starts.
pub async fn expect_known(pools: &Pools, part: Part) -> Result<(), StorageError> {
    match expect_current(pools, part).await {
        Err(StorageError::Older { .. }) => Ok(()),
        other => other,
    }
}

/// Changes nothing: somebody else may be using the store.
pub async fn expect_current(pools: &Pools, part: Part) -> Result<(), StorageError> {
    let (key, steps) = steps(part);
    let mut transaction = pools.read.begin().await?;
    let (found, known) = (found(&mut transaction, key).await?, steps.len() as i64);
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(StorageError::Older { part: part.name(), found, known }),
        Ordering::Greater => Err(StorageError::Newer { part: part.name(), found, known }),
    }
}

fn steps(part: Part) -> (&'static str, &'static [&'static str]) {
    match part {
        Part::School => ("school", SCHOOL),
        Part::Log => ("log", LOG),
    }
}

async fn found(transaction: &mut Transaction<'_, Any>, key: &str) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("SELECT step FROM schema_step WHERE part = $1")
        .bind(key)
        .fetch_optional(&mut **transaction)
        .await?;
    row.map_or(Ok(0), |row| row.try_get(0))
}

#[cfg(test)]
mod tests {
    use super::for_postgres;

    #[test]
    fn what_is_postgresqls_own_is_a_comment_elsewhere() {
        let step = "CREATE TABLE e (day BIGINT) /* PostgreSQL: PARTITION BY RANGE (day) */;\n/* PostgreSQL: SELECT 1; */";
        assert_eq!(for_postgres(step), "CREATE TABLE e (day BIGINT) PARTITION BY RANGE (day);\nSELECT 1;");
        assert_eq!(for_postgres("SELECT 2"), "SELECT 2");
    }
}
