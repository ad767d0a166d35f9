//! The composition root: the only place that knows every part.

use anyhow::bail;

use crate::{
    config::{
        Config,
        cli::{Demo, Serve},
    },
    telemetry,
};

/// `qism serve`: until a signal.
pub async fn serve(options: Serve) -> anyhow::Result<()> {
    let mut config = match &options.config {
        Some(path) => Config::load(path)?,
        None => Config::defaults(),
    };
    config.server.web_dir = options.web_dir.or(config.server.web_dir);
    run(config).await
}

/// `qism demo`: until a signal.
pub async fn demo(options: Demo) -> anyhow::Result<()> {
    let mut config = Config::defaults();
    config.server.listen = options.listen;
    config.server.web_dir = options.web_dir;
    run(config).await
}

async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start_logging(&config.log).map_err(anyhow::Error::msg)?;
    bail!("the server is not assembled yet")
}
