//! What the media plane told while a room was too busy to take it. Nothing repeats a lost leg or a rate: the last word of each
//! kind is kept until the room takes it. The engine waits for nobody meanwhile, nor do other rooms.

use std::collections::HashMap;

use tokio::sync::mpsc::{Sender, error::TrySendError};

use super::{ports::MediaEvent, room_task::RoomMessage};
use crate::protocol::{LessonId, UserId};

/// By lesson, oldest first. Bounded: one of each kind for each leg and track of the lesson, and it goes with the room.
#[derive(Debug, Default)]
pub(super) struct Untaken(HashMap<LessonId, Vec<MediaEvent>>);

impl Untaken {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives an event to its room, behind what the room has not taken yet.
    pub(super) fn hand_on(
        &mut self,
        event: MediaEvent,
        queue_to: impl Fn(LessonId) -> Option<Sender<RoomMessage>>,
    ) {
        let lesson = lesson_of(&event);
        let Some(queue) = queue_to(lesson) else {
            self.0.remove(&lesson);
            return;
        };
        let kept = self.0.entry(lesson).or_default();
        give(kept, &queue);
        if kept.is_empty() {
            kept.extend(refused(&queue, event).filter(must_be_heard));
        } else if must_be_heard(&event) {
            keep(kept, event);
        }
        if kept.is_empty() {
            self.0.remove(&lesson);
        }
    }

    /// Gives each room what it has not taken.
    pub(super) fn try_again(&mut self, queue_to: impl Fn(LessonId) -> Option<Sender<RoomMessage>>) {
        self.0.retain(|lesson, kept| {
            let Some(queue) = queue_to(*lesson) else { return false };
            give(kept, &queue);
            !kept.is_empty()
        });
    }
}

/// Gives what is kept, in order, as far as the room takes it.
fn give(kept: &mut Vec<MediaEvent>, queue: &Sender<RoomMessage>) {
    let mut waiting = std::mem::take(kept).into_iter();
    for event in waiting.by_ref() {
        if let Some(event) = refused(queue, event) {
            kept.push(event);
            break;
        }
    }
    kept.extend(waiting);
}

/// The event, if the room takes no more. A room that has closed has no use for it.
fn refused(queue: &Sender<RoomMessage>, event: MediaEvent) -> Option<MediaEvent> {
    match queue.try_send(RoomMessage::Media(event)) {
        Err(TrySendError::Full(RoomMessage::Media(event))) => Some(event),
        _ => None,
    }
}

/// In place of an earlier word on the same; what was carried adds up.
fn keep(kept: &mut Vec<MediaEvent>, event: MediaEvent) {
    if let MediaEvent::Carried { bytes, .. } = &event
        && let Some(MediaEvent::Carried { bytes: before, .. }) =
            kept.iter_mut().find(|kept| matches!(kept, MediaEvent::Carried { .. }))
    {
        return add(before, bytes);
    }
    kept.retain(|kept| !is_of_the_same(kept, &event));
    kept.push(event);
}

fn add(sums: &mut Vec<(UserId, u64)>, bytes: &[(UserId, u64)]) {
    for (user, bytes) in bytes {
        match sums.iter_mut().find(|(of, _)| of == user) {
            Some((_, sum)) => *sum += bytes,
            None => sums.push((*user, *bytes)),
        }
    }
}

fn is_of_the_same(one: &MediaEvent, other: &MediaEvent) -> bool {
    use MediaEvent as M;
    match (one, other) {
        (M::LegLost { leg: a }, M::LegLost { leg: b })
        | (M::PicturesStopped { leg: a, .. }, M::PicturesStopped { leg: b, .. })
        | (M::PicturesSpared { leg: a, .. }, M::PicturesSpared { leg: b, .. }) => a == b,
        (M::LayersWanted { publication: a, .. }, M::LayersWanted { publication: b, .. })
        | (M::ScreenRate { publication: a, .. }, M::ScreenRate { publication: b, .. })
        | (M::CodecsDecoded { publication: a, .. }, M::CodecsDecoded { publication: b, .. }) => a == b,
        (M::Speaking { .. }, M::Speaking { .. }) => true,
        _ => false,
    }
}

/// False for what the next moment tells anew.
fn must_be_heard(event: &MediaEvent) -> bool {
    use MediaEvent as M;
    match event {
        M::LegUp { .. } | M::VoiceBegins { .. } | M::HeardElsewhere { .. } => false,
        M::LegLost { .. }
        | M::PicturesStopped { .. }
        | M::PicturesSpared { .. }
        | M::Carried { .. }
        | M::LayersWanted { .. }
        | M::ScreenRate { .. }
        | M::CodecsDecoded { .. }
        // Told on change: the last one stands until the next.
        | M::Speaking { .. } => true,
    }
}

fn lesson_of(event: &MediaEvent) -> LessonId {
    match event {
        MediaEvent::LegUp { leg }
        | MediaEvent::LegLost { leg }
        | MediaEvent::PicturesStopped { leg, .. }
        | MediaEvent::PicturesSpared { leg, .. } => leg.lesson,
        MediaEvent::Speaking { lesson, .. }
        | MediaEvent::VoiceBegins { lesson, .. }
        | MediaEvent::HeardElsewhere { lesson, .. }
        | MediaEvent::Carried { lesson, .. }
        | MediaEvent::LayersWanted { lesson, .. }
        | MediaEvent::ScreenRate { lesson, .. }
        | MediaEvent::CodecsDecoded { lesson, .. } => *lesson,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use uuid::Uuid;

    use super::*;
    use crate::{
        hub::ports::Leg,
        protocol::{LegKind, Publication, SessionId, Source},
    };

    const LESSON: LessonId = LessonId(Uuid::from_u128(1));
    const USER: UserId = UserId(Uuid::from_u128(2));

    fn lost() -> MediaEvent {
        let session = SessionId(Uuid::from_u128(3));
        MediaEvent::LegLost { leg: Leg { lesson: LESSON, user: USER, session, kind: LegKind::Subscriber } }
    }

    fn layers(wanted: bool) -> MediaEvent {
        let publication = Publication { user: USER, source: Source::Camera };
        MediaEvent::LayersWanted { lesson: LESSON, publication, layers: vec![wanted] }
    }

    fn carried(bytes: u64) -> MediaEvent {
        MediaEvent::Carried { lesson: LESSON, bytes: vec![(USER, bytes)] }
    }

    #[test]
    fn a_lost_leg_and_the_last_word_on_each_track_reach_a_room_that_was_busy() {
        let (queue, mut room) = mpsc::channel(1);
        let to_room = |_: LessonId| Some(queue.clone());
        let mut untaken = Untaken::default();
        let begins = MediaEvent::VoiceBegins { lesson: LESSON, user: USER };
        for event in [begins.clone(), begins, lost(), layers(true), carried(5), layers(false), carried(7)] {
            untaken.hand_on(event, to_room);
        }
        let mut heard = Vec::new();
        while let Ok(RoomMessage::Media(event)) = room.try_recv() {
            heard.push(format!("{event:?}"));
            untaken.try_again(to_room);
        }
        let begins = MediaEvent::VoiceBegins { lesson: LESSON, user: USER };
        let expected = [begins, lost(), carried(12), layers(false)];
        assert_eq!(heard, expected.map(|event| format!("{event:?}")));
        assert!(untaken.is_empty());
    }

    #[test]
    fn nothing_is_kept_for_a_room_that_is_gone() {
        let (queue, room) = mpsc::channel(1);
        let mut untaken = Untaken::default();
        for event in [layers(true), lost()] {
            untaken.hand_on(event, |_| Some(queue.clone()));
        }
        assert!(!untaken.is_empty());
        drop(room);
        untaken.try_again(|_| Some(queue.clone()));
        assert!(untaken.is_empty());
        untaken.hand_on(lost(), |_| None);
        assert!(untaken.is_empty());
    }
}
