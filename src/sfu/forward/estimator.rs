//! What a link is said to bear: the trait behind which estimators are exchanged, and the rule by which a rate follows what
//! feedback tells (after draft-ietf-rmcat-gcc-02 section 5.5 and 6, with what a probe proved added).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What feedback told of one packet.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Unwrapped number on the connection.
    pub number: u64,
    /// Bytes with the RTP header.
    pub size: usize,
    pub departure: Instant,
    pub arrived: bool,
    /// On the receiver's clock; some that arrived are told without.
    pub arrival: Option<Duration>,
}

/// Finds out what a link bears.
pub trait Estimator: Send {
    /// Takes what one feedback told, in the order of sending.
    fn told(&mut self, packets: &[Told], now: Instant);
    /// Bits per second.
    fn bitrate(&self) -> u32;
    /// A probe showed what the link bears, in bits per second.
    fn proved(&mut self, bitrate: u32, now: Instant);
    /// Nothing is known yet, and a first look showed that the link bears no more than this, in bits per second, voice and all.
    fn bounded(&mut self, bitrate: u32);
    /// When the link was last found full.
    fn fell(&self) -> Option<Instant>;
    /// When the link was last found full, if it bears clearly more by now.
    fn outgrown(&self) -> Option<Instant>;
    /// A queue on the way is filled now.
    fn is_crowded(&self) -> bool;
    /// Packets that left together came together so quickly that the link bears far more than is said.
    fn is_wider(&self) -> bool;
    /// Fetches what feedback will touch, once the estimator itself is near.
    fn fetch(&self);
}

/// What the delays say of the queue on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// The queue drains: wait and see.
    Under,
    Normal,
    /// The queue grows.
    Over,
}

/// Share of what arrives that is sent after a fall: less drains the queue faster and looks worse.
pub const FALL: f64 = 0.85;
/// Between two falls: the receiver has to tell of the first one before the next.
const FALL_INTERVAL: Duration = Duration::from_millis(250);
/// After a fall nothing grows for so long: the queue drains.
const REST: Duration = Duration::from_millis(500);
/// Growth per second, far from the rate of the last fall and near it.
const GROWTH: f64 = 0.08;
const GROWTH_NEAR: f64 = 0.06;
const NEAR: std::ops::Range<f64> = 0.7..1.1;
/// From so many times what arrived at the last fall on, the link is another one.
const OUTGROWN: f64 = 1.25;
/// Nothing grows beyond so many times what arrives: a link that is not filled proves nothing.
const UNPROVED: f64 = 1.5;
const UNPROVED_ALSO: f64 = 15_000.0;
/// Losses up to here are no sign of a full link.
const LOSS_BEARABLE: f64 = 0.10;
/// Losses are looked at so often.
const LOSS_INTERVAL: Duration = Duration::from_millis(500);
/// Losses alone do not push it below: a small picture fits, and who loses a quarter gets none anyway.
const LOSS_FLOOR: f64 = 150_000.0;

/// A rate that follows.
#[derive(Debug)]
pub struct Rate {
    /// Bits per second.
    target: f64,
    least: f64,
    most: f64,
    /// What arrived at the last fall.
    ceiling: Option<f64>,
    fell: Option<Instant>,
    grown: Option<Instant>,
    /// Packets lost and told of since losses were last looked at.
    lost: (u32, u32),
    looked: Option<Instant>,
    received: Option<f64>,
    /// The first losses were looked at.
    is_known: bool,
}

impl Rate {
    pub fn new(first: f64, least: f64, most: f64) -> Self {
        Self {
            target: first,
            least,
            most,
            ceiling: None,
            fell: None,
            grown: None,
            lost: (0, 0),
            looked: None,
            received: None,
            is_known: false,
        }
    }

    pub fn bitrate(&self) -> u32 {
        self.target as u32
    }

    /// The last fall, once above what arrived then.
    pub fn outgrown(&self) -> Option<Instant> {
        self.fell.filter(|_| self.ceiling.is_some_and(|ceiling| self.target > ceiling * OUTGROWN))
    }

    /// When delays last made it fall.
    pub fn fell(&self) -> Option<Instant> {
        self.fell
    }

    /// `flow`: what flowed lately, if known.
    pub fn update(&mut self, load: Load, flow: Option<Flow>, now: Instant) {
        let received = flow.map(|flow| flow.came);
        self.received = received;
        let rests = |span| self.fell.is_some_and(|fell| now < fell + span);
        match (load, flow) {
            (Load::Over, Some(flow)) if !rests(FALL_INTERVAL) => self.fall(flow, now),
            (Load::Normal, _) if !rests(REST) => self.grow(received, now),
            _ => self.grown = Some(now),
        }
    }

    fn fall(&mut self, flow: Flow, now: Instant) {
        // What came as it left says little of what more the link would have borne.
        let is_whole = flow.came >= flow.left * FALL;
        let ceiling = if is_whole { flow.came.max(self.target) } else { flow.came };
        self.target = (ceiling * FALL).min(self.target).clamp(self.least, self.most);
        self.ceiling = Some(ceiling);
        self.fell = Some(now);
        self.grown = Some(now);
    }

    fn grow(&mut self, received: Option<f64>, now: Instant) {
        let elapsed = self.grown.replace(now).map_or(0.0, |grown| (now - grown).as_secs_f64().min(1.0));
        let is_near = self.ceiling.is_some_and(|ceiling| NEAR.contains(&(self.target / ceiling)));
        let growth = if is_near { GROWTH_NEAR } else { GROWTH };
        let proved = received.map_or(self.target, |received| received * UNPROVED + UNPROVED_ALSO);
        let grown = (self.target * (1.0 + growth * elapsed)).min(proved.max(self.target));
        self.target = grown.clamp(self.least, self.most);
    }

    /// So many of the packets told of were lost.
    pub fn lost(&mut self, lost: usize, told: usize, now: Instant) {
        self.lost.0 += lost as u32;
        self.lost.1 += told as u32;
        if now < *self.looked.get_or_insert(now) + LOSS_INTERVAL {
            return;
        }
        let share = f64::from(self.lost.0) / f64::from(self.lost.1.max(1));
        (self.lost, self.looked) = ((0, 0), Some(now));
        if share > LOSS_BEARABLE {
            // Before anything else is known, what was assumed may be far too much.
            let (less, floor) = if self.is_known {
                (share / 2.0, LOSS_FLOOR)
            } else {
                (share, self.received.map_or(self.least, |received| received * FALL))
            };
            self.target = (self.target * (1.0 - less)).max(floor).min(self.target);
            self.grown = Some(now);
        }
        self.is_known = true;
    }

    /// The link bears no more than this.
    pub fn bounded(&mut self, bitrate: f64) {
        if bitrate < self.target {
            self.target = bitrate.max(self.least);
            self.ceiling = Some(bitrate);
        }
    }

    /// A probe showed that the link bears this.
    pub fn proved(&mut self, bitrate: f64, now: Instant) {
        if bitrate > self.target {
            self.target = bitrate.min(self.most);
            self.ceiling = None;
            self.grown = Some(now);
        }
    }
}

/// What arrived lately, by the receiver's clock.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Bounded by the window, and by [`MOST`] where a receiver tells that all came at once.
    packets: VecDeque<Came>,
    /// Of all of them, so that no feedback has to go through them.
    bytes: usize,
    /// The newest that came before them.
    before: Option<Came>,
    /// The latest arrival and the latest departure.
    last: (u64, u64),
}

/// A packet that arrived; times in microseconds, each by its own clock.
#[derive(Clone, Copy, Debug)]
struct Came {
    arrival: u64,
    departure: u64,
    size: usize,
}

/// Bits per second of the same packets at both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    pub left: f64,
    pub came: f64,
}

/// Long enough for a few pictures.
const WINDOW: u64 = 500_000;
/// Shorter spans say nothing.
const SPAN: u64 = 60_000;
const MOMENT: u64 = 150_000;
const MOMENT_PACKETS: usize = 5;
/// More do not come in the window over the widest link between nodes.
const MOST: usize = 4_096;

impl Arrived {
    /// Arrival and departure in microseconds, each by its own clock.
    pub fn add(&mut self, arrival: u64, departure: u64, size: usize) {
        let is_over = |oldest: &mut Came| oldest.arrival + WINDOW < arrival;
        if self.packets.len() == MOST {
            self.bytes -= self.packets.pop_front().map_or(0, |oldest| oldest.size);
        }
        while let Some(oldest) = self.packets.pop_front_if(is_over) {
            self.bytes -= oldest.size;
            self.before = Some(oldest);
        }
        self.bytes += size;
        self.last = (self.last.0.max(arrival), self.last.1.max(departure));
        self.packets.push_back(Came { arrival, departure, size });
    }

    /// The oldest and the newest packet.
    pub fn ends(&self) -> [Option<&impl Sized>; 2] {
        [self.packets.front(), self.packets.back()]
    }

    /// What flows. The first packet only starts the watch.
    pub fn flow(&self) -> Option<Flow> {
        let first = self.packets.front()?;
        flow_between(first, self.last, self.bytes - first.size)
    }

    /// The same with the packet before the window: so little may come that there is no other to begin with.
    pub fn trickle(&self) -> Option<Flow> {
        flow_between(self.before.as_ref()?, self.last, self.bytes)
    }

    /// The same of the last moment, where that tells enough: what a link gives that got narrow just now.
    pub fn flow_now(&self) -> Option<Flow> {
        let newest = self.packets.back()?.arrival;
        let count = self.packets.iter().rev().take_while(|came| came.arrival + MOMENT >= newest).count();
        self.flow_of(count).filter(|_| count >= MOMENT_PACKETS).or_else(|| self.flow())
    }

    fn flow_of(&self, newest: usize) -> Option<Flow> {
        let mut packets = self.packets.iter().skip(self.packets.len() - newest);
        let first = packets.next()?;
        let (mut last, mut bytes) = ((first.arrival, first.departure), 0);
        for came in packets {
            last = (last.0.max(came.arrival), last.1.max(came.departure));
            bytes += came.size;
        }
        flow_between(first, last, bytes)
    }
}

/// What flowed from a packet on until the latest arrival and departure.
fn flow_between(first: &Came, last: (u64, u64), bytes: usize) -> Option<Flow> {
    let (came, left) = (last.0.saturating_sub(first.arrival), last.1.saturating_sub(first.departure));
    let rate = |micros: u64| (bytes * 8) as f64 / Duration::from_micros(micros).as_secs_f64();
    (came >= SPAN).then(|| Flow { left: rate(left.max(1_000)), came: rate(came) })
}

/// How long packets wait in a queue on the way: what the quickest one needed lately is the way itself. The clocks at both
/// ends differ by nobody knows how much, and drift.
#[derive(Debug, Default)]
pub struct Queue {
    /// The quickest of this minute and of the one before, in microseconds by both clocks.
    quickest: [Option<i64>; 2],
    /// Where this minute began.
    turned: Option<u64>,
    /// Of the last few packets: one that was late alone says nothing.
    waits: [Option<Duration>; 4],
}

/// The way may have become longer for good: what was quick long ago is forgotten.
const QUICKEST_KEPT: u64 = 30_000_000;
/// A queue that stands so long is full or will be: its delay does not grow any more, so that no trend shows it.
const STANDS: Duration = Duration::from_millis(70);
/// A large packet; on a narrow link each waits for the one before.
const PACKET_BITS: f64 = 9_600.0;
/// What a voice takes beside the pictures.
pub const VOICE: u32 = 40_000;

impl Queue {
    /// Arrival and departure in microseconds, each by its own clock.
    pub fn told(&mut self, arrival: u64, departure: u64) {
        let turned = *self.turned.get_or_insert(departure);
        if departure > turned + QUICKEST_KEPT {
            self.quickest = [None, self.quickest[0]];
            self.turned = Some(departure);
        }
        let took = arrival as i64 - departure as i64;
        let quickest = &mut self.quickest[0];
        *quickest = Some(quickest.map_or(took, |quickest| quickest.min(took)));
        let way = self.quickest.iter().flatten().min().copied().unwrap_or(took);
        self.waits.rotate_left(1);
        self.waits[3] = Some(Duration::from_micros(took.saturating_sub(way).unsigned_abs()));
    }

    /// How long each of the newest packets waited at least.
    pub fn waits(&self) -> Duration {
        self.waits.into_iter().flatten().min().unwrap_or_default()
    }

    /// True when that is more than a packet before them takes, on a link of so many bits per second.
    pub fn stands(&self, bitrate: u32) -> bool {
        let packet = || Duration::from_secs_f64(PACKET_BITS / f64::from(bitrate.saturating_add(VOICE)));
        let waits = self.waits();
        waits > STANDS && waits > STANDS + packet()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(100);

    #[test]
    fn it_falls_below_what_arrives_and_grows_again_slowly() {
        let (mut now, mut rate) = (Instant::now(), Rate::new(1_000_000.0, 10_000.0, 8_000_000.0));
        let flow = |left, came| Some(Flow { left, came });
        rate.update(Load::Over, flow(1_000_000.0, 200_000.0), now);
        assert_eq!(rate.bitrate(), 170_000);
        rate.update(Load::Over, flow(200_000.0, 100_000.0), now + STEP);
        assert_eq!(rate.bitrate(), 170_000, "the first fall was not told of yet");
        for _ in 0..50 {
            now += STEP;
            rate.update(Load::Normal, flow(170_000.0, 170_000.0), now);
        }
        assert!((210_000..235_000).contains(&rate.bitrate()), "{}", rate.bitrate());
        rate.update(Load::Over, flow(40_000.0, 40_000.0), now + STEP);
        assert!(rate.bitrate() > 170_000, "little flowed, and all of it came");
    }

    #[test]
    fn a_link_that_is_not_filled_proves_nothing() {
        let (mut now, mut rate) = (Instant::now(), Rate::new(300_000.0, 10_000.0, 8_000_000.0));
        for _ in 0..600 {
            now += STEP;
            rate.update(Load::Normal, Some(Flow { left: 300_000.0, came: 300_000.0 }), now);
        }
        assert_eq!(rate.bitrate(), 465_000);
        rate.proved(900_000.0, now);
        assert_eq!(rate.bitrate(), 900_000);
        rate.proved(500_000.0, now);
        assert_eq!(rate.bitrate(), 900_000, "a probe that found less proves nothing");
    }

    #[test]
    fn losses_alone_leave_room_for_a_small_picture() {
        let (mut now, mut rate) = (Instant::now(), Rate::new(1_000_000.0, 10_000.0, 8_000_000.0));
        for _ in 0..400 {
            now += STEP;
            rate.lost(2, 10, now);
        }
        assert!((150_000..=800_000).contains(&rate.bitrate()));
        let mut rate = Rate::new(1_000_000.0, 10_000.0, 8_000_000.0);
        for _ in 0..400 {
            now += STEP;
            rate.lost(1, 10, now);
        }
        assert_eq!(rate.bitrate(), 1_000_000);
    }

    #[test]
    fn a_standing_queue_is_seen_and_a_longer_way_is_forgiven() {
        let mut queue = Queue::default();
        let mut tell = |second: u64, took: u64| {
            let left = second * 1_000_000;
            (0..4).for_each(|_| queue.told(500_000_000 + left + took * 1_000, left));
            queue.waits().as_millis()
        };
        assert_eq!((tell(0, 50), tell(1, 350), tell(2, 350)), (0, 300, 300));
        assert_eq!((tell(40, 350), tell(80, 350), tell(81, 550)), (300, 0, 200));
        assert!(queue.stands(1_000_000) && !queue.stands(20_000), "a packet alone takes 160 ms there");
    }

    #[test]
    fn arrivals_are_measured_by_the_receivers_clock() {
        let mut arrived = Arrived::default();
        assert_eq!(arrived.flow(), None);
        (0..100).for_each(|packet| arrived.add(20_000 * packet, 10_000 * packet, 1_000));
        let flow = arrived.flow().expect("enough came");
        assert_eq!((flow.came.round(), flow.left.round()), (400_000.0, 800_000.0));
    }

    #[test]
    fn what_trickles_is_known_by_the_packet_before() {
        let mut arrived = Arrived::default();
        [0, 600_000, 1_400_000].into_iter().for_each(|at| arrived.add(at, at, 1_000));
        assert_eq!(arrived.flow(), None);
        assert_eq!(arrived.trickle(), Some(Flow { left: 10_000.0, came: 10_000.0 }));
    }

    #[test]
    fn what_flows_is_known_without_going_through_it_and_a_liar_fills_no_memory() {
        let mut arrived = Arrived::default();
        for packet in 0..10_000 {
            // Pairs that change places, and a pause now and then.
            let came = packet * 3_000 + packet / 700 * 600_000 + packet % 2 * 9_000;
            arrived.add(came, (packet ^ 1) * 2_900, 300 + packet as usize % 900);
            assert_eq!(arrived.flow(), arrived.flow_of(arrived.packets.len()), "{packet}");
        }
        (0..10_000).for_each(|_| arrived.add(0, 0, 1_200));
        assert_eq!((arrived.packets.len(), arrived.bytes), (MOST, MOST * 1_200));
    }
}
