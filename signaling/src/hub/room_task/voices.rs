//! Who is heard: each node hears those who send to it, and tells the others.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::protocol::{IncarnationId, ServerFrame, Source, UserId};

use super::RoomTask;
use crate::hub::{
    envelope::Content,
    ports::{MediaOrder, Voices},
    render,
};

/// What a node heard is told again so often while somebody speaks.
const RENEWED: Duration = Duration::from_secs(2);
/// Not renewed for so long: its last letter was lost, or it died.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// Voices by node. Bounded by the number of nodes.
#[derive(Debug, Default)]
pub(super) struct VoicesByNode {
    here: Vec<UserId>,
    told: Option<Instant>,
    elsewhere: BTreeMap<IncarnationId, (Vec<UserId>, Instant)>,
}

impl VoicesByNode {
    /// The loudest of every node, then the second of every node: the same list on all of them, so that all give the seats
    /// to the same voices.
    fn all(&self, own: IncarnationId) -> Vec<UserId> {
        let mut nodes: Vec<(IncarnationId, &[UserId])> =
            self.elsewhere.iter().map(|(node, (users, _))| (*node, users.as_slice())).collect();
        nodes.push((own, &self.here));
        nodes.sort_unstable_by_key(|(node, _)| *node);
        let longest = nodes.iter().map(|(_, users)| users.len()).max().unwrap_or(0);
        let mut all = Vec::new();
        for user in (0..longest).flat_map(|rank| nodes.iter().filter_map(move |(_, users)| users.get(rank))) {
            // Whoever has just moved may be heard on two nodes.
            if !all.contains(user) {
                all.push(*user);
            }
        }
        all
    }
}

impl RoomTask {
    /// The media plane of this node hears others than before.
    pub(super) fn speaking(&mut self, users: Vec<UserId>) {
        if users == self.voices.here {
            return;
        }
        self.voices.here = users;
        self.tell_voices();
        self.voices_changed();
    }

    pub(super) fn heard_elsewhere(&mut self, node: IncarnationId, users: Vec<UserId>) {
        if users.is_empty() {
            self.voices.elsewhere.remove(&node);
        } else {
            self.voices.elsewhere.insert(node, (users, Instant::now() + FORGOTTEN));
        }
        self.voices_changed();
    }

    pub(super) fn renew_voices(&mut self, now: Instant) {
        if self.voices.here.is_empty() && self.voices.elsewhere.is_empty() && self.speakers.is_empty() {
            return;
        }
        if !self.voices.here.is_empty() && self.voices.told.is_none_or(|told| now - told >= RENEWED) {
            self.tell_voices();
        }
        self.voices.elsewhere.retain(|_, (_, until)| *until > now);
        self.voices_changed();
    }

    fn tell_voices(&mut self) {
        self.voices.told = Some(Instant::now());
        let users = self.voices.here.clone();
        self.tell_nodes(Voices::Speaking(users));
    }

    /// By the bus; while it is away the media plane has ways of its own.
    fn tell_nodes(&self, voices: Voices) {
        let (ports, lesson) = (&self.hub.ports, self.lesson);
        match voices {
            voices if !ports.bus.is_up() => ports.media.order(MediaOrder::Heard { lesson, voices }),
            Voices::Speaking(users) => ports.bus.publish(lesson, Content::Speaking { users }),
            Voices::Begins(user) => ports.bus.publish(lesson, Content::VoiceBegins { user }),
        }
    }

    fn voices_changed(&mut self) {
        let users = self.voices.all(self.own());
        if users == self.speakers {
            return;
        }
        self.broadcast(&render::frame(&ServerFrame::Speaking { users: users.clone() }));
        self.speakers = users;
        let (teacher, now) = (self.roll.info.teacher, self.opened.elapsed());
        self.keep_seats_of_open_microphones();
        if self.voice_seats.speaking(&self.speakers, teacher, now) {
            self.reseat_all();
        }
    }

    /// The first syllable of somebody: heard at once, long before it is told who speaks.
    pub(super) fn voice_begins(&mut self, user: UserId) {
        self.tell_nodes(Voices::Begins(user));
        self.seat_voice(user);
    }

    pub(super) fn seat_voice(&mut self, user: UserId) {
        self.keep_seats_of_open_microphones();
        if user != self.roll.info.teacher && self.voice_seats.begins(user, self.opened.elapsed()) {
            self.reseat_all();
        }
    }

    fn keep_seats_of_open_microphones(&mut self) {
        let stage = &self.room.stage;
        self.voice_seats.keep(|user| stage.track(user, Source::Microphone).is_some_and(|track| !track.muted));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_node_puts_the_same_voices_first() {
        let (user, node) = (|n| UserId(Uuid::from_u128(n)), |n| IncarnationId(Uuid::from_u128(n)));
        let lists = [vec![user(1), user(2), user(3)], vec![], vec![user(4), user(2)]];
        let seen_from = |own: usize| {
            let mut voices = VoicesByNode { here: lists[own].clone(), ..VoicesByNode::default() };
            for other in (0..lists.len()).filter(|other| *other != own) {
                let heard = (lists[other].clone(), Instant::now());
                voices.elsewhere.insert(node(other as u128), heard);
            }
            voices.all(node(own as u128))
        };
        assert_eq!(seen_from(0), [1, 4, 2, 3].map(user));
        assert!((1..lists.len()).all(|own| seen_from(own) == seen_from(0)));
    }
}
