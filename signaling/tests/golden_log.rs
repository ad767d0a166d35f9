//! Golden logs: what was written in one format of events, every later version must fold to the same state.
//! `tests/fixtures/logs/format-<number>.json` holds a lesson's log, the last position and the views of a teacher and a student. Files of
//! older formats are never written again; that of the newest: `QISM_REGENERATE=1 cargo test -p qism-signaling --test golden_log`.

use std::{fs, path::PathBuf};

use qism_signaling::{
    protocol::{
        Attach, Chain, ChatMode, CommandId, EVENT_FORMAT, Event, IncarnationId, LeftReason, Logged,
        PauseReason, Recipients, RemovalReason, Role, ServerFrame, SessionId, Snapshot, Source, UserId,
    },
    room::{Room, chain},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Golden {
    origin: Chain,
    log: Vec<Logged>,
    /// What the fold of the log shows to a teacher, and to the student with number 2.
    teacher: Snapshot,
    student: Snapshot,
    /// Whose packets pass at the end: user and sources.
    permits: Vec<(UserId, Vec<Source>)>,
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/logs")
}

fn attached(number: u128, role: Role) -> Event {
    Event::Attached {
        user: user(number),
        role,
        visit: role == Role::Director,
        session: SessionId(Uuid::from_u128(number)),
        attach: Attach(1),
        incarnation: IncarnationId(Uuid::from_u128(9)),
    }
}

fn left(number: u128, reason: LeftReason) -> Event {
    let session = SessionId(Uuid::from_u128(number));
    Event::Left { user: user(number), session, attach: Attach(1), reason }
}

/// A lesson in which everything happens.
fn lesson() -> Vec<Event> {
    use Event as E;
    let by = user(1);
    let microphone = |user, muted| E::Published { user, source: Source::Microphone, muted };
    let said = |user, to, text: &str| E::Said { user, to, text: Some(text.into()) };
    let removed = |user, keep_out| E::Removed {
        user,
        by,
        reason: RemovalReason::Disturbing,
        note: Some("encore".into()),
        keep_out,
    };
    vec![
        attached(2, Role::Student),
        attached(1, Role::Teacher),
        E::Opened { by },
        microphone(by, false),
        E::Published { user: by, source: Source::Camera, muted: false },
        attached(3, Role::Student),
        attached(4, Role::Student),
        attached(5, Role::Student),
        attached(6, Role::Student),
        attached(7, Role::Director),
        said(user(2), Recipients::Everyone, "السلام عليكم"),
        said(user(3), Recipients::Teachers, "x² + 1 = 0 ?"),
        E::ChatSet { mode: ChatMode::Questions, slow_mode_s: 10, by },
        E::LineDeleted { number: 11, by },
        E::HandRaised { user: user(2) },
        E::HandRaised { user: user(3) },
        E::HandRaised { user: user(4) },
        E::HandLowered { user: user(4), by: user(4) },
        E::FloorGiven { user: user(2), by },
        microphone(user(2), false),
        E::CameraGranted { user: user(2), to: Recipients::Teachers, by },
        E::Published { user: user(2), source: Source::Camera, muted: false },
        E::FloorGiven { user: user(5), by },
        microphone(user(5), false),
        E::FloorTaken { user: user(5), by },
        E::FloorGiven { user: user(4), by },
        E::CameraGranted { user: user(4), to: Recipients::Everyone, by },
        E::CameraRevoked { user: user(4), by },
        microphone(user(4), false),
        E::AllMuted { by },
        E::MutedSet { user: user(2), source: Source::Microphone, muted: false, by: user(2) },
        E::Published { user: by, source: Source::Screen, muted: false },
        E::Unpublished { user: by, source: Source::Camera, by },
        E::LockedSet { locked: true, by },
        removed(user(5), true),
        removed(user(6), true),
        E::Readmitted { user: user(6), by },
        E::Reported { by: user(3), note: Some("انظروا".into()) },
        left(1, LeftReason::Cut),
        left(7, LeftReason::Chosen),
        E::Paused { reason: PauseReason::NoAdult },
        E::Attached {
            user: by,
            role: Role::Teacher,
            visit: false,
            session: SessionId(Uuid::from_u128(1)),
            attach: Attach(2),
            incarnation: IncarnationId(Uuid::from_u128(9)),
        },
        E::Resumed {},
        E::AllHandsLowered { by },
        E::HandRaised { user: user(3) },
        E::Erased { user: user(5) },
    ]
}

fn fold(origin: Chain, log: &[Logged]) -> Room {
    let mut room = Room::new(origin);
    for logged in log {
        let chain = chain::next(room.head.chain, logged.sender, logged.command, logged.event.kind());
        assert_eq!(logged.chain, chain, "the chain of event {}", logged.number);
        room.apply(logged);
    }
    room
}

fn golden(origin: Chain, log: Vec<Logged>) -> Golden {
    let room = fold(origin, &log);
    Golden {
        origin,
        teacher: room.snapshot(user(1), Role::Teacher),
        student: room.snapshot(user(2), Role::Student),
        permits: (1..=7).map(|n| (user(n), room.permits(user(n)))).filter(|(_, p)| !p.is_empty()).collect(),
        log,
    }
}

fn write_down() -> Golden {
    let mut room = Room::new(Chain(0x0123_4567_89ab_cdef));
    let mut log = Vec::new();
    for (index, event) in (1u64..).zip(lesson()) {
        let command = CommandId(Uuid::from_u128(u128::from(index)));
        let logged = chain::log(room.head, 1_700_000_000_000 + index * 1_000, None, command, event);
        room.apply(&logged);
        log.push(logged);
    }
    golden(Chain(0x0123_4567_89ab_cdef), log)
}

#[test]
fn a_log_of_every_format_folds_to_the_state_it_had() {
    let current = folder().join(format!("format-{EVENT_FORMAT}.json"));
    if std::env::var_os("QISM_REGENERATE").is_some() {
        fs::create_dir_all(folder()).expect("a folder for the logs");
        let text = serde_json::to_string_pretty(&write_down()).expect("JSON");
        fs::write(&current, text + "\n").expect("the golden log is written");
    }
    assert!(current.exists(), "the log of the newest format is missing: QISM_REGENERATE=1");
    for entry in fs::read_dir(folder()).expect("golden logs") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a golden log");
        let found: Golden = serde_json::from_str(&text).expect("a log that this version reads");
        let folded = golden(found.origin, found.log.clone());
        assert_eq!(folded, found, "{}", path.display());
    }
}

#[test]
fn every_kind_of_event_is_in_the_golden_log() {
    let lesson = lesson();
    let mut kinds: Vec<&str> = lesson.iter().map(Event::kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    // All but `ended`, which would empty the stage, and `withheld`, which is never stored.
    let frames = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/protocol/server_frames.json");
    let frames = fs::read_to_string(frames).expect("golden frames");
    let frames: Vec<ServerFrame> = serde_json::from_str(&frames).expect("frames");
    let wire = frames.iter().filter_map(|frame| match frame {
        ServerFrame::Event(logged) => Some(logged.event.kind()),
        _ => None,
    });
    let missing: Vec<&str> = wire.filter(|kind| !kinds.contains(kind)).collect();
    assert_eq!(missing, ["ended", "withheld"]);
}
