//! `qism school`: makes a school and fills it out of tables; a running server notices by itself.

use std::{fmt::Write as _, path::Path};

use anyhow::Context as _;
use qism_signaling::protocol::snapshot::Localized;

use super::accounts::{print_all, school_beside};
use crate::{
    config::cli::{self, InLanguages, SchoolAction},
    school::{Enrolled, Planned, School, Slip},
};

pub async fn school(options: cli::School) -> anyhow::Result<()> {
    let (store, school) = school_beside(options.config.as_deref(), options.data.as_deref()).await?;
    let said = act(&school, options.action).await?;
    store.close().await;
    print_all(&said)
}

/// Does it; gives what the operator reads.
async fn act(school: &School, action: SchoolAction) -> anyhow::Result<String> {
    Ok(match action {
        SchoolAction::Add { code, name } => {
            school.open_school(&code, localized(name)).await?;
            format!("school {} is there; next: qism school people --help\n", code.trim())
        }
        SchoolAction::Subject { name, school: which } => {
            school.add_subject(which.school.as_deref(), localized(name)).await?;
            "the subject is added\n".to_owned()
        }
        SchoolAction::People { table, school: which } => {
            let text = read(&table)?;
            let enrolled = school.enroll(which.school.as_deref(), &text).await;
            let enrolled = enrolled.with_context(|| table.display().to_string())?;
            let Enrolled { classes, known, .. } = enrolled;
            // Not into the table of slips.
            eprintln!(
                "{} people and {classes} classes added; {known} were there already",
                enrolled.slips.len()
            );
            slips(&enrolled)
        }
        SchoolAction::Timetable { table, from, to, school: which } => {
            let text = read(&table)?;
            let planned = school.plan_week(which.school.as_deref(), &text, from, to).await;
            let Planned { added, kept, removed } = planned.with_context(|| table.display().to_string())?;
            format!("{added} lessons added, {removed} taken away, {kept} as before\n")
        }
    })
}

fn localized(name: InLanguages) -> Localized {
    Localized { ar: name.arabic, fr: name.french, en: name.english }
}

fn read(table: &Path) -> anyhow::Result<String> {
    let told = || table.display().to_string();
    let bytes = std::fs::read(table).with_context(told)?;
    String::from_utf8(bytes).ok().with_context(|| {
        format!("{}: not a table in UTF-8; save it in the spreadsheet as \"CSV UTF-8\"", table.display())
    })
}

/// A table for the slips of everybody who is new; nothing where nobody is.
fn slips(enrolled: &Enrolled) -> String {
    let mut text = String::new();
    let mut line = |cells: [&str; 4]| {
        let cells = cells.map(|cell| quoted(cell, enrolled.separator));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", cells.join(&enrolled.separator.to_string()));
    };
    if !enrolled.slips.is_empty() {
        // Spreadsheets read Arabic right only behind this mark.
        line(["\u{feff}login", "password", "class", "name"]);
    }
    for Slip { login, password, class, name } in &enrolled.slips {
        line([login, password.reveal(), class, name.reveal()]);
    }
    text
}

fn quoted(cell: &str, separator: char) -> String {
    match cell.contains([separator, '"', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}
