//! Whether the server of a configuration lives, asked on its own machine: for containers and scripts.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use anyhow::Context as _;

use super::configured;
use crate::{
    config::{Server, cli::Health},
    probe::{Address, Door, Trust},
};

/// A server that does not answer within this does not live.
const PATIENCE: Duration = Duration::from_secs(4);

/// Prints what it says; fails where it says nothing, or no.
pub async fn health(options: Health) -> anyhow::Result<()> {
    let config = configured(options.config.as_deref())?;
    // It is on this machine, whatever name its certificate is for.
    let door = Door::new(address(&config.server), &Trust::Anything)?;
    for path in ["/healthz", "/readyz"].into_iter().take(1 + usize::from(options.ready)) {
        let said = tokio::time::timeout(PATIENCE, door.read(path)).await;
        println!(
            "{path}: {}",
            said.with_context(|| format!("{} does not answer", door.address().origin()))??
        );
    }
    Ok(())
}

fn address(server: &Server) -> Address {
    let (host, port) = (reachable(server.listen.ip()).to_string(), server.listen.port());
    Address { secure: server.tls().is_some(), host, port }
}

/// Where this machine finds what listens at an address.
pub(super) fn reachable(listen: IpAddr) -> IpAddr {
    match listen {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
