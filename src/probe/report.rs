//! What the probe met, as text for a person or JSON for a program.

use std::{
    fmt,
    time::{Duration, Instant},
};

use qism_signaling::protocol::{LessonId, Publication, Role, Slot, Source};
use serde::{Serialize, Serializer};

use super::{
    SlotReception,
    examine::{is_sound, word},
};

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub server: String,
    pub lesson: LessonId,
    pub role: Role,
    /// Milliseconds.
    pub join: JoinTimes,
    pub round_trip: RoundTrips,
    pub received: Vec<Received>,
    pub sent: Vec<Sent>,
    /// What is wrong; empty when all is well.
    pub problems: Vec<String>,
}

/// Milliseconds, one decimal.
fn ms<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(rounded(*time))
}

fn ms_if<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(rounded).serialize(serializer)
}

fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// How long entering took. `media` and later count from the ticket on.
#[derive(Clone, Debug, Serialize)]
pub struct JoinTimes {
    #[serde(rename = "sign_in_ms", serialize_with = "ms")]
    pub sign_in: Duration,
    #[serde(rename = "ticket_ms", serialize_with = "ms")]
    pub ticket: Duration,
    #[serde(rename = "socket_ms", serialize_with = "ms")]
    pub socket: Duration,
    #[serde(rename = "welcome_ms", serialize_with = "ms")]
    pub welcome: Duration,
    /// ICE and DTLS.
    #[serde(rename = "media_ms", serialize_with = "ms_if")]
    pub media: Option<Duration>,
    #[serde(rename = "first_sound_ms", serialize_with = "ms_if")]
    pub first_sound: Option<Duration>,
    #[serde(rename = "first_picture_ms", serialize_with = "ms_if")]
    pub first_picture: Option<Duration>,
}

/// Milliseconds there and back.
#[derive(Clone, Debug, Serialize)]
pub struct RoundTrips {
    pub socket_median_ms: Option<f64>,
    pub socket_worst_ms: Option<f64>,
    /// Of a STUN check on the media path.
    pub media_ms: Option<f64>,
}

impl RoundTrips {
    pub(super) fn of(mut trips: Vec<Duration>, media_ms: Option<f64>) -> Self {
        trips.sort_unstable();
        Self {
            socket_median_ms: trips.get(trips.len() / 2).copied().map(rounded),
            socket_worst_ms: trips.last().copied().map(rounded),
            media_ms: media_ms.map(|trip| (trip * 10.0).round() / 10.0),
        }
    }
}

/// How it stands with one track of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Packets came.
    Arrives,
    /// Published and assigned, or owed to everybody, and nothing came.
    Missing,
    /// Nothing is to be expected while it is muted.
    Muted,
    /// Published, but in none of this receiver's slots.
    NotAssigned,
}

/// One track of somebody else.
#[derive(Clone, Debug, Serialize)]
pub struct Received {
    pub name: String,
    pub user: qism_signaling::protocol::UserId,
    pub source: Source,
    pub slot: Option<Slot>,
    pub verdict: Verdict,
    pub packets: u64,
    pub kilobytes: f64,
    pub lost_percent: f64,
    pub jitter_ms: f64,
    /// Pictures only.
    pub key_frames: u64,
    pub width: Option<u16>,
    pub height: Option<u16>,
}

impl Received {
    pub(super) fn in_slot(
        slot: Slot,
        track: Publication,
        name: String,
        muted: bool,
        reception: SlotReception,
        assigned: Instant,
    ) -> Self {
        let arrives = reception.latest.is_some_and(|latest| latest >= assigned);
        let verdict = match (arrives, muted) {
            (true, _) => Verdict::Arrives,
            (false, true) => Verdict::Muted,
            (false, false) => Verdict::Missing,
        };
        let expected = reception.packets + reception.lost();
        Self {
            slot: Some(slot),
            verdict,
            packets: reception.packets,
            kilobytes: reception.bytes as f64 / 1_000.0,
            lost_percent: if expected == 0 { 0.0 } else { 100.0 * reception.lost() as f64 / expected as f64 },
            jitter_ms: (reception.jitter_ms(is_sound(slot)) * 10.0).round() / 10.0,
            key_frames: reception.key_frames,
            width: reception.size.map(|(width, _)| width),
            height: reception.size.map(|(_, height)| height),
            ..Self::nowhere(track, name, muted, false)
        }
    }

    pub(super) fn nowhere(track: Publication, name: String, muted: bool, is_owed: bool) -> Self {
        let verdict = match (muted, is_owed) {
            (true, _) => Verdict::Muted,
            (false, true) => Verdict::Missing,
            (false, false) => Verdict::NotAssigned,
        };
        Self {
            name,
            user: track.user,
            source: track.source,
            slot: None,
            verdict,
            packets: 0,
            kilobytes: 0.0,
            lost_percent: 0.0,
            jitter_ms: 0.0,
            key_frames: 0,
            width: None,
            height: None,
        }
    }
}

/// One track of our own.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    pub source: Source,
    pub packets: u64,
}

impl Report {
    /// Adds what is wrong.
    pub(super) fn judged(mut self, media_is_up: bool) -> Self {
        if !media_is_up {
            self.problems.push("the media connection did not come up: is the UDP port open?".into());
        }
        let missing = self.received.iter().filter(|track| track.verdict == Verdict::Missing);
        let told = missing.map(|track| format!("no {} of {} arrives", word(track.source), track.name));
        self.problems.extend(told.collect::<Vec<_>>());
        self
    }

    /// True when everything that was published came, and everything to publish went.
    pub fn is_well(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  lesson {}  as {:?}", self.server, self.lesson, self.role)?;
        let join = &self.join;
        writeln!(
            f,
            "join        sign-in {}, ticket {}, socket {}, welcome {}, media {}, first sound {}, first picture {}",
            Ms(Some(join.sign_in)),
            Ms(Some(join.ticket)),
            Ms(Some(join.socket)),
            Ms(Some(join.welcome)),
            Ms(join.media),
            Ms(join.first_sound),
            Ms(join.first_picture),
        )?;
        let trips = &self.round_trip;
        let figure = |trip: Option<f64>| trip.map_or("–".into(), |trip| format!("{trip:.1} ms"));
        writeln!(
            f,
            "round trip  socket {} (worst {}), media {}",
            figure(trips.socket_median_ms),
            figure(trips.socket_worst_ms),
            figure(trips.media_ms)
        )?;
        if self.received.is_empty() {
            writeln!(f, "received    nobody else publishes anything")?;
        }
        self.received.iter().try_for_each(|track| track.write(f))?;
        for sent in &self.sent {
            writeln!(f, "sent        {}: {} packets", word(sent.source), sent.packets)?;
        }
        self.problems.iter().try_for_each(|problem| writeln!(f, "problem     {problem}"))?;
        write!(f, "{}", if self.is_well() { "all is well" } else { "something is wrong" })
    }
}

struct Ms(Option<Duration>);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => write!(f, "{:.0} ms", rounded(time)),
            None => f.write_str("never"),
        }
    }
}

impl Received {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "received    {} of {}: ", word(self.source), self.name)?;
        match self.verdict {
            Verdict::Missing => return writeln!(f, "NOTHING ARRIVES"),
            Verdict::Muted => return writeln!(f, "muted"),
            Verdict::NotAssigned => return writeln!(f, "not in one of this receiver's slots"),
            Verdict::Arrives => {}
        }
        write!(f, "{} packets, {:.0} kB, ", self.packets, self.kilobytes)?;
        write!(f, "{:.1} % lost, jitter {:.1} ms", self.lost_percent, self.jitter_ms)?;
        if let (Some(width), Some(height)) = (self.width, self.height) {
            write!(f, ", {width} × {height}, {} key frames", self.key_frames)?;
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qism_signaling::protocol::UserId;
    use uuid::Uuid;

    fn report(received: Vec<Received>) -> Report {
        let time = Duration::from_millis(12);
        Report {
            server: "http://127.0.0.1:7880".into(),
            lesson: LessonId(Uuid::nil()),
            role: Role::Student,
            join: JoinTimes {
                sign_in: time,
                ticket: time,
                socket: time,
                welcome: time,
                media: Some(time),
                first_sound: None,
                first_picture: None,
            },
            round_trip: RoundTrips::of(vec![time, time * 3], None),
            received,
            sent: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn voice() -> Publication {
        Publication { user: UserId(Uuid::nil()), source: Source::Microphone }
    }

    #[test]
    fn a_voice_that_is_owed_and_does_not_come_is_a_problem() {
        let missing = Received::nowhere(voice(), "Nadia Bennani".into(), false, true);
        let report = report(vec![missing]).judged(true);
        assert!(!report.is_well());
        assert!(report.to_string().contains("no microphone of Nadia Bennani arrives"), "{report}");
    }

    #[test]
    fn what_is_muted_or_in_no_slot_is_none() {
        let muted = Received::nowhere(voice(), "A".into(), true, true);
        let unassigned = Received::nowhere(voice(), "B".into(), false, false);
        let silent =
            Received::in_slot(Slot(1), voice(), "C".into(), true, SlotReception::default(), Instant::now());
        assert!(report(vec![muted, unassigned, silent]).judged(true).is_well());
    }

    #[test]
    fn a_slot_with_nothing_since_its_assignment_is_missing() {
        let mut reception = SlotReception::default();
        (reception.packets, reception.latest) = (9, Some(Instant::now()));
        let later = Instant::now() + Duration::from_secs(1);
        let track = Received::in_slot(Slot(1), voice(), "A".into(), false, reception, later);
        assert_eq!(track.verdict, Verdict::Missing);
    }

    #[test]
    fn without_media_nothing_is_well() {
        assert!(!report(Vec::new()).judged(false).is_well());
        let json = serde_json::to_value(report(Vec::new())).expect("JSON");
        assert_eq!(json["join"]["sign_in_ms"], 12.0);
        assert_eq!(json["join"]["first_sound_ms"], serde_json::Value::Null);
        assert_eq!(json["round_trip"]["socket_worst_ms"], 36.0);
    }
}
