//! The legs of one thread: found by index, by name, by the address of a packet and by the user fragment of a check.

use std::{collections::HashMap, net::SocketAddr, ops::Range, time::Instant};

use qism_signaling::{hub::ports::Leg, protocol::Slot};

use super::{
    ahead::fetch,
    leg::{Path, Transport, ice::Credentials, srtp::Srtp},
    room::{LegIndex, downlink::Downlink, uplink::Uplink},
};

/// A thread holds at most this many; more are told to come later.
const LEGS: usize = 16_384;

/// What a leg is for.
pub enum Role {
    Publisher(Uplink),
    Subscriber(Box<Downlink>),
}

/// One leg.
pub struct LegState {
    pub name: Leg,
    pub transport: Transport,
    pub role: Role,
    /// DTLS was reported done.
    pub is_up: bool,
    /// Bytes carried that the hub was not told of yet.
    pub carried: u64,
}

/// All legs of a thread.
#[derive(Default)]
pub struct Legs {
    states: Vec<Option<LegState>>,
    free: Vec<LegIndex>,
    /// Those that publish: few among many, and looked after more often.
    publishers: Vec<LegIndex>,
    by_name: HashMap<Leg, LegIndex>,
    by_address: HashMap<(u8, SocketAddr), LegIndex>,
}

impl Legs {
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The index the next leg gets; `None` when there is no room.
    pub fn next_index(&self) -> Option<LegIndex> {
        match self.free.last() {
            Some(&index) => Some(index),
            None => (self.states.len() < LEGS).then_some(self.states.len()),
        }
    }

    /// Adds a leg at [`Self::next_index`].
    pub fn insert(&mut self, state: LegState) -> LegIndex {
        let (name, publishes) = (state.name, matches!(state.role, Role::Publisher(_)));
        let index = match self.free.pop() {
            Some(index) => {
                self.states[index] = Some(state);
                index
            }
            None => {
                self.states.push(Some(state));
                self.states.len() - 1
            }
        };
        if publishes {
            self.publishers.push(index);
        }
        self.by_name.insert(name, index);
        index
    }

    pub fn remove(&mut self, index: LegIndex) -> Option<LegState> {
        let state = self.states.get_mut(index)?.take()?;
        self.free.push(index);
        self.publishers.retain(|publisher| *publisher != index);
        self.by_name.remove(&state.name);
        for path in state.transport.ice.bound() {
            self.unbind(*path, index);
        }
        Some(state)
    }

    pub fn get(&self, index: LegIndex) -> Option<&LegState> {
        self.states.get(index)?.as_ref()
    }

    pub fn get_mut(&mut self, index: LegIndex) -> Option<&mut LegState> {
        self.states.get_mut(index)?.as_mut()
    }

    /// Fetches the subscribers who come next. Where each part lies is told by the one before, so it is asked for a turn later.
    pub fn fetch_ahead(&self, next: &[(LegIndex, Slot)]) {
        let ahead =
            |steps: usize| next.get(steps).and_then(|&(leg, slot)| Some((self.states.get(leg)?, slot)));
        ahead(3).into_iter().for_each(|(state, _)| fetch(state));
        if let Some((Some(LegState { transport, role: Role::Subscriber(downlink), .. }), _)) = ahead(2) {
            transport.srtp.iter().for_each(Srtp::fetch_sealer);
            fetch(&**downlink);
        }
        if let Some((Some(LegState { role: Role::Subscriber(downlink), .. }), slot)) = ahead(1) {
            downlink.fetch_slot(slot);
        }
        if let Some((Some(LegState { role: Role::Subscriber(downlink), .. }), slot)) = ahead(0) {
            downlink.fetch_numbers(slot);
        }
    }

    /// The same of those whose feedback comes next.
    pub fn fetch_reporters(&self, next: &[Option<LegIndex>]) {
        let ahead = |steps: usize| self.states.get(next.get(steps).copied().flatten()?);
        ahead(3).into_iter().for_each(fetch);
        if let Some(Some(LegState { transport, role: Role::Subscriber(downlink), .. })) = ahead(2) {
            transport.srtp.iter().for_each(Srtp::fetch_opener);
            fetch(&**downlink);
        }
        if let Some(Some(LegState { role: Role::Subscriber(downlink), .. })) = ahead(1) {
            downlink.link.fetch();
        }
        if let Some(Some(LegState { role: Role::Subscriber(downlink), .. })) = ahead(0) {
            downlink.link.fetch_arrived();
        }
    }

    /// The same of those who are reviewed by the clock, in the order of their indices.
    pub fn fetch_reviewed(&self, index: LegIndex) {
        let ahead = |steps: usize| self.states.get(index + steps);
        ahead(2).into_iter().for_each(fetch);
        if let Some(Some(LegState { transport, role: Role::Subscriber(downlink), .. })) = ahead(1) {
            transport.fetch_handshake();
            fetch(&**downlink);
        }
    }

    pub fn find(&self, name: &Leg) -> Option<LegIndex> {
        self.by_name.get(name).copied()
    }

    /// Indices of all legs, and of some that ended.
    pub fn places(&self) -> Range<LegIndex> {
        0..self.states.len()
    }

    /// Indices of those that publish.
    pub fn publishers(&self) -> impl Iterator<Item = LegIndex> + use<> {
        self.publishers.clone().into_iter()
    }

    /// Indices of all legs.
    pub fn indices(&self) -> impl Iterator<Item = LegIndex> + use<> {
        let held = |(index, state): (LegIndex, &Option<LegState>)| state.as_ref().map(|_| index);
        let indices: Vec<LegIndex> = self.states.iter().enumerate().filter_map(held).collect();
        indices.into_iter()
    }

    /// The leg whose packets come from there.
    pub fn at(&self, path: &Path) -> Option<LegIndex> {
        self.by_address.get(&(path.socket, path.peer)).copied()
    }

    /// How many addresses are routed.
    pub fn addresses(&self) -> usize {
        self.by_address.len()
    }

    /// True while the media of another leg goes there. A source address can be forged, so that an authentic check proves who
    /// sent it, not that the address is theirs: without this a student could take the teacher's away.
    pub fn is_in_use(&mut self, path: &Path, index: LegIndex, now: Instant) -> bool {
        let Some(holder) = self.at(path).filter(|&holder| holder != index) else { return false };
        let live = self.get_mut(holder).and_then(|state| state.transport.ice.live_path(now));
        live.is_some_and(|live| (live.socket, live.peer) == (path.socket, path.peer))
    }

    /// Packets from there are this leg's from now on.
    pub fn bind(&mut self, path: Path, index: LegIndex) {
        self.by_address.insert((path.socket, path.peer), index);
    }

    pub fn unbind(&mut self, path: Path, index: LegIndex) {
        let key = (path.socket, path.peer);
        if self.by_address.get(&key) == Some(&index) {
            self.by_address.remove(&key);
        }
    }
}

/// Makes credentials whose user fragment names thread and leg, so that a check finds it without a search. The random part
/// is the secret; the index is only a hint that is verified.
pub fn credentials(thread: u8, index: LegIndex) -> Credentials {
    let (salt, password): (u64, [u64; 2]) = (rand::random(), rand::random());
    Credentials {
        ufrag: format!("{thread:02x}{index:06x}{salt:016x}"),
        password: format!("{:016x}{:016x}", password[0], password[1]),
    }
}

/// The leg that a user fragment names.
pub fn index_of(ufrag: &str) -> Option<LegIndex> {
    LegIndex::from_str_radix(ufrag.get(2..8)?, 16).ok()
}

/// The thread that holds it.
pub fn thread_of(ufrag: &str) -> Option<usize> {
    usize::from_str_radix(ufrag.get(..2)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_fragment_names_its_leg() {
        let one = credentials(3, 77);
        assert_eq!((thread_of(&one.ufrag), index_of(&one.ufrag)), (Some(3), Some(77)));
        assert_ne!(one, credentials(3, 77));
        assert_eq!(index_of("é"), None);
    }
}
