//! Whether a configuration can be used, without starting anything.

use super::{door, node};
use crate::config::{Config, cli::CheckConfig};

/// Reads the configuration and the files that it names. Databases, Redis and other hosts are not asked.
pub fn check_config(options: &CheckConfig) -> anyhow::Result<()> {
    let config = Config::load(&options.config)?;
    door::certificate(&config.server)?;
    node::redis_server(&config.cluster)?;
    println!("{} can be used", options.config.display());
    for note in notes(&config) {
        println!("note: {note}");
    }
    Ok(())
}

/// What may be meant so, and mostly is not.
fn notes(config: &Config) -> Vec<&'static str> {
    let (server, url) = (&config.server, config.storage.url.default_url());
    let without_https = !server.secure() && !server.listen.ip().is_loopback();
    let relative = url.strip_prefix("sqlite://").is_some_and(|path| !path.starts_with(['/', ':']));
    [
        (
            without_https,
            "browsers give no microphone and no camera without HTTPS: set server.tls_certificate and server.tls_key, or \
             server.public_origins to the https:// address of the proxy in front",
        ),
        (
            relative,
            "storage.url is a path from the folder that the program is called in: qism serve, school, user and backup find the same \
             school only from the same folder; write sqlite:///var/lib/qism/qism.db",
        ),
    ]
    .into_iter()
    .filter_map(|(holds, note)| holds.then_some(note))
    .collect()
}
