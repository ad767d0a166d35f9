//! The RTCP that a subscriber sends, as browsers do: what came when, ten times a second; a report each second; one packet
//! in a hundred asked for again.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// From one transport-wide feedback to the next.
pub const EVERY: Duration = Duration::from_millis(100);
/// Feedbacks from report to report.
const REPORT_EVERY: u32 = 10;
/// One packet of so many is asked for again.
const ASK_EVERY: u64 = 100;
/// Packets that one feedback tells of; more never come in a tenth of a second.
const TOLD: usize = 512;
/// Who speaks.
const OWN: u32 = 0x0c1d;
/// Ticks of the reference time (64 ms) and of deltas (250 µs), in microseconds.
const REFERENCE_US: u64 = 64_000;
const DELTA_US: u64 = 250;

/// What is to be told.
pub struct Feedback {
    start: Instant,
    /// Transport-wide numbers and when they came.
    came: Vec<(u16, Instant)>,
    count: u32,
    videos: u64,
    asked: u64,
    /// The newest packet of a picture.
    newest: Option<(u32, u16)>,
    /// Highest sequence number by stream.
    highest: HashMap<u32, u32>,
}

impl Feedback {
    pub fn new(start: Instant) -> Self {
        Self { start, came: Vec::new(), count: 0, videos: 0, asked: 0, newest: None, highest: HashMap::new() }
    }

    /// A packet came; `number` is its transport-wide one.
    pub fn came(&mut self, ssrc: u32, sequence: u16, number: Option<u16>, is_picture: bool, now: Instant) {
        self.highest.insert(ssrc, u32::from(sequence));
        if is_picture {
            self.videos += 1;
            self.newest = Some((ssrc, sequence));
        }
        // A server that does not number its packets gets feedback of the same size. All that is numbered is told of: padding,
        // too, or a server that looks what the link bears never learns.
        if let Some(told) = number.or(is_picture.then_some(sequence))
            && self.came.len() < TOLD
        {
            self.came.push((told, now));
        }
    }

    /// The packets that are due; called every [`EVERY`].
    pub fn poll(&mut self) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        self.count += 1;
        packets.extend(self.arrivals());
        if self.count.is_multiple_of(REPORT_EVERY) && !self.highest.is_empty() {
            packets.push(self.report());
        }
        while self.videos / ASK_EVERY > self.asked {
            self.asked += 1;
            packets.extend(self.newest.map(|(ssrc, sequence)| nack(ssrc, sequence)));
        }
        packets
    }

    /// Transport-wide feedback with run-length chunks only.
    fn arrivals(&mut self) -> Option<Vec<u8>> {
        let mut came = std::mem::take(&mut self.came);
        let before = came.first()?.0.wrapping_sub(1 << 14);
        came.sort_by_key(|(number, _)| number.wrapping_sub(before));
        let (&(base, first), &(last, _)) = (came.first()?, came.last()?);
        let since = |at: Instant| at.saturating_duration_since(self.start).as_micros() as u64;
        let reference = since(first) / REFERENCE_US;
        let (mut symbols, mut deltas, mut at) = (Vec::new(), Vec::new(), reference * REFERENCE_US);
        let (mut next, total) = (base, last.wrapping_sub(base).wrapping_add(1));
        for (number, arrived) in came {
            while next != number {
                symbols.push(0u8);
                next = next.wrapping_add(1);
            }
            next = next.wrapping_add(1);
            let delta = (since(arrived) as i64 - at as i64) / DELTA_US as i64;
            at = at.wrapping_add_signed(delta * DELTA_US as i64);
            match u8::try_from(delta) {
                Ok(small) => {
                    symbols.push(1);
                    deltas.push(small);
                }
                Err(_) => {
                    symbols.push(2);
                    deltas.extend((delta as i16).to_be_bytes());
                }
            }
        }
        let mut body = Vec::new();
        body.extend(base.to_be_bytes());
        body.extend(total.to_be_bytes());
        body.extend(&(reference as u32).to_be_bytes()[1..]);
        body.push(self.count as u8);
        for run in symbols.chunk_by(|one, other| one == other) {
            body.extend((u16::from(run[0]) << 13 | run.len() as u16).to_be_bytes());
        }
        body.extend(deltas);
        body.resize(body.len().next_multiple_of(4), 0);
        Some(packet(15, 205, 0, &body))
    }

    /// A receiver report without losses.
    fn report(&self) -> Vec<u8> {
        let mut packet = vec![0x80 | self.highest.len() as u8, 201, 0, (1 + 6 * self.highest.len()) as u8];
        packet.extend(OWN.to_be_bytes());
        for (ssrc, highest) in &self.highest {
            packet.extend(ssrc.to_be_bytes());
            packet.extend([0; 4]);
            packet.extend(highest.to_be_bytes());
            packet.extend([0; 12]);
        }
        packet
    }
}

fn nack(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut body = sequence.to_be_bytes().to_vec();
    body.extend([0, 0]);
    packet(1, 205, ssrc, &body)
}

fn packet(format: u8, kind: u8, media: u32, body: &[u8]) -> Vec<u8> {
    let words = 2 + body.len() / 4;
    let mut packet = vec![0x80 | format, kind, (words >> 8) as u8, words as u8];
    packet.extend(OWN.to_be_bytes());
    packet.extend(media.to_be_bytes());
    packet.extend(body);
    packet
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtc::rtcp::{
        packet::unmarshal,
        receiver_report::ReceiverReport,
        transport_feedbacks::{
            transport_layer_cc::TransportLayerCc, transport_layer_nack::TransportLayerNack,
        },
    };

    use super::*;

    #[test]
    fn what_is_written_is_what_the_other_side_reads() {
        let start = Instant::now();
        let mut feedback = Feedback::new(start);
        for number in (0..200u16).filter(|number| number % 50 != 7) {
            let at = start + Duration::from_millis(u64::from(number / 8) * 100);
            feedback.came(7, number, Some(number.wrapping_add(65_500)), true, at);
        }
        feedback.count = REPORT_EVERY - 1;
        let packets = feedback.poll();
        assert_eq!(packets.len(), 3, "arrivals, a report, one asked for again");
        let read =
            |bytes: &Vec<u8>| unmarshal(&mut Bytes::from(bytes.clone())).expect("well formed").remove(0);
        let arrivals = read(&packets[0]);
        let arrivals: &TransportLayerCc = arrivals.as_any().downcast_ref().expect("a feedback");
        assert_eq!((arrivals.base_sequence_number, arrivals.packet_status_count), (65_500, 200));
        assert_eq!(arrivals.recv_deltas.len(), 196);
        let report = read(&packets[1]);
        let report: &ReceiverReport = report.as_any().downcast_ref().expect("a report");
        assert_eq!(report.reports[0].last_sequence_number, 199);
        let nack = read(&packets[2]);
        assert!(nack.as_any().downcast_ref::<TransportLayerNack>().is_some());
    }
}
