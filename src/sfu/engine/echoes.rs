//! The voice for peers that do not take redundant audio: while they lose packets, each one of a voice is sent again
//! after 20 and 60 ms, the very same bytes. Who has it already drops it as a replay.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use qism_signaling::protocol::Slot;

use super::{
    counters::add,
    legs::{LegState, Role},
    room::{LegIndex, outgoing::Destination},
    worker::Worker,
};

const DELAYS: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(60)];
/// Echoes that wait on a thread, per delay; beyond, no more are made: that is a thousand voices at once.
const WAITING: usize = 4_096;

/// One packet that goes out again.
#[derive(Clone, Copy, Debug)]
pub struct Echo {
    pub leg: LegIndex,
    pub slot: Slot,
    pub layer: usize,
    /// Its incoming number.
    pub sequence: u64,
}

/// What waits, by delay; each queue in the order of time.
#[derive(Debug, Default)]
pub struct Echoes {
    queues: [VecDeque<(Instant, Echo)>; DELAYS.len()],
}

impl Echoes {
    /// This was sent now.
    pub fn sent(&mut self, echo: Echo, now: Instant) {
        for (queue, delay) in self.queues.iter_mut().zip(DELAYS) {
            if queue.len() < WAITING {
                queue.push_back((now + delay, echo));
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }

    /// The next that is due.
    fn pop(&mut self, now: Instant) -> Option<Echo> {
        let due = self.queues.iter_mut().find(|queue| queue.front().is_some_and(|(due, _)| *due <= now))?;
        due.pop_front().map(|(_, echo)| echo)
    }
}

impl Worker {
    /// Sends what is due.
    pub(super) fn send_echoes(&mut self, now: Instant) {
        while let Some(echo) = self.echoes.pop(now) {
            if self.send_echo(echo, now).is_some() {
                add(&self.counters.echoes, 1);
            }
        }
    }

    fn send_echo(&mut self, echo: Echo, now: Instant) -> Option<()> {
        let LegState { name, transport, role: Role::Subscriber(downlink), .. } =
            self.legs.get_mut(echo.leg)?
        else {
            return None;
        };
        let track = downlink.slot(echo.slot)?.track?;
        let track = self.rooms.get(&name.lesson)?.tracks.get(track)?;
        let packet = track.ring(echo.layer)?.get(echo.sequence)?;
        let path = transport.ice.live_path(now)?;
        let srtp = transport.srtp.as_mut()?;
        let mut to = Destination { srtp, path, batch: &mut self.batch, now };
        downlink.echo(echo.slot, echo.layer, packet, &mut to).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_is_due_twice_and_no_more_wait_than_allowed() {
        let (start, mut echoes) = (Instant::now(), Echoes::default());
        let echo = |sequence| Echo { leg: 1, slot: Slot(0), layer: 0, sequence };
        echoes.sent(echo(1), start);
        echoes.sent(echo(2), start + DELAYS[0]);
        let mut due =
            |now| std::iter::from_fn(|| echoes.pop(now)).map(|echo| echo.sequence).collect::<Vec<_>>();
        assert_eq!(due(start + DELAYS[0] / 2), [0; 0]);
        assert_eq!(due(start + DELAYS[0]), [1]);
        assert_eq!(due(start + DELAYS[1]), [2, 1]);
        assert_eq!(due(start + DELAYS[0] + DELAYS[1]), [2]);
        (0..2 * WAITING as u64).for_each(|sequence| echoes.sent(echo(sequence), start));
        assert_eq!(std::iter::from_fn(|| echoes.pop(start + DELAYS[1])).count(), 2 * WAITING);
    }
}
