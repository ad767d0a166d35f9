//! Private Sentinels that watch a Redis and make its replica the primary when it is gone.

use std::{
    net::IpAddr,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{Redis, eventually, free_port};

/// The service's name, as `cluster.redis` has it for a host.
const SERVICE: &str = "qism";
/// So long without an answer, and a Sentinel takes its Redis for dead.
const DOWN_AFTER_MS: u32 = 1_000;

/// One Sentinel. Dropping it ends it.
pub struct Sentinel {
    process: Child,
    address: IpAddr,
    port: u16,
    _folder: TempDir,
}

impl Sentinel {
    /// So many that watch this Redis; most of them must agree that it is gone. The service is called `qism`.
    pub async fn watch(redis: &Redis, count: usize, password: Option<&str>) -> Vec<Self> {
        let sentinels: Vec<Self> = (0..count).map(|_| Self::spawn(redis, count / 2 + 1, password)).collect();
        for sentinel in &sentinels {
            eventually("Sentinels know each other and the replica", async || {
                let told = sentinel.told().await?;
                let is =
                    |key: &str, wanted: usize| told.get(key).and_then(|n| n.parse().ok()) == Some(wanted);
                (is("num-other-sentinels", count - 1) && is("num-slaves", 1)).then_some(())
            })
            .await;
        }
        sentinels
    }

    fn spawn(redis: &Redis, quorum: usize, password: Option<&str>) -> Self {
        let (address, folder) = (redis.address(), tempfile::tempdir().expect("a folder"));
        let (port, file) = (free_port(address), folder.path().join("sentinel.conf"));
        let auth = password.map(|password| format!("sentinel auth-pass {SERVICE} {password}\n"));
        let text = format!(
            "port {port}\nbind {address}\ndir {}\nprotected-mode no\n\
             sentinel monitor {SERVICE} {address} {} {quorum}\n{}\
             sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\nsentinel failover-timeout {SERVICE} 5000\n",
            folder.path().display(),
            redis.port(),
            auth.unwrap_or_default(),
        );
        std::fs::write(&file, text).expect("written");
        let process = Command::new("redis-server")
            .arg(&file)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Redis is installed");
        Self { process, address, port, _folder: folder }
    }

    pub fn address(&self) -> (String, u16) {
        (self.address.to_string(), self.port)
    }

    /// The port of the Redis that it takes for the primary.
    pub async fn primary(&self) -> Option<u16> {
        self.told().await?.get("port")?.parse().ok()
    }

    async fn told(&self) -> Option<std::collections::HashMap<String, String>> {
        let client = redis::Client::open(format!("redis://{}:{}", self.address, self.port)).ok()?;
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        redis::cmd("SENTINEL").arg("MASTER").arg(SERVICE).query_async(&mut connection).await.ok()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
