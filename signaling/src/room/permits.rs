//! What each person may send at this moment: the order the SFU obeys packet by packet.

use crate::protocol::{Role, Source, UserId};

use super::{
    Room,
    policy::{self, Action},
};

impl Room {
    /// The sources of this person that may pass: published, still allowed, and, for a student's microphone, not muted (a
    /// teacher's own mute leaves the gate open, so that the first syllable after it is not cut).
    pub fn permits(&self, user: UserId) -> Vec<Source> {
        let Some(role) = self.roster.role_of_present(user) else { return Vec::new() };
        let situation = self.situation(user);
        self.stage
            .tracks_of(user)
            .filter(|(source, track)| !(track.muted && role == Role::Student && source.is_audio()))
            .filter(|(source, _)| policy::may(role, Action::Publish(*source), &situation).is_ok())
            .map(|(source, _)| source)
            .collect()
    }
}
