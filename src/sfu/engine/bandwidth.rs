//! Fits what each subscriber gets into what its link bears.

use std::time::Instant;

use qism_signaling::{hub::ports::MediaEvent, protocol::SlotKind};

use super::{
    legs::{LegState, Role},
    room::{
        LegIndex, Room,
        downlink::{Downlink, Limit, TrackOut},
    },
    worker::Worker,
};
use crate::sfu::forward::{
    allocator::{Budget, Demand, allocate, blocked, steps},
    layers::choose,
};

/// What one voice takes of a link, with all headers.
const VOICE_ALONE: u32 = 40_000;
/// Kept free for each voice that flows: Opus, its headers and the retransmissions of pictures.
const VOICE: u32 = 50_000;

impl Worker {
    /// Reviews every subscriber whose link is measured.
    pub(super) fn share_links(&mut self, now: Instant) {
        for index in self.legs.indices() {
            self.share_link(index, now);
        }
    }

    fn share_link(&mut self, index: LegIndex, now: Instant) {
        let Some(LegState { name, role: Role::Subscriber(downlink), .. }) = self.legs.get_mut(index) else {
            return;
        };
        let Some(room) = self.rooms.get(&name.lesson) else { return };
        if downlink.protection.poll_resume(now) {
            downlink.link.restart();
        }
        if let Some(helped) = downlink.link.poll_probe(now) {
            downlink.prober.learned(helped, now);
        }
        if let Some(estimate) = downlink.link.estimate() {
            downlink.protection.bears(estimate.saturating_add(VOICE_ALONE), now);
            if !downlink.protection.pictures_stopped() {
                fit(downlink, room, estimate, now);
            }
        }
        downlink.follow_link(now);
        if downlink.prober.bitrate().is_some() && !std::mem::replace(&mut downlink.is_paced, true) {
            self.paced.push(index);
        }
        if let Some(stopped) = stop_pictures(downlink) {
            let leg = *name;
            self.tell(MediaEvent::PicturesStopped { leg, stopped });
        }
    }
}

/// Stops all pictures, or lets them flow again; what to tell, if that is something new.
fn stop_pictures(downlink: &mut Downlink) -> Option<bool> {
    let stopped = downlink.protection.pictures_stopped();
    let was_stopped = std::mem::replace(&mut downlink.told_stopped, stopped);
    let pictures = downlink.slots.iter_mut().filter(|out| !out.is_audio());
    match (was_stopped, stopped) {
        (_, true) => pictures.for_each(|out| out.limit = Limit::Paused),
        // Who sends no feedback has no other limit.
        (true, false) if downlink.link.estimate().is_none() => {
            pictures.for_each(|out| out.limit = Limit::None)
        }
        _ => {}
    }
    (was_stopped != stopped).then_some(stopped)
}

/// Gives each picture its part of the estimate, and asks the link for more where that is too little.
fn fit(downlink: &mut Downlink, room: &Room, estimate: u32, now: Instant) {
    let (slots, demands) = demands(downlink, room, now);
    let voices = downlink.slots.iter().filter(|out| out.is_audio() && out.track.is_some()).count();
    // The estimate is of pictures only: voices that flow had their place when it was made.
    let reserve = (VOICE * voices as u32).saturating_sub(downlink.voice.bitrate(now));
    let may_rise = !downlink.link.is_full(now);
    let budget = Budget { bitrate: estimate.saturating_sub(reserve), may_rise };
    let given = allocate(budget, &demands);
    if let Some(wanted) = blocked(&demands, &given).filter(|_| may_rise) {
        downlink.consider_probe(wanted.saturating_add(reserve), now);
    }
    for ((slot, demand), step) in slots.into_iter().zip(&demands).zip(given) {
        let out = &mut downlink.slots[slot];
        let is_whole = step.is_some() && step == demand.steps.last().copied();
        out.limit = if is_whole { Limit::None } else { step.map_or(Limit::Paused, Limit::UpTo) };
    }
}

/// The pictures of a subscriber: places of their slots, and what each would take.
fn demands(downlink: &Downlink, room: &Room, now: Instant) -> (Vec<usize>, Vec<Demand>) {
    let demand = |(place, out): (usize, &TrackOut)| Some((place, demand(out, room, now)?));
    downlink.slots.iter().enumerate().filter_map(demand).unzip()
}

fn demand(out: &TrackOut, room: &Room, now: Instant) -> Option<Demand> {
    if out.is_audio() {
        return None;
    }
    let track = room.tracks.get(out.track?)?;
    let facts = track.facts(now);
    let steps = steps(&facts, choose(&facts, out.wish())?, track.has_temporal_layers());
    let flowing = out.forwarder.current().and_then(|layer| {
        let temporal = out.forwarder.temporal();
        steps.iter().rfind(|step| step.layer == layer && step.temporal <= temporal)
    });
    let flowing = flowing.map_or(0, |step| step.bitrate);
    let is_kept = out.slot.kind() == SlotKind::Screen;
    Some(Demand { priority: priority(out), steps, flowing, is_kept })
}

/// The screen is sharp at few frames; the first camera slot is the teacher's.
fn priority(out: &TrackOut) -> u8 {
    match out.slot.kind() {
        SlotKind::Screen => 0,
        SlotKind::Camera => out.slot.0,
        _ => u8::MAX,
    }
}
