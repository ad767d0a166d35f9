//! A school is opened: itself, its subjects, its people and classes out of a table. All by an operator at the command line.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::civil::Date;
use qism_signaling::protocol::{UserId, snapshot::Localized};
use uuid::Uuid;

use super::{
    Broken, NewAccountError, School, SchoolRole,
    accounts::slip_password,
    new_account::{login, spelling},
    planning::LONGEST_DAYS,
    sheet::{Row, Sheet, SheetError},
    subjects::{class_named, subject_named, usual_subjects},
};
use crate::{
    auth::hash_now,
    storage::{
        ListedAccount, NewGroup, NewPeople, NewPerson, NewSchool, NewSubject, StorageError, Subject, Teaching,
    },
    telemetry::Redacted,
};

/// Columns of the table of people. Login and role are needed.
const COLUMNS: [&str; 8] =
    ["login", "role", "class", "subject", "given_arabic", "family_arabic", "given_latin", "family_latin"];
const LONGEST_CODE: usize = 20;

#[derive(Debug, thiserror::Error)]
pub enum OpeningError {
    #[error("{0:?} is no code of a school: letters and digits, at most {LONGEST_CODE}, e.g. 01234A")]
    Code(String),
    #[error("there is a school {0} already")]
    SchoolTaken(String),
    #[error("the school has that subject already: {0}")]
    SubjectTaken(String),
    #[error("a school and a subject need a name in Arabic and in French")]
    Name,
    #[error("from {from} to {to}: the second day is the later one, at most {LONGEST_DAYS} days on")]
    Days { from: Date, to: Date },
    #[error(transparent)]
    Sheet(#[from] SheetError),
    #[error(transparent)]
    Account(#[from] NewAccountError),
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl From<StorageError> for OpeningError {
    fn from(error: StorageError) -> Self {
        Self::Broken(error.into())
    }
}

/// What somebody needs to sign in for the first time.
pub struct Slip {
    pub login: String,
    pub password: Redacted<String>,
    pub class: String,
    /// As the table has it, Arabic before Latin.
    pub name: Redacted<String>,
}

/// What became of a table of people.
pub struct Enrolled {
    pub slips: Vec<Slip>,
    /// Classes that were made.
    pub classes: usize,
    /// Logins that were there already; they keep their passwords.
    pub known: usize,
    /// Of the table; for one like it.
    pub separator: char,
}

/// A table read, before anything is written.
struct Enrolment {
    school: Uuid,
    subjects: Vec<Subject>,
    /// The school's own people, by login.
    accounts: HashMap<String, ListedAccount>,
    /// Logins of other schools.
    others: HashSet<String>,
    groups: BTreeMap<String, Uuid>,
    /// Those that do not exist yet: the students of the table make them.
    new_groups: Vec<NewGroup>,
    people: Vec<NewPerson>,
    slips: Vec<Slip>,
    enrolled: Vec<(Uuid, UserId)>,
    teachings: Vec<Teaching>,
    /// Logins of the table, and whether they are students.
    seen: HashMap<String, (UserId, bool)>,
    known: usize,
}

impl School {
    /// A new school, with the subjects that are taught everywhere.
    pub async fn open_school(&self, code: &str, name: Localized) -> Result<(), OpeningError> {
        let code = code.trim();
        let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        if code.is_empty() || code.len() > LONGEST_CODE || !code.chars().all(fits) {
            return Err(OpeningError::Code(code.to_owned()));
        }
        if self.store.school_by_code(code).await?.is_some() {
            return Err(OpeningError::SchoolTaken(code.to_owned()));
        }
        let subjects = usual_subjects().map(|name| NewSubject { id: Uuid::now_v7(), name }).collect();
        let new = NewSchool {
            id: Uuid::now_v7(),
            code: code.to_owned(),
            name: named(name)?,
            subjects,
            people: Vec::new(),
            groups: Vec::new(),
            teachings: Vec::new(),
        };
        Ok(self.store.add_school(&new).await?)
    }

    /// One more subject.
    pub async fn add_subject(&self, school: Option<&str>, name: Localized) -> Result<(), OpeningError> {
        let school = self.only_school(school).await?.id;
        let name = named(name)?;
        if subject_named(&self.store.subjects(school).await?, &name.fr).is_ok() {
            return Err(OpeningError::SubjectTaken(name.fr));
        }
        Ok(self.store.add_subject(school, &NewSubject { id: Uuid::now_v7(), name }).await?)
    }

    /// Everybody of a table who is not there yet, with the classes of its students: all or nobody. Called again with a longer table it adds what is new.
    pub async fn enroll(&self, school: Option<&str>, table: &str) -> Result<Enrolled, OpeningError> {
        let sheet = Sheet::read(table, &COLUMNS, 2)?;
        let mut enrolment = self.enrolment(school).await?;
        // Teachers teach classes that students of any line may make.
        let (students, others): (Vec<_>, Vec<_>) =
            sheet.rows.iter().partition(|row| role(row).is_ok_and(|role| role == SchoolRole::Student));
        for row in students.into_iter().chain(others) {
            enrolment.take(row)?;
        }
        let Enrolment { school, new_groups, people, enrolled, teachings, slips, known, .. } = enrolment;
        let classes = new_groups.len();
        let new = NewPeople { school, groups: new_groups, people, enrolled, teachings };
        self.store.add_people(&new).await?;
        Ok(Enrolled { slips, classes, known, separator: sheet.separator })
    }

    async fn enrolment(&self, school: Option<&str>) -> Result<Enrolment, OpeningError> {
        let school = self.only_school(school).await?.id;
        let by_login = |accounts: Vec<ListedAccount>| {
            accounts.into_iter().map(|account| (account.login.clone(), account))
        };
        let accounts: HashMap<_, _> = by_login(self.store.accounts(Some(school)).await?).collect();
        let all = by_login(self.store.accounts(None).await?).map(|(login, _)| login);
        Ok(Enrolment {
            school,
            subjects: self.store.subjects(school).await?,
            others: all.filter(|login| !accounts.contains_key(login)).collect(),
            accounts,
            groups: self.store.groups(school).await?,
            new_groups: Vec::new(),
            people: Vec::new(),
            slips: Vec::new(),
            enrolled: Vec::new(),
            teachings: Vec::new(),
            seen: HashMap::new(),
            known: 0,
        })
    }
}

impl Enrolment {
    fn take(&mut self, row: &Row) -> Result<(), OpeningError> {
        let told = |error: NewAccountError| row.error(error.to_string());
        let login = login(row.needed("login")?).map_err(told)?;
        let role = role(row)?;
        let user = self.person(row, &login, role)?;
        match role {
            SchoolRole::Student => self.student(row, &login, user),
            SchoolRole::Teacher => self.teacher(row, user),
            _ if row.cell("class").is_empty() && row.cell("subject").is_empty() => Ok(()),
            _ => Err(told(NewAccountError::NoClasses).into()),
        }
    }

    /// Whose login it is; somebody new where nobody has it.
    fn person(&mut self, row: &Row, login: &str, role: SchoolRole) -> Result<UserId, OpeningError> {
        let is_teacher = role == SchoolRole::Teacher;
        match self.seen.get(login) {
            Some((user, true)) if is_teacher => return Ok(*user),
            Some(_) => return Err(row.error(format!("the login {login} is there twice")).into()),
            None => {}
        }
        if self.others.contains(login) {
            return Err(row.error(format!("somebody of another school has the login {login}")).into());
        }
        let known = self.accounts.get(login);
        if known.is_some_and(|known| !known.roles.contains(&role)) {
            return Err(row.error(format!("{login} is there already, and is no {}", role.name())).into());
        }
        let known = known.map(|known| known.user);
        let user = known.unwrap_or_else(|| UserId(Uuid::now_v7()));
        self.seen.insert(login.to_owned(), (user, is_teacher));
        match known {
            Some(_) => self.known += 1,
            None => self.newcomer(row, login, role, user)?,
        }
        Ok(user)
    }

    fn newcomer(
        &mut self,
        row: &Row,
        login: &str,
        role: SchoolRole,
        user: UserId,
    ) -> Result<(), OpeningError> {
        let name = name(row)?;
        let password = slip_password();
        let hash = hash_now(&password).map_err(Broken::from)?;
        let shown = [&name.arabic, &name.latin].into_iter().flatten().next();
        self.slips.push(Slip {
            login: login.to_owned(),
            password: Redacted::new(password),
            class: row.cell("class").to_owned(),
            name: Redacted::new(
                shown.map(|name| format!("{} {}", name.given, name.family)).unwrap_or_default(),
            ),
        });
        self.people.push(NewPerson { user, login: login.to_owned(), password: hash, name, role });
        Ok(())
    }

    fn student(&mut self, row: &Row, login: &str, user: UserId) -> Result<(), OpeningError> {
        if row.cell("class").is_empty() || !row.cell("subject").is_empty() {
            return Err(row.error("a student is in one class, and has no subject").into());
        }
        if self.accounts.contains_key(login) {
            return Ok(());
        }
        let class = row.cell("class");
        let new_groups = &mut self.new_groups;
        let group = *self.groups.entry(class.to_owned()).or_insert_with(|| {
            let id = Uuid::now_v7();
            new_groups.push(NewGroup { id, name: class.to_owned(), students: Vec::new() });
            id
        });
        self.enrolled.push((group, user));
        Ok(())
    }

    fn teacher(&mut self, row: &Row, teacher: UserId) -> Result<(), OpeningError> {
        let (class, wanted) = (row.cell("class"), row.cell("subject"));
        if class.is_empty() || wanted.is_empty() {
            return Err(row.error("a teacher has a class and a subject; a line for each of them").into());
        }
        let told = |error: NewAccountError| row.error(error.to_string());
        let group = class_named(&self.groups, class).map_err(told)?;
        let subject = subject_named(&self.subjects, wanted).map_err(told)?.subject;
        self.teachings.push(Teaching { teacher, group, subject });
        Ok(())
    }
}

fn role(row: &Row) -> Result<SchoolRole, SheetError> {
    let word = row.needed("role")?.to_lowercase();
    SchoolRole::of_name(&word).ok_or_else(|| {
        row.error(format!("{word:?} is no role: {}", SchoolRole::names().collect::<Vec<_>>().join(", ")))
    })
}

fn name(row: &Row) -> Result<qism_signaling::protocol::Name, SheetError> {
    let pair = |script: &str| {
        let part = |which: &str| row.cell(&format!("{which}_{script}")).to_owned();
        let pair = (part("given"), part("family"));
        (pair != (String::new(), String::new())).then_some(pair)
    };
    let spelled = |pair| spelling(pair).map_err(|error| row.error(error.to_string()));
    let (arabic, latin) = (spelled(pair("arabic"))?, spelled(pair("latin"))?);
    if arabic.is_none() && latin.is_none() {
        return Err(row.error("a given and a family name are needed, in Arabic or Latin letters"));
    }
    Ok(qism_signaling::protocol::Name { arabic, latin })
}

/// In all three languages: the English one is the French one where nothing else is told.
fn named(name: Localized) -> Result<Localized, OpeningError> {
    let [ar, fr, en] = [name.ar, name.fr, name.en].map(|name| name.trim().to_owned());
    if ar.is_empty() || fr.is_empty() {
        return Err(OpeningError::Name);
    }
    let en = if en.is_empty() { fr.clone() } else { en };
    Ok(Localized { ar, fr, en })
}
