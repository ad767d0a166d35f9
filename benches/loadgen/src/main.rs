//! `qism-loadgen`: loads a real server the way classes do, with real signaling and real media, and measures the
//! server's process. `make bench` runs it; `--help` tells the rest. Method and figures: benches/README.md.

mod chat;
mod figures;
mod hands;
mod log;
mod media;
mod namespace;
mod process;
mod school;
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
    /// What the school does, for `--only school`.
    #[arg(long, default_value = "benches/scenarios/school.toml")]
    scenario: PathBuf,
    /// A tenth of the people, to see that the media bench works; nothing is written.
    #[arg(long)]
    quick: bool,
    /// Another build of the server: only the media of both is measured, in turns, and nothing is written.
    #[arg(long, conflicts_with = "only")]
    beside: Option<PathBuf>,
    /// Which of the loads are measured with `--beside`: 50, 50_slow, 200, 500; all unless some are named.
    #[arg(long, value_delimiter = ',', requires = "beside")]
    loads: Vec<String>,
    /// Servers on the first core, the load on the second: comparable on a machine that does other things, too.
    #[arg(long)]
    pin: bool,
    /// Interleaved rounds of each media measurement.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Be the media plane that a bench starts and steers by standard input.
    #[arg(long, hide = true)]
    plane: bool,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Scenario {
    /// A thousand people in one room, lines kept.
    Chat,
    /// One publisher, up to a thousand subscribers, beside Janus.
    Media,
    /// What of the media is measured on the bare SFU, a hundred lessons at once; only when it is named.
    Lessons,
    /// What crosses between two nodes; only when it is named.
    Relay,
    /// A whole school by a scenario file; only when it is named.
    School,
    /// How many events a second each engine keeps; only when it is named.
    Log,
    /// A thousand lessons from one database to another; only when it is named.
    Transfer,
    /// Five nodes write into one lesson; only when it is named.
    Nodes,
}

impl Scenario {
    /// Runs when none is named.
    fn is_usual(self) -> bool {
        matches!(self, Self::Chat | Self::Media)
    }
}

impl Cli {
    fn runs(&self, scenario: Scenario) -> bool {
        let is_named = self.only.contains(&scenario);
        let all = self.beside.is_none() && self.only.is_empty();
        is_named || (all && scenario.is_usual())
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    process::raise_file_limit();
    if cli.plane {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        return runtime.block_on(media::plane::serve());
    }
    // Before there are threads: each has a network of its own.
    let private = if cli.runs(Scenario::Media) || cli.beside.is_some() { namespace::enter() } else { Ok(()) };
    let alone = private.inspect_err(|error| println!("janus: skipped: {error:#}")).is_err();
    if cli.pin {
        process::pin(process::LOAD_CORE)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(cli, alone))
}

async fn run(cli: Cli, alone: bool) -> anyhow::Result<()> {
    let mut figures = figures::Figures::default();
    if cli.runs(Scenario::Chat) {
        chat::run(&cli.server, cli.sockets, cli.seconds, &mut figures).await?;
    }
    let effort = media::Effort {
        seconds: cli.seconds.min(5),
        rounds: cli.rounds.max(1),
        share: if cli.quick { 10 } else { 1 },
        alone,
    };
    if let Some(other) = &cli.beside {
        media::run_beside(&cli.server, other, &cli.loads, effort, &mut figures).await?;
    }
    if cli.runs(Scenario::Media) {
        media::run(&cli.server, effort, &mut figures).await?;
    }
    if cli.runs(Scenario::Lessons) {
        media::plane::run(effort, &mut figures).await?;
    }
    if cli.runs(Scenario::Relay) {
        media::relay::run(effort, &mut figures).await?;
    }
    if cli.runs(Scenario::School) {
        school::run(&cli.server, &cli.scenario, &cli.out, &mut figures).await?;
    }
    if cli.runs(Scenario::Log) {
        log::run(&cli.server, cli.seconds, &mut figures).await?;
    }
    if cli.runs(Scenario::Transfer) {
        log::transfer::run(&mut figures).await?;
    }
    if cli.runs(Scenario::Nodes) {
        log::run_nodes(&cli.server, cli.seconds, &mut figures).await?;
    }
    if !cli.quick && cli.beside.is_none() {
        figures.write(&cli.out)?;
    }
    println!("\n{figures}");
    Ok(())
}
