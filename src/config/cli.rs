//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

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
    /// Read a configuration, say whether it can be used, and stop.
    CheckConfig(CheckConfig),
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
    /// Where the demonstration school is kept.
    #[arg(long, value_name = "DIR", default_value = "data/demo")]
    pub data: PathBuf,
    /// HTTPS with a self-made certificate; browsers warn once. Needed for microphones of other devices.
    #[arg(long)]
    pub https: bool,
    /// Serve the browser app from this folder instead of the one inside the program.
    #[arg(long, value_name = "DIR")]
    pub web_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CheckConfig {
    /// Configuration, TOML.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
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
