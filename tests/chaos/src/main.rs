//! `qism-chaos`: breaks a real cluster in every way that it promises to survive, and measures what people notice.
//! `make chaos` runs all faults, `make chaos FAULT=name` one; figures in target/bench/chaos.json. Method: tests/chaos/README.md.

mod bed;
mod browser;
mod class;
mod faults;
mod network;
mod node;
mod presence;
mod proxy;
mod show;
mod verdict;
mod voice;
mod way;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context as _;
use clap::Parser;

use faults::{FAULTS, Fault, Programs};
use verdict::Verdict;

/// Breaks a cluster and measures.
#[derive(Debug, Parser)]
#[command(name = "qism-chaos")]
struct Cli {
    /// The server's program, built with `--release`.
    #[arg(long, default_value = "target/release/qism")]
    server: PathBuf,
    /// The same of the revision before (tests/chaos/PREVIOUS): `make previous` builds it.
    #[arg(long, default_value = "target/previous/qism")]
    previous: PathBuf,
    /// Where chaos.json goes.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// What to run; everything unless some are named.
    #[arg(value_name = "FAULT")]
    only: Vec<String>,
    /// Only tells the names.
    #[arg(long)]
    list: bool,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if cli.list {
        FAULTS.iter().for_each(|fault| println!("{:<24}{}", fault.name, fault.what));
        return Ok(());
    }
    let chosen = chosen(&cli.only)?;
    let present = cli.server.canonicalize().with_context(|| format!("{}", cli.server.display()))?;
    let programs = Programs { present, previous: cli.previous.canonicalize().ok() };
    // Before there are threads: each has a network and mounts of its own.
    network::enter()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let all_kept = runtime.block_on(run(&chosen, &programs, &cli.out))?;
    anyhow::ensure!(all_kept, "a promise was broken");
    Ok(())
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Fault>> {
    if names.is_empty() {
        return Ok(FAULTS.iter().collect());
    }
    let named = |name: &String| {
        let found = FAULTS.iter().find(|fault| fault.name == name);
        found.with_context(|| format!("no fault is called {name}; --list tells the names"))
    };
    names.iter().map(named).collect()
}

async fn run(chosen: &[&Fault], programs: &Programs, out: &std::path::Path) -> anyhow::Result<bool> {
    let mut all_kept = true;
    for fault in chosen {
        println!("{}: {}", fault.name, fault.what);
        let verdict = match faults::run(fault, programs).await {
            Ok(verdict) => verdict,
            Err(error) => Verdict::failed(&error),
        };
        println!("  {verdict}");
        all_kept &= verdict.kept(&fault.promise);
        write(out, fault.name, &verdict)?;
    }
    Ok(all_kept)
}

/// Runs of one fault replace its own figures only.
fn write(folder: &std::path::Path, name: &str, verdict: &Verdict) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("chaos.json");
    let before = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let mut all: BTreeMap<String, serde_json::Value> = before.unwrap_or_default();
    all.insert(name.to_owned(), serde_json::to_value(verdict)?);
    std::fs::write(&path, serde_json::to_string_pretty(&all)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))
}
