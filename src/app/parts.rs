//! The parts of a server, each made from the configuration and from those before it.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use qism_signaling::{
    hub::{
        Hub, HubConfig, Ports,
        ports::{Bus, Clock, Journal},
    },
    protocol::IncarnationId,
};
use tokio::sync::mpsc;

use super::node::{Letters, Node, standby_rule};
use crate::{
    auth::Turn,
    cluster::{Board, RedisBus, Steering},
    config::{Config, Media, Storage},
    http::{
        AppState, Origins, Site,
        assets::Assets,
        health::{Draining, Readiness, Ready},
    },
    school::{self, School},
    sfu::{Membership, SHARE, Sfu, SfuConfig},
    storage::{LogHealth, Store},
};

/// Events of the media plane that wait for the hub, which takes them at once. Full: each engine thread keeps as many, then drops the oldest.
const MEDIA_EVENTS: usize = 4_096;

pub(super) async fn open_store(storage: &Storage) -> anyhow::Result<Store> {
    Store::open_safe(&storage.url, standby_rule(storage))
        .await
        .with_context(|| format!("storage {}", storage.url.shown()))
}

/// What `/readyz` tells.
pub(super) fn readiness(store: Store, board: Arc<Board>, bus: Option<Arc<RedisBus>>) -> Readiness {
    Arc::new(move || {
        let logs = store.log_health();
        let of = |log: &LogHealth, said: String| match log.beginnings.as_slice() {
            [] => said,
            beginnings => format!("schools {}: {said}", beginnings.join(", ")),
        };
        Ready {
            // The first one of the log is that of the beat.
            database: board.is_fresh(),
            shortfall: logs.iter().find_map(|log| log.shortfall.clone().map(|why| of(log, why))),
            waiting: logs
                .iter()
                .skip(1)
                .filter(|log| !log.answers)
                .flat_map(|log| log.beginnings.clone())
                .collect(),
            bus: bus.as_ref().map(|bus| bus.is_up()),
        }
    })
}

pub(super) async fn open_school(
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
pub(super) fn start_lessons(
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
pub(super) async fn keep(
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
    tokio::join!(school.watch_withdrawals(&hub), school.carry_out_erasures(), prolonging, placing);
}

pub(super) fn sfu_config(media: &Media, http: SocketAddr, cluster: Option<Membership>) -> SfuConfig {
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

pub(super) fn state(
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
