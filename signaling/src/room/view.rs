//! The state as one participant may see it.

use crate::protocol::{Participant, Role, Snapshot, UserId, snapshot::PublishedTrack};

use super::{Room, roster::Member, roster::Presence};

impl Room {
    /// What a fresh client of this person starts from.
    pub fn snapshot(&self, user: UserId, role: Role) -> Snapshot {
        let staff = role != Role::Student;
        Snapshot {
            position: self.head,
            phase: self.course.phase,
            locked: self.roster.locked,
            chat: self.chat.mode,
            slow_mode_s: self.chat.slow_mode_s,
            participants: self
                .roster
                .members()
                .filter_map(|(other, _)| self.participant_seen(other, user, role))
                .collect(),
            hands: self.floor.hands().to_vec(),
            kept_out: if staff { self.roster.kept_out().iter().copied().collect() } else { Vec::new() },
            students_present: self.roster.students_present(),
        }
    }

    /// Somebody who is here, or was cut off just now, if `by` may see them.
    pub fn participant_seen(&self, other: UserId, by: UserId, role: Role) -> Option<Participant> {
        let all = role != Role::Student || !self.is_crowd();
        let member = self.roster.member(other).filter(|member| member.presence != Presence::Gone)?;
        (all || other == by || self.is_notable(other)).then(|| self.participant(other, member))
    }

    fn participant(&self, user: UserId, member: &Member) -> Participant {
        Participant {
            user,
            role: member.role,
            visit: member.visit,
            present: member.presence == Presence::Here,
            floor: self.floor.holds(user),
            camera: self.floor.camera_of(user),
            published: self
                .stage
                .tracks_of(user)
                .map(|(source, track)| PublishedTrack { source, muted: track.muted })
                .collect(),
        }
    }
}
