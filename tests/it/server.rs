//! A real server in this process: free ports, a data folder of its own. Dropping it removes the folder.

use std::{net::SocketAddr, path::Path, time::Duration};

use qism::{
    app::Running,
    config::{Config, Storage},
};
use tempfile::TempDir;

/// What the server must do within this, or the test fails; generous, since the machine is shared.
pub const SOON: Duration = Duration::from_secs(20);

pub struct Server {
    pub running: Running,
    pub http: reqwest::Client,
    data: TempDir,
}

impl Server {
    /// With the defaults but for ports and places.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With some settings changed.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut config = config(data.path());
        change(&mut config);
        let running = Running::start(config).await.expect("the server starts");
        let http = reqwest::Client::builder().cookie_store(true).build().expect("a client");
        Self { running, http, data }
    }

    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url())
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }
}

/// Defaults on loopback, free ports, data in `folder`.
pub fn config(folder: &Path) -> Config {
    let mut config = Config::defaults();
    config.server.listen = "127.0.0.1:0".parse().expect("an address");
    config.storage = Storage::in_folder(folder);
    config.media.udp_port = 0;
    config.media.listen_addresses = vec!["127.0.0.1".parse().expect("an address")];
    config
}
