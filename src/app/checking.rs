//! Whether a configuration can be used, without starting anything.

use super::{door, node};
use crate::config::{Config, cli::CheckConfig};

/// Reads the configuration and the files that it names. Databases, Redis and other hosts are not asked.
pub fn check_config(options: &CheckConfig) -> anyhow::Result<()> {
    let config = Config::load(&options.config)?;
    door::certificate(&config.server)?;
    node::redis_server(&config.cluster)?;
    println!("{} can be used", options.config.display());
    Ok(())
}
