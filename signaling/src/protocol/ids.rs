//! Identities and places in a lesson's log.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use ts_rs::TS;
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
        #[serde(transparent)]
        #[ts(export_to = "generated.ts", type = "string")]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(s).map(Self)
            }
        }
    };
}

id!(
    /// A person's account.
    UserId
);
id!(
    /// One scheduled session of a Group; owner of one log.
    LessonId
);
id!(
    /// One resumable signaling attachment of one person to one lesson. Chosen by the browser tab, kept over reloads.
    SessionId
);
id!(
    /// Chosen by the sender (UUIDv7, never read as time); makes a command idempotent.
    CommandId
);
id!(
    /// One start of a server process.
    IncarnationId
);

/// Counts the attachments of a session: a reconnect is the same session with the next number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(transparent)]
#[ts(export_to = "generated.ts")]
pub struct Attach(pub u32);

/// 64-bit hash over (previous chain, sender, command id, kind): tells two histories with equal numbers apart.
/// On the wire 16 hexadecimal digits, since JSON numbers lose bits above 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chain(pub u64);

impl Serialize for Chain {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&format!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(|_| D::Error::custom("chain: 16 hexadecimal digits"))
    }
}

impl TS for Chain {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;
    fn name(_: &ts_rs::Config) -> String {
        "string".into()
    }
    fn inline(_: &ts_rs::Config) -> String {
        "string".into()
    }
}

/// A place in a lesson's log: the number of the last event seen and the chain there. Number 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct Position {
    pub number: u64,
    pub chain: Chain,
}
