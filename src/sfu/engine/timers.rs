//! What happens by time alone: repeated handshakes, missing packets, layer choice, lost legs.

use std::time::{Duration, Instant};

use qism_signaling::{hub::ports::MediaEvent, protocol::LessonId};

use super::{
    counters::add,
    pacing,
    room::{TrackIndex, codecs, downlink, wanted},
    rtcp,
    worker::Worker,
};
use crate::sfu::forward::arrivals;

/// The grain of the engine's time.
pub const TICK: Duration = Duration::from_millis(10);
/// The same while nothing has a moment of its own: nothing is missing, no voice is to be repeated or joined, no other node is
/// linked. A half more than the 20 ms from one packet of a voice to the next: while somebody speaks, no wake-up is for the time alone.
const CALM: Duration = Duration::from_millis(30);
/// A thread without legs looks up this seldom.
pub const IDLE: Duration = Duration::from_secs(5);
/// Layer choice, speakers, handshakes.
const REVIEW: Duration = downlink::REVIEW;
/// Who gets voices joined.
const VOICES: Duration = Duration::from_millis(500);
/// What was carried is told to the hub.
const ACCOUNTS: Duration = Duration::from_secs(2);
/// Sender and receiver reports.
const REPORTS: Duration = Duration::from_secs(1);

/// When things were last done.
#[derive(Debug, Default)]
pub struct Timers {
    ticked: Option<Instant>,
    /// Reports were read.
    read: Option<Instant>,
    paced: Option<Instant>,
    reviewed: Option<Instant>,
    voices: Option<Instant>,
    fed_back: Option<Instant>,
    reported: Option<Instant>,
    accounted: Option<Instant>,
    /// Since the last tick something came up that the next one is for.
    expects: bool,
}

impl Timers {
    /// The next tick is not to be late, if `something`.
    pub fn expects(&mut self, something: bool) {
        self.expects |= something;
    }

    /// When to look up at the latest; `None` before the first tick.
    fn next(&self, is_calm: bool) -> Option<Instant> {
        let ticked = self.ticked?;
        if !is_calm || self.expects {
            return Some(ticked + TICK);
        }
        let regular = [(self.fed_back, arrivals::INTERVAL), (self.reviewed, REVIEW)];
        let regular = regular.into_iter().filter_map(|(last, interval)| Some(last? + interval));
        Some(regular.fold(ticked + CALM, Instant::min).max(ticked + TICK))
    }
}

/// True when `interval` passed since; then it starts anew.
fn is_due(last: &mut Option<Instant>, interval: Duration, now: Instant) -> bool {
    let due = last.is_none_or(|last| now >= last + interval);
    if due {
        *last = Some(now);
    }
    due
}

impl Worker {
    /// How long the thread may wait for datagrams.
    pub fn patience(&mut self, now: Instant) -> Duration {
        if !self.has_peers() {
            return IDLE;
        }
        let due = match self.is_pacing() {
            true => self.timers.paced.map(|last| last + pacing::INTERVAL),
            false => self.timers.next(self.echoes.is_empty() && self.ways.relays.is_empty()),
        };
        let due = due.unwrap_or(now);
        self.gathering.map_or(due, |gathering| due.min(gathering)).saturating_duration_since(now)
    }

    /// Something waits for a link, of a subscriber or between nodes.
    fn is_pacing(&mut self) -> bool {
        !self.paced.is_empty() || self.are_relays_busy()
    }

    /// Packets wait for the rest of their picture.
    pub fn is_gathering(&self) -> bool {
        self.gathering.is_some()
    }

    /// Somebody may send, or wait for something.
    fn has_peers(&self) -> bool {
        !self.legs.is_empty() || !self.ways.relays.is_empty()
    }

    /// True when it is time to read the reports that wait; not again before [`TICK`].
    pub fn is_reading_due(&mut self, now: Instant) -> bool {
        self.has_peers() && is_due(&mut self.timers.read, TICK, now)
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        if self.is_pacing() && is_due(&mut self.timers.paced, pacing::INTERVAL, now) {
            self.drain_paced(now);
            self.drain_relays(now);
        }
        if !is_due(&mut self.timers.ticked, TICK, now) {
            return;
        }
        self.timers.expects = false;
        self.tell_waiting();
        self.ask_missing(now);
        self.send_echoes(now);
        self.send_joined(now);
        self.drive_relays(now);
        if is_due(&mut self.timers.fed_back, arrivals::INTERVAL, now) {
            self.feed_back_arrivals(now);
            self.feed_back_relays();
        }
        if is_due(&mut self.timers.reported, REPORTS, now) {
            self.report_to_publishers(now);
            self.report_to_subscribers(now);
            self.report_to_origins(now);
            self.report_to_nodes(now);
        }
        if is_due(&mut self.timers.reviewed, REVIEW, now) {
            self.review_legs(now);
            self.share_relays(now);
            self.review_rooms(now);
        }
        if is_due(&mut self.timers.accounted, ACCOUNTS, now) {
            self.tell_carried(now);
        }
    }

    /// Pictures of publishers, and all that comes from other nodes.
    fn ask_missing(&mut self, now: Instant) {
        let (mut asks, mut asks_of_nodes) = (Vec::new(), Vec::new());
        for room in self.rooms.values_mut() {
            for track in &mut room.tracks {
                let whom = (track.publisher.filter(|_| !track.is_audio()), track.remote());
                if whom == (None, None) {
                    continue;
                }
                for (index, layer) in track.layers.iter_mut().enumerate() {
                    let missing = layer.nack.poll_asks(now);
                    if layer.nack.take_given_up() && layer.is_video() {
                        track.keyframes.want(index);
                    }
                    self.timers.expects(layer.nack.is_waiting());
                    match (whom, layer.ssrc) {
                        _ if missing.is_empty() => {}
                        ((Some(publisher), _), Some(ssrc)) => asks.push((publisher, ssrc, missing)),
                        ((None, Some((node, ssrc))), _) => {
                            asks_of_nodes.push((room.lesson, node, ssrc + index as u32, missing));
                        }
                        _ => {}
                    }
                }
            }
        }
        for (publisher, ssrc, missing) in asks {
            add(&self.counters.nacks_out, missing.len() as u64);
            if let Some(nack) = rtcp::nack(ssrc, &missing) {
                self.send_rtcp(publisher, &nack, now);
            }
        }
        for (lesson, node, ssrc, missing) in asks_of_nodes {
            self.ask_node((lesson, node), ssrc, &missing, now);
        }
    }

    fn review_legs(&mut self, now: Instant) {
        for index in self.legs.places() {
            self.legs.fetch_reviewed(index);
            let Some(state) = self.legs.get_mut(index) else { continue };
            if state.transport.ice.is_lost(now) {
                self.lose_leg(index, now);
                continue;
            }
            if !state.is_up || state.transport.is_repeating() {
                self.drive_handshake(index, now);
            }
            self.charge_budget(index, now);
            self.review_link(index, false, now);
        }
    }

    fn review_rooms(&mut self, now: Instant) {
        let with_voices = is_due(&mut self.timers.voices, VOICES, now);
        let rooms = self.rooms.values();
        let lessons: Vec<(LessonId, TrackIndex, bool)> =
            rooms.map(|room| (room.lesson, room.tracks.len(), room.home.is_some())).collect();
        for (lesson, tracks, is_guest) in lessons {
            for track in 0..tracks {
                self.review_track(lesson, track, with_voices, now);
                self.ask_key_frame(lesson, track, now);
            }
            for track in 0..tracks {
                self.tell_demand(lesson, track, now);
                self.tell_takes(lesson, track, now);
            }
            if is_guest {
                continue;
            }
            self.review_exports(lesson, now);
            self.tell_speakers(lesson, now);
            self.tell_wanted(lesson);
            self.tell_rates(lesson, now);
            self.tell_codecs(lesson, now);
        }
        self.ring_bridges();
    }

    /// Tells the hub which layers of each simulcast camera anybody receives, when that changed.
    fn tell_wanted(&mut self, lesson: LessonId) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        let told = wanted::changes(room, &mut self.legs);
        for (publication, layers) in told {
            self.tell(MediaEvent::LayersWanted { lesson, publication, layers });
        }
    }

    /// Tells the hub how much of each screen the widest link takes, when that changed.
    fn tell_rates(&mut self, lesson: LessonId, now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        for (publication, bitrate) in wanted::rates(room, &mut self.legs, now) {
            self.tell(MediaEvent::ScreenRate { lesson, publication, bitrate });
        }
    }

    /// Tells the hub what each camera may come in, when that changed.
    fn tell_codecs(&mut self, lesson: LessonId, now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        for (publication, codecs) in codecs::changes(room, now) {
            self.tell(MediaEvent::CodecsDecoded { lesson, publication, codecs });
        }
    }

    fn tell_speakers(&mut self, lesson: LessonId, now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        if room.speakers.is_quiet() {
            return;
        }
        if let Some(users) = room.speakers.poll(now) {
            self.tell(MediaEvent::Speaking { lesson, users });
        }
    }
}
