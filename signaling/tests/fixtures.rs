//! Golden frames: `tests/fixtures/protocol/*.json` hold one of every frame, command and event as they stand on the wire. This
//! side encodes and decodes them, the browser's tests decode the same files, PROTOCOL.md quotes them.
//! A change on purpose: `QISM_REGENERATE=1 cargo test -p qism-signaling --test fixtures`.

use qism_signaling::protocol::{event::*, frame::*, media::*, snapshot::*, *};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/protocol");
const PROTOCOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/PROTOCOL.md");

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
}

fn teacher() -> UserId {
    UserId(id(1))
}

fn student() -> UserId {
    UserId(id(2))
}

fn position() -> Position {
    Position { number: 41, chain: Chain(0x0123_4567_89ab_cdef) }
}

fn person() -> Person {
    let arabic = Some(Spelling { given: "سلمى".into(), family: "العلوي".into() });
    let latin = Some(Spelling { given: "Salma".into(), family: "El Alaoui".into() });
    Person { user: student(), role: Role::Student, name: Name { arabic, latin } }
}

fn commands() -> Vec<Command> {
    let (user, to) = (student(), Recipients::Everyone);
    vec![
        Command::Say { text: "السلام عليكم".into(), to },
        Command::DeleteLine { number: 12 },
        Command::SetChat { mode: ChatMode::Questions, slow_mode_s: 30 },
        Command::RaiseHand {},
        Command::LowerHand { user },
        Command::LowerAllHands {},
        Command::GiveFloor { user },
        Command::TakeFloor { user },
        Command::GrantCamera { user, to: Recipients::Teachers },
        Command::RevokeCamera { user },
        Command::Publish { source: Source::Microphone, muted: false },
        Command::Unpublish { source: Source::Camera },
        Command::SetMuted { source: Source::Microphone, muted: true },
        Command::Mute { user },
        Command::MuteAll {},
        Command::StopSource { user, source: Source::Screen },
        Command::Remove {
            user,
            reason: RemovalReason::Disturbing,
            note: "third time".into(),
            keep_out: true,
        },
        Command::Readmit { user },
        Command::SetLocked { locked: true },
        Command::Report { note: "please look".into() },
        Command::Leave {},
        Command::End {},
    ]
}

fn events() -> Vec<Event> {
    let (user, by) = (student(), teacher());
    let (session, attach, incarnation) = (SessionId(id(7)), Attach(1), IncarnationId(id(8)));
    vec![
        Event::Attached { user, role: Role::Student, visit: false, session, attach, incarnation },
        Event::Left { user, session, attach, reason: LeftReason::Cut },
        Event::Opened { by },
        Event::Paused { reason: PauseReason::NoAdult },
        Event::Resumed {},
        Event::Ended { by: Some(by), reason: EndReason::Chosen },
        Event::Said { user, to: Recipients::Everyone, text: Some("السلام عليكم".into()) },
        Event::LineDeleted { number: 12, by },
        Event::ChatSet { mode: ChatMode::Questions, slow_mode_s: 30, by },
        Event::HandRaised { user },
        Event::HandLowered { user, by },
        Event::AllHandsLowered { by },
        Event::FloorGiven { user, by },
        Event::FloorTaken { user, by },
        Event::CameraGranted { user, to: Recipients::Teachers, by },
        Event::CameraRevoked { user, by },
        Event::Published { user, source: Source::Microphone, muted: false },
        Event::Unpublished { user, source: Source::Camera, by },
        Event::MutedSet { user, source: Source::Microphone, muted: true, by },
        Event::AllMuted { by },
        Event::Removed { user, by, reason: RemovalReason::Disturbing, note: None, keep_out: true },
        Event::Readmitted { user, by },
        Event::LockedSet { locked: true, by },
        Event::Reported { by: user, note: Some("please look".into()) },
        Event::Erased { user },
        Event::Withheld {},
    ]
}

fn logged(number: u64, event: Event) -> Logged {
    let (chain, command) = (Chain(number), CommandId(id(100 + u128::from(number))));
    Logged { number, chain, at: 1_795_480_501_861, sender: Some(student()), command, event }
}

fn client_frames() -> Vec<ClientFrame> {
    let sdp = "v=0\r\n…".to_owned();
    let tracks = vec![OfferedTrack { mid: "0".into(), source: Source::Microphone }];
    let cameras = vec![WantedVideo { user: teacher(), width: 640, height: 360 }];
    let mut frames = vec![
        ClientFrame::Hello { version: VERSION, ticket: "…".into(), position: None },
        ClientFrame::Hello { version: VERSION, ticket: "…".into(), position: Some(position()) },
        ClientFrame::Pull { request: 1, pull: Pull::Chat { before: Some(40) } },
        ClientFrame::OpenSubscriber { cameras: 2, packed: false },
        ClientFrame::OpenSubscriber { cameras: 6, packed: true },
        ClientFrame::SubscriberAnswer { sdp: sdp.clone() },
        ClientFrame::RestartSubscriber {},
        ClientFrame::Receive { mode: ReceiveMode::VoiceAndScreen, cameras },
        ClientFrame::PublisherOffer { sdp, tracks },
        ClientFrame::SetBudget { bytes: Some(25_000_000), used: 0 },
        ClientFrame::SetBudget { bytes: None, used: 7_430_000 },
        ClientFrame::Ping { nonce: 7 },
    ];
    frames.extend(
        commands().into_iter().map(|command| ClientFrame::Command { id: CommandId(id(100)), command }),
    );
    frames
}

fn snapshot() -> Snapshot {
    let published = vec![PublishedTrack { source: Source::Microphone, muted: false }];
    let participant = Participant {
        user: teacher(),
        role: Role::Teacher,
        visit: false,
        present: true,
        floor: false,
        camera: None,
        published,
    };
    Snapshot {
        position: position(),
        phase: Phase::Open,
        locked: false,
        chat: ChatMode::Open,
        slow_mode_s: 0,
        participants: vec![participant],
        hands: vec![student()],
        kept_out: vec![],
        students_present: 1,
    }
}

fn welcome() -> Welcome {
    let subject =
        Localized { ar: "الرياضيات".into(), fr: "Mathématiques".into(), en: "Mathematics".into() };
    let lesson = LessonInfo {
        lesson: LessonId(id(9)),
        subject,
        group: "2APIC-1".into(),
        teacher: teacher(),
        starts_at: 1_795_480_200_000,
        ends_at: 1_795_483_800_000,
    };
    Welcome {
        version: VERSION,
        user: student(),
        role: Role::Student,
        session: SessionId(id(7)),
        attach: Attach(1),
        lesson,
        people: vec![person()],
        snapshot: Some(snapshot()),
        server_time: 1_795_480_501_861,
    }
}

fn server_frames() -> Vec<ServerFrame> {
    let (command, sdp) = (CommandId(id(100)), "v=0\r\n…".to_owned());
    let publication = Publication { user: teacher(), source: Source::Camera };
    let mut frames = vec![
        ServerFrame::Welcome(Box::new(welcome())),
        ServerFrame::Accepted { id: command, number: 42 },
        ServerFrame::Refused { id: command, error: ErrorCode::SlowMode, retry_after_ms: Some(12_000) },
        ServerFrame::Refused { id: command, error: ErrorCode::NeedsFloor, retry_after_ms: None },
        ServerFrame::Reset { snapshot: Box::new(snapshot()), people: vec![person()] },
        ServerFrame::ChatPage { request: 1, lines: vec![logged(39, events()[6].clone())], more: true },
        ServerFrame::People { people: vec![person()], participants: Vec::new() },
        ServerFrame::People { people: vec![person()], participants: snapshot().participants },
        ServerFrame::Counts { students_present: 118 },
        ServerFrame::PublisherAnswer { sdp: sdp.clone() },
        ServerFrame::SubscriberOffer { sdp },
        ServerFrame::PackedOffer { packed: "eJwrszXg5QIAA/sA+w==".into() },
        ServerFrame::SlotAssigned { slot: Slot(6), publication: Some(publication) },
        ServerFrame::SlotAssigned { slot: Slot(6), publication: None },
        ServerFrame::Speaking { users: vec![teacher()] },
        ServerFrame::LayersWanted { layers: vec![true, false, false] },
        ServerFrame::PicturesStopped { stopped: true },
        ServerFrame::DataUsed { bytes: 7_430_000, budget: Some(25_000_000), pictures: Pictures::Spared },
        ServerFrame::VoiceRate { bitrate: 15_000 },
        ServerFrame::ScreenRate { bitrate: Some(48_000) },
        ServerFrame::CodecsDecoded { codecs: vec![VideoCodec::Vp8, VideoCodec::H264] },
        ServerFrame::LegLost { leg: LegKind::Subscriber },
        ServerFrame::Move { within_ms: 7_000 },
        ServerFrame::Error { error: ErrorCode::Malformed },
        ServerFrame::Pong { nonce: 7, server_time: 1_795_480_501_861 },
    ];
    let events = events().into_iter().zip(1..);
    frames.extend(events.map(|(event, number)| ServerFrame::Event(logged(number, event))));
    frames
}

/// The file says what we encode, and what we decode from it is what we meant.
fn golden<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(file: &str, frames: &[T]) {
    let path = format!("{FOLDER}/{file}");
    let text = serde_json::to_string_pretty(frames).expect("wire types serialize") + "\n";
    if std::env::var_os("QISM_REGENERATE").is_some() {
        std::fs::write(&path, &text).expect("the fixture is writable");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == text,
        "{file} is not what this version sends: QISM_REGENERATE=1 writes it anew, if that is meant"
    );
    let decoded: Vec<T> = serde_json::from_str(&stored).expect("the fixture decodes");
    assert_eq!(decoded, frames);
}

#[test]
fn client_frames_are_golden() {
    golden("client_frames.json", &client_frames());
}

#[test]
fn server_frames_are_golden() {
    golden("server_frames.json", &server_frames());
}

#[test]
fn every_kind_of_event_and_command_is_among_them() {
    let declared = |text: &str| text.matches("\"type\": \"").count();
    let config = ts_rs::Config::new();
    let of = |decl: String| decl.matches("\"type\": ").count();
    let commands = serde_json::to_string_pretty(&commands()).expect("serializes");
    assert_eq!(declared(&commands), of(<Command as ts_rs::TS>::decl(&config)));
    let events = events();
    let kinds: std::collections::BTreeSet<&str> = events.iter().map(Event::kind).collect();
    assert_eq!(kinds.len(), of(<Event as ts_rs::TS>::decl(&config)));
}

/// An event that nobody knows decodes, too.
fn is_known(frame: &ServerFrame) -> bool {
    !matches!(frame, ServerFrame::Event(Logged { event: Event::Unknown(_), .. }))
}

#[test]
fn every_example_of_the_document_decodes() {
    let document = std::fs::read_to_string(PROTOCOL).expect("PROTOCOL.md is there");
    let mut examples = 0;
    for line in
        document.lines().filter_map(|line| line.strip_prefix("→ `").or_else(|| line.strip_prefix("← `")))
    {
        let json = line.split('`').next().expect("split yields one part");
        let client = serde_json::from_str::<ClientFrame>(json).is_ok();
        let server = serde_json::from_str::<ServerFrame>(json).is_ok_and(|frame| is_known(&frame));
        assert!(client || server, "not a frame: {json}");
        examples += 1;
    }
    assert!(examples >= 15, "the document shows its frames: {examples}");
}

#[test]
fn an_unknown_frame_or_field_of_a_command_is_refused_not_guessed() {
    assert!(serde_json::from_str::<ClientFrame>(r#"{"type":"teleport"}"#).is_err());
    assert!(serde_json::from_str::<Command>(r#"{"type":"end","now":true}"#).is_err());
}
