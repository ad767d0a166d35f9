//! Fits what each subscriber gets into what its link bears.

use std::time::Instant;

use qism_signaling::{
    hub::ports::{LayerCap, MediaEvent},
    protocol::{SlotKind, UserId, media::Pictures},
};

use super::{
    legs::{LegState, Role},
    room::{
        LegIndex, Room,
        downlink::{Downlink, Limit, Review, TrackOut},
    },
    worker::Worker,
};
use crate::sfu::forward::{
    allocator::{Budget, Demand, allocate, blocked, headroom, steps},
    budget::Allowance,
    ceiling::Takes,
    layers::choose,
};

/// What one voice takes of a link, with all headers.
const VOICE_ALONE: u32 = 40_000;
/// What pictures may need of which nothing came yet: the largest layer of a camera, and a screen.
const UNKNOWN: u32 = 2_500_000;

impl Worker {
    /// Looks after a subscriber's link, with feedback that just came or by the clock.
    pub(super) fn review_link(&mut self, index: LegIndex, with_feedback: bool, now: Instant) {
        let Some(LegState { role: Role::Subscriber(downlink), .. }) = self.legs.get_mut(index) else {
            return;
        };
        match downlink.review(with_feedback, now) {
            Review::Share => self.share_link(index, now),
            _ if with_feedback && downlink.link.is_probe_told() => self.share_link(index, now),
            Review::Follow => downlink.follow_link(now),
            Review::Nothing => {}
        }
    }

    /// Gives each picture of a subscriber its part of what the link bears and the budget pays, and chooses layers by it.
    pub(super) fn share_link(&mut self, index: LegIndex, now: Instant) {
        let Some(LegState { name, is_up, role: Role::Subscriber(downlink), .. }) = self.legs.get_mut(index)
        else {
            return;
        };
        let Some(room) = self.rooms.get_mut(&name.lesson) else { return };
        if downlink.poll_resume(now) {
            downlink.link.restart();
        }
        if let Some(found) = downlink.link.poll_probe(now) {
            downlink.prober.learned(downlink.carrier.found(found), now);
        }
        if let Some(estimate) = downlink.link.estimate() {
            downlink.protection.bears(estimate.saturating_add(VOICE_ALONE), now);
        }
        let leg = *name;
        let spared = bound(downlink, room, now);
        if *is_up && !downlink.has_shown() {
            downlink.consider_look(expected(downlink, room, now), now);
        }
        choose_pictures(downlink, room, leg.user, now);
        downlink.follow_link(now);
        downlink.shared(now);
        let pads = downlink.prober.bitrate().is_some() || downlink.feels(now);
        if pads && !std::mem::replace(&mut downlink.is_paced, true) {
            self.paced.push(index);
        }
        if let Some(stopped) = stops_pictures(downlink) {
            self.tell(MediaEvent::PicturesStopped { leg, stopped });
        }
        self.tell_spared(leg, spared);
    }
}

/// Bounds all pictures by link and budget; what to tell of the budget's part in it, if that is something new.
fn bound(downlink: &mut Downlink, room: &Room, now: Instant) -> Option<Pictures> {
    let allowance = downlink.budget.map(|budget| budget.allowance(now));
    let (slots, demands) = demands(downlink, room, allowance, now);
    match (downlink.link.estimate(), allowance) {
        _ if downlink.protection.pictures_stopped() => {
            limit_all(downlink, Limit::Paused);
            take_of_screen(downlink, Takes::Nothing);
        }
        // Who sends no feedback and pays for everything has no limit.
        (None, None) => {
            limit_all(downlink, Limit::None);
            let takes = if downlink.link.is_unknown(now) { Takes::Nothing } else { Takes::All };
            take_of_screen(downlink, takes);
        }
        (estimate, allowance) => fit(downlink, estimate, allowance, (&slots, &demands), now),
    }
    let wanted = demands.iter().fold(0, |sum: u32, demand| sum.saturating_add(demand.wanted));
    // Only budgets leave nothing of a picture.
    let no_camera = demands.iter().any(|demand| demand.steps.is_empty());
    let pictures =
        downlink.budget.as_mut().map_or(Pictures::Full, |budget| budget.pictures(wanted, no_camera, now));
    let is_new = std::mem::replace(&mut downlink.told_spared, pictures) != pictures;
    is_new.then_some(pictures)
}

/// Lets every picture choose its layer, and notes the key frames that are waited for.
fn choose_pictures(downlink: &mut Downlink, room: &mut Room, receiver: UserId, now: Instant) {
    for place in 0..downlink.slots.len() {
        let out = &downlink.slots[place];
        let Some(track) = out.track.filter(|_| !out.is_audio()) else { continue };
        let (slot, Some(track)) = (out.slot, room.tracks.get_mut(track)) else { continue };
        let needed = downlink.choose_layer(slot, &track.facts(now), now);
        needed.into_iter().for_each(|layer| track.want_key_frame(receiver, layer, now));
    }
}

/// Bits per second that a link must bear for the pictures that are to come.
fn expected(downlink: &Downlink, room: &Room, now: Instant) -> u32 {
    let pictures = downlink.slots.iter().filter(|out| !out.is_audio());
    let needs = pictures.filter_map(|out| match demand(out, room, now) {
        Some(demand) => Some(demand.wanted),
        None if out.cap == LayerCap::LOW => None,
        None => room.tracks.get(out.track?).filter(|track| track.is_published()).map(|_| UNKNOWN),
    });
    headroom(needs.fold(0, |sum: u32, needs| sum.saturating_add(needs).min(UNKNOWN)))
}

fn limit_all(downlink: &mut Downlink, limit: Limit) {
    downlink.slots.iter_mut().filter(|out| !out.is_audio()).for_each(|out| out.limit = limit);
}

fn take_of_screen(downlink: &mut Downlink, takes: Takes) {
    let screens = downlink.slots.iter_mut().filter(|out| out.slot.kind() == SlotKind::Screen);
    screens.for_each(|out| out.takes = takes);
}

/// Whether a weak link stops all pictures, if that is something new.
fn stops_pictures(downlink: &mut Downlink) -> Option<bool> {
    let stopped = downlink.protection.pictures_stopped();
    let was_stopped = std::mem::replace(&mut downlink.told_stopped, stopped);
    (was_stopped != stopped).then_some(stopped)
}

/// Gives each picture its part of what the link bears and the budget pays, and asks the link for more where that is too
/// little.
fn fit(
    downlink: &mut Downlink,
    estimate: Option<u32>,
    allowance: Option<Allowance>,
    (slots, demands): (&[usize], &[Demand]),
    now: Instant,
) {
    let reserve = downlink.kept_for_voices(now);
    let may_rise = !downlink.link.is_full(now);
    let budget = Budget {
        bitrate: estimate.map_or(u32::MAX, |estimate| estimate.saturating_sub(reserve)),
        hard: allowance.map_or(u32::MAX, |allowance| allowance.burst),
        may_rise,
    };
    let takes = Takes::of(estimate, budget.bitrate);
    take_of_screen(downlink, takes);
    let given = allocate(budget, demands);
    // A screen that was made to fit would have more, too.
    let shows_screen = demands.iter().any(|demand| demand.is_kept);
    let fitted = (shows_screen && takes < Takes::All).then(|| headroom(UNKNOWN));
    if let Some(wanted) = blocked(demands, &given).max(fitted).filter(|_| may_rise) {
        downlink.consider_probe(wanted.saturating_add(reserve), now);
    }
    for ((&slot, demand), step) in slots.iter().zip(demands).zip(given) {
        let is_whole = step.is_some_and(|step| step.bitrate >= demand.wanted);
        let limit = if is_whole { Limit::None } else { step.map_or(Limit::Paused, Limit::UpTo) };
        downlink.slots[slot].limit = limit;
    }
}

/// The pictures of a subscriber: places of their slots, and what each would take.
fn demands(
    downlink: &Downlink,
    room: &Room,
    allowance: Option<Allowance>,
    now: Instant,
) -> (Vec<usize>, Vec<Demand>) {
    let demand = |(place, out): (usize, &TrackOut)| {
        let mut demand = demand(out, room, now)?;
        if let Some(allowance) = allowance {
            pay(&mut demand, out, allowance);
        }
        Some((place, demand))
    };
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
    let wanted = steps.last().map_or(0, |step| step.bitrate);
    let is_kept = out.slot.kind() == SlotKind::Screen;
    Some(Demand { priority: priority(out), steps, flowing, is_kept, wanted })
}

/// Leaves what a budget pays for: of a camera what can be kept up, with room to spare before it grows; of a screen at least
/// its smallest form, whatever it takes for a moment, since stopping and starting costs a whole page.
fn pay(demand: &mut Demand, out: &TrackOut, allowance: Allowance) {
    if out.slot.kind() == SlotKind::Screen {
        if let Some(smallest) = demand.steps.first_mut() {
            smallest.bitrate = smallest.bitrate.min(allowance.burst.max(1));
        }
        return;
    }
    let flowing = demand.flowing;
    demand.steps.retain(|step| match step.bitrate <= flowing {
        true => step.bitrate <= allowance.sustained,
        false => step.bitrate <= allowance.sustained / 5 * 4,
    });
}

/// The screen is sharp at few frames; the first camera slot is the teacher's.
fn priority(out: &TrackOut) -> u8 {
    match out.slot.kind() {
        SlotKind::Screen => 0,
        SlotKind::Camera => out.slot.0,
        _ => u8::MAX,
    }
}
