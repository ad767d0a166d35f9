//! A private Redis: plain, with a password, over TLS, or as a replica.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{eventually, free_port};

/// Files that a TLS server needs (PEM).
#[derive(Clone, Debug)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// One server; it keeps nothing on disk. Dropping it ends it.
pub struct Redis {
    server: Child,
    address: IpAddr,
    port: u16,
    options: Vec<String>,
    password: Option<String>,
    secure: bool,
    _folder: TempDir,
}

impl Redis {
    /// `None` where Redis is not installed (`tools/setup.sh redis`).
    pub async fn start() -> Option<Self> {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), None).await
    }

    /// At an address, for those who know the password, if there is one.
    pub async fn start_at(address: IpAddr, password: Option<&str>) -> Option<Self> {
        Self::with(address, password, &[], false).await
    }

    /// Over TLS only.
    pub async fn start_secure(tls: &Tls, password: &str) -> Option<Self> {
        let (certificate, key) = (tls.certificate.display().to_string(), tls.key.display().to_string());
        let options = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-auth-clients", "no"];
        Self::with(Ipv4Addr::LOCALHOST.into(), Some(password), &options, true).await
    }

    /// A replica of this one.
    pub async fn replica(&self) -> Self {
        let (host, port) = (self.address.to_string(), self.port.to_string());
        let mut options = vec!["--replicaof", &host, &port];
        if let Some(password) = &self.password {
            options.extend(["--masterauth", password]);
        }
        let replica = Self::with(self.address, self.password.as_deref(), &options, false).await;
        let replica = replica.expect("Redis is installed");
        eventually("the replica follows", async || {
            replica.info().await.filter(|info| info.contains("master_link_status:up"))
        })
        .await;
        replica
    }

    async fn with(address: IpAddr, password: Option<&str>, more: &[&str], secure: bool) -> Option<Self> {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port(address));
        let (host, dir, number) =
            (address.to_string(), folder.path().display().to_string(), port.to_string());
        let listen = if secure {
            ["--port", "0", "--tls-port", &number]
        } else {
            ["--port", &number, "--tls-port", "0"]
        };
        let mut options = vec!["--bind", &host, "--save", "", "--appendonly", "no", "--protected-mode", "no"];
        options.extend(["--dir", &dir, "--repl-diskless-sync-delay", "0"]);
        options.extend(listen);
        if let Some(password) = password {
            options.extend(["--requirepass", password]);
        }
        options.extend(more);
        let options: Vec<String> = options.into_iter().map(str::to_owned).collect();
        let server = spawn(&options)?;
        let password = password.map(str::to_owned);
        let redis = Self { server, address, port, options, password, secure, _folder: folder };
        redis.is_there().await;
        Some(redis)
    }

    pub fn url(&self) -> String {
        let scheme = if self.secure { "rediss" } else { "redis" };
        let password = self.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("{scheme}://{password}{}:{}", self.address, self.port)
    }

    pub fn address(&self) -> IpAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn process(&self) -> u32 {
        self.server.id()
    }

    /// As `kill -9` does.
    pub fn kill(&mut self) {
        self.server.kill().expect("it ran");
        let _ = self.server.wait();
    }

    /// Again, at the same address, without anything of before.
    pub async fn revive(&mut self) {
        self.server = spawn(&self.options).expect("it ran before");
        self.is_there().await;
    }

    pub async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("an address");
        client.get_multiplexed_async_connection().await.expect("connected")
    }

    /// Hears what is published there, as anybody who reaches this Redis can.
    pub async fn subscribe(&self, channel: &str) -> redis::aio::PubSubStream {
        let client = redis::Client::open(self.url()).expect("an address");
        let mut connection = client.get_async_pubsub().await.expect("connected");
        connection.subscribe(channel).await.expect("subscribed");
        connection.into_on_message()
    }

    /// What it says of its replication.
    pub async fn info(&self) -> Option<String> {
        let client = redis::Client::open(self.url()).ok()?;
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        redis::cmd("INFO").arg("replication").query_async(&mut connection).await.ok()
    }

    async fn is_there(&self) {
        eventually("redis-server listens", async || {
            tokio::net::TcpStream::connect((self.address, self.port)).await.ok()
        })
        .await;
    }
}

fn spawn(options: &[String]) -> Option<Child> {
    Command::new("redis-server").args(options).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
