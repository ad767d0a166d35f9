//! `qism-loadgen`: loads a real server the way classes do, with real signaling and real media, and measures the
//! server's process. `make bench` runs it; `--help` tells the rest. Method and figures: benches/README.md.

mod chat;
mod figures;
mod floor;
mod media;
mod person;
mod process;
mod sendmsg;
mod server;

use std::path::PathBuf;

use clap::Parser;

/// Loads a Qism server and measures it.
#[derive(Debug, Parser)]
#[command(name = "qism-loadgen")]
struct Cli {
    /// The server's program, built with `--release`.
    #[arg(long, default_value = "target/release/qism")]
    server: PathBuf,
    /// Where summary.json goes.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// What to run; everything unless some are named.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Sockets in the chat's room.
    #[arg(long, default_value_t = 1_000)]
    sockets: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Scenario {
    /// A thousand people in one room, lines kept.
    Chat,
    /// One publisher, 50 and 200 subscribers.
    Media,
}

impl Cli {
    fn runs(&self, scenario: Scenario) -> bool {
        self.only.is_empty() || self.only.contains(&scenario)
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    process::raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(cli))
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let mut figures = figures::Figures::default();
    if cli.runs(Scenario::Chat) {
        chat::run(&cli.server, cli.sockets, cli.seconds, &mut figures).await?;
    }
    if cli.runs(Scenario::Media) {
        media::run(&cli.server, cli.seconds, &mut figures).await?;
    }
    figures.write(&cli.out)?;
    println!("\n{figures}");
    Ok(())
}
