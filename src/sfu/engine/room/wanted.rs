//! Which simulcast layers anybody receives: told to the publisher, who saves its uplink by stopping the others.

use qism_signaling::protocol::Publication;

use super::{Room, track::TrackIn};
use crate::sfu::{
    engine::legs::{LegState, Legs, Role},
    forward::layers::{LayerFacts, choose},
};

/// What changed since it was last told, by publication, smallest layer first.
pub fn changes(room: &mut Room, legs: &mut Legs) -> Vec<(Publication, Vec<bool>)> {
    let mut changes = Vec::new();
    for track in room.tracks.iter_mut().filter(|track| track.layers.len() > 1) {
        let Some(wanted) = wanted(track, legs) else { continue };
        if track.told_wanted.as_ref() != Some(&wanted) {
            track.told_wanted = Some(wanted.clone());
            changes.push((track.publication, wanted));
        }
    }
    changes
}

/// `None` until the size of every layer is known: a stopped layer would never tell it.
fn wanted(track: &TrackIn, legs: &mut Legs) -> Option<Vec<bool>> {
    let facts: Vec<LayerFacts> = track.layers.iter().map(super::layer::LayerIn::potential).collect();
    let mut order: Vec<usize> = (0..facts.len()).collect();
    order.sort_by_key(|&layer| facts[layer].size);
    if facts.iter().any(|facts| facts.size.is_none()) {
        return None;
    }
    let mut wanted = vec![false; facts.len()];
    for &(leg, slot) in &track.subscribers {
        let Some(LegState { role: Role::Subscriber(downlink), .. }) = legs.get_mut(leg) else { continue };
        if let Some(layer) = downlink.slot(slot).and_then(|out| choose(&facts, out.wish())) {
            wanted[layer] = true;
        }
    }
    Some(order.into_iter().map(|layer| wanted[layer]).collect())
}
