//! What logs must not show: names, and what people wrote. `Debug` of these types says that there is something, and not what.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{Command, Event, Name, event::Unknown, snapshot::Spelling};

/// In place of what is hidden.
const HIDDEN: &str = "(redacted)";
/// Fields that hold what somebody wrote.
const WRITTEN: [&str; 2] = ["text", "note"];

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Debug for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(unknown) => unknown.fmt(f),
            known => without_words(known, f),
        }
    }
}

/// Nobody here knows which of its fields somebody wrote.
impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {HIDDEN}", self.kind)
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        without_words(self, f)
    }
}

/// As on the wire, but for what somebody wrote.
fn without_words(value: &impl Serialize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut value = serde_json::to_value(value).map_err(|_| fmt::Error)?;
    for field in WRITTEN {
        if let Some(words) = value.get_mut(field).filter(|words| !words.is_null()) {
            *words = Value::from(HIDDEN);
        }
    }
    fmt::Display::fmt(&value, f)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::protocol::{
        ClientFrame, CommandId, Person, Recipients, RemovalReason, Role, ServerFrame, UserId,
    };

    const USER: UserId = UserId(Uuid::from_u128(1));

    #[test]
    fn names_and_what_people_wrote_are_not_in_a_debug_line() {
        let words = || "سلمى".to_owned();
        let spelling = Spelling { given: words(), family: words() };
        let name = Name { arabic: Some(spelling.clone()), latin: Some(spelling.clone()) };
        let person = Person { user: USER, role: Role::Student, name: name.clone() };
        let unknown = serde_json::json!({ "type": "drawn", "label": words() });
        let shown = [
            format!(
                "{spelling:?} {name:?} {:?}",
                ServerFrame::People { people: vec![person], participants: Vec::new() }
            ),
            format!("{:?}", Event::Said { user: USER, to: Recipients::Everyone, text: Some(words()) }),
            format!("{:?}", Event::Reported { by: USER, note: Some(words()) }),
            format!("{:?}", serde_json::from_value::<Event>(unknown).expect("of a newer server")),
            format!("{:?}", Command::Report { note: words() }),
            format!("{:?}", {
                let (reason, note, keep_out) = (RemovalReason::Disturbing, words(), false);
                Command::Remove { user: USER, reason, note, keep_out }
            }),
            format!("{:#?}", {
                let command = Command::Say { text: words(), to: Recipients::Everyone };
                ClientFrame::Command { id: CommandId(USER.0), command }
            }),
        ];
        for line in shown {
            assert!(line.contains(HIDDEN) && !line.contains(&words()), "{line}");
        }
    }

    #[test]
    fn a_debug_line_says_what_happened_and_whether_a_text_is_still_there() {
        let said = |text: Option<&str>| Event::Said {
            user: USER,
            to: Recipients::Everyone,
            text: text.map(Into::into),
        };
        let line = format!("{:?}", said(None));
        assert!(line.contains("said") && line.contains("null") && line.contains(&USER.to_string()), "{line}");
        assert_ne!(line, format!("{:?}", said(Some(""))));
    }
}
