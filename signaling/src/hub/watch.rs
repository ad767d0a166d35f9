//! The hub's own tasks: comparing heads with the journal, passing on what the media plane and the bus tell.

use std::{sync::Weak, time::Duration};

use tokio::sync::mpsc;

use super::{
    envelope::{BusEvent, Content, Envelope},
    ports::MediaEvent,
    registry::Hub,
    room_task::RoomMessage,
    untaken::Untaken,
};

/// A room that was too busy to take what the media plane tells is asked again after this.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// Every `head_check`, one query asks for the heads of all local lessons: events written by anybody else are seen even
/// when no bus tells. Twice as often while the bus is away; at once when it is back.
pub(crate) async fn heads(hub: Weak<Hub>) {
    loop {
        if !pause(&hub).await {
            return;
        }
        let Some(hub) = hub.upgrade() else { return };
        let lessons = hub.lessons();
        if lessons.is_empty() {
            continue;
        }
        let Ok(heads) = hub.ports.journal.heads(&lessons).await else { continue };
        for (lesson, head) in heads {
            if let Some(queue) = hub.queue_unless_at(lesson, head) {
                // A full queue means the room is busy; the next check comes soon.
                let _ = queue.try_send(RoomMessage::Head(head));
            }
        }
    }
}

/// Waits for the next comparison; false when the hub is gone.
async fn pause(hub: &Weak<Hub>) -> bool {
    let Some(hub) = hub.upgrade() else { return false };
    let every = hub.config.head_check;
    let pause = if hub.ports.bus.is_up() { every } else { every / 2 };
    let compare_now = hub.compare_now.clone();
    drop(hub);
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = compare_now.notified() => {}
    }
    true
}

/// Letters to the room they are for. A room that is too busy to take one finds the events by its gap or the next comparison.
pub(crate) async fn bus(hub: Weak<Hub>, mut events: mpsc::Receiver<BusEvent>) {
    while let Some(event) = events.recv().await {
        let Some(hub) = hub.upgrade() else { return };
        match event {
            BusEvent::Restored => hub.compare_now.notify_one(),
            BusEvent::Received(envelope) if envelope.from == hub.config.incarnation => {}
            BusEvent::Received(Envelope { content: Content::Beats { database }, .. }) => {
                hub.note_beat_elsewhere(database);
            }
            BusEvent::Received(envelope) => {
                if let Some(queue) = hub.queue_to(envelope.lesson) {
                    let _ = queue.try_send(RoomMessage::Letter(envelope));
                }
            }
        }
    }
}

/// Media events to the room they are about.
pub(crate) async fn media(hub: Weak<Hub>, mut events: mpsc::Receiver<MediaEvent>) {
    let mut untaken = Untaken::default();
    loop {
        let event = tokio::select! {
            event = events.recv() => match event {
                Some(event) => Some(event),
                None => return,
            },
            () = tokio::time::sleep(TRY_AGAIN), if !untaken.is_empty() => None,
        };
        let Some(hub) = hub.upgrade() else { return };
        match event {
            Some(event) => untaken.hand_on(event, |lesson| hub.queue_to(lesson)),
            None => untaken.try_again(|lesson| hub.queue_to(lesson)),
        }
    }
}
