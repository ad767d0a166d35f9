//! A private network for a bench: loopback, and an address on one end of an unused veth pair for servers that refuse
//! loopback.

use std::{net::Ipv4Addr, process::Command};

use anyhow::{Context as _, bail};

/// The address that is not loopback.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 199, 0, 1);

/// Moves this process into a network namespace of its own; needs root, and to be called before any thread is made.
pub fn enter() -> anyhow::Result<()> {
    // SAFETY: a plain system call.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        bail!("no private network: {} (root only)", std::io::Error::last_os_error());
    }
    for command in [
        "link set lo up".to_owned(),
        "link add qism0 type veth peer name qism1".to_owned(),
        format!("address add {ADDRESS}/24 dev qism0"),
        "link set qism0 up".to_owned(),
        "link set qism1 up".to_owned(),
    ] {
        let done = Command::new("ip").args(command.split(' ')).status().context("ip (iproute2)")?;
        if !done.success() {
            bail!("ip {command}: {done}");
        }
    }
    Ok(())
}
