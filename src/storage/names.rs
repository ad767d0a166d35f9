//! Whose a node's name is, and how the others know that a process is gone: by the database session that it holds.

use std::sync::{Mutex, PoisonError};

use qism_signaling::protocol::IncarnationId;
use sqlx::{Any, AnyConnection, Connection as _, Row as _, Transaction};

use super::{StorageError, Store};

/// What tells one session of PostgreSQL from all others: its process and when that began.
pub(super) const SESSION: &str =
    "CAST(pid AS TEXT) || '/' || CAST(CAST(EXTRACT(EPOCH FROM backend_start) * 1000000 AS BIGINT) AS TEXT)";

/// When it began, in milliseconds since the Unix epoch.
pub(super) const SESSION_SINCE: &str = "CAST(EXTRACT(EPOCH FROM backend_start) * 1000 AS BIGINT)";

/// A connection on which nothing waits: it ends with the process that holds it, however that ends.
pub struct Session {
    /// Never waited for: a connection alone cannot be shared between threads, and so could nobody who holds one.
    connection: Mutex<AnyConnection>,
    name: String,
}

impl Session {
    /// As the others find it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub async fn is_open(&mut self) -> bool {
        let connection = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner);
        connection.ping().await.is_ok()
    }
}

impl Store {
    /// Opens a session beside the pools; `None` where nobody else could look for it.
    pub async fn open_session(&self) -> Result<Option<Session>, StorageError> {
        if !self.is_shared() {
            return Ok(None);
        }
        let mut connection = self.school.write.acquire().await?.detach();
        let sql = format!("SELECT {SESSION} FROM pg_stat_activity WHERE pid = pg_backend_pid()");
        let found = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await?;
        Ok(Some(Session { name: found.try_get(0)?, connection: Mutex::new(connection) }))
    }

    /// Whether the process that holds this session may live.
    pub async fn session_is_open(&self, session: &str) -> Result<bool, StorageError> {
        let sql = format!("SELECT COUNT(*) FROM pg_stat_activity WHERE {SESSION} = $1");
        let found = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(session).fetch_one(&self.school.read).await?;
        Ok(found.try_get::<i64, _>(0)? > 0)
    }

    /// Makes a name this server's; whoever bore it learns that by its next beat.
    pub async fn take_name(&self, name: &str, own: IncarnationId) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO node_name (name, incarnation) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation",
        )
        .bind(name)
        .bind(own.to_string())
        .execute(&self.school.write)
        .await?;
        Ok(())
    }
}

/// Refuses a server whose name another one has taken. One that never took any bears its name alone.
pub(super) async fn expect_own(
    transaction: &mut Transaction<'_, Any>,
    name: &str,
    own: IncarnationId,
) -> Result<(), StorageError> {
    let asked = sqlx::query("SELECT incarnation FROM node_name WHERE name = $1").bind(name);
    let found = asked.fetch_optional(&mut **transaction).await?;
    let bearer: Option<String> = found.map(|found| found.try_get(0)).transpose()?;
    if bearer.is_some_and(|bearer| bearer != own.to_string()) {
        return Err(StorageError::NameTaken { name: name.to_owned() });
    }
    Ok(())
}
