//! Published tracks.

use std::collections::BTreeMap;

use crate::protocol::{ErrorCode, Event, Publication, Source, UserId};

/// Who publishes what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stage {
    tracks: BTreeMap<Publication, Track>,
}

/// One published track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Track {
    pub muted: bool,
    /// Number of the event that published it: the latest screen wins the screen slot.
    pub since: u64,
}

impl Stage {
    pub(super) fn apply(&mut self, event: &Event, number: u64) {
        match event {
            Event::Published { user, source, muted } => {
                let track = Track { muted: *muted, since: number };
                self.tracks.insert(Publication { user: *user, source: *source }, track);
            }
            Event::Unpublished { user, source, .. } => {
                self.tracks.remove(&Publication { user: *user, source: *source });
            }
            Event::CameraRevoked { user, .. } => {
                self.tracks.remove(&Publication { user: *user, source: Source::Camera });
            }
            Event::MutedSet { user, source, muted, .. } => {
                if let Some(track) = self.tracks.get_mut(&Publication { user: *user, source: *source }) {
                    track.muted = *muted;
                }
            }
            Event::FloorTaken { user, .. } | Event::Left { user, .. } | Event::Removed { user, .. } => {
                self.tracks.retain(|publication, _| publication.user != *user);
            }
            Event::Ended { .. } => self.tracks.clear(),
            _ => {}
        }
    }

    /// Mutes the microphones of everybody for whom `whom` holds: `all_muted` names nobody, and roles are the roster's.
    pub(super) fn mute_microphones(&mut self, whom: impl Fn(UserId) -> bool) {
        for (publication, track) in &mut self.tracks {
            if publication.source == Source::Microphone && whom(publication.user) {
                track.muted = true;
            }
        }
    }

    /// Every published track, in a fixed order.
    pub fn tracks(&self) -> impl Iterator<Item = (Publication, Track)> {
        self.tracks.iter().map(|(publication, track)| (*publication, *track))
    }

    /// The tracks of one person.
    pub fn tracks_of(&self, user: UserId) -> impl Iterator<Item = (Source, Track)> {
        let first = Publication { user, source: Source::Microphone };
        let last = Publication { user, source: Source::ScreenAudio };
        self.tracks.range(first..=last).map(|(publication, track)| (publication.source, *track))
    }

    pub fn track(&self, user: UserId, source: Source) -> Option<Track> {
        self.tracks.get(&Publication { user, source }).copied()
    }

    pub(super) fn unpublish(&self, user: UserId, source: Source, by: UserId) -> Vec<Event> {
        match self.track(user, source) {
            Some(_) => vec![Event::Unpublished { user, source, by }],
            None => Vec::new(),
        }
    }

    pub(super) fn set_muted(
        &self,
        user: UserId,
        source: Source,
        muted: bool,
        by: UserId,
    ) -> Result<Vec<Event>, ErrorCode> {
        match self.track(user, source) {
            Some(track) if track.muted == muted => Ok(Vec::new()),
            Some(_) => Ok(vec![Event::MutedSet { user, source, muted, by }]),
            None => Err(ErrorCode::Invalid),
        }
    }

    pub(super) fn mute(&self, user: UserId, by: UserId) -> Result<Vec<Event>, ErrorCode> {
        match self.track(user, Source::Microphone) {
            Some(_) => self.set_muted(user, Source::Microphone, true, by),
            None => Ok(Vec::new()),
        }
    }
}
