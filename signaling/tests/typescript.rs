//! The browser's types come from these: `web-client/src/protocol/generated.ts` must say what the Rust types say.
//! Stale? `QISM_REGENERATE=1 cargo test -p qism-signaling --test typescript` writes it anew.

use qism_signaling::protocol::{event::*, frame::*, media::*, snapshot::*, *};
use ts_rs::{Config, TS};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web-client/src/protocol/generated.ts");
const HEADER: &str = "// Generated from the Rust types in signaling/src/protocol by `cargo test -p qism-signaling --test typescript`.\n\
                      // Do not edit: QISM_REGENERATE=1 writes it anew.\n";

macro_rules! declarations {
    ($config:expr; $($name:ty),* $(,)?) => {
        [$(<$name as TS>::decl($config)),*].map(|decl| format!("export {decl}\n")).concat()
    };
}

fn generated() -> String {
    let config = Config::new().with_large_int("number");
    let body = declarations!(&config;
        UserId, LessonId, SessionId, CommandId, IncarnationId, Attach, Position,
        Source, Publication, LegKind, Slot, SlotKind, ReceiveMode, Pictures, VideoCodec, WantedVideo, OfferedTrack,
        Role, Spelling, Name, Person, Localized, LessonInfo, Phase, PublishedTrack, Participant, Snapshot,
        Recipients, ChatMode, RemovalReason, Command,
        LeftReason, PauseReason, EndReason, Event, Logged,
        ErrorCode, CloseCode, Pull, ClientFrame, Welcome, ServerFrame,
    );
    let closes = CloseCode::ALL.map(|code| format!("  {}: {},\n", code.number(), name_of(code))).concat();
    format!(
        "{HEADER}\nexport const VERSION = {VERSION};\n\n/** What each WebSocket close code means. */\n\
         export const CLOSE_CODES: Record<number, CloseCode> = {{\n{closes}}};\n\n{body}"
    )
}

fn name_of(code: CloseCode) -> String {
    serde_json::to_string(&code).expect("a unit variant serializes")
}

#[test]
fn the_browsers_types_are_the_servers_types() {
    let wanted = generated();
    if std::env::var_os("QISM_REGENERATE").is_some() {
        std::fs::create_dir_all(std::path::Path::new(FILE).parent().expect("the file is in a folder"))
            .expect("folder");
        std::fs::write(FILE, &wanted).expect("the generated file is writable");
    }
    let found = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        found == wanted,
        "generated.ts is stale: run QISM_REGENERATE=1 cargo test -p qism-signaling --test typescript"
    );
}
