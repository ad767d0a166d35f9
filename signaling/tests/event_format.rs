//! What events of each format look like. A newer server holds a new kind of event back while an older one lives, by its
//! format alone: so a format that servers run with must never change its meaning.

use qism_signaling::protocol::{event::*, *};
use ts_rs::{Config, TS};

fn file(format: u32) -> String {
    format!("{}/../tests/fixtures/events/format-{format}.ts", env!("CARGO_MANIFEST_DIR"))
}

/// The shape of every event of today, and of whatever stands in one.
fn shape() -> String {
    let config = Config::new().with_large_int("number");
    let declarations = [
        <Event as TS>::decl(&config),
        <LeftReason as TS>::decl(&config),
        <PauseReason as TS>::decl(&config),
        <EndReason as TS>::decl(&config),
        <Recipients as TS>::decl(&config),
        <ChatMode as TS>::decl(&config),
        <RemovalReason as TS>::decl(&config),
        <Source as TS>::decl(&config),
        <Role as TS>::decl(&config),
    ];
    declarations.map(|text| text.replace(" | {", "\n  | {") + "\n").concat()
}

/// `QISM_REGENERATE=1` writes the file of a format that has none yet.
#[test]
fn events_change_with_their_format_only() {
    let (path, wanted) = (file(EVENT_FORMAT), shape());
    assert!((1..EVENT_FORMAT).all(|old| std::path::Path::new(&file(old)).exists()), "an older one is gone");
    if std::env::var_os("QISM_REGENERATE").is_some() && !std::path::Path::new(&path).exists() {
        std::fs::write(&path, &wanted).expect("the folder is there");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "events are other than format {EVENT_FORMAT} says: raise EVENT_FORMAT, give what is new that number in Event::format, and write \
         its file by QISM_REGENERATE=1. (A field that an older server may miss without folding otherwise, or something that \
         was never released, changes the file itself.)"
    );
}

#[test]
fn what_this_version_does_not_know_is_read_word_for_word_and_never_written() {
    let texts = [
        // Another kind.
        r#"{"type":"poll_opened","options":["3","4"],"nested":{"deep":[1,2.5,null]},"big":18446744073709551615}"#,
        // A known kind with another value, and one that lacks what it should have.
        r#"{"type":"ended","by":null,"reason":"strike"}"#,
        r#"{"type":"hand_raised"}"#,
    ];
    for text in texts {
        let event: Event = serde_json::from_str(text).expect(text);
        assert!(matches!(event, Event::Unknown(_)), "{event:?}");
        assert!(text.starts_with(&format!(r#"{{"type":"{}""#, event.kind())));
        assert!(event.format() > EVENT_FORMAT);
        let back: serde_json::Value = serde_json::to_value(&event).expect("JSON");
        assert_eq!(back, serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
    }
    // A field more is no other event: whoever does not know it does without.
    let hand = r#"{"type":"hand_raised","user":"00000000-0000-0000-0000-000000000001","mood":"curious"}"#;
    assert!(matches!(serde_json::from_str(hand), Ok(Event::HandRaised { .. })));
    for broken in [r#"{"kind":"x"}"#, r#"{"type":7}"#, r#"["said"]"#, "null", ""] {
        assert!(serde_json::from_str::<Event>(broken).is_err(), "{broken}");
    }
}
