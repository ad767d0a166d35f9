//! The composition root: the only place that knows every part.
//!
//! [`Running::start`] puts a server together, in the order in which its parts need each other; `stopping` ends it in reverse.
//! `door` is the port, `node` what makes it one of several, `parts` the rest. The other files are commands.

mod accounts;
mod checking;
mod condition;
mod copies;
mod demo;
mod door;
mod health;
mod metrics;
mod node;
mod packing;
mod parts;
mod schools;
mod stopping;

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use qism_signaling::{
    hub::{Hub, ports::Bus},
    protocol::IncarnationId,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    task::JoinHandle,
};

use self::{door::Door, metrics::Sources, node::Node};
use crate::{
    cluster::{MemoryBus, RedisBus, Steering},
    config::{Config, cli::Serve},
    http::{connections::Connections, health::Draining, metrics::Page, tls::Certificate},
    school::demo::Size,
    sfu::{Membership, Sfu, Totals},
    storage::Store,
    telemetry,
};

pub use accounts::user;
pub use checking::check_config;
pub use copies::{backup, restore, transfer};
pub use demo::demo;
pub use health::health;
pub use schools::school;

/// `qism serve`: until a signal.
pub async fn serve(options: Serve) -> anyhow::Result<()> {
    let mut config = configured(options.config.as_deref())?;
    config.server.web_dir = options.web_dir.or(config.server.web_dir);
    let telemetry = telemetry::start(&config.log, &config.traces, &config.cluster.node)?;
    // Whoever reads `ready` may end us at once.
    let ended = until_signal()?;
    let running = Running::start(config).await?;
    println!("ready {}", running.url());
    ended.await;
    running.stop().await;
    telemetry.stop().await;
    Ok(())
}

fn configured(file: Option<&Path>) -> anyhow::Result<Config> {
    Ok(file.map(Config::load).transpose()?.unwrap_or_else(Config::defaults))
}

/// A server that serves. Tests start several in one process.
pub struct Running {
    address: SocketAddr,
    secure: bool,
    connections: Arc<Connections>,
    draining: Arc<Draining>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    watching: Option<JoinHandle<()>>,
    keeping: JoinHandle<()>,
    beating: JoinHandle<()>,
    /// Has the beat tell at once what changed.
    nudge: Arc<Notify>,
    metrics: Option<(SocketAddr, JoinHandle<()>)>,
    bus: Option<Arc<RedisBus>>,
    /// Present when there are other nodes.
    steering: Option<Arc<Steering>>,
    incarnation: IncarnationId,
    hub: Arc<Hub>,
    sfu: Arc<Sfu>,
    store: Store,
}

impl Running {
    /// Binds, opens and starts everything, or says what is in the way.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        Self::compose(config, None).await
    }

    /// The same with the demonstration school in it.
    pub async fn start_demo(config: Config) -> anyhow::Result<Self> {
        Self::compose(config, Some(Size::SCHOOL)).await
    }

    async fn compose(config: Config, demo: Option<Size>) -> anyhow::Result<Self> {
        let door = Door::open(&config.server)?;
        if config.cluster.redis.is_none() {
            // Nobody else could take whoever knocks meanwhile. Of several, another one does.
            door.listen()?;
        }
        let store = parts::open_store(&config.storage).await?;
        let node = Node::join(&config, &store).await?;
        let school = parts::open_school(&store, &node, demo).await?;
        let Node { incarnation, clock, bus, bus_events, mut beats, steering, relay_key, .. } = node;
        let (board, nudge) = (beats.board(), beats.nudge());
        let carrier: Arc<dyn Bus> = bus.clone().map_or_else(|| Arc::new(MemoryBus) as _, |bus| bus as _);
        let membership = relay_key.map(|key| Membership { incarnation, key });
        let media = parts::sfu_config(&config.media, door.listener.address(), membership);
        let ports = (store.journal(), carrier, clock.clone());
        let packing = packing::pack_old_lessons(store.clone(), ports.2.clone(), config.storage.pack_after());
        let (hub, sfu) = parts::start_lessons(incarnation, media, ports, &school, bus_events)?;
        beats.open_media(node::media_doors(&sfu, config.cluster.media_address));
        let keeping = parts::keep(school.clone(), hub.clone(), steering.clone(), demo);
        let (watched, standby) = (store.clone(), node::standby_rule(&config.storage));
        let readiness = parts::readiness(store.clone(), board.clone(), bus.clone());
        let state = parts::state(&config, school, hub.clone(), steering.clone(), readiness);
        let draining = state.draining.clone();
        let (stop, stopped) = watch::channel(false);
        let service = door.service(&config, state, sfu.clone(), stopped)?;
        let (address, secure) = (door.listener.address(), door.certificate.is_some());
        let watching = door.certificate.as_ref().map(Certificate::watch);
        let connections = service.connections.clone();
        let status = node::status(draining.clone(), connections.clone(), config.limits.connections);
        let heard = bus.clone().map(|bus| bus as Arc<dyn Bus>);
        let beating = tokio::spawn(beats.run(hub.clone(), heard, status, node::meeting(sfu.clone())));
        let sources = Arc::new(Sources {
            connections: connections.clone(),
            hub: hub.clone(),
            sfu: sfu.clone(),
            board,
            bus: bus.clone(),
            steering: steering.clone(),
            own: incarnation,
            store: store.clone(),
        });
        let telling = condition::tell(sources.clone(), clock);
        let keeping = tokio::spawn(async move {
            _ = tokio::join!(keeping, packing, telling, watched.watch_logs(standby));
        });
        let metrics = serve_metrics(config.metrics.listen, sources).await?;
        door.listen()?;
        let serving = tokio::spawn(door.listener.serve(service));
        tracing::info!(%address, storage = config.storage.url.shown(), "serving");
        Ok(Self {
            address,
            secure,
            connections,
            draining,
            stop,
            serving,
            watching,
            keeping,
            beating,
            nudge,
            metrics,
            bus,
            steering,
            incarnation,
            hub,
            sfu,
            store,
        })
    }

    /// The bound address, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a browser on this machine finds it.
    pub fn url(&self) -> String {
        self.url_at(health::reachable(self.address.ip()))
    }

    fn url_at(&self, ip: IpAddr) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// Open connections, sockets of lessons included.
    pub fn open_connections(&self) -> usize {
        self.connections.open()
    }

    /// What the media plane counted since the start.
    pub fn media_counters(&self) -> Totals {
        self.sfu.counters()
    }

    /// Where Prometheus asks, when it may.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|(address, _)| *address)
    }

    /// The bus to other nodes, when there are any.
    pub fn bus(&self) -> Option<&RedisBus> {
        self.bus.as_deref()
    }

    pub fn bus_is_up(&self) -> bool {
        self.bus().is_some_and(Bus::is_up)
    }
}

async fn serve_metrics(
    listen: Option<SocketAddr>,
    sources: Arc<Sources>,
) -> anyhow::Result<Option<(SocketAddr, JoinHandle<()>)>> {
    let Some(listen) = listen else { return Ok(None) };
    let told = || format!("metrics.listen {listen}");
    let listener = tokio::net::TcpListener::bind(listen).await.with_context(told)?;
    let address = listener.local_addr().with_context(told)?;
    let serving = tokio::spawn(async move {
        let page: Page = Arc::new(move || sources.page());
        if let Err(error) = crate::http::metrics::serve(listener, page).await {
            tracing::error!(%error, "metrics are served no more");
        }
    });
    tracing::info!(%address, "metrics");
    Ok(Some((address, serving)))
}

/// Listens for signals from now on; the rest waits for one.
fn until_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
