//! Pictures that wait for their receiver's link, and padding that asks whether it bears more.

use std::time::{Duration, Instant};

use super::{
    legs::{LegState, Role},
    reports,
    room::{LegIndex, downlink::TrackOut, outgoing::Destination},
    worker::{Worker, flush},
};

/// How often waiting pictures are looked at.
pub const INTERVAL: Duration = Duration::from_millis(5);

impl Worker {
    /// Sends what may leave now; legs stay noted while something waits or a probe runs.
    pub(super) fn drain_paced(&mut self, now: Instant) {
        let mut paced = std::mem::take(&mut self.paced);
        paced.retain(|&leg| self.drain(leg, now).unwrap_or(false));
        // Nothing is noted while draining.
        self.paced = paced;
    }

    /// True while there is more to do; `None` when the leg cannot send.
    fn drain(&mut self, leg: LegIndex, now: Instant) -> Option<bool> {
        let LegState { name, transport, role: Role::Subscriber(downlink), .. } = self.legs.get_mut(leg)?
        else {
            return None;
        };
        downlink.is_paced = false;
        let room = self.rooms.get(&name.lesson)?;
        let path = transport.ice.live_path(now)?;
        let srtp = transport.srtp.as_mut()?;
        downlink.carrier = self.streams.carrier(path);
        let mut to = Destination { srtp, path, batch: &mut self.batch, now };
        downlink.drain(|track| room.tracks.get(track), &mut to);
        let probes = downlink.probe(&mut to);
        downlink.feel(&mut to);
        downlink.is_paced = probes || downlink.pacer.is_waiting();
        let is_paced = downlink.is_paced;
        let clock = |out: &mut TrackOut| {
            let track = room.tracks.get(out.track.filter(|_| std::mem::take(&mut out.begins))?)?;
            reports::clock(out, track, now)
        };
        let clocks: Vec<_> = downlink.slots.iter_mut().filter_map(clock).collect();
        if self.batch.is_full() {
            flush(&mut self.batch, &self.sockets, &self.streams, &self.counters);
        }
        clocks.into_iter().for_each(|clock| self.send_clock(leg, clock, now));
        Some(is_paced)
    }
}
