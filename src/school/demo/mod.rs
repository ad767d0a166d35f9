//! The demonstration school: a collège with a director, a supervisor, four teachers and three classes of thirty, whose lessons are
//! now. Made once per data folder; lessons are added whenever the old ones are over.

mod names;
mod timetable;

use qism_signaling::protocol::{Name, UserId, snapshot::Localized};
use uuid::Uuid;

use super::{Broken, School, SchoolRole, subjects::usual_subjects};
use crate::{
    auth::hash_now,
    storage::{AddedPerson, NewGroup, NewPerson, NewSchool, NewSubject, Teaching},
};

/// Everybody's password in the demonstration.
pub const PASSWORD: &str = "qism-demo";
const CODE: &str = "01234A";

const CLASSES: [&str; 3] = ["1APIC-1", "2APIC-1", "3APIC-2"];

/// How many people a demonstration has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Each has a lesson now, by a teacher of its own.
    pub classes: usize,
    pub students_per_class: usize,
}

impl Size {
    /// Unless more are asked for (to load it).
    pub const SCHOOL: Self = Self { classes: CLASSES.len(), students_per_class: 30 };

    /// One of them has no lesson now and starts one by hand.
    fn teachers(self) -> usize {
        self.classes + 1
    }

    /// Names of the classes.
    fn classes(self) -> impl Iterator<Item = String> {
        let more = (CLASSES.len()..).map(|index| format!("{}APIC-{}", index % 3 + 1, index / 3 + 2));
        CLASSES.map(str::to_owned).into_iter().chain(more).take(self.classes)
    }
}

const ADMINISTRATOR: &str = "administrator";

/// Logins to print, with what each of them is.
#[derive(Clone, Copy, Debug)]
pub struct SignIn {
    pub login: &'static str,
    pub who: &'static str,
}

/// One of each kind; more are numbered alike.
pub const SIGN_INS: [SignIn; 8] = [
    SignIn {
        login: "teacher1",
        who: "teacher, mathematics, lesson with 1APIC-1 now (also teacher2, teacher3)",
    },
    SignIn { login: "teacher4", who: "teacher without a lesson now: start now" },
    SignIn { login: "student1", who: "student of 1APIC-1 (student1 to student30)" },
    SignIn { login: "student31", who: "student of 2APIC-1 (student31 to student60)" },
    SignIn { login: "student61", who: "student of 3APIC-2 (student61 to student90)" },
    SignIn { login: "director", who: "director" },
    SignIn { login: "supervisor", who: "supervisor" },
    SignIn { login: ADMINISTRATOR, who: "administrator: the servers and what goes on" },
];

impl School {
    /// Makes the demonstration school if it is not there, and lessons that are now if there are none.
    pub async fn prepare_demo(&self, size: Size) -> Result<(), Broken> {
        match self.store.school_by_code(CODE).await? {
            None => self.store.add_school(&demo_school(size)?).await?,
            // Demonstrations made by earlier versions have none.
            Some(school) if self.store.account_by_login(ADMINISTRATOR).await?.is_none() => {
                let person = administrator(hash_now(PASSWORD)?);
                let new = AddedPerson { school: school.id, person, enrolled: None, teachings: Vec::new() };
                self.store.add_person(&new).await?;
            }
            Some(_) => {}
        }
        self.begin_demo_lessons(size).await
    }
}

/// The same id in every demonstration: tests and bookmarks can rely on it.
fn id(of: &str) -> Uuid {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(format!("qism-demo {of}").as_bytes());
    let bytes: [u8; 16] = std::array::from_fn(|at| hash[at]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn person_id(login: &str) -> UserId {
    UserId(id(login))
}

fn group_id(class: &str) -> Uuid {
    id(class)
}

fn teacher_login(index: usize) -> String {
    format!("teacher{}", index + 1)
}

fn student_login(index: usize) -> String {
    format!("student{}", index + 1)
}

fn administrator(password: String) -> NewPerson {
    NewPerson {
        user: person_id(ADMINISTRATOR),
        login: ADMINISTRATOR.into(),
        password,
        name: names::both(("سعيد", "Said"), ("التازي", "Tazi")),
        role: SchoolRole::Administrator,
    }
}

fn demo_school(size: Size) -> Result<NewSchool, Broken> {
    // One hash for all: a hundred of them would take seconds, and the password is printed anyway.
    let password = hash_now(PASSWORD)?;
    let person = |login: String, name: Name, role: SchoolRole| NewPerson {
        user: person_id(&login),
        login,
        password: password.clone(),
        name,
        role,
    };
    let director = names::both(("فاطمة الزهراء", "Fatima Zahra"), ("المرنيسي", "El Mernissi"));
    let supervisor = names::both(("عبد الرحيم", "Abderrahim"), ("الحلوي", "El Haloui"));
    let mut people = vec![
        administrator(password.clone()),
        person("director".into(), director, SchoolRole::Director),
        person("supervisor".into(), supervisor, SchoolRole::Supervisor),
    ];
    people.extend(
        teachers(size)
            .enumerate()
            .map(|(index, name)| person(teacher_login(index), name, SchoolRole::Teacher)),
    );
    let students = size.classes * size.students_per_class;
    people.extend(
        (0..students).map(|index| person(student_login(index), names::student(index), SchoolRole::Student)),
    );
    Ok(NewSchool {
        id: id(CODE),
        code: CODE.into(),
        name: text(
            "الثانوية الإعدادية ابن بطوطة",
            "Collège Ibn Battouta",
            "Ibn Battouta Lower Secondary School",
        ),
        subjects: subjects(),
        people,
        groups: groups(size),
        teachings: teachings(size),
    })
}

/// More than four bear names of students.
fn teachers(size: Size) -> impl Iterator<Item = Name> {
    let known = [
        names::both(("نادية", "Nadia"), ("بناني", "Bennani")),
        names::both(("يوسف", "Youssef"), ("أمغار", "Amghar")),
        names::both(("حنان", "Hanane"), ("الزروالي", "Zerouali")),
        names::both(("محمد", "Mohammed"), ("لعروسي", "Laaroussi")),
    ];
    known.into_iter().chain((0..).map(names::student)).take(size.teachers())
}

fn groups(size: Size) -> Vec<NewGroup> {
    let of_class = size.students_per_class;
    let group = |(index, name): (usize, String)| NewGroup {
        id: group_id(&name),
        students: (0..of_class).map(|n| person_id(&student_login(index * of_class + n))).collect(),
        name,
    };
    size.classes().enumerate().map(group).collect()
}

/// One for each of the first teachers.
fn subjects() -> Vec<NewSubject> {
    usual_subjects().take(4).map(|name| NewSubject { id: id(&name.en), name }).collect()
}

/// Four teachers teach one subject each to the first classes; each further one, theirs to their own class.
fn teachings(size: Size) -> Vec<Teaching> {
    let subjects = subjects();
    let teaching = |index: usize, class: &str| Teaching {
        teacher: person_id(&teacher_login(index)),
        group: group_id(class),
        subject: subjects[index % subjects.len()].id,
    };
    let first = (0..size.teachers().min(4)).flat_map(|index| CLASSES.map(|class| teaching(index, class)));
    let further = size.classes().enumerate().skip(CLASSES.len());
    let own = further.map(|(index, class)| teaching(teacher_of(index), &class));
    first.chain(own).collect()
}

/// The teacher of a class's lesson of now: the fourth has none.
fn teacher_of(class: usize) -> usize {
    if class < CLASSES.len() { class } else { class + 1 }
}

fn text(ar: &str, fr: &str, en: &str) -> Localized {
    Localized { ar: ar.into(), fr: fr.into(), en: en.into() }
}
