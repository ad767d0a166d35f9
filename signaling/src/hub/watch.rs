//! The hub's own two tasks: comparing heads with the journal, and passing on what the media plane tells.

use std::sync::Weak;

use tokio::sync::mpsc;

use crate::protocol::LessonId;

use super::{ports::MediaEvent, registry::Hub, room_task::RoomMessage};

/// Every `head_check`, one query asks for the heads of all local lessons: events written by anybody else are seen even
/// when no bus tells.
pub(crate) async fn heads(hub: Weak<Hub>) {
    loop {
        let Some(pause) = hub.upgrade().map(|hub| hub.config.head_check) else { return };
        tokio::time::sleep(pause).await;
        let Some(hub) = hub.upgrade() else { return };
        let queues = hub.queues(None);
        let lessons: Vec<LessonId> = queues.keys().copied().collect();
        if lessons.is_empty() {
            continue;
        }
        let Ok(heads) = hub.ports.journal.heads(&lessons).await else { continue };
        for (lesson, head) in heads {
            if let Some(queue) = queues.get(&lesson) {
                // A full queue means the room is busy; the next check comes soon.
                let _ = queue.try_send(RoomMessage::Head(head));
            }
        }
    }
}

/// Media events to the room they are about. Speaking levels may be dropped when a room is busy; the next ones follow.
pub(crate) async fn media(hub: Weak<Hub>, mut events: mpsc::Receiver<MediaEvent>) {
    while let Some(event) = events.recv().await {
        let Some(hub) = hub.upgrade() else { return };
        let lesson = match &event {
            MediaEvent::LegUp { leg }
            | MediaEvent::LegLost { leg }
            | MediaEvent::PicturesStopped { leg, .. } => leg.lesson,
            MediaEvent::Speaking { lesson, .. }
            | MediaEvent::LayersWanted { lesson, .. }
            | MediaEvent::CodecsDecoded { lesson, .. } => *lesson,
        };
        if let Some(queue) = hub.queue_to(lesson) {
            let _ = queue.try_send(RoomMessage::Media(event));
        }
    }
}
