//! Accounts made one by one at the command line, and the list of them.

use qism_signaling::protocol::{Name, UserId, snapshot::Spelling};
use uuid::Uuid;

use super::{
    Broken, School, SchoolRole,
    accounts::slip_password,
    subjects::{class_named, subject_named},
};
use crate::{
    auth::hash_now,
    storage::{AddedPerson, ListedAccount, NewPerson, SchoolRecord, StorageError, Teaching},
    telemetry::Redacted,
};

/// Longest login and longest part of a name, in characters.
const MAX_CHARS: usize = 100;

/// What the operator knows of a new person.
pub struct Wanted {
    pub login: String,
    pub role: SchoolRole,
    /// Given and family name, or nothing.
    pub arabic: Option<(String, String)>,
    pub latin: Option<(String, String)>,
    pub classes: Vec<String>,
    pub subject: Option<String>,
    /// GRESA; where there is one school it goes without saying.
    pub school: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum NewAccountError {
    #[error("{0:?} cannot be a login: letters, digits, . _ - @, at most {MAX_CHARS} of them")]
    Login(String),
    #[error("a name needs a given and a family name of at most {MAX_CHARS} letters each")]
    Name,
    #[error("somebody has the login {0} already")]
    Taken(String),
    #[error(
        "this store holds no school yet; make it first: qism school add CODE --arabic NAME --french NAME"
    )]
    NoSchool,
    #[error("say which school by --school: {0}")]
    WhichSchool(String),
    #[error("the school has no class {wanted}; it has: {known}")]
    UnknownClass { wanted: String, known: String },
    #[error("the school has no subject {wanted}; it has: {known}")]
    UnknownSubject { wanted: String, known: String },
    #[error("a student is in one class: --class CLASS")]
    StudentsClass,
    #[error("a teacher teaches a subject to classes: --subject SUBJECT --class CLASS (--class CLASS …)")]
    TeachersClasses,
    #[error("only students and teachers have classes and subjects")]
    NoClasses,
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl From<StorageError> for NewAccountError {
    fn from(error: StorageError) -> Self {
        Self::Broken(error.into())
    }
}

impl School {
    /// Everybody with this role and of this class, in the order in which a person would look for them.
    pub async fn accounts(
        &self,
        role: Option<SchoolRole>,
        class: Option<&str>,
    ) -> Result<Vec<ListedAccount>, Broken> {
        let mut accounts = self.store.accounts(None).await?;
        accounts.retain(|account| role.is_none_or(|role| account.roles.contains(&role)));
        accounts
            .retain(|account| class.is_none_or(|class| account.groups.iter().any(|group| group == class)));
        accounts.sort_by_key(|account| {
            (
                account.roles.first().map(|role| role.name()),
                account.groups.first().cloned(),
                counted(&account.login),
            )
        });
        Ok(accounts)
    }

    /// Makes the account; gives its password at random, for a slip.
    pub async fn add_account(&self, wanted: Wanted) -> Result<Redacted<String>, NewAccountError> {
        let login = login(&wanted.login)?;
        let name = Name { arabic: spelling(wanted.arabic)?, latin: spelling(wanted.latin)? };
        let school = self.only_school(wanted.school.as_deref()).await?.id;
        let groups = self.groups(school, &wanted.classes).await?;
        let user = UserId(Uuid::now_v7());
        let (enrolled, teachings) = match (wanted.role, groups.as_slice(), wanted.subject) {
            (SchoolRole::Student, [group], None) => (Some(*group), Vec::new()),
            (SchoolRole::Student, ..) => return Err(NewAccountError::StudentsClass),
            (SchoolRole::Teacher, [_, ..], Some(subject)) => {
                let subject = self.subject(school, &subject).await?;
                (
                    None,
                    groups.iter().map(|group| Teaching { teacher: user, group: *group, subject }).collect(),
                )
            }
            (SchoolRole::Teacher, ..) => return Err(NewAccountError::TeachersClasses),
            (_, [], None) => (None, Vec::new()),
            _ => return Err(NewAccountError::NoClasses),
        };
        let password = slip_password();
        let hash = hash_now(&password).map_err(Broken::from)?;
        let person = NewPerson { user, login: login.clone(), password: hash, name, role: wanted.role };
        if !self.store.add_person(&AddedPerson { school, person, enrolled, teachings }).await? {
            return Err(NewAccountError::Taken(login));
        }
        Ok(Redacted::new(password))
    }

    pub(super) async fn only_school(&self, code: Option<&str>) -> Result<SchoolRecord, NewAccountError> {
        let mut schools = self.store.schools().await?;
        let codes: Vec<String> = schools.iter().map(|school| school.code.clone()).collect();
        schools.retain(|school| code.is_none_or(|code| school.code == code));
        match (codes.len(), schools.len()) {
            (0, _) => Err(NewAccountError::NoSchool),
            // Invariant: one is there.
            (_, 1) => Ok(schools.remove(0)),
            _ => Err(NewAccountError::WhichSchool(codes.join(", "))),
        }
    }

    async fn groups(&self, school: Uuid, classes: &[String]) -> Result<Vec<Uuid>, NewAccountError> {
        let known = self.store.groups(school).await?;
        let mut groups = Vec::new();
        for class in classes {
            let group = class_named(&known, class)?;
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        Ok(groups)
    }

    async fn subject(&self, school: Uuid, wanted: &str) -> Result<Uuid, NewAccountError> {
        Ok(subject_named(&self.store.subjects(school).await?, wanted)?.subject)
    }
}

/// As it is kept: sign-in takes both cases.
pub(super) fn login(typed: &str) -> Result<String, NewAccountError> {
    let login = typed.trim().to_lowercase();
    let fits = |letter: char| letter.is_alphanumeric() || "._-@".contains(letter);
    let is_login = !login.is_empty() && login.chars().count() <= MAX_CHARS && login.chars().all(fits);
    is_login.then_some(login).ok_or_else(|| NewAccountError::Login(typed.to_owned()))
}

pub(super) fn spelling(name: Option<(String, String)>) -> Result<Option<Spelling>, NewAccountError> {
    let fits = |part: &str| {
        !part.is_empty() && part.chars().count() <= MAX_CHARS && !part.chars().any(char::is_control)
    };
    let part =
        |part: &str| Some(part.trim().to_owned()).filter(|part| fits(part)).ok_or(NewAccountError::Name);
    name.map(|(given, family)| Ok(Spelling { given: part(&given)?, family: part(&family)? })).transpose()
}

/// `student2` comes before `student10`.
fn counted(login: &str) -> (String, u64, String) {
    let word = login.trim_end_matches(|letter: char| letter.is_ascii_digit());
    (word.to_owned(), login[word.len()..].parse().unwrap_or(0), login.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_kept_small_and_holds_nothing_that_a_slip_cannot_show() {
        assert_eq!(login(" S.Alaoui@Taalim.ma ").ok().as_deref(), Some("s.alaoui@taalim.ma"));
        for wrong in ["", "two words", "a\tb", "nul\0", &"a".repeat(MAX_CHARS + 1)] {
            assert!(login(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_name_has_two_parts() {
        let pair = |given: &str, family: &str| Some((given.to_owned(), family.to_owned()));
        assert!(spelling(None).is_ok_and(|name| name.is_none()));
        assert!(
            spelling(pair("سلمى", " العلوي ")).is_ok_and(|name| name.is_some_and(|n| n.family == "العلوي"))
        );
        assert!(spelling(pair("سلمى", " ")).is_err());
    }

    #[test]
    fn logins_are_sorted_as_people_count() {
        let mut logins = ["student10", "student2", "director", "student1"];
        logins.sort_by_key(|login| counted(login));
        assert_eq!(logins, ["director", "student1", "student2", "student10"]);
    }
}
