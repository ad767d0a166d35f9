//! What a receiver report says of one incoming stream (RFC 3550 section 6.4.1 and appendix A).

use std::time::Instant;

/// Counts one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reception {
    first: Option<u64>,
    highest: u64,
    received: u64,
    /// Expected and received at the last report.
    reported: (u64, u64),
    /// Mean deviation of the transit time, in media clock units times 16.
    jitter: u32,
    transit: Option<i64>,
}

/// The figures of one report block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Of the packets since the last report, in 256ths.
    pub fraction_lost: u8,
    pub total_lost: u32,
    pub highest: u32,
    pub jitter: u32,
}

impl Reception {
    /// Notes a packet; `since` is when the stream's clock starts for us.
    pub fn received(&mut self, sequence: u64, timestamp: u32, clock_rate: u32, since: Instant, now: Instant) {
        self.first.get_or_insert(sequence);
        self.highest = self.highest.max(sequence);
        self.received += 1;
        let micros = now.saturating_duration_since(since).as_micros() as i64;
        let transit = micros * i64::from(clock_rate) / 1_000_000 - i64::from(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let deviation = (transit - before).unsigned_abs().min(u64::from(clock_rate)) as u32;
            self.jitter = self.jitter + deviation - (self.jitter + 8) / 16;
        }
    }

    /// The figures since the last report; `None` before the first packet.
    pub fn report(&mut self) -> Option<Figures> {
        let expected = self.highest + 1 - self.first?;
        let (expected_before, received_before) = self.reported;
        self.reported = (expected, self.received);
        let newly_expected = expected - expected_before;
        let newly_lost = newly_expected.saturating_sub(self.received - received_before);
        Some(Figures {
            fraction_lost: (newly_lost * 256).checked_div(newly_expected).unwrap_or(0).min(255) as u8,
            total_lost: expected.saturating_sub(self.received).min(0x7f_ffff) as u32,
            highest: self.highest as u32,
            jitter: self.jitter / 16,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn losses_count_per_report_and_in_total() {
        let (mut reception, start) = (Reception::default(), Instant::now());
        let receive = |reception: &mut Reception, sequence: u64| {
            let now = start + Duration::from_millis(20 * sequence);
            reception.received(sequence, (960 * sequence) as u32, 48_000, start, now);
        };
        assert_eq!(reception.report(), None);
        (100..110).filter(|it| it % 2 == 0).for_each(|it| receive(&mut reception, it));
        let figures = reception.report().expect("packets came");
        assert_eq!((figures.total_lost, figures.highest, figures.jitter), (4, 108, 0));
        assert_eq!(figures.fraction_lost, (4 * 256 / 9) as u8);
        (109..120).for_each(|it| receive(&mut reception, it));
        let figures = reception.report().expect("packets came");
        assert_eq!((figures.fraction_lost, figures.total_lost), (0, 4));
    }
}
