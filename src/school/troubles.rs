//! What is wrong with the fleet, out of what its servers say. Pure.

use serde::Serialize;

use super::fleet::{ServerState, ServerView, packing_due};
use crate::storage::{Condition, LinkCondition};

/// Per mille from which a server is given no new lessons, of its connections and of its processors (`cluster::placement`).
const CROWDED: (u16, u16) = (850, 600);
/// … and from which it takes nobody.
const FULL: (u16, u16) = (950, 850);
/// An answer of the database is felt by whoever writes a line.
const SLOW_DATABASE_MS: u32 = 250;
/// A voice over a link that takes longer is felt as late.
const SLOW_LINK_MS: u32 = 150;
/// Per mille of lost packets from which repairs cost pictures.
const LOSSY: u16 = 20;
/// Slow readers: so many, and so many per mille of a server's people.
const WAITING: (u32, u64) = (20, 20);
/// Old lessons that one round of packing does not get done.
const PACKING: u64 = 1_000;

/// One thing that somebody should look after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    pub kind: TroubleKind,
    pub severity: Severity,
    /// Empty where it is nobody's own.
    pub server: String,
    /// The far end of a link.
    pub other: Option<String>,
    /// How much of it there is, in what the kind says.
    pub amount: u64,
}

/// The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Lessons suffer, or could lose something.
    Danger,
    /// They do not yet.
    Warning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// Its process is no more. Seconds since it was heard.
    Gone,
    /// It stands still or is cut off. Seconds since it was heard.
    Silent,
    /// Redis does not carry its letters: lessons go on, a little later on other servers.
    Bus,
    /// Letters over Redis in the last minute that the cluster's key did not seal: a server has another one, or a stranger writes there.
    Forged,
    /// Databases of the log that do not answer: their lessons wait.
    LogAway,
    /// What is committed could be lost with the database's primary.
    Unsafe,
    /// Batches of events that the database refused in the last minute.
    Refused,
    /// Milliseconds that the database takes to answer.
    SlowDatabase,
    /// Takes nobody new: it is about to stop. People still there.
    Draining,
    /// Per mille of its connections.
    Full,
    /// Per mille of its processors' time.
    Busy,
    /// Connections whose readers are slow.
    Waiting,
    /// A relay stands, and the far end is not heard.
    LinkDown,
    /// Packets of pictures a second that the link had no room for.
    LinkFull,
    /// Per mille of the packets.
    LinkLossy,
    /// Round trip in milliseconds.
    LinkSlow,
    /// People on another server than their lesson's, for want of room.
    Spilled,
    /// Lessons placed away from home, for want of room.
    Away,
    /// Old lessons that are to be packed.
    Packing,
    /// Servers of more than one version: how many versions.
    Versions,
}

/// All of it, the worst first.
pub fn troubles(servers: &[ServerView]) -> Vec<Trouble> {
    let mut all: Vec<Trouble> = servers.iter().flat_map(of_server).collect();
    all.extend(of_fleet(servers));
    all.sort_by_key(|trouble| trouble.severity);
    all
}

fn of_server(server: &ServerView) -> Vec<Trouble> {
    use Severity::{Danger, Warning};
    use TroubleKind::{Draining, Gone, Silent};
    let alone = |kind, severity, amount| vec![trouble(server, kind, severity, amount)];
    match server.state {
        // What it said last says nothing of now.
        ServerState::Gone => return alone(Gone, Danger, server.silent_ms / 1_000),
        ServerState::Silent => return alone(Silent, Danger, server.silent_ms / 1_000),
        ServerState::Draining | ServerState::Serving => {}
    }
    let mut found = own_troubles(server);
    if server.state == ServerState::Draining {
        found.push(trouble(server, Draining, Warning, server.people));
    }
    found.extend(server.condition.links.iter().filter_map(|link| of_link(server, link)));
    found
}

fn own_troubles(server: &ServerView) -> Vec<Trouble> {
    use Severity::{Danger, Warning};
    use TroubleKind::{Bus, Busy, Forged, Full, LogAway, Refused, SlowDatabase, Unsafe, Waiting};
    let Condition {
        bus, forged_letters, logs_away, database_ms, refused_batches, is_unsafe, waiting, ..
    } = server.condition;
    let of = |at: u16, full: u16| if at >= full { Danger } else { Warning };
    let many = u64::from(waiting) * 1_000 >= server.people * WAITING.1;
    let found = [
        (bus == Some(false), Bus, Danger, 0),
        (forged_letters > 0, Forged, Danger, forged_letters),
        (logs_away > 0, LogAway, Danger, logs_away),
        (is_unsafe, Unsafe, Danger, 0),
        (refused_batches > 0, Refused, Danger, refused_batches),
        (database_ms >= SLOW_DATABASE_MS, SlowDatabase, Warning, database_ms.into()),
        (server.load >= CROWDED.0, Full, of(server.load, FULL.0), server.load.into()),
        (server.busy >= CROWDED.1, Busy, of(server.busy, FULL.1), server.busy.into()),
        (waiting >= WAITING.0 && many, Waiting, Warning, waiting.into()),
    ];
    let told = found.into_iter().filter(|(is, ..)| *is);
    told.map(|(_, kind, severity, amount)| trouble(server, kind, severity, amount)).collect()
}

/// The worst of one direction of a link.
fn of_link(server: &ServerView, link: &LinkCondition) -> Option<Trouble> {
    use Severity::{Danger, Warning};
    use TroubleKind::{LinkDown, LinkFull, LinkLossy, LinkSlow};
    let (kind, severity, amount) = match *link {
        LinkCondition { is_up: false, .. } => (LinkDown, Danger, 0),
        LinkCondition { left_out: 1.., .. } => (LinkFull, Warning, link.left_out),
        LinkCondition { lost: LOSSY.., .. } => (LinkLossy, Warning, link.lost.into()),
        LinkCondition { round_trip_ms: Some(ms @ SLOW_LINK_MS..), .. } => (LinkSlow, Warning, ms.into()),
        _ => return None,
    };
    Some(Trouble { other: Some(link.to.clone()), ..trouble(server, kind, severity, amount) })
}

fn of_fleet(servers: &[ServerView]) -> Vec<Trouble> {
    use TroubleKind::{Away, Packing, Spilled, Versions};
    let alive =
        || servers.iter().filter(|it| matches!(it.state, ServerState::Serving | ServerState::Draining));
    let mut versions: Vec<&str> = alive().map(|server| server.version.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    let due = packing_due(servers);
    let found = [
        (Spilled, alive().map(|server| server.strays).sum()),
        (Away, alive().map(|server| server.away).sum()),
        (Packing, if due >= PACKING { due } else { 0 }),
        (Versions, if versions.len() > 1 { versions.len() as u64 } else { 0 }),
    ];
    let nobody = ServerView::default();
    let told = found.into_iter().filter(|(_, amount)| *amount > 0);
    told.map(|(kind, amount)| trouble(&nobody, kind, Severity::Warning, amount)).collect()
}

fn trouble(server: &ServerView, kind: TroubleKind, severity: Severity, amount: u64) -> Trouble {
    Trouble { kind, severity, server: server.name.clone(), other: None, amount }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str) -> ServerView {
        ServerView { name: name.into(), version: "1".into(), people: 100, ..ServerView::default() }
    }

    fn kinds(servers: &[ServerView]) -> Vec<TroubleKind> {
        troubles(servers).into_iter().map(|trouble| trouble.kind).collect()
    }

    #[test]
    fn servers_that_serve_are_no_trouble() {
        let link = LinkCondition { is_up: true, round_trip_ms: Some(3), lost: 4, ..LinkCondition::default() };
        let condition = Condition {
            bus: Some(true),
            database_ms: 4,
            waiting: 19,
            links: vec![link],
            ..Condition::default()
        };
        let (load, busy) = (849, 599);
        assert_eq!(kinds(&[ServerView { condition, load, busy, ..server("a") }, server("b")]), []);
    }

    #[test]
    fn what_hurts_lessons_comes_before_what_does_not_yet() {
        let link = |to: &str, is_up, left_out| LinkCondition {
            to: to.into(),
            is_up,
            left_out,
            lost: 500,
            ..LinkCondition::default()
        };
        let links = vec![link("b", false, 3), link("c", true, 7), link("d", true, 0)];
        let condition =
            Condition { bus: Some(false), forged_letters: 5, waiting: 20, links, ..Condition::default() };
        let (draining, gone) = (ServerState::Draining, ServerState::Gone);
        let all = troubles(&[
            ServerView { condition, busy: 850, state: draining, strays: 2, ..server("a") },
            ServerView { state: gone, silent_ms: 61_500, load: 990, ..server("b") },
        ]);
        use TroubleKind::*;
        let told: Vec<_> = all.iter().map(|it| (it.kind, it.severity, it.amount)).collect();
        assert_eq!(
            told,
            [
                (Bus, Severity::Danger, 0),
                (Forged, Severity::Danger, 5),
                (Busy, Severity::Danger, 850),
                (LinkDown, Severity::Danger, 0),
                (Gone, Severity::Danger, 61),
                (Waiting, Severity::Warning, 20),
                (Draining, Severity::Warning, 100),
                (LinkFull, Severity::Warning, 7),
                (LinkLossy, Severity::Warning, 500),
                (Spilled, Severity::Warning, 2),
            ]
        );
        assert_eq!(all[3].other.as_deref(), Some("b"));
    }

    #[test]
    fn versions_are_counted_among_those_who_live() {
        let newer = ServerView { version: "2".into(), ..server("b") };
        assert_eq!(kinds(&[server("a"), newer.clone()]), [TroubleKind::Versions]);
        assert_eq!(
            kinds(&[server("a"), ServerView { state: ServerState::Gone, ..newer }]),
            [TroubleKind::Gone]
        );
    }
}
