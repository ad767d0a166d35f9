//! What those who receive a publication make of it together, told to the publisher: which simulcast layers anybody receives, so that
//! the others are not sent, and how much of a screen the widest link takes.

use std::time::Instant;

use qism_signaling::protocol::{Publication, Source};

use super::{Room, downlink::Limit, track::TrackIn};
use crate::sfu::{
    engine::legs::{LegState, Legs, Role},
    forward::{
        ceiling::Takes,
        layers::{LayerFacts, choose},
    },
};

/// What changed since it was last told, by publication, smallest layer first.
pub fn changes(room: &mut Room, legs: &mut Legs) -> Vec<(Publication, Vec<bool>)> {
    let mut changes = Vec::new();
    for track in room.tracks.iter_mut().filter(|track| track.publisher.is_some() && track.layers.len() > 1) {
        let Some(wanted) = wanted(track, legs) else { continue };
        if track.told_wanted.as_ref() != Some(&wanted) {
            track.told_wanted = Some(wanted.clone());
            changes.push((track.publication, wanted));
        }
    }
    changes
}

/// The same as one bit per layer, the smallest lowest: what another thread is told.
pub fn mask(track: &TrackIn, legs: &mut Legs) -> Option<u8> {
    let bits = |mask, (place, wanted)| mask | u8::from(wanted) << place;
    Some(wanted(track, legs)?.into_iter().enumerate().fold(0, bits))
}

/// Smallest first. `None` until the size of every layer is known: a stopped layer would never tell it.
fn wanted(track: &TrackIn, legs: &mut Legs) -> Option<Vec<bool>> {
    let facts: Vec<LayerFacts> = track.layers.iter().map(super::layer::LayerIn::potential).collect();
    let mut order: Vec<usize> = (0..facts.len()).collect();
    order.sort_by_key(|&layer| facts[layer].size);
    if facts.iter().any(|facts| facts.size.is_none()) {
        return None;
    }
    let mut wanted = vec![false; order.len()];
    for export in &track.exports {
        let mask = export.demand.layers?;
        wanted.iter_mut().enumerate().for_each(|(place, it)| *it |= mask >> place & 1 == 1);
    }
    for &(leg, slot) in &track.subscribers {
        let Some(LegState { role: Role::Subscriber(downlink), .. }) = legs.get_mut(leg) else { continue };
        let Some(out) = downlink.slot(slot) else { continue };
        let place = choose(&facts, out.wish()).and_then(|layer| order.iter().position(|it| *it == layer));
        if let Some(place) = place {
            // The smallest is always there to fall back to; a narrow link climbs through all up to what it wants.
            wanted[0] = true;
            wanted[place] = true;
            if out.limit != Limit::None {
                wanted[..place].fill(true);
            }
        }
    }
    Some(wanted)
}

/// What publishers of screens are to be told of their bit rate now.
pub fn rates(room: &mut Room, legs: &mut Legs, now: Instant) -> Vec<(Publication, Option<u32>)> {
    let is_screen = |track: &&mut TrackIn| track.publication.source == Source::Screen;
    let screens = room.tracks.iter_mut().filter(|track| track.publisher.is_some()).filter(is_screen);
    let rate = |track: &mut TrackIn| {
        let (takes, flows) = (takes(track, legs), track.flows(now));
        Some((track.publication, track.ceiling.follow(takes, flows, now)?))
    };
    screens.filter_map(rate).collect()
}

/// What the widest link takes of a screen, of this thread and of those that it serves.
pub fn takes(track: &TrackIn, legs: &mut Legs) -> Takes {
    let here = track.subscribers.iter().filter_map(|&(leg, slot)| match legs.get_mut(leg)? {
        LegState { role: Role::Subscriber(downlink), .. } => Some(downlink.slot(slot)?.takes),
        _ => None,
    });
    here.chain(track.exports.iter().map(|export| export.takes)).max().unwrap_or_default()
}
