//! Who is taken for dead before the beat tells.

use uuid::Uuid;

use super::*;

fn incarnation(n: usize) -> IncarnationId {
    IncarnationId(Uuid::from_u128(n as u128))
}

/// Nodes by their sessions and the age of their beats; ours is the first.
fn nodes(sessions: &[(SessionNow, u64)]) -> Vec<Place> {
    let place = |(n, (session, age_ms)): (usize, &(SessionNow, u64))| Place {
        incarnation: incarnation(n + 1),
        name: format!("node{}", n + 1),
        draining: false,
        load: Load::default(),
        seats: None,
        age_ms: *age_ms,
        session: *session,
    };
    sessions.iter().enumerate().map(place).collect()
}

fn alive(sessions: &[(SessionNow, u64)], passed_over: Option<&str>) -> Vec<String> {
    let living = living(nodes(sessions), incarnation(1), passed_over);
    living.into_iter().map(|place| place.name).collect()
}

#[test]
fn a_process_that_was_killed_is_known_by_its_session_before_its_beat_is_late() {
    let sessions = [(SessionNow::Open(60_000), 0), (SessionNow::Ended, 100), (SessionNow::Untold, 900)];
    assert_eq!(alive(&sessions, None), ["node1", "node3"]);
}

#[test]
fn when_the_database_has_ended_all_sessions_nobody_is_taken_for_killed() {
    for ours in [SessionNow::Ended, SessionNow::Open(2_999), SessionNow::Untold] {
        let sessions = [(ours, 900), (SessionNow::Ended, 900), (SessionNow::Open(10), 0)];
        assert_eq!(alive(&sessions, None).len(), 3, "{ours:?}");
    }
}

#[test]
fn a_node_that_the_proxy_passes_over_is_gone_only_if_its_beat_is_late_too() {
    let open = SessionNow::Open(60_000);
    let aged = |age_ms| [(open, 0), (open, age_ms), (open, 2_000)];
    assert_eq!(alive(&aged(1_499), Some("node2")).len(), 3);
    assert_eq!(alive(&aged(1_500), Some("node2")), ["node1", "node3"]);
    assert_eq!(alive(&aged(2_900), None).len(), 3, "nobody was led past it");
    assert_eq!(alive(&aged(2_900), Some("nobody")).len(), 3);
}
