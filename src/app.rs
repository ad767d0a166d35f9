//! The composition root: the only place that knows every part. Starts them in order, stops them in reverse.

mod accounts;
mod copies;
mod metrics;
mod stopping;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
    time::Instant,
};

use anyhow::Context as _;
use qism_signaling::{
    hub::{
        Hub, HubConfig, Ports,
        envelope::BusEvent,
        ports::{Bus, Clock, Journal},
    },
    protocol::IncarnationId,
};
use tokio::{
    net::TcpStream,
    signal::unix::{SignalKind, signal},
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
};
use uuid::Uuid;

use self::metrics::Sources;
use crate::{
    auth::Turn,
    cluster::{
        Beats, Board, Busy, DatabaseClock, Homes, MemoryBus, RedisBus, RedisServer, Seal, Status, Steering,
        SystemClock, expect_free,
    },
    config::{
        Cluster, Config, Limits, Media, Server, Standby, Storage,
        cli::{Demo, Serve},
    },
    http::{
        AppState, Origins, Site,
        assets::Assets,
        connections::Connections,
        forwarded::Proxies,
        health::{Draining, Readiness, Ready},
        listener::{Listener, MediaDoor, Service},
        metrics::Page,
        router::router,
        selfmade,
        tls::Certificate,
    },
    school::{self, School},
    sfu::{Membership, Neighbor, SHARE, Sfu, SfuConfig, Totals},
    storage::{MediaDoors, NodeRow, StandbyRule, Store},
    telemetry,
};

pub use accounts::user;
pub use copies::{backup, restore};

/// Events of the media plane that wait for the hub. Full: the engine drops the newest speaking levels.
const MEDIA_EVENTS: usize = 4_096;

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

/// `qism demo`: until a signal.
pub async fn demo(options: Demo) -> anyhow::Result<()> {
    let config = demo_config(&options)?;
    let telemetry = telemetry::start(&config.log, &config.traces, &config.cluster.node)?;
    let Demo { classes, students_per_class, .. } = options;
    let size = school::demo::Size { classes, students_per_class };
    let ended = until_signal()?;
    let running = Running::compose(config, Some(size)).await?;
    print_demo(&running);
    ended.await;
    running.stop().await;
    telemetry.stop().await;
    Ok(())
}

fn configured(file: Option<&Path>) -> anyhow::Result<Config> {
    Ok(file.map(Config::load).transpose()?.unwrap_or_else(Config::defaults))
}

fn demo_config(options: &Demo) -> anyhow::Result<Config> {
    let mut config = configured(options.config.as_deref())?;
    if options.config.is_none() {
        config.log.filter = "warn".into();
    }
    if config.cluster.redis.is_some() {
        return Ok(config);
    }
    config.server.listen = options.listen;
    config.server.web_dir = options.web_dir.clone();
    config.storage = Storage::in_folder(&options.data);
    // Loopback too: a browser on this very machine may have nothing else.
    config.media.listen_addresses = interface_addresses()?;
    config.media.udp_port = demo_media_port(options.listen);
    make_folder(&options.data)?;
    if options.https {
        let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        let files = selfmade::certificate(&options.data, &interface_addresses()?, today)?;
        config.server.tls_certificate = Some(files.certificate);
        config.server.tls_key = Some(files.key);
    }
    Ok(config)
}

/// Two after the HTTP port, so that two demonstrations do not meet; any free one where that is taken.
fn demo_media_port(listen: SocketAddr) -> u16 {
    let wish = if listen.port() == 0 { None } else { listen.port().checked_add(2) };
    let free = |port: &u16| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    wish.filter(free).unwrap_or(0)
}

fn print_demo(running: &Running) {
    println!("A demonstration school. Everybody's password is {}\n", school::demo::PASSWORD);
    let width = school::demo::SIGN_INS.iter().map(|sign_in| sign_in.login.len()).max().unwrap_or(0) + 2;
    for sign_in in school::demo::SIGN_INS {
        println!("  {:<width$}{}", sign_in.login, sign_in.who);
    }
    println!();
    for address in phone_addresses(running.address) {
        println!("phones on this network: {}", running.url_at(address));
    }
    println!("ready {}", running.url());
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
        Self::compose(config, Some(school::demo::Size::SCHOOL)).await
    }

    async fn compose(config: Config, demo: Option<school::demo::Size>) -> anyhow::Result<Self> {
        let door = Door::open(&config.server)?;
        let store = open_store(&config.storage).await?;
        let node = Node::join(&config, &store).await?;
        let school = open_school(&store, &node, demo).await?;
        let Node { incarnation, clock, bus, bus_events, mut beats, steering, relay_key, .. } = node;
        let (board, nudge) = (beats.board(), beats.nudge());
        let carrier: Arc<dyn Bus> = bus.clone().map_or_else(|| Arc::new(MemoryBus) as _, |bus| bus as _);
        let membership = relay_key.map(|key| Membership { incarnation, key });
        let media = sfu_config(&config.media, door.listener.address(), membership);
        let ports = (store.journal(), carrier, clock);
        let (hub, sfu) = start_lessons(incarnation, media, ports, &school, bus_events)?;
        beats.open_media(media_doors(&sfu, config.cluster.media_address));
        let keeping = tokio::spawn(keep(school.clone(), hub.clone(), steering.clone(), demo));
        let readiness = readiness(board.clone(), bus.clone());
        let state = state(&config, school, hub.clone(), steering.clone(), readiness);
        let draining = state.draining.clone();
        let (stop, stopped) = watch::channel(false);
        let service = door.service(&config, state, sfu.clone(), stopped)?;
        let (address, secure) = (door.listener.address(), door.certificate.is_some());
        let watching = door.certificate.as_ref().map(Certificate::watch);
        let connections = service.connections.clone();
        let status = status(draining.clone(), connections.clone(), config.limits.connections);
        let heard = bus.clone().map(|bus| bus as Arc<dyn Bus>);
        let beating = tokio::spawn(beats.run(hub.clone(), heard, status, meeting(sfu.clone())));
        let sources = Sources {
            connections: connections.clone(),
            hub: hub.clone(),
            sfu: sfu.clone(),
            board,
            bus: bus.clone(),
            steering: steering.clone(),
            own: incarnation,
            store: store.clone(),
        };
        let metrics = serve_metrics(config.metrics.listen, sources).await?;
        let serving = tokio::spawn(door.listener.serve(service));
        tracing::info!(%address, storage = config.storage.shown(), "serving");
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
        let ip = self.address.ip();
        self.url_at(if ip.is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { ip })
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

/// The bound port and the certificate, before anything else starts: they are what most often is in the way.
struct Door {
    listener: Listener,
    certificate: Option<Arc<Certificate>>,
}

impl Door {
    fn open(server: &Server) -> anyhow::Result<Self> {
        let listen = server.listen;
        let listener = Listener::bind(listen).map_err(|error| cannot_listen(listen, &error))?;
        let certificate = server.tls().map(Certificate::load).transpose().context("HTTPS")?;
        Ok(Self { listener, certificate })
    }

    fn service(
        &self,
        config: &Config,
        state: AppState,
        sfu: Arc<Sfu>,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Service> {
        let Limits { connections, connections_per_address, .. } = config.limits;
        Ok(Service {
            router: router(state),
            media: config.media.tcp.then_some(sfu as Arc<dyn MediaDoor>),
            tls: self.certificate.as_ref().map(Certificate::acceptor).transpose()?,
            connections: Connections::new(connections, connections_per_address),
            proxies: Arc::new(Proxies::new(config.server.trusted_proxies.clone())),
            header_timeout: config.limits.header_timeout(),
            stop,
        })
    }
}

#[async_trait::async_trait]
impl MediaDoor for Sfu {
    async fn carry(&self, stream: TcpStream) {
        Self::carry(self, stream).await;
    }
}

async fn open_store(storage: &Storage) -> anyhow::Result<Store> {
    Store::open_safe(&storage.url, standby_rule(storage))
        .await
        .with_context(|| format!("storage {}", storage.shown()))
}

fn standby_rule(storage: &Storage) -> StandbyRule {
    match storage.standby {
        Standby::Auto => StandbyRule::Auto,
        Standby::Required => StandbyRule::Required,
        Standby::None => StandbyRule::None,
    }
}

/// This start of the server among the others.
struct Node {
    incarnation: IncarnationId,
    clock: Arc<dyn Clock>,
    bus: Option<Arc<RedisBus>>,
    bus_events: mpsc::Receiver<BusEvent>,
    beats: Beats,
    steering: Option<Arc<Steering>>,
    ticket_key: Option<[u8; 32]>,
    relay_key: Option<[u8; 32]>,
}

impl Node {
    /// Beats for the first time, begins to connect to the bus.
    async fn join(Config { cluster, storage, .. }: &Config, store: &Store) -> anyhow::Result<Self> {
        let incarnation = IncarnationId(Uuid::now_v7());
        if cluster.redis.is_some() {
            expect_free(store, &cluster.node).await?;
        }
        let database_clock = match store.is_shared() {
            true => Some(Arc::new(DatabaseClock::new(store.database_now().await?, Instant::now()))),
            false => None,
        };
        let clock: Arc<dyn Clock> =
            database_clock.clone().map_or_else(|| Arc::new(SystemClock::default()) as _, |clock| clock as _);
        let stored = (store.clone(), standby_rule(storage));
        let beats = Beats::start(stored, database_clock, incarnation, &cluster.node).await;
        let beats = beats.context("the first beat")?;
        let (bus, bus_events) = start_bus(cluster, incarnation)?;
        let homes = Homes::new(cluster.homes.clone());
        let steer =
            || Arc::new(Steering::new(store.clone(), clock.clone(), beats.board(), incarnation, homes));
        let steering = bus.is_some().then(steer);
        let key = |purpose| cluster.key.as_ref().map(|key| Seal::derive(key.reveal(), purpose));
        let (ticket_key, relay_key) = (key("qism tickets 1"), key("qism relays 1"));
        Ok(Self { incarnation, clock, bus, bus_events, beats, steering, ticket_key, relay_key })
    }
}

type Letters = mpsc::Receiver<BusEvent>;

fn start_bus(cluster: &Cluster, own: IncarnationId) -> anyhow::Result<(Option<Arc<RedisBus>>, Letters)> {
    let Some((redis, key)) = cluster.redis.as_ref().zip(cluster.key.as_ref()) else {
        // Nobody writes to a single node: this end is closed at once.
        return Ok((None, mpsc::channel(1).1));
    };
    let mut server = RedisServer::new(redis.reveal(), &cluster.sentinels).context("cluster.redis")?;
    if let Some(file) = &cluster.redis_ca {
        server = server.trusting(file).context("cluster.redis_ca")?;
    }
    tracing::info!(redis = %server, node = cluster.node, "one of several nodes");
    let (bus, letters) = RedisBus::start(server, Seal::new(key.reveal()), own);
    Ok((Some(bus), letters))
}

/// What `/readyz` tells.
fn readiness(board: Arc<Board>, bus: Option<Arc<RedisBus>>) -> Readiness {
    Arc::new(move || Ready {
        database: board.is_fresh(),
        shortfall: board.shortfall(),
        bus: bus.as_ref().map(|bus| bus.is_up()),
    })
}

async fn serve_metrics(
    listen: Option<SocketAddr>,
    sources: Sources,
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

/// What the beat tells of this server.
fn status(draining: Arc<Draining>, connections: Arc<Connections>, limit: usize) -> impl Fn() -> Status {
    let busy = Busy::new(std::thread::available_parallelism().map_or(1, usize::from));
    let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
    move || Status {
        draining: draining.started(),
        capacity: count(limit),
        people: count(connections.open()),
        busy: telemetry::process::cpu_seconds().map_or(0, |used| busy.look(used, Instant::now())),
    }
}

async fn open_school(
    store: &Store,
    node: &Node,
    demo: Option<school::demo::Size>,
) -> anyhow::Result<Arc<School>> {
    let mut school = School::new(store.clone(), node.clock.clone())?;
    if let Some(key) = node.ticket_key {
        school = school.with_ticket_key(key);
    }
    if let Some(size) = demo {
        school.prepare_demo(size).await?;
    }
    Ok(Arc::new(school))
}

/// The hub and its media plane, which tell each other what happens.
fn start_lessons(
    incarnation: IncarnationId,
    media: SfuConfig,
    (journal, bus, clock): (Arc<dyn Journal>, Arc<dyn Bus>, Arc<dyn Clock>),
    school: &Arc<School>,
    letters: Letters,
) -> anyhow::Result<(Arc<Hub>, Arc<Sfu>)> {
    let (events, media_events) = mpsc::channel(MEDIA_EVENTS);
    let sfu = Sfu::start(media, events).context("media")?;
    let ports = Ports { journal, bus, admissions: school.clone(), clock, media: sfu.clone() };
    tracing::info!(%incarnation, "lessons can begin");
    Ok((Hub::start(HubConfig::new(incarnation), ports, media_events, letters), sfu))
}

/// What a server does for its school by itself, until it is aborted.
async fn keep(
    school: Arc<School>,
    hub: Arc<Hub>,
    steering: Option<Arc<Steering>>,
    demo: Option<school::demo::Size>,
) {
    let prolonging = async {
        if let Some(size) = demo {
            school.prolong_demo(size).await;
        }
    };
    let placing = async {
        if let Some(steering) = steering {
            steering.look_ahead().await;
        }
    };
    tokio::join!(school.watch_withdrawals(&hub), prolonging, placing);
}

fn sfu_config(media: &Media, http: SocketAddr, cluster: Option<Membership>) -> SfuConfig {
    let port = media.tcp_port.unwrap_or(http.port());
    SfuConfig {
        listen: media.listen_addresses.clone(),
        udp_port: media.udp_port,
        threads: media.threads,
        share: SHARE,
        tcp: media.tcp.then(|| SocketAddr::new(http.ip(), port)),
        public_addresses: media.public_addresses.clone(),
        cluster,
    }
}

/// What the other servers must know to have media of ours and to send us theirs.
fn media_doors(sfu: &Sfu, address: Option<IpAddr>) -> MediaDoors {
    let at = |door: &SocketAddr| SocketAddr::new(address.unwrap_or(door.ip()), door.port());
    let addresses = sfu.doors().iter().map(at).collect();
    MediaDoors { addresses, fingerprint: sfu.fingerprint().to_owned() }
}

/// Tells the media plane who lives. A server of an older version takes no media.
fn meeting(sfu: Arc<Sfu>) -> impl Fn(Vec<NodeRow>) {
    let neighbor = |NodeRow { incarnation, media, .. }: NodeRow| {
        let MediaDoors { addresses: doors, fingerprint } = media;
        (!doors.is_empty()).then_some(Neighbor { incarnation, doors, fingerprint })
    };
    move |nodes| sfu.meet(nodes.into_iter().filter_map(neighbor).collect())
}

fn state(
    config: &Config,
    school: Arc<School>,
    hub: Arc<Hub>,
    steering: Option<Arc<Steering>>,
    readiness: Readiness,
) -> AppState {
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
        school,
        hub,
        steering,
        turn: turn(&config.media),
        readiness,
        write_stall: config.limits.write_stall(),
    }
}

fn turn(media: &Media) -> Option<Arc<Turn>> {
    let Media { turn_urls, turn_secret, turn_lifetime_s, .. } = media;
    Turn::new(turn_urls.clone(), turn_secret.clone(), *turn_lifetime_s).map(Arc::new)
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
