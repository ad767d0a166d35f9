//! The bus over every kind of Redis that the configuration can name: with a password, over TLS, behind Sentinels.

use std::{path::Path, sync::atomic::Ordering};

use qism::{app::Running, http::selfmade};
use qism_backing::{Postgres, Redis, Sentinel, Tls};
use qism_signaling::protocol::{Command, Recipients, ServerFrame};
use tempfile::TempDir;

use crate::{
    cluster::{config, connected, skipped},
    server::{Person, eventually},
};

const PASSWORD: &str = "a-password-of-redis";

/// Two nodes over one Redis, however it is reached.
struct Pair {
    nodes: [Running; 2],
    _postgres: Postgres,
    _folder: TempDir,
}

impl Pair {
    async fn over(redis: &str, sentinels: &[(String, u16)], authorities: Option<&Path>) -> Option<Self> {
        let Some(postgres) = Postgres::start().await else { return skipped() };
        let folder = tempfile::tempdir().expect("a folder");
        let start = async |n| {
            let mut config = config(folder.path(), &postgres.url(), redis, n);
            config.cluster.sentinels = sentinels.to_vec();
            config.cluster.redis_ca = authorities.map(Path::to_owned);
            Running::start_demo(config).await.expect("the node starts")
        };
        let nodes = [start(0).await, start(1).await];
        Some(Self { nodes, _postgres: postgres, _folder: folder })
    }

    /// A line crosses by the bus itself: the other node counts its letter.
    async fn carries(&self) {
        let mut writer = Person::sign_in(&self.nodes[0].url(), "teacher1").await.enter().await;
        let mut reader = Person::sign_in(&self.nodes[1].url(), "student1").await.enter().await;
        let received = || self.nodes[1].bus().expect("a cluster").counters().received.load(Ordering::Relaxed);
        let before = received();
        let text = "عبر الناقل".to_owned();
        let id = writer.command(Command::Say { text, to: Recipients::Everyone }).await;
        writer.accepted(id).await;
        let it = |frame: &ServerFrame| {
            matches!(frame, ServerFrame::Event(logged) if logged.command == id).then_some(())
        };
        reader.socket.find(it).await;
        eventually(async || (received() > before).then_some(())).await;
    }
}

async fn readiness(node: &Running) -> String {
    let answer = reqwest::get(format!("{}/readyz", node.url())).await.expect("answered");
    answer.text().await.expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_goes_over_tls_with_a_password_and_trusts_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = |name: &str| {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).expect("made");
        let here = ["127.0.0.1".parse().expect("an address")];
        selfmade::certificate(&folder, &here, jiff::civil::date(2026, 11, 1)).expect("made")
    };
    let (own, foreign) = (made("own"), made("foreign"));
    let tls = Tls { certificate: own.certificate.clone(), key: own.key };
    let Some(redis) = Redis::start_secure(&tls, PASSWORD).await else { return skipped().unwrap_or_default() };
    let Some(pair) = Pair::over(&redis.url(), &[], Some(&own.certificate)).await else { return };
    for node in &pair.nodes {
        connected(node, 1).await;
        assert_eq!(readiness(node).await, "ok");
    }
    pair.carries().await;
    let wrong_password = redis.url().replace(PASSWORD, "another");
    for (url, authority) in [(redis.url(), &foreign.certificate), (wrong_password, &own.certificate)] {
        let Some(pair) = Pair::over(&url, &[], Some(authority)).await else { return };
        // Lessons go on without it.
        let mut line = Person::sign_in(&pair.nodes[0].url(), "teacher1").await.enter().await;
        let id = line.command(Command::Say { text: "وحدي".into(), to: Recipients::Everyone }).await;
        line.accepted(id).await;
        assert_eq!(readiness(&pair.nodes[0]).await, "ok, without the bus");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_lead_the_bus_to_the_new_primary() {
    let local = "127.0.0.1".parse().expect("an address");
    let Some(mut redis) = Redis::start_at(local, Some(PASSWORD)).await else {
        return skipped().unwrap_or_default();
    };
    let replica = redis.replica().await;
    let sentinels = Sentinel::watch(&redis, 3, Some(PASSWORD)).await;
    let addresses: Vec<_> = sentinels.iter().map(Sentinel::address).collect();
    let Some(pair) = Pair::over(&format!("redis://:{PASSWORD}@qism"), &addresses, None).await else { return };
    for node in &pair.nodes {
        connected(node, 1).await;
    }
    pair.carries().await;
    redis.kill();
    eventually(async || sentinels[0].primary().await.filter(|port| *port == replica.port())).await;
    for node in &pair.nodes {
        connected(node, 2).await;
    }
    pair.carries().await;
}
