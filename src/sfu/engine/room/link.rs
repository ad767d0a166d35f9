//! A subscriber's link: what was sent when, and what its feedback says the link bears. The estimator is rtc's GCC,
//! used through rtc's own trait, since it is young and may have to be replaced.

use std::time::{Duration, Instant};

use rtc::{
    interceptor::{BandwidthEstimator, Gcc, PacketReport, convert_twcc},
    rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc,
};

use crate::sfu::forward::sequence::nearest;

/// Assumed before the first feedback: a picture at once is worth a moment of congestion.
const FIRST: f64 = 1_500_000.0;
const LEAST: f64 = 30_000.0;
/// Assumed when pictures come back after a stop.
const AGAIN: f64 = 150_000.0;
const MOST: f64 = 8_000_000.0;
/// Packets remembered: a second of the largest picture and the screen.
const REMEMBERED: usize = 512;
/// Losses are told of so many packets at least.
const COUNTED: u32 = 200;
/// After a fall nothing rises for so long.
const CALM: Duration = Duration::from_secs(3);

/// One sent packet that was not reported yet.
#[derive(Clone, Copy, Debug)]
struct Sent {
    number: u64,
    size: u16,
    departure: Instant,
}

/// The sending side of one leg's transport-wide feedback.
pub struct Link {
    /// Number of the next packet.
    next: u64,
    sent: Vec<Option<Sent>>,
    estimator: Box<dyn BandwidthEstimator>,
    /// Some peers never send feedback; they are not limited.
    is_measured: bool,
    fell: Option<Instant>,
    /// Packets told of and lost since the share was last taken.
    told: u32,
    lost: u32,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            next: 0,
            sent: vec![None; REMEMBERED],
            estimator: Box::new(Gcc::new(FIRST, LEAST, MOST)),
            is_measured: false,
            fell: None,
            told: 0,
            lost: 0,
        }
    }
}

impl Link {
    /// The number the next packet carries.
    pub fn next_number(&self) -> u16 {
        self.next as u16
    }

    /// The packet with [`Self::next_number`] was sent.
    pub fn sent(&mut self, size: usize, departure: Instant) {
        let place = self.next as usize % REMEMBERED;
        self.sent[place] = Some(Sent { number: self.next, size: size as u16, departure });
        self.next += 1;
    }

    /// Forgets what was measured: pictures begin anew after a stop.
    pub fn restart(&mut self) {
        self.estimator = Box::new(Gcc::new(AGAIN, LEAST, MOST));
        (self.told, self.lost) = (0, 0);
    }

    /// Takes the receiver's feedback; yields the share lost, in 256ths, whenever enough packets were told of.
    pub fn handle_feedback(&mut self, feedback: &TransportLayerCc, now: Instant) -> Option<u8> {
        let told = convert_twcc(feedback);
        // rtc also yields the filling symbols of the last chunk.
        let told = &told[..told.len().min(usize::from(feedback.packet_status_count))];
        let last = told.iter().rposition(|packet| packet.arrived)?;
        let reports: Vec<PacketReport> = told[..=last]
            .iter()
            .filter_map(|packet| {
                let sent = self.take(packet.sequence_number)?;
                Some(PacketReport {
                    ssrc: 0,
                    id: sent.number,
                    rtp_sequence_number: packet.sequence_number,
                    is_twcc: true,
                    twcc_sequence_number: packet.sequence_number,
                    size: usize::from(sent.size),
                    arrived: packet.arrived,
                    departure: sent.departure,
                    arrival: packet.arrival,
                    ecn: packet.ecn,
                })
            })
            .collect();
        self.is_measured |= !reports.is_empty();
        self.estimator.on_reports(now, &reports);
        self.told += reports.len() as u32;
        self.lost += reports.iter().filter(|report| !report.arrived).count() as u32;
        self.poll_loss()
    }

    fn poll_loss(&mut self) -> Option<u8> {
        if self.told < COUNTED {
            return None;
        }
        let fraction = self.lost * 255 / self.told;
        (self.told, self.lost) = (0, 0);
        u8::try_from(fraction).ok()
    }

    fn take(&mut self, wrapped: u16) -> Option<Sent> {
        let number = nearest(self.next, wrapped);
        self.sent[number as usize % REMEMBERED].take_if(|sent| sent.number == number)
    }

    /// Bits per second that the link bears; `None` where nothing is known.
    pub fn estimate(&self) -> Option<u32> {
        self.is_measured.then(|| self.estimator.target_bitrate() as u32)
    }

    /// A picture was made smaller.
    pub fn note_fall(&mut self, now: Instant) {
        self.fell = Some(now);
    }

    /// True when pictures may grow again.
    pub fn may_rise(&self, now: Instant) -> bool {
        self.fell.is_none_or(|fell| now >= fell + CALM)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

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
                    let packets =
                        rtc::rtcp::packet::unmarshal(&mut Bytes::from(feedback)).expect("well formed");
                    let feedback = packets[0].as_any().downcast_ref().expect("a feedback");
                    link.handle_feedback(feedback, sent_at);
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
            let near = kbps * 900..kbps * 1_300;
            assert!(told[3..].iter().all(|estimate| near.contains(estimate)), "{kbps}: {told:?}");
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
    fn without_feedback_nothing_is_limited() {
        assert_eq!(Link::default().estimate(), None);
    }
}
