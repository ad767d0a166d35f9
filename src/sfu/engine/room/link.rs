//! A subscriber's link: what was sent when, and what its feedback says the link bears. One counter numbers all that
//! carries the transport-wide extension on the leg: pictures, retransmissions and padding.

mod probe;

use std::time::{Duration, Instant};

use probe::Probe;

use super::delays::Delays;
use crate::sfu::{
    engine::ahead::fetch,
    forward::{
        estimator::{Estimator, Told},
        feedback::{Arrival, Feedback},
        feelers::{Feelers, PAIR},
        meter::Meter,
        prober::Found,
        sent::SentPackets,
    },
};

/// Assumed before the first feedback: a picture at once is worth a moment of congestion.
const FIRST: f64 = 1_000_000.0;
const LEAST: f64 = 10_000.0;
/// Assumed when pictures come back after a stop.
const AGAIN: f64 = 30_000.0;
const MOST: f64 = 8_000_000.0;
/// After a fall nothing rises for so long.
const CALM: Duration = Duration::from_secs(3);
/// So much longer than the quickest feedback what was sent may be untold of, before pictures are held back.
const UNTOLD: Duration = Duration::from_millis(120);
/// … of what flowed lately and a tenth more, or of so many bytes: a key frame may begin.
const UNTOLD_BYTES: u64 = 24_000;
/// What waits leaves so much faster than what the link is said to bear, in percent: where it was found full not long ago …
const HASTE: u32 = 115;
/// … and where it was not, for so long at least: a picture leaves whole, as from a browser (libwebrtc's pacing factor).
const EASE: u32 = 250;
const WIDE: Duration = Duration::from_secs(3);
/// Feedback comes so soon, or never.
const FIRST_FEEDBACK: Duration = Duration::from_secs(1);
/// Losses so soon after packets waited in a full queue are its losses.
const CROWDED: Duration = Duration::from_secs(2);
/// So long a link that was full counts as a narrow one.
const NARROW: Duration = Duration::from_secs(60);
/// Assumed of the quickest feedback until one came.
const FIRST_LAG: Duration = Duration::from_millis(300);
/// After so long without sending, what is untold of was told in feedback that got lost.
const FORGET: Duration = Duration::from_millis(400);
/// From so many hundredths of what was known on a probe found more, although it came more slowly than it left: the queue of a
/// narrow link, which falls below its end now and then, gives less.
const CLEARLY: u32 = 130;

/// What one feedback told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    pub lost: u32,
    pub told: u32,
}

/// The sending side of one leg's transport-wide feedback.
pub struct Link {
    sent: SentPackets,
    estimator: Box<dyn Estimator>,
    /// Some peers never send feedback; they are not limited.
    is_measured: bool,
    /// Bytes sent that feedback passed by.
    passed: u64,
    /// The quickest that a packet was told of.
    lag: Option<Duration>,
    probe: Option<Probe>,
    flow: Meter,
    /// A queue on the way was full then.
    crowded: Option<Instant>,
    /// While pictures are stopped.
    pub feelers: Feelers,
}

impl Default for Link {
    fn default() -> Self {
        Self::assuming(FIRST, LEAST, MOST)
    }
}

impl Link {
    /// Rates in bits per second: assumed before the first feedback, least, most.
    pub fn assuming(first: f64, least: f64, most: f64) -> Self {
        Self {
            sent: SentPackets::default(),
            estimator: Box::new(Delays::new(first, least, most)),
            is_measured: false,
            passed: 0,
            lag: None,
            probe: None,
            flow: Meter::default(),
            crowded: None,
            feelers: Feelers::default(),
        }
    }

    /// The number the next packet carries.
    pub fn next_number(&self) -> u16 {
        self.sent.next() as u16
    }

    /// The packet with [`Self::next_number`] was sent.
    pub fn sent(&mut self, size: usize, departure: Instant) {
        self.flow.count(size, departure);
        self.sent.push(size, departure);
    }

    /// Where the next packets are noted; for fetching it only.
    pub fn next_places(&self) -> &[impl Sized] {
        self.sent.next_places()
    }

    /// Fetches what feedback touches, once this here is near.
    pub fn fetch(&self) {
        fetch(&*self.estimator);
        fetch(self.sent.newest_places());
    }

    /// … and once the estimator is near.
    pub fn fetch_arrived(&self) {
        self.estimator.fetch();
    }

    /// Forgets what was measured: pictures begin anew after a stop.
    pub fn restart(&mut self) {
        self.estimator = Box::new(Delays::new(AGAIN, LEAST, MOST));
        self.probe = None;
        self.feelers.rest();
    }

    /// Two packets of so many bytes left together to feel the way.
    pub fn felt_out(&mut self, bytes: usize, now: Instant) {
        self.feelers.sent(self.sent.next() - PAIR as u64, bytes, now);
    }

    /// Takes the receiver's feedback. `told` is filled with what it tells; given for its memory only.
    pub fn handle_feedback(&mut self, feedback: &Feedback<'_>, told: &mut Vec<Told>, now: Instant) -> Losses {
        told.clear();
        let count = feedback.told();
        if count == 0 {
            return Losses::default();
        }
        told.extend(feedback.packets().take(count).filter_map(|(number, arrival)| {
            let sent = self.sent.take(number)?;
            self.passed = self.passed.max(sent.total);
            Some(Told {
                number: sent.number,
                size: usize::from(sent.size),
                departure: sent.departure,
                arrived: arrival != Arrival::Lost,
                arrival: match arrival {
                    Arrival::At(at) => Some(at),
                    Arrival::Lost | Arrival::Untold => None,
                },
            })
        }));
        if let Some(newest) = told.last() {
            let lag = now.saturating_duration_since(newest.departure);
            self.lag = Some(self.lag.map_or(lag, |known| known.min(lag)));
            self.is_measured = true;
        }
        if let Some(probe) = &mut self.probe {
            probe.told(told);
        }
        self.feelers.told(told, now);
        self.estimator.told(told, now);
        if self.estimator.is_crowded() {
            self.crowded = Some(now);
        }
        let lost = told.iter().filter(|packet| !packet.arrived).count() as u32;
        Losses { lost, told: told.len() as u32 }
    }

    /// Bits per second that the link bears; `None` where nothing is known.
    pub fn estimate(&self) -> Option<u32> {
        self.is_measured.then(|| self.estimator.bitrate())
    }

    /// Nothing is told of it yet, but may be any moment.
    pub fn is_unknown(&self, now: Instant) -> bool {
        !self.is_measured && self.sent.first().is_none_or(|first| now < first + FIRST_FEEDBACK)
    }

    /// The same, or what is assumed until something is known.
    pub fn assumed(&self) -> u32 {
        self.estimator.bitrate()
    }

    /// Bits per second that were sent lately.
    pub fn flow(&mut self, now: Instant) -> u32 {
        self.flow.bitrate(now)
    }

    /// At which rate pictures leave; at first no faster than assumed, until it is clear that no feedback comes. What waits
    /// leaves faster than what flows on the average, but not into a full queue.
    pub fn pace(&self, now: Instant) -> Option<u32> {
        match self.is_unknown(now) {
            true => Some(FIRST as u32),
            _ if self.is_full(now) => self.estimate(),
            _ => {
                let haste = if self.is_wide(now) { EASE } else { HASTE };
                self.estimate().map(|estimate| estimate / 100 * haste)
            }
        }
    }

    /// Pictures flowed for a while, and the link was not found full by them.
    pub fn is_wide(&self, now: Instant) -> bool {
        !self.was_full(now) && self.sent.first().is_some_and(|first| now >= first + WIDE)
    }

    /// When the link was last found full, if it bears clearly more by now.
    pub fn outgrown(&self) -> Option<Instant> {
        self.estimator.outgrown()
    }

    /// The link bears far more than is said, by how quickly packets that left together came.
    pub fn is_wider(&self) -> bool {
        self.estimator.is_wider()
    }

    /// More is on its way than the link takes in the time that feedback needs: it got narrow or silent just now.
    pub fn is_held(&mut self, now: Instant) -> bool {
        let forget = if self.is_measured { FORGET } else { FIRST_FEEDBACK };
        let rests = self.sent.newest().is_none_or(|newest| now > newest + forget);
        if rests || self.pace(now).is_none() {
            return false;
        }
        let span = self.lag.unwrap_or(FIRST_LAG) + UNTOLD;
        let bytes = |bitrate: u32| u64::from(bitrate) * span.as_millis() as u64 / 8_000;
        let flowing = (bytes(self.flow.bitrate(now)) * 11 / 10).max(UNTOLD_BYTES);
        self.sent.total() - self.passed > bytes(self.estimator.bitrate()).min(flowing).max(3_000)
    }

    /// Packets are lost because a queue on the way runs over: less is sent then, and nothing twice.
    pub fn is_crowded(&self, now: Instant) -> bool {
        self.crowded.is_some_and(|crowded| now < crowded + CROWDED)
    }

    /// The link was found full not long ago: what is lost on this link is lost for want of room.
    pub fn was_full(&self, now: Instant) -> bool {
        let full = self.crowded.max(self.estimator.fell());
        full.is_some_and(|full| now < full + NARROW)
    }

    /// What follows until [`Self::end_probe`] is a probe.
    pub fn begin_probe(&mut self) {
        self.probe = Some(Probe::new(self.sent.next(), !self.is_measured));
    }

    pub fn end_probe(&mut self, now: Instant) {
        if let Some(probe) = &mut self.probe {
            probe.end(self.sent.next().saturating_sub(1), now);
        }
    }

    /// The end of a probe was told of.
    pub fn is_probe_told(&self) -> bool {
        self.probe.as_ref().is_some_and(Probe::is_told)
    }

    /// What a probe found, once that is known. Of the first one, which is sent at the assumed rate, only whether that was the
    /// end; two packets that left together and came together tell it too, however late others came.
    pub fn poll_probe(&mut self, now: Instant) -> Option<Found> {
        let probe = self.probe.take_if(|probe| probe.is_over(now))?;
        let (proved, quickest, is_first) = (probe.proved(), probe.quickest(), probe.is_first);
        let Some((proved, is_all)) = proved else { return Some(Found::Nothing) };
        let before = self.estimator.bitrate();
        self.estimator.proved(proved, now);
        if !is_first {
            return Some(match is_all {
                true if proved > before / 10 * 11 => Found::NoEnd,
                false if proved > before / 100 * CLEARLY => Found::More,
                _ => Found::Nothing,
            });
        }
        if is_all || quickest >= f64::from(before) * 2.0 {
            return Some(Found::NoEnd);
        }
        self.estimator.bounded(quickest as u32);
        Some(Found::Nothing)
    }

    /// True while the link is full, and when pictures became smaller for that not long ago: they do not grow yet.
    pub fn is_full(&self, now: Instant) -> bool {
        self.estimator.fell().is_some_and(|fell| now < fell + CALM) && !self.is_wider()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::forward::arrivals::Arrivals;

    /// A link that delivers `kbps`, offered `wanted_kbps` or what the estimate says, if that is less; the estimate at the
    /// end of each second.
    fn run(kbps: u64, wanted_kbps: u64, seconds: u64, follows: bool) -> Vec<u32> {
        let start = Instant::now();
        let (mut link, mut arrivals) = (Link::default(), Arrivals::new(start));
        let (mut busy, mut sent_at) = (start, start);
        let (mut next_feedback, mut told) = (start + Duration::from_millis(60), Vec::new());
        while sent_at < start + Duration::from_secs(seconds) {
            let number = link.next_number();
            link.sent(1_000, sent_at);
            busy = busy.max(sent_at) + Duration::from_micros(1_000 * 8_000 / kbps);
            // A queue of 300 ms, then loss.
            if busy < sent_at + Duration::from_millis(300) {
                arrivals.received(number, 7, busy);
            } else {
                busy -= Duration::from_micros(1_000 * 8_000 / kbps);
            }
            if sent_at >= next_feedback {
                next_feedback += Duration::from_millis(60);
                if let Some(feedback) = arrivals.poll_feedback(1) {
                    link.handle_feedback(
                        &Feedback::parse(&feedback).expect("well formed"),
                        &mut Vec::new(),
                        sent_at,
                    );
                }
            }
            let kbps = match link.estimate().filter(|_| follows) {
                Some(estimate) => wanted_kbps.min(u64::from(estimate) / 1_000),
                None => wanted_kbps,
            };
            sent_at += Duration::from_micros(1_000 * 8_000 / kbps);
            if sent_at >= start + Duration::from_secs(told.len() as u64 + 1) {
                told.push(link.estimate().expect("feedback came"));
            }
        }
        told
    }

    #[test]
    fn a_sender_that_follows_finds_what_the_link_bears_and_stays_there() {
        for kbps in [100u32, 250, 500, 1_000] {
            let told = run(u64::from(kbps), 1_500, 30, true);
            let near = kbps * 700..kbps * 1_250;
            assert!(told[6..].iter().all(|estimate| near.contains(estimate)), "{kbps}: {told:?}");
        }
    }

    #[test]
    fn a_narrow_link_is_noticed() {
        let estimate = run(500, 1_500, 6, false)[5];
        assert!(estimate < 900_000, "{estimate}");
    }

    #[test]
    fn a_wide_link_is_not_throttled() {
        let estimate = run(20_000, 1_200, 6, false)[5];
        assert!(estimate > 1_200_000, "{estimate}");
    }

    #[test]
    fn a_picture_leaves_whole_on_a_link_that_was_not_found_full() {
        let (start, later) = (Instant::now(), Instant::now() + WIDE + CALM);
        let mut link = Link { is_measured: true, ..Link::default() };
        link.sent(1_000, start);
        assert_eq!(link.pace(start), Some(1_150_000), "nothing is known yet");
        assert_eq!(link.pace(later), Some(2_500_000));
        link.crowded = Some(start);
        assert_eq!(link.pace(later), Some(1_150_000));
    }

    #[test]
    fn without_feedback_nothing_is_limited() {
        assert_eq!(Link::default().estimate(), None);
    }

    /// A probe at twice the estimate over a link of so many kbit/s.
    fn probe(kbps: u64) -> (Option<Found>, u32) {
        let start = Instant::now();
        let (mut link, mut arrivals) = (Link::default(), Arrivals::new(start));
        link.estimator = Box::new(Delays::new(150_000.0, LEAST, MOST));
        link.is_measured = true;
        link.begin_probe();
        let mut busy = start;
        for packet in 0..40 {
            let departure = start + Duration::from_millis(5) * packet;
            busy = busy.max(departure) + Duration::from_micros(187 * 8_000 / kbps);
            arrivals.received(link.next_number(), 7, busy);
            link.sent(187, departure);
        }
        link.end_probe(start + Duration::from_millis(200));
        let feedback = arrivals.poll_feedback(1).expect("packets came");
        let feedback = Feedback::parse(&feedback).expect("well formed");
        link.handle_feedback(&feedback, &mut Vec::new(), start + Duration::from_millis(400));
        (link.poll_probe(start + Duration::from_millis(400)), link.estimate().expect("feedback came"))
    }

    #[test]
    fn a_probe_proves_what_got_through_and_no_more() {
        let (found, estimate) = probe(10_000);
        assert_eq!(found, Some(Found::NoEnd));
        assert!((290_000..310_000).contains(&estimate), "{estimate}");
        let (found, estimate) = probe(220);
        assert_eq!(found, Some(Found::More), "the end of the link, or not");
        assert!((190_000..210_000).contains(&estimate), "{estimate}");
        assert_eq!(probe(170).0, Some(Found::Nothing), "hardly more than is known");
        assert_eq!(probe(120).0, Some(Found::Nothing));
    }

    #[test]
    fn what_is_untold_of_holds_pictures_back_for_a_while() {
        let (start, mut link) = (Instant::now(), Link::default());
        link.is_measured = true;
        (0..60).for_each(|_| link.sent(1_200, start));
        assert!(link.is_held(start), "72 kB are more than a megabit takes in 420 ms");
        assert!(!link.is_held(start + FORGET + Duration::from_millis(1)), "the feedback got lost");
    }
}
