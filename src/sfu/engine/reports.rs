//! RTCP that goes out by time: arrivals and losses to publishers, clocks to subscribers.

use std::time::{Duration, Instant};

use rtc::rtcp::{reception_report::ReceptionReport, sender_report::SenderReport};

use super::{
    legs::{LegState, Legs, Role},
    ntp,
    room::{
        LegIndex, Room,
        downlink::{Downlink, TrackOut},
        export::Export,
        track::TrackIn,
    },
    rtcp,
    worker::Worker,
};
use crate::sfu::{
    forward::listeners::{ReportedLoss, along_both, worst_decile},
    sdp::offer,
};

/// Report blocks that fit one packet.
const BLOCKS: usize = 31;

/// Clocks of voices alone are told seldom to who saves data: there is no picture to keep in step.
const SAVER_CLOCKS: Duration = Duration::from_secs(10);

impl Worker {
    /// Transport-wide feedback, from which publishers estimate their uplink.
    pub(super) fn feed_back_arrivals(&mut self, now: Instant) {
        for index in self.legs.publishers() {
            while let Some(feedback) = uplink_feedback(self.legs.get_mut(index)) {
                self.send_rtcp(index, &feedback, now);
            }
        }
    }

    /// Receiver reports: losses switch on the publishers' error correction. Streams that are not identified yet are
    /// left out, since Chromium stops naming a stream at the first report about it.
    pub(super) fn report_to_publishers(&mut self, now: Instant) {
        for index in self.legs.publishers() {
            let reports = self.reception_of(index, now);
            if !reports.is_empty()
                && let Some(report) = rtcp::receiver_report(reports)
            {
                self.send_rtcp(index, &report, now);
            }
        }
    }

    fn reception_of(&mut self, index: LegIndex, now: Instant) -> Vec<ReceptionReport> {
        let Some(LegState { name, role: Role::Publisher(uplink), .. }) = self.legs.get_mut(index) else {
            return Vec::new();
        };
        let (lesson, tracks) = (name.lesson, uplink.tracks.clone());
        let Some(room) = self.rooms.get_mut(&lesson) else { return Vec::new() };
        let mut reports = Vec::new();
        for track in tracks {
            let beyond = listeners_loss(&room.tracks[track], &mut self.legs, now);
            reports.extend(room.tracks[track].layers.iter_mut().filter_map(|layer| {
                let (figures, last_sender_report, delay) = layer.report(now)?;
                Some(ReceptionReport {
                    ssrc: layer.ssrc?,
                    fraction_lost: along_both(figures.fraction_lost, beyond),
                    total_lost: figures.total_lost,
                    last_sequence_number: figures.highest,
                    jitter: figures.jitter,
                    last_sender_report,
                    delay,
                })
            }));
        }
        reports.truncate(BLOCKS);
        reports
    }

    /// Sender reports of every slot that flows.
    pub(super) fn report_to_subscribers(&mut self, now: Instant) {
        for index in self.legs.places() {
            let Some(LegState { name, role: Role::Subscriber(downlink), .. }) = self.legs.get_mut(index)
            else {
                continue;
            };
            let Some(room) = self.rooms.get(&name.lesson) else { continue };
            if downlink.saver && downlink.clocks_told.is_some_and(|told| now < told + SAVER_CLOCKS) {
                continue;
            }
            downlink.clocks_told = Some(now);
            for report in clocks(downlink, room, now) {
                self.send_clock(index, report, now);
            }
        }
    }

    pub(super) fn send_clock(&mut self, index: LegIndex, report: SenderReport, now: Instant) {
        if let Some(report) = rtcp::sender_report(report) {
            self.send_rtcp(index, &report, now);
        }
    }
}

/// What a voice loses after us; nothing for pictures, whose losses we mend ourselves.
fn listeners_loss(track: &TrackIn, legs: &mut Legs, now: Instant) -> u8 {
    if !track.is_audio() {
        return 0;
    }
    worst_decile(told_losses(track, legs).into_iter(), now)
}

/// What all listeners last said, on this thread and on those that it serves.
pub(super) fn told_losses(track: &TrackIn, legs: &mut Legs) -> Vec<ReportedLoss> {
    let mut told: Vec<ReportedLoss> = track.exports.iter().flat_map(Export::losses).collect();
    told.extend(reported_losses(track, legs));
    told
}

/// What the listeners on this thread last said.
fn reported_losses(track: &TrackIn, legs: &mut Legs) -> Vec<ReportedLoss> {
    let mut told = Vec::new();
    for &(leg, slot) in &track.subscribers {
        if let Some(LegState { role: Role::Subscriber(downlink), .. }) = legs.get_mut(leg) {
            told.extend(downlink.slot(slot).and_then(|out| out.loss));
        }
    }
    told
}

fn uplink_feedback(state: Option<&mut LegState>) -> Option<Vec<u8>> {
    let LegState { role: Role::Publisher(uplink), .. } = state? else { return None };
    uplink.arrivals.poll_feedback(rtcp::OWN_SSRC)
}

fn clocks(downlink: &Downlink, room: &Room, now: Instant) -> Vec<SenderReport> {
    let clock = |out: &TrackOut| clock(out, room.tracks.get(out.track?)?, now);
    downlink.slots.iter().filter_map(clock).collect()
}

/// What a slot's stream shows now. Through the publisher's own clock where it is known, so that its voice and its
/// picture stay in step; else by arrival.
pub(super) fn clock(out: &TrackOut, track: &TrackIn, now: Instant) -> Option<SenderReport> {
    let anchor = out.forwarder.anchor()?;
    let ntp_time = ntp::at(now);
    let by_arrival = || {
        let elapsed = now.saturating_duration_since(anchor.arrived).as_micros() as u64;
        (elapsed * u64::from(track.clock_rate()) / 1_000_000) as u32
    };
    let by_capture = anchor.captured.zip(track.clock_offset).map(|(captured, offset)| {
        let theirs = ntp_time.wrapping_sub(offset as u64);
        ntp::in_units(theirs, track.clock_rate()).wrapping_sub(captured)
    });
    Some(SenderReport {
        ssrc: offer::ssrc(out.slot),
        ntp_time,
        rtp_time: anchor.timestamp.wrapping_add(by_capture.unwrap_or_else(by_arrival)),
        packet_count: out.packets,
        octet_count: out.octets,
        ..SenderReport::default()
    })
}
