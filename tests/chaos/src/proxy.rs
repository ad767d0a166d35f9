//! HAProxy in front, configured as config/haproxy.cfg says, with our addresses in it.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;

use crate::{
    network::{self, FRONT},
    node::{FRONT_PORT, PORT},
};

const EXAMPLE: &str = include_str!("../../../config/haproxy.cfg");

/// Ended when dropped.
pub struct Proxy(Child);

impl Proxy {
    pub fn start(folder: &Path, nodes: usize) -> anyhow::Result<Self> {
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, configuration(nodes))?;
        let log = File::create(folder.join("haproxy.log"))?;
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("haproxy is not installed (tools/setup.sh haproxy)")?;
        Ok(Self(child))
    }
}

/// The example with our servers and without TLS.
fn configuration(nodes: usize) -> String {
    let mut text = String::new();
    for line in EXAMPLE.lines() {
        let trimmed = line.trim_start();
        let server = ["server node", "use-server node"].iter().find_map(|word| trimmed.strip_prefix(word));
        let number: Option<usize> = server.and_then(|rest| rest.split(' ').next()?.parse().ok());
        let line = match number {
            Some(number) if number > nodes => continue,
            Some(number) if trimmed.starts_with("server ") => {
                format!("    server node{number} {}:{PORT}", network::address(number))
            }
            // As many files as a test machine lets it open.
            _ if trimmed.starts_with("maxconn ") => "    maxconn 4000".to_owned(),
            _ if trimmed.starts_with("bind ") => format!("    bind {FRONT}:{FRONT_PORT}"),
            _ => line.to_owned(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_has_exactly_our_servers() {
        let text = configuration(2);
        assert!(text.contains("server node2 10.77.102.2:7880") && !text.contains("node3"), "{text}");
        assert!(!text.contains("10.0.0.") && !text.contains("ssl crt"), "{text}");
    }
}
