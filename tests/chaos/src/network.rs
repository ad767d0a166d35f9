//! A private network in which packets can be dropped between any two: clients, proxy, PostgreSQL, Redis, and each node in a
//! namespace of its own at the far end of a cable.

use std::{
    net::Ipv4Addr,
    process::{Child, Command},
    time::Duration,
};

use anyhow::{Context as _, bail};

/// Where clients and the proxy are.
pub const FRONT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub const POSTGRES: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
pub const REDIS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);

/// The address of a node.
pub fn address(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 100 + node as u8, 2)
}

/// Where packets for it leave this machine: clients and the proxy have this address for it.
pub fn gateway(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 100 + node as u8, 1)
}

/// Moves this process into namespaces of its own (network and mounts); root only, and before any thread is made.
pub fn enter() -> anyhow::Result<()> {
    // SAFETY: a plain system call.
    if unsafe { libc::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWNS) } != 0 {
        bail!("no private network: {} (root only)", std::io::Error::last_os_error());
    }
    run("mount", "--make-rprivate /")?;
    run("ip", "link set lo up")?;
    for address in [FRONT, POSTGRES, REDIS] {
        run("ip", &format!("address add {address}/32 dev lo"))?;
    }
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("forwarding between nodes")?;
    run("nft", "add table ip chaos")?;
    run("nft", "add chain ip chaos drops")?;
    for hook in ["input", "forward"] {
        run("nft", &format!("add chain ip chaos {hook} {{ type filter hook {hook} priority 0 ; }}"))?;
        run("nft", &format!("add rule ip chaos {hook} jump drops"))?;
    }
    Ok(())
}

/// A node's namespace; lives as long as this does, whatever processes come and go in it.
pub struct Place {
    holder: Child,
    node: usize,
}

impl Place {
    pub fn make(node: usize) -> anyhow::Result<Self> {
        let holder =
            Command::new("unshare").args(["--net", "sleep", "infinity"]).spawn().context("unshare")?;
        let place = Self { holder, node };
        place.is_apart()?;
        let pid = place.holder.id();
        run("ip", &format!("link add node{node} type veth peer name eth0 netns {pid}"))?;
        run("ip", &format!("address add {}/24 dev node{node}", gateway(node)))?;
        run("ip", &format!("link set node{node} up"))?;
        for inside in
            ["add table ip chaos", "add chain ip chaos input { type filter hook input priority 0 ; }"]
        {
            run("nsenter", &format!("--net={} nft {inside}", place.path()))?;
        }
        for inside in [
            "link set lo up".to_owned(),
            format!("address add {}/24 dev eth0", address(node)),
            "link set eth0 up".to_owned(),
            format!("route add default via {}", gateway(node)),
        ] {
            run("nsenter", &format!("--net={} ip {inside}", place.path()))?;
        }
        Ok(place)
    }

    /// Until it has left our network.
    fn is_apart(&self) -> anyhow::Result<()> {
        let ours = std::fs::read_link("/proc/self/ns/net")?;
        for _ in 0..500 {
            if std::fs::read_link(self.path()).is_ok_and(|theirs| theirs != ours) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("no namespace for node {}", self.node)
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// From now on nothing passes between the node and this address (`None`: anybody), either way, and nobody is told:
    /// what comes is dropped where it arrives.
    pub fn part_from(&self, other: Option<Ipv4Addr>) -> anyhow::Result<()> {
        let from = other.map(|other| format!("ip saddr {other}")).unwrap_or_default();
        run("nsenter", &format!("--net={} nft add rule ip chaos input {from} drop", self.path()))?;
        let to = other.map(|other| format!("ip daddr {other}")).unwrap_or_default();
        run("nft", &format!("add rule ip chaos drops ip saddr {} {to} drop", address(self.node)))
    }

    /// Everything passes again.
    pub fn heal(&self) -> anyhow::Result<()> {
        run("nsenter", &format!("--net={} nft flush chain ip chaos input", self.path()))?;
        run("nft", "flush chain ip chaos drops")
    }

    /// From now on what this node sends to another leaves at so many kilobits a second, behind a queue of 300 ms that drops what does not
    /// fit. `None`: as fast as before.
    pub fn narrow_to(&self, other: Ipv4Addr, kbps: Option<u32>) -> anyhow::Result<()> {
        let tc = |words: String| run("nsenter", &format!("--net={} tc {words}", self.path()));
        let Some(kbps) = kbps else { return tc("qdisc del dev eth0 root".into()) };
        let queue = kbps * 1_000 / 8 * 3 / 10;
        tc("qdisc add dev eth0 root handle 1: htb default 1".into())?;
        tc("class add dev eth0 parent 1: classid 1:1 htb rate 10gbit quantum 60000".into())?;
        tc(format!(
            "class add dev eth0 parent 1: classid 1:2 htb rate {kbps}kbit burst 3000 cburst 3000 quantum 1500"
        ))?;
        tc(format!("qdisc add dev eth0 parent 1:2 bfifo limit {queue}"))?;
        tc(format!("filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dst {other}/32 flowid 1:2"))
    }

    /// A program that will run in there, in a process of its own.
    pub fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path()));
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = run("ip", &format!("link del node{}", self.node));
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

pub fn run(program: &str, words: &str) -> anyhow::Result<()> {
    let output = Command::new(program).args(words.split_whitespace()).output();
    let output = output.with_context(|| format!("{program} is not installed"))?;
    if !output.status.success() {
        bail!("{program} {words}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
