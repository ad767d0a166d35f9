//! The media of one lesson on one thread: what is published, who may publish, who receives what. The publishers are on the
//! lesson's home thread; a large lesson has rooms on other threads too, which hold the subscribers there and gates of
//! their own.

pub mod codecs;
mod delays;
pub mod downlink;
pub mod export;
pub mod joined;
pub mod layer;
pub mod link;
pub mod outgoing;
pub mod shape;
pub mod track;
pub mod uplink;
pub mod wanted;

use std::{collections::HashMap, time::Instant};

use qism_signaling::protocol::{IncarnationId, LessonId, Publication, Source, UserId};

use crate::sfu::forward::speakers::Speakers;
use track::TrackIn;

/// Index of a leg on its thread.
pub type LegIndex = usize;
/// Index of a track in its room; stable while the room lives.
pub type TrackIndex = usize;

/// Where a track comes from that no leg of this thread sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The lesson's home thread on this node.
    Thread(u8),
    Node(IncarnationId),
}

/// One lesson.
pub struct Room {
    pub lesson: LessonId,
    /// The thread of the publishers, when it is another.
    pub home: Option<u8>,
    pub tracks: Vec<TrackIn>,
    /// What each person may send; nobody else may send anything.
    permits: HashMap<UserId, Vec<Source>>,
    /// Publishers who are on other nodes.
    origins: HashMap<UserId, IncarnationId>,
    /// Receivers who do not decode H.264.
    pub without_h264: usize,
    pub speakers: Speakers<UserId>,
}

impl Room {
    pub fn new(lesson: LessonId) -> Self {
        Self {
            lesson,
            home: None,
            tracks: Vec::new(),
            permits: HashMap::new(),
            origins: HashMap::new(),
            without_h264: 0,
            speakers: Speakers::default(),
        }
    }

    /// The track of a publication, made when it is first named by its publisher or by a subscriber.
    pub fn track(&mut self, publication: Publication) -> TrackIndex {
        self.find(publication).unwrap_or_else(|| {
            let mut track = TrackIn::new(publication, self.is_permitted(publication));
            track.origin = self.origins.get(&publication.user).copied();
            self.tracks.push(track);
            self.tracks.len() - 1
        })
    }

    /// The track of a publication, if it was ever named.
    pub fn find(&self, publication: Publication) -> Option<TrackIndex> {
        self.tracks.iter().position(|track| track.publication == publication)
    }

    /// Where the tracks of a person come in.
    pub fn set_origin(&mut self, user: UserId, node: Option<IncarnationId>, now: Instant) {
        match node {
            Some(node) => self.origins.insert(user, node),
            None => self.origins.remove(&user),
        };
        let own = self.tracks.iter_mut().filter(|track| track.publication.user == user);
        own.for_each(|track| track.move_to(node, now));
    }

    /// Where a track comes from, unless a leg of this thread sends it.
    pub fn origin(&self, track: TrackIndex) -> Option<Origin> {
        let track = self.tracks.get(track).filter(|track| track.publisher.is_none())?;
        self.home.map(Origin::Thread).or(track.origin.map(Origin::Node))
    }

    /// Receivers who do not decode H.264, on this thread and on those that it serves.
    pub fn all_without_h264(&self) -> u32 {
        let exports = self.tracks.iter().flat_map(|track| &track.exports);
        let elsewhere = exports.map(|export| export.demand.without_h264).max().unwrap_or(0);
        self.without_h264 as u32 + elsewhere
    }

    fn is_permitted(&self, publication: Publication) -> bool {
        self.permits.get(&publication.user).is_some_and(|sources| sources.contains(&publication.source))
    }

    /// Sets what a person may send; yields the tracks that were shut by it.
    pub fn permit(&mut self, user: UserId, sources: Vec<Source>) -> Vec<TrackIndex> {
        if !sources.contains(&Source::Microphone) {
            self.speakers.forget(user);
        }
        self.permits.insert(user, sources);
        let mut shut = Vec::new();
        for index in 0..self.tracks.len() {
            let publication = self.tracks[index].publication;
            let permitted = self.is_permitted(publication);
            if publication.user == user && self.tracks[index].permit(permitted) {
                shut.push(index);
            }
        }
        shut
    }

    /// Forgets the streams that a publisher leg sent.
    pub fn unpublish(&mut self, leg: LegIndex) {
        for track in self.tracks.iter_mut().filter(|track| track.publisher == Some(leg)) {
            track.unpublish();
        }
    }

    /// Takes a leg off every track it receives.
    pub fn unsubscribe(&mut self, leg: LegIndex) {
        self.tracks.iter_mut().for_each(|track| track.unsubscribe(leg));
    }

    /// Notes the loudness, where told, and the size of one packet of a permitted microphone; true when a voice begins.
    pub fn heard(&mut self, publication: Publication, level: Option<u8>, bytes: usize, now: Instant) -> bool {
        publication.source == Source::Microphone && self.speakers.heard(publication.user, level, bytes, now)
    }
}
