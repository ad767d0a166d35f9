//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

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

Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is wrong.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a school.
    Serve(Serve),
    /// Serve a demonstration school whose lessons are now, and print its sign-ins.
    Demo(Demo),
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
