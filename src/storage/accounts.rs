//! People, their roles and their signed-in browsers.

use qism_signaling::protocol::{
    Name, UserId,
    snapshot::{Localized, Spelling},
};
use sqlx::{
    Any, AssertSqlSafe, Row as _,
    any::{AnyArguments, AnyRow},
    query::Query,
};
use uuid::Uuid;

use super::{Account, SchoolRecord, SchoolRole, StorageError, Store, row};

const COLUMNS: &str = "p.id, p.school, p.login, p.password, p.disabled, p.given_arabic, p.family_arabic, p.given_latin, p.family_latin";

impl Store {
    pub async fn account_by_login(&self, login: &str) -> Result<Option<Account>, StorageError> {
        if login.contains('\0') {
            // PostgreSQL would call the question an error.
            return Ok(None);
        }
        let sql = format!("SELECT {COLUMNS} FROM person p WHERE p.login = $1");
        self.account(sqlx::query(AssertSqlSafe(sql)).bind(login.to_owned())).await
    }

    pub async fn account_by_id(&self, user: UserId) -> Result<Option<Account>, StorageError> {
        let sql = format!("SELECT {COLUMNS} FROM person p WHERE p.id = $1");
        self.account(sqlx::query(AssertSqlSafe(sql)).bind(user.to_string())).await
    }

    /// Who is signed in with the browser that holds this token.
    pub async fn account_by_sign_in(&self, token: &str, now: u64) -> Result<Option<Account>, StorageError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM person p JOIN sign_in s ON s.person = p.id WHERE s.token = $1 AND s.expires_at > $2"
        );
        self.account(sqlx::query(AssertSqlSafe(sql)).bind(token.to_owned()).bind(now as i64)).await
    }

    async fn account(&self, query: Query<'_, Any, AnyArguments>) -> Result<Option<Account>, StorageError> {
        let Some(found) = query.fetch_optional(&self.school.read).await? else { return Ok(None) };
        let mut account = account(&found)?;
        account.roles = self.roles(account.user).await?;
        Ok(Some(account))
    }

    async fn roles(&self, user: UserId) -> Result<Vec<SchoolRole>, StorageError> {
        let found = sqlx::query("SELECT role FROM person_role WHERE person = $1 ORDER BY role")
            .bind(user.to_string())
            .fetch_all(&self.school.read)
            .await?;
        found.iter().map(role).collect()
    }

    /// Remembers a signed-in browser and forgets those whose time is over. False: the account is not any more as it was when its
    /// password was checked.
    pub async fn add_sign_in(
        &self,
        token: &str,
        account: &Account,
        now: u64,
        expires_at: u64,
    ) -> Result<bool, StorageError> {
        let mut transaction = self.school.write.begin().await?;
        sqlx::query("DELETE FROM sign_in WHERE expires_at <= $1")
            .bind(now as i64)
            .execute(&mut *transaction)
            .await?;
        let added = sqlx::query(
            "INSERT INTO sign_in (token, person, expires_at) \
             SELECT CAST($1 AS TEXT), id, CAST($2 AS BIGINT) FROM person WHERE id = $3 AND password = $4 AND disabled = 0",
        )
        .bind(token.to_owned())
        .bind(expires_at as i64)
        .bind(account.user.to_string())
        .bind(account.password.clone())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(added.rows_affected() > 0)
    }

    pub async fn remove_sign_in(&self, token: &str) -> Result<(), StorageError> {
        let sql = "DELETE FROM sign_in WHERE token = $1";
        sqlx::query(sql).bind(token.to_owned()).execute(&self.school.write).await?;
        Ok(())
    }

    pub async fn school_by_id(&self, school: Uuid) -> Result<Option<SchoolRecord>, StorageError> {
        self.find_school(
            "SELECT id, code, name_ar, name_fr, name_en FROM school WHERE id = $1",
            school.to_string(),
        )
        .await
    }

    pub async fn school_by_code(&self, code: &str) -> Result<Option<SchoolRecord>, StorageError> {
        self.find_school(
            "SELECT id, code, name_ar, name_fr, name_en FROM school WHERE code = $1",
            code.to_owned(),
        )
        .await
    }

    async fn find_school(
        &self,
        sql: &'static str,
        key: String,
    ) -> Result<Option<SchoolRecord>, StorageError> {
        let found = sqlx::query(sql).bind(key).fetch_optional(&self.school.read).await?;
        found
            .map(|found| {
                let id = row::id(&found.try_get::<String, _>(0)?)?;
                Ok(SchoolRecord { id, code: found.try_get(1)?, name: localized(&found, 2)? })
            })
            .transpose()
    }
}

fn account(found: &AnyRow) -> Result<Account, StorageError> {
    Ok(Account {
        user: UserId(row::id(&found.try_get::<String, _>(0)?)?),
        school: row::id(&found.try_get::<String, _>(1)?)?,
        login: found.try_get(2)?,
        password: found.try_get(3)?,
        disabled: found.try_get::<i64, _>(4)? != 0,
        name: name(found, 5)?,
        roles: Vec::new(),
    })
}

fn role(found: &AnyRow) -> Result<SchoolRole, StorageError> {
    let name: String = found.try_get(0)?;
    SchoolRole::of_name(&name).ok_or(StorageError::Corrupt { what: "role", value: name })
}

/// Four columns: given and family name in Arabic, then in Latin letters.
pub(super) fn name(found: &AnyRow, at: usize) -> Result<Name, sqlx::Error> {
    let spelling = |at: usize| -> Result<Option<Spelling>, sqlx::Error> {
        let given: Option<String> = found.try_get(at)?;
        let family: Option<String> = found.try_get(at + 1)?;
        Ok(given.zip(family).map(|(given, family)| Spelling { given, family }))
    };
    Ok(Name { arabic: spelling(at)?, latin: spelling(at + 2)? })
}

/// Three columns: Arabic, French, English.
pub(super) fn localized(found: &AnyRow, at: usize) -> Result<Localized, sqlx::Error> {
    Ok(Localized { ar: found.try_get(at)?, fr: found.try_get(at + 1)?, en: found.try_get(at + 2)? })
}
