//! The `qism` program: reads the command line, runs one command, turns its failure into text and exit code.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use qism::{
    app,
    config::{
        ConfigError,
        cli::{Cli, Command},
    },
    probe,
};

/// Hands memory back: a storm of sign-ins takes 19 MB for each password that is checked.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The command line or the configuration is wrong; clap uses the same.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("qism: {error:#}");
            if error.is::<ConfigError>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(options) => block_on(app::serve(options))?,
        Command::Demo(options) => block_on(app::demo(options))?,
        Command::Probe(options) => {
            let is_well = block_on(async { Ok(probe::run(options).await?) })?;
            return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::School(options) => block_on(app::school(options))?,
        Command::User(options) => block_on(app::user(options))?,
        Command::Backup(options) => block_on(app::backup(options))?,
        Command::Restore(options) => block_on(app::restore(options))?,
        Command::Transfer(options) => block_on(app::transfer(options))?,
        Command::Health(options) => block_on(app::health(options))?,
        Command::CheckConfig(options) => app::check_config(&options)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(work)
}
