//! A school comes to be by the program alone, as a school's computer teacher makes it: beside the server, out of two tables.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    process::{Command, Output},
};

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use qism_signaling::protocol::SessionId;
use serde_json::json;
use uuid::Uuid;

use crate::server::{Person, Server};

const PEOPLE: &str = "\
login;role;class;subject;given_arabic;family_arabic;given_latin;family_latin
N.Bennani;teacher;1APIC-1;Mathématiques;نادية;بناني;Nadia;Bennani
n.bennani;teacher;1APIC-2;mathématiques;;;;
s.alaoui;student;1APIC-1;;سلمى;العلوي;Salma;Alaoui
y.amrani;student;1APIC-2;;;;Yassine;Amrani
direction;director;;;;;Fatima;El Mernissi
";

/// The program in a process of its own, as it is called by hand.
async fn school(data: &Path, words: &[&str]) -> Output {
    let data = data.to_owned();
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let run = move || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_qism"));
        program.arg("school").args(words).arg("--data").arg(data).output().expect("the program runs")
    };
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A server whose school is there, and a folder for tables.
struct Opened {
    server: Server,
    tables: tempfile::TempDir,
}

impl Opened {
    async fn new() -> Self {
        let server = Server::start().await;
        let words = ["add", "01234A", "--arabic", "إعدادية ابن بطوطة", "--french", "Collège Ibn Battouta"];
        stdout(&school(server.data(), &words).await);
        Self { server, tables: tempfile::tempdir().expect("a folder") }
    }

    async fn people(&self, table: &str) -> Output {
        let path = self.tables.path().join("people.csv");
        fs::write(&path, table).expect("written");
        school(self.server.data(), &["people", path.to_str().expect("text")]).await
    }

    /// First passwords by login.
    async fn slips(&self, table: &str) -> HashMap<String, String> {
        let told = stdout(&self.people(table).await);
        let slip = |line: &str| {
            let mut cells = line.split(';').map(str::to_owned);
            cells.next().zip(cells.next()).expect("a login and a password")
        };
        told.lines().skip(1).map(slip).collect()
    }

    /// From yesterday until the day after tomorrow.
    async fn week(&self, lines: &str) -> Output {
        let path = self.tables.path().join("week.csv");
        fs::write(&path, format!("day;from;to;class;subject;teacher\n{lines}")).expect("written");
        let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
        let days = [today.saturating_sub(1.day()), today.saturating_add(2.days())].map(|day| day.to_string());
        let words = ["timetable", path.to_str().expect("text"), "--from", &days[0], "--to", &days[1]];
        school(self.server.data(), &words).await
    }

    async fn signed_in(&self, login: &str, slips: &HashMap<String, String>) -> Person {
        let person = self.server.stranger();
        let body = json!({ "login": login, "password": slips[login] });
        assert_eq!(person.post("/api/session", &body).await.status(), 200, "{login} signs in");
        person
    }
}

/// A lesson on each day, all day long: there is one now whenever the test runs.
fn every_day(subject: &str) -> String {
    let days = ["lundi", "الثلاثاء", "Mercredi", "jeudi", "friday", "samedi", "dimanche"];
    days.map(|day| format!("{day};0h;23:59;1APIC-1;{subject};n.bennani\n")).concat()
}

#[tokio::test]
async fn a_school_is_made_of_two_tables_and_its_lesson_is_held() {
    let opened = Opened::new().await;
    let slips = opened.slips(PEOPLE).await;
    assert_eq!(slips.len(), 4, "the teacher's second line is the same person");
    let told = stdout(&opened.week(&every_day("Mathématiques")).await);
    let added: u32 = told.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    assert!((2..=3).contains(&added), "what is over is not made: {told}");
    let (teacher, student) =
        (opened.signed_in("n.bennani", &slips).await, opened.signed_in("s.alaoui", &slips).await);
    let lesson = teacher.first_lesson().await;
    assert_eq!(student.first_lesson().await, lesson);
    for person in [&teacher, &student] {
        opened.server.enter_lesson(person, lesson, SessionId(Uuid::now_v7()), None).await;
    }
    let again = stdout(&opened.week(&every_day("mathématiques")).await);
    assert!(again.starts_with("0 lessons added, 0 taken away"), "{again}");
    let other = stdout(&opened.week("").await);
    assert!(other.starts_with("0 lessons added") && !other.contains(" 0 taken away"), "{other}");
    assert_eq!(teacher.first_lesson().await, lesson, "what has begun stays");
}

#[tokio::test]
async fn a_longer_table_adds_who_is_new_and_leaves_all_others() {
    let opened = Opened::new().await;
    let slips = opened.slips(PEOPLE).await;
    let more = format!(
        "{PEOPLE}h.idrissi;student;1APIC-3;;;;Hind;Idrissi\n\"n.bennani\";teacher;1APIC-3;Français;;;;\n"
    );
    let new = opened.slips(&more).await;
    assert_eq!(new.keys().collect::<Vec<_>>(), ["h.idrissi"]);
    let teacher = opened.signed_in("n.bennani", &slips).await;
    let today: serde_json::Value = teacher.get("/api/lessons").await.json().await.expect("JSON");
    let groups = today["groups"].as_array().expect("groups");
    assert_eq!(groups.len(), 3, "she teaches one class more: {today}");
}

#[tokio::test]
async fn a_mistake_in_a_table_is_told_with_its_line_and_nothing_is_written() {
    let opened = Opened::new().await;
    let head = PEOPLE.lines().next().expect("a first line");
    for (line, word) in [
        ("a;pupil;1APIC-1;;;;A;B", "line 2: \"pupil\" is no role"),
        ("a;student;;;;;A;B", "line 2: a student is in one class"),
        ("a;student;1APIC-1;;;;A;", "line 2: a name needs a given and a family name"),
        ("a b;student;1APIC-1;;;;A;B", "line 2: \"a b\" cannot be a login"),
        ("a;teacher;1APIC-1;Français;;;A;B", "line 2: the school has no class 1APIC-1"),
        (
            "a;student;1APIC-1;;;;A;B\nt;teacher;1APIC-1;Alchimie;;;A;B",
            "line 3: the school has no subject Alchimie",
        ),
        ("a;student;1APIC-1;;;;A;B\nA;student;1APIC-2;;;;A;B", "line 3: the login a is there twice"),
    ] {
        let output = opened.people(&format!("{head}\n{line}\n")).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(1) && told.contains("people.csv: ") && told.contains(word),
            "{told}"
        );
    }
    assert_eq!(opened.slips(PEOPLE).await.len(), 4, "nobody is there from before");
    for (line, word) in [
        ("lundi;8h;9h;2APIC-9;Français;n.bennani\n", "line 2: the school has no class 2APIC-9"),
        (
            "lundi;8h;9h;1APIC-1;Français;s.alaoui\n",
            "line 2: the school has no teacher with the login s.alaoui",
        ),
    ] {
        let output = opened.week(line).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && told.contains(word), "{told}");
    }
    let other = ["add", "05678B", "--arabic", "ثانوية", "--french", "Lycée"];
    stdout(&school(opened.server.data(), &other).await);
    let path = opened.tables.path().join("people.csv");
    fs::write(&path, format!("{head}\ns.alaoui;teacher;1APIC-1;Arabe;;;A;B\n")).expect("written");
    for (code, word) in [
        (None, "say which school by --school: 01234A, 05678B"),
        (Some("01234A"), "line 2: s.alaoui is there already, and is no teacher"),
        (Some("05678B"), "line 2: somebody of another school has the login s.alaoui"),
    ] {
        let mut words = vec!["people", path.to_str().expect("text")];
        words.extend(code.into_iter().flat_map(|code| ["--school", code]));
        let output = school(opened.server.data(), &words).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && told.contains(word), "{told}");
    }
    fs::write(&path, b"login;role\n\xe9l\xe8ve;student\n").expect("written");
    let words = ["people", path.to_str().expect("text"), "--school", "01234A"];
    let output = school(opened.server.data(), &words).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("CSV UTF-8"));
}

#[tokio::test]
async fn the_example_tables_make_a_school() {
    let opened = Opened::new().await;
    let slips = opened.slips(include_str!("../../config/examples/people.csv")).await;
    assert_eq!(slips.len(), 5);
    let week = include_str!("../../config/examples/week.csv").lines().skip(1);
    stdout(&opened.week(&week.map(|line| format!("{line}\n")).collect::<String>()).await);
}
