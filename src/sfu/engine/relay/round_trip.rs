//! How long a packet goes to another node and back: by sender reports that carry a reception report about the far end's (RFC 3550,
//! section 6.4.1). A node of an older version answers none.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc::rtcp::{reception_report::ReceptionReport, sender_report::SenderReport};

use crate::sfu::engine::{
    ntp,
    rtcp::{self, OWN_SSRC},
};

/// One direction of one relay.
#[derive(Debug, Default)]
pub struct RoundTrip {
    /// The middle 32 bits of the far end's clock in its last report, and when that came.
    heard: Option<(u32, Instant)>,
    last: Option<Duration>,
}

impl RoundTrip {
    /// As the last answer said.
    pub fn last(&self) -> Option<Duration> {
        self.last
    }

    /// The report that goes out now.
    pub fn report(&self, now: Instant) -> Option<BytesMut> {
        let about = |(clock, at): (u32, Instant)| ReceptionReport {
            ssrc: OWN_SSRC,
            last_sender_report: clock,
            delay: in_units(now.saturating_duration_since(at)),
            ..ReceptionReport::default()
        };
        let reports = self.heard.map(about).into_iter().collect();
        rtcp::sender_report(SenderReport {
            ssrc: OWN_SSRC,
            ntp_time: ntp::at(now),
            reports,
            ..SenderReport::default()
        })
    }

    /// Takes the far end's report.
    pub fn take(&mut self, report: &SenderReport, now: Instant) {
        self.heard = Some((middle(report.ntp_time), now));
        let Some(answer) = report.reports.first().filter(|answer| answer.last_sender_report != 0) else {
            return;
        };
        let took = middle(ntp::at(now)).wrapping_sub(answer.last_sender_report).wrapping_sub(answer.delay);
        // What is said to have come before it left, by the rounding of a clock, came at once.
        let took = if took > u32::MAX / 2 { 0 } else { took };
        self.last = Some(Duration::from_micros((u64::from(took) * 1_000_000) >> 16));
    }
}

/// The middle 32 bits: seconds in 16.16 fixed point.
fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// In units of 1/65,536 of a second.
fn in_units(span: Duration) -> u32 {
    u32::try_from((span.as_micros() << 16) / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use rtc::rtcp::packet::unmarshal;

    use super::*;

    fn carry(from: &RoundTrip, to: &mut RoundTrip, left: Instant, arrived: Instant) {
        let packet = from.report(left).expect("written").freeze();
        let packets = unmarshal(&mut packet.clone()).expect("read");
        let report = packets[0].as_any().downcast_ref::<SenderReport>().expect("a sender report");
        to.take(report, arrived);
    }

    #[test]
    fn the_time_at_the_far_end_is_not_counted() {
        let (mut here, mut there) = (RoundTrip::default(), RoundTrip::default());
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        carry(&here, &mut there, at(0), at(40));
        assert_eq!(there.last(), None, "nobody has answered yet");
        carry(&there, &mut here, at(940), at(1_000));
        let took = here.last().expect("answered");
        assert!(took.abs_diff(Duration::from_millis(100)) < Duration::from_millis(1), "{took:?}");
    }
}
