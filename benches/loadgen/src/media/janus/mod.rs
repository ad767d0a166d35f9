//! Janus's videoroom under the same load: one publisher, many subscribers, by its own signaling.

mod program;
mod room;

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::{audience::Audience, publisher::Publisher, rates::Side};
use program::Program;
use room::Room;

/// Who join at the same time. A connection takes a second: Janus drops the first DTLS message, which comes before its own
/// ICE check is answered.
const JOINING: usize = 10;
/// One join takes no longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running Janus with its room, publisher and subscribers.
pub struct Janus {
    program: Program,
    room: Room,
    publisher: Publisher,
    audience: Audience,
    joined: usize,
}

impl Janus {
    /// Starts it; an error says why it cannot be compared with here.
    pub async fn start(places: usize, start: Instant) -> anyhow::Result<Self> {
        let program = Program::start()?;
        let mut room = Room::create().await?;
        let publisher = room.publish(start).await.with_context(|| program.log())?;
        Ok(Self { program, room, publisher, audience: Audience::new(places, start)?, joined: 0 })
    }

    /// Lets subscribers join, some at a time, until there are so many.
    pub async fn grow(&mut self, subscribers: usize) -> anyhow::Result<()> {
        while self.joined < subscribers {
            let some = self.joined..subscribers.min(self.joined + JOINING);
            for index in some.clone() {
                let joining = self.room.subscribe(&self.audience, index);
                tokio::time::timeout(PATIENCE, joining).await??;
            }
            for index in some.clone() {
                self.audience.is_up(index).await?;
            }
            self.joined = some.end;
        }
        Ok(())
    }

    pub fn side(&self) -> Side<'_> {
        let process = self.program.process();
        Side { name: "janus", process, publisher: &self.publisher, audience: &self.audience }
    }
}
