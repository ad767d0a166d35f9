//! The composition root: the only place that knows every part. Starts them in order, stops them in reverse.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

use crate::{
    config::{
        Config, Storage,
        cli::{Demo, Serve},
    },
    http::{
        AppState, Origins, Site, assets::Assets, health::Draining, listener::Listener, router::router,
        selfmade, tls::Certificate,
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
    telemetry::start_logging(&config.log)?;
    let running = Running::start(config).await?;
    println!("ready {}", running.url());
    until_signal().await?;
    running.stop().await;
    Ok(())
}

/// `qism demo`: until a signal.
pub async fn demo(options: Demo) -> anyhow::Result<()> {
    let config = demo_config(&options)?;
    telemetry::start_logging(&config.log)?;
    let running = Running::start(config).await?;
    for address in phone_addresses(running.address) {
        println!("phones {}", running.url_at(address));
    }
    println!("ready {}", running.url());
    until_signal().await?;
    running.stop().await;
    Ok(())
}

fn demo_config(options: &Demo) -> anyhow::Result<Config> {
    let mut config = Config::defaults();
    config.log.filter = "warn".into();
    config.server.listen = options.listen;
    config.server.web_dir = options.web_dir.clone();
    config.storage = Storage::in_folder(&options.data);
    config.media.listen_addresses = interface_addresses()?;
    make_folder(&options.data)?;
    if options.https {
        let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        let files = selfmade::certificate(&options.data, &interface_addresses()?, today)?;
        config.server.tls_certificate = Some(files.certificate);
        config.server.tls_key = Some(files.key);
    }
    Ok(config)
}

/// A server that serves. Tests start several in one process.
pub struct Running {
    address: SocketAddr,
    secure: bool,
    draining: Arc<Draining>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    watching: Option<JoinHandle<()>>,
}

impl Running {
    /// Binds, opens and starts everything, or says what is in the way.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let listener = Listener::bind(config.server.listen)
            .map_err(|error| cannot_listen(config.server.listen, &error))?;
        let certificate = config.server.tls().map(Certificate::load).transpose().context("HTTPS")?;
        let acceptor = certificate.as_ref().map(Certificate::acceptor).transpose()?;
        let (stop, stopped) = watch::channel(false);
        let state = state(&config);
        let draining = state.draining.clone();
        let address = listener.address();
        let serving = tokio::spawn(listener.serve(router(state), acceptor, config.limits, stopped));
        tracing::info!(%address, "serving");
        Ok(Self {
            address,
            secure: certificate.is_some(),
            draining,
            stop,
            serving,
            watching: certificate.as_ref().map(Certificate::watch),
        })
    }

    /// The bound address, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a browser on this machine finds it.
    pub fn url(&self) -> String {
        let ip = self.address.ip();
        self.url_at(if ip.is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { ip })
    }

    fn url_at(&self, ip: IpAddr) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// Takes nobody new, tells everybody to come back elsewhere, lets what is under way end.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.draining.start();
        self.stop.send_replace(true);
        if self.serving.await.is_err() {
            tracing::error!("the listener panicked");
        }
        if let Some(watching) = self.watching {
            watching.abort();
        }
        tracing::info!("stopped");
    }
}

fn state(config: &Config) -> AppState {
    let scheme = if config.server.tls().is_some() { "https" } else { "http" };
    let origins = match config.server.public_origins.as_slice() {
        [] => Origins::OwnHost { scheme },
        listed => Origins::Listed(listed.to_vec()),
    };
    let assets = config.server.web_dir.clone().map_or(Assets::Embedded, Assets::Folder);
    AppState {
        site: Arc::new(Site { origins, secure: config.server.secure() }),
        assets: Arc::new(assets),
        draining: Arc::new(Draining::default()),
    }
}

/// What to do about it, for the two errors that everybody meets.
fn cannot_listen(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            let other = SocketAddr::new(address.ip(), address.port().saturating_add(10));
            format!(
                "another program (perhaps another qism) uses it; stop that one or listen elsewhere, e.g. {other}"
            )
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need root or CAP_NET_BIND_SERVICE (see config/systemd/qism.service)".into()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
        _ => "check server.listen".into(),
    };
    anyhow::anyhow!("cannot listen on {address}: {error}\n  {advice}")
}

fn interface_addresses() -> anyhow::Result<Vec<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs().context("cannot list this machine's addresses")?;
    // Link-local IPv6 needs a zone that no browser can write.
    Ok(interfaces
        .iter()
        .filter(|interface| !interface.is_link_local())
        .map(if_addrs::Interface::ip)
        .collect())
}

/// Addresses under which another device on the same network reaches us.
fn phone_addresses(listen: SocketAddr) -> Vec<IpAddr> {
    if !listen.ip().is_unspecified() {
        return Vec::new();
    }
    let all = interface_addresses().unwrap_or_default();
    all.into_iter().filter(|ip| ip.is_ipv4() && !ip.is_loopback()).collect()
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| {
        format!("cannot make the data folder {}; choose another with --data DIR", folder.display())
    })
}

async fn until_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
