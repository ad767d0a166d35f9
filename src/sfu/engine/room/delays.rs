//! The estimator in use: rtc's filter tells from the delays whether the queue on the way grows, our own rule follows. rtc's
//! whole estimator is not taken: it measures arrivals by the time of feedback, so that it never falls below what a link
//! bears, and it grows without proof.

use std::time::Instant;

use rtc::{
    interceptor::{DelayTrend, OveruseDetector, PacketReport, SlopeEstimator, Usage},
    rtcp::transport_feedbacks::cc_feedback_report::Ecn,
};

use crate::sfu::engine::ahead::fetch;
use crate::sfu::forward::{
    estimator::{Arrived, Estimator, FALL, Flow, Load, Queue, Rate, Told, VOICE},
    trains::Trains,
};

/// Follows the delays of one link.
pub struct Delays {
    slope: SlopeEstimator,
    detector: OveruseDetector,
    queue: Queue,
    arrived: Arrived,
    rate: Rate,
    trains: Trains,
    /// Departures are told from here on.
    start: Option<Instant>,
}

impl Delays {
    /// Rates in bits per second.
    pub fn new(first: f64, least: f64, most: f64) -> Self {
        Self {
            slope: SlopeEstimator::new(),
            detector: OveruseDetector::new(),
            queue: Queue::default(),
            arrived: Arrived::default(),
            rate: Rate::new(first, least, most),
            trains: Trains::default(),
            start: None,
        }
    }

    /// Takes what is told of packets that left in one moment, as most of a picture's do.
    fn told_burst(&mut self, burst: &[Told]) -> Option<DelayTrend> {
        let departure = burst.first()?.departure;
        let start = *self.start.get_or_insert(departure);
        let left = departure.saturating_duration_since(start).as_micros() as u64;
        for packet in burst {
            if let Some(arrival) = packet.arrival {
                let came = arrival.as_micros() as u64;
                self.arrived.add(came, left, packet.size);
                self.queue.told(came, left);
            }
        }
        self.told_train(burst);
        // For the filter they are one group, of which it takes the last.
        let last =
            burst.iter().filter(|packet| packet.arrival.is_some()).max_by_key(|packet| packet.arrival)?;
        self.slope.accumulate(&report(last))
    }
}

impl Delays {
    fn told_train(&mut self, burst: &[Told]) {
        let micros = |told: &Told| told.arrival.map(|arrival| arrival.as_micros() as u64);
        let (first, last) = (burst.iter().filter_map(micros).min(), burst.iter().filter_map(micros).max());
        let Some((first, last)) = first.zip(last).filter(|_| burst.iter().all(|told| told.arrival.is_some()))
        else {
            return;
        };
        let bytes = burst[1..].iter().map(|told| told.size).sum();
        self.trains.came(burst.len(), first..last, bytes, self.rate.bitrate());
    }
}

impl Estimator for Delays {
    fn told(&mut self, packets: &[Told], now: Instant) {
        let mut usage = self.detector.usage();
        for burst in packets.chunk_by(|one, next| one.departure == next.departure) {
            if let Some(trend) = self.told_burst(burst) {
                usage = self.detector.update(trend.at, trend.estimate_ms);
            }
        }
        let lost = packets.iter().filter(|packet| !packet.arrived).count();
        let load = match usage {
            _ if self.is_crowded() => Load::Over,
            Usage::Over => Load::Over,
            Usage::Under => Load::Under,
            Usage::Normal => Load::Normal,
        };
        if load == Load::Over {
            // What trains told before was of another link.
            self.trains = Trains::default();
        }
        let flow = if load == Load::Over { self.arrived.flow_now() } else { self.arrived.flow() };
        // A link that passes hardly anything: one packet in half a second tells how little.
        let is_trickle = load == Load::Over && lost * 2 > packets.len();
        let flow = if is_trickle { flow.or_else(|| self.arrived.trickle()) } else { flow };
        // What was lost left too, nobody knows how fast.
        let flow = flow.map(|flow| if lost > 0 { Flow { left: f64::INFINITY, ..flow } } else { flow });
        self.rate.update(load, flow, now);
        self.rate.lost(lost, packets.len(), now);
    }

    fn bitrate(&self) -> u32 {
        self.rate.bitrate()
    }

    fn fell(&self) -> Option<Instant> {
        self.rate.fell()
    }

    fn outgrown(&self) -> Option<Instant> {
        self.rate.outgrown()
    }

    fn is_crowded(&self) -> bool {
        self.queue.stands(self.rate.bitrate())
    }

    fn is_wider(&self) -> bool {
        self.trains.are_quick()
    }

    fn fetch(&self) {
        self.arrived.ends().into_iter().flatten().for_each(fetch);
    }

    fn bounded(&mut self, bitrate: u32) {
        self.rate.bounded(f64::from(bitrate.saturating_sub(VOICE)) * FALL);
    }

    fn proved(&mut self, bitrate: u32, now: Instant) {
        self.rate.proved(f64::from(bitrate), now);
    }
}

fn report(told: &Told) -> PacketReport {
    PacketReport {
        ssrc: 0,
        id: told.number,
        rtp_sequence_number: told.number as u16,
        is_twcc: true,
        twcc_sequence_number: told.number as u16,
        size: told.size,
        arrived: told.arrived,
        departure: told.departure,
        arrival: told.arrival,
        ecn: Ecn::default(),
    }
}
