//! This server among others: its incarnation, its clock, the bus, the beat, and what it tells by them.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use anyhow::Context as _;
use qism_signaling::{
    hub::{envelope::BusEvent, ports::Clock},
    protocol::IncarnationId,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    cluster::{
        Beats, Busy, DatabaseClock, Homes, RedisBus, RedisServer, Seal, Status, Steering, SystemClock,
        take_name,
    },
    config::{Cluster, Config, Standby, Storage},
    http::{connections::Connections, health::Draining},
    sfu::{Neighbor, Sfu},
    storage::{MediaDoors, NodeRow, StandbyRule, Store},
    telemetry,
};

/// This start of the server among the others.
pub(super) struct Node {
    pub(super) incarnation: IncarnationId,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) bus: Option<Arc<RedisBus>>,
    pub(super) bus_events: mpsc::Receiver<BusEvent>,
    pub(super) beats: Beats,
    pub(super) steering: Option<Arc<Steering>>,
    pub(super) ticket_key: Option<[u8; 32]>,
    pub(super) relay_key: Option<[u8; 32]>,
}

impl Node {
    /// Beats for the first time, begins to connect to the bus.
    pub(super) async fn join(Config { cluster, .. }: &Config, store: &Store) -> anyhow::Result<Self> {
        let incarnation = IncarnationId(Uuid::now_v7());
        if cluster.redis.is_some() {
            take_name(store, &cluster.node, incarnation).await?;
        }
        let database_clock = match store.is_shared() {
            true => Some(Arc::new(DatabaseClock::new(store.database_now().await?, Instant::now()))),
            false => None,
        };
        let clock: Arc<dyn Clock> =
            database_clock.clone().map_or_else(|| Arc::new(SystemClock::default()) as _, |clock| clock as _);
        let beats = Beats::start(store.clone(), database_clock, incarnation, &cluster.node).await;
        let beats = beats.context("the first beat")?;
        let (bus, bus_events) = start_bus(cluster, incarnation, clock.clone())?;
        let homes = Homes::new(cluster.homes.clone());
        let own = (incarnation, cluster.node.clone());
        let steer = || Arc::new(Steering::new(store.clone(), clock.clone(), beats.board(), own, homes));
        let steering = bus.is_some().then(steer);
        let key = |purpose| cluster.key.as_ref().map(|key| Seal::derive(key.reveal(), purpose));
        let (ticket_key, relay_key) = (key("qism tickets 1"), key("qism relays 1"));
        Ok(Self { incarnation, clock, bus, bus_events, beats, steering, ticket_key, relay_key })
    }
}

pub(super) type Letters = mpsc::Receiver<BusEvent>;

/// The Redis that the configuration names, with the authorities that it trusts read.
pub(super) fn redis_server(cluster: &Cluster) -> anyhow::Result<Option<RedisServer>> {
    let Some(redis) = &cluster.redis else { return Ok(None) };
    let server = RedisServer::new(redis.reveal(), &cluster.sentinels).context("cluster.redis")?;
    Ok(Some(match &cluster.redis_ca {
        Some(file) => server.trusting(file).context("cluster.redis_ca")?,
        None => server,
    }))
}

fn start_bus(
    cluster: &Cluster,
    own: IncarnationId,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<(Option<Arc<RedisBus>>, Letters)> {
    let Some((server, key)) = redis_server(cluster)?.zip(cluster.key.as_ref()) else {
        // Nobody writes to a single node: this end is closed at once.
        return Ok((None, mpsc::channel(1).1));
    };
    tracing::info!(redis = %server, "one of several nodes");
    let (bus, letters) = RedisBus::start(server, Seal::new(key.reveal()), own, clock);
    Ok((Some(bus), letters))
}

pub(super) fn standby_rule(storage: &Storage) -> StandbyRule {
    match storage.standby {
        Standby::Auto => StandbyRule::Auto,
        Standby::Required => StandbyRule::Required,
        Standby::None => StandbyRule::None,
    }
}

/// What the beat tells of this server.
pub(super) fn status(
    draining: Arc<Draining>,
    connections: Arc<Connections>,
    limit: usize,
) -> impl Fn() -> Status {
    let busy = Busy::new(std::thread::available_parallelism().map_or(1, usize::from));
    let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
    move || Status {
        draining: draining.started(),
        capacity: count(limit),
        people: count(connections.open()),
        busy: telemetry::process::cpu_seconds().map_or(0, |used| busy.look(used, Instant::now())),
    }
}

/// What the other servers must know to have media of ours and to send us theirs.
pub(super) fn media_doors(sfu: &Sfu, address: Option<IpAddr>) -> MediaDoors {
    let at = |door: &SocketAddr| SocketAddr::new(address.unwrap_or(door.ip()), door.port());
    let addresses = sfu.doors().iter().map(at).collect();
    MediaDoors { addresses, fingerprint: sfu.fingerprint().to_owned() }
}

/// Tells the media plane who lives. A server of an older version takes no media.
pub(super) fn meeting(sfu: Arc<Sfu>) -> impl Fn(Vec<NodeRow>) {
    let neighbor = |NodeRow { incarnation, media, .. }: NodeRow| {
        let MediaDoors { addresses: doors, fingerprint } = media;
        (!doors.is_empty()).then_some(Neighbor { incarnation, doors, fingerprint })
    };
    move |nodes| sfu.meet(nodes.into_iter().filter_map(neighbor).collect())
}
