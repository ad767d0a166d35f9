//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::civil::Date;

use crate::{
    probe::{Address, LessonChoice},
    school::SchoolRole,
};

/// A live classroom server for schools.
#[derive(Debug, Parser)]
#[command(name = "qism", version, about, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Try it:         qism demo
Run a school:   qism check-config --config qism.toml && qism serve --config qism.toml
Fill it:        qism school --help

Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is wrong.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a school.
    Serve(Serve),
    /// Serve a demonstration school whose lessons are now, and print its sign-ins.
    Demo(Demo),
    /// Make a school; read its people and its timetable from tables: also while the server runs.
    School(School),
    /// List, add, disable, enable or erase accounts, replace a password, move a student: also while the server runs.
    User(User),
    /// Copy the store into a new folder, also while the server runs.
    Backup(Copy),
    /// Put such a copy in the place of the store. The server must not run; what was there is kept beside it.
    Restore(Restore),
    /// Move lessons into the databases that storage.url names for their schools, after it was changed. No server may run, but for --ahead.
    Transfer(Transfer),
    /// Read a configuration, say whether it can be used, and stop.
    CheckConfig(CheckConfig),
    /// Ask the server of a configuration, on this machine, whether it lives. Exit code 1: it does not.
    Health(Health),
    /// Join a lesson of a running server as a real peer; tell what arrives and how fast. Exit code 1: something does not.
    Probe(Probe),
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Configuration, TOML. Without it the defaults hold; see the commented config/default.toml.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve the browser app from this folder instead of the one inside the program.
    #[arg(long, value_name = "DIR")]
    pub web_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Address and port. To let phones on the same Wi-Fi in: --listen 0.0.0.0:7880 --https
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7880")]
    pub listen: SocketAddr,
    /// Configuration, TOML, for what the other options do not set: relays, ports, limits. One of a cluster says everything: store and addresses too.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the demonstration school is kept.
    #[arg(long, value_name = "DIR", default_value = "data/demo")]
    pub data: PathBuf,
    /// HTTPS with a self-made certificate; browsers warn once. Needed for microphones of other devices.
    #[arg(long)]
    pub https: bool,
    /// A larger school, to load the server (only when the data folder is new).
    #[arg(long, value_name = "N", default_value_t = crate::school::demo::Size::SCHOOL.students_per_class, hide = true)]
    pub students_per_class: usize,
    /// More classes, each with a lesson now.
    #[arg(long, value_name = "N", default_value_t = crate::school::demo::Size::SCHOOL.classes, hide = true)]
    pub classes: usize,
    /// Serve the browser app from this folder instead of the one inside the program.
    #[arg(long, value_name = "DIR")]
    pub web_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Health {
    /// Configuration of the server; without it the defaults hold.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Ask whether it takes new people, too: its database answers, and it is not about to stop.
    #[arg(long)]
    pub ready: bool,
}

#[derive(Debug, Args)]
#[command(after_help = SCHOOL_HELP)]
pub struct School {
    #[command(subcommand)]
    pub action: SchoolAction,
    /// Configuration of the server; without it the defaults hold.
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "data")]
    pub config: Option<PathBuf>,
    /// Folder of a demonstration school.
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
}

/// How a school comes to be.
#[derive(Debug, Subcommand)]
pub enum SchoolAction {
    /// Make a school, with the subjects that are usual in Morocco.
    Add {
        /// Its GRESA code.
        code: String,
        #[command(flatten)]
        name: InLanguages,
    },
    /// Add a subject that is not among the usual ones.
    Subject {
        #[command(flatten)]
        name: InLanguages,
        #[command(flatten)]
        school: Which,
    },
    /// Read people and classes from a table; print the first passwords of those who are new, as a table for slips.
    #[command(after_help = PEOPLE_HELP)]
    People {
        /// CSV in UTF-8.
        table: PathBuf,
        #[command(flatten)]
        school: Which,
    },
    /// Read the timetable of a week from a table: between two days the school's lessons are these from now on.
    #[command(after_help = TIMETABLE_HELP)]
    Timetable {
        /// CSV in UTF-8.
        table: PathBuf,
        /// The first day, as 2026-09-07.
        #[arg(long, value_name = "DATE", value_parser = date)]
        from: Date,
        /// The last day.
        #[arg(long, value_name = "DATE", value_parser = date)]
        to: Date,
        #[command(flatten)]
        school: Which,
    },
}

/// The name of a school or a subject.
#[derive(Debug, Args)]
pub struct InLanguages {
    #[arg(long, value_name = "NAME")]
    pub arabic: String,
    #[arg(long, value_name = "NAME")]
    pub french: String,
    /// Without it the French one is shown in English, too.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub english: String,
}

#[derive(Debug, Args)]
pub struct Which {
    /// GRESA of the school; needed only where the store holds several.
    #[arg(long, value_name = "CODE")]
    pub school: Option<String>,
}

const SCHOOL_HELP: &str = "\
A new school, while its server runs:
  qism school add 01234A --arabic \"إعدادية ابن بطوطة\" --french \"Collège Ibn Battouta\"
  qism school people people.csv > slips.csv
  qism school timetable week.csv --from 2026-09-07 --to 2027-06-30";

const PEOPLE_HELP: &str = "\
The first line names the columns: login, role, class, subject, given_arabic, family_arabic, given_latin, family_latin.
Names in one script are enough. A student has one line, with a class, which is made where there is none yet; a teacher one
for each class and subject; anybody else neither. Who is there already keeps account, password and class.
  login;role;class;subject;given_arabic;family_arabic;given_latin;family_latin
  s.alaoui;student;1APIC-1;;سلمى;العلوي;Salma;Alaoui
  n.bennani;teacher;1APIC-1;Mathématiques;نادية;بناني;Nadia;Bennani
  n.bennani;teacher;1APIC-2;Mathématiques;;;;
  direction;director;;;فاطمة;المرنيسي;Fatima;El Mernissi";

const TIMETABLE_HELP: &str = "\
The first line names the columns: day, from, to, class, subject, teacher (their login). A line is a lesson each week. Days in English,
French or Arabic. Called again with another table, or other days, it takes away what is no longer in it; lessons that have begun, or do so
within half an hour, stay. For holidays call it for the days before and after them; a table of the first line alone clears days.
  day;from;to;class;subject;teacher
  lundi;8h;9h;1APIC-1;Mathématiques;n.bennani
  lundi;9h;10h;1APIC-2;Mathématiques;n.bennani";

fn date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "a day is written as 2026-09-07".to_owned())
}

#[derive(Debug, Args)]
pub struct User {
    #[command(subcommand)]
    pub action: UserAction,
    /// Configuration of the server; without it the defaults hold.
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "data")]
    pub config: Option<PathBuf>,
    /// Folder of a demonstration school.
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
}

/// What happens to an account.
#[derive(Debug, Subcommand)]
pub enum UserAction {
    /// Print the accounts, one a line: login, role, classes, state, name.
    List {
        /// Only those with this role.
        #[arg(long, value_parser = role)]
        role: Option<SchoolRole>,
        /// Only the students of this class.
        #[arg(long)]
        class: Option<String>,
    },
    /// Make an account and print its password once.
    Add(AddUser),
    /// Sign out everywhere, put out of open lessons, let in nowhere.
    Disable { login: String },
    /// Let sign in again.
    Enable { login: String },
    /// Erase a person for ever: the account at once, what they wrote in lessons and notes about them by the server that runs.
    Erase { login: String },
    /// Make a new password, print it once, sign out everywhere.
    Password { login: String },
    /// Put a student into another class.
    Move { login: String, class: String },
}

/// A new account.
#[derive(Args)]
#[command(after_help = ADD_HELP)]
pub struct AddUser {
    /// What the person types to sign in; small letters, no spaces.
    pub login: String,
    #[arg(long, value_parser = role)]
    pub role: SchoolRole,
    /// The name in Arabic letters; at least one of the two scripts is needed.
    #[arg(long, num_args = 2, value_names = ["GIVEN", "FAMILY"], required_unless_present = "latin")]
    pub arabic: Vec<String>,
    /// The name in Latin letters.
    #[arg(long, num_args = 2, value_names = ["GIVEN", "FAMILY"])]
    pub latin: Vec<String>,
    /// A student's class; each class that a teacher teaches.
    #[arg(long = "class", value_name = "CLASS")]
    pub classes: Vec<String>,
    /// What a teacher teaches, in any language of the school.
    #[arg(long)]
    pub subject: Option<String>,
    /// GRESA of the school; needed only where the store holds several.
    #[arg(long, value_name = "CODE")]
    pub school: Option<String>,
}

const ADD_HELP: &str = "\
Examples:
  qism user add s.alaoui --role student --class 1APIC-1 --arabic سلمى العلوي --latin Salma Alaoui
  qism user add n.bennani --role teacher --class 1APIC-1 --class 2APIC-1 --subject Mathématiques --latin Nadia Bennani";

impl std::fmt::Debug for AddUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the name.
        f.debug_struct("AddUser").field("role", &self.role).finish_non_exhaustive()
    }
}

fn role(name: &str) -> Result<SchoolRole, String> {
    let known = || SchoolRole::names().collect::<Vec<_>>().join(", ");
    SchoolRole::of_name(name).ok_or_else(|| format!("one of: {}", known()))
}

#[derive(Debug, Args)]
pub struct Copy {
    /// Folder of the copy.
    #[arg(value_name = "DIR")]
    pub copy: PathBuf,
    /// Configuration of the server; without it the defaults hold.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub config: Option<PathBuf>,
    /// Folder of a demonstration school.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    pub from: Copy,
    /// Only the lessons of the schools with this beginning in storage.url, into their database, which must be empty. All servers may run.
    #[arg(long, value_name = "BEGINNING", requires = "config")]
    pub only: Option<String>,
}

#[derive(Args)]
pub struct Transfer {
    /// The new configuration.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// A database that has lessons and is named no more; may be repeated.
    #[arg(long, value_name = "URL")]
    pub from: Vec<String>,
    /// First, while servers run as before: copy the lessons that are over, so that they need not be away for so long.
    #[arg(long)]
    pub ahead: bool,
}

impl std::fmt::Debug for Transfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the passwords.
        f.debug_struct("Transfer").field("config", &self.config).finish_non_exhaustive()
    }
}

#[derive(Debug, Args)]
pub struct CheckConfig {
    /// Configuration, TOML.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

#[derive(Args)]
pub struct Probe {
    /// The server, e.g. http://127.0.0.1:7880 or https://school.example
    #[arg(value_name = "URL")]
    pub address: Address,
    #[arg(long, value_name = "LOGIN")]
    pub login: String,
    #[command(flatten)]
    pub password: PasswordSource,
    /// `current` (the lesson that is going on for this person) or the id of a lesson.
    #[arg(long, value_name = "LESSON", default_value = "current")]
    pub lesson: LessonChoice,
    /// How long to listen.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub seconds: u16,
    /// Send a tone as the microphone, a color as the camera or the screen; needs a teacher, or the floor.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub publish: Vec<Published>,
    /// The report as JSON.
    #[arg(long)]
    pub json: bool,
    /// Believe any certificate (a self-made one on your own network).
    #[arg(long, conflicts_with = "ca_file")]
    pub insecure: bool,
    /// Believe the certificates in this PEM file instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Exactly one. The command line of a process is visible to everybody on the machine: prefer the file.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct PasswordSource {
    #[arg(long, value_name = "PASSWORD")]
    pub password: Option<String>,
    /// The first line of this file.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The first line of the standard input.
    #[arg(long)]
    pub password_stdin: bool,
}

/// What the probe can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Published {
    /// 440 Hz as the microphone.
    Tone,
    /// Green as the camera.
    Color,
    /// Green as the shared screen.
    Screen,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the password.
        f.debug_struct("Probe").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
