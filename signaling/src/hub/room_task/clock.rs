//! What time brings: cut lines, silent sockets, a class without an adult, the end of the hour.

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::{CloseCode, Phase, Role, ServerFrame, event::EndReason, limits};

use super::RoomTask;
use crate::hub::{appender::Wish, render};

/// Every so many ticks all connections are looked at: what they carried, and whether they were heard.
const SWEEP: u32 = 4;

impl RoomTask {
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        self.ticks = self.ticks.wrapping_add(1);
        let sweeps = self.ticks.is_multiple_of(SWEEP);
        self.pay_what_is_owed();
        self.write_cuts(now);
        self.write_ghosts(now);
        self.renew_holds(now);
        self.held.sweep(now);
        self.renew_voices(now);
        self.watch_adults(now);
        self.watch_the_hour();
        self.tell_counts();
        self.tell_voice_rate();
        if sweeps {
            self.close_idle(now);
            self.send_accounts_after();
        }
        if sweeps || self.untold {
            self.tell_data_used(now);
        }
    }

    /// Lines that stayed cut through their grace.
    fn write_cuts(&mut self, now: Instant) {
        let (due, waiting): (Vec<_>, Vec<_>) = self.cuts.drain(..).partition(|cut| cut.due <= now);
        self.cuts = waiting;
        for cut in due {
            self.close_legs(cut.user, cut.session);
            self.queue_own(Wish::Cut { user: cut.user, session: cut.session, attach: cut.attach });
        }
    }

    fn close_idle(&mut self, now: Instant) {
        let waiting = self.seats.iter().filter(|(_, seat)| seat.outbox.is_waiting()).count();
        self.shown.show_waiting(waiting as u32);
        self.seats.note_heard(now);
        let silent = self.seats.iter().filter(|(_, seat)| now - seat.last_heard > limits::PING_INTERVAL * 3);
        let silent: Vec<_> = silent.map(|(id, _)| id).collect();
        for id in silent {
            if let Some(seat) = self.seats.get(id) {
                seat.outbox.close(CloseCode::Idle);
            }
            self.disconnected(id);
        }
    }

    /// No adult, no class: a pause after a minute, the end after ten (of the lesson's own time).
    fn watch_adults(&mut self, now: Instant) {
        let on = matches!(self.room.course.phase, Phase::Open | Phase::Paused);
        if !on || self.room.roster.adult_present() {
            self.no_adult_since = None;
            return;
        }
        let since = *self.no_adult_since.get_or_insert(now);
        let config = self.hub.config;
        if now - since >= config.no_adult_close && self.has_run_for(config.no_adult_close) {
            self.queue_own(Wish::End(EndReason::NoAdult));
        } else if now - since >= config.no_adult_pause && self.room.course.phase == Phase::Open {
            self.queue_own(Wish::Pause);
        }
    }

    /// A lesson that a teacher only prepared, and left, is still given at its hour.
    fn has_run_for(&self, long: Duration) -> bool {
        let begun = Duration::from_millis(self.roll.info.starts_at) + long;
        Duration::from_millis(self.hub.ports.clock.now_ms()) >= begun
    }

    fn watch_the_hour(&mut self) {
        let end = self.roll.info.ends_at + u64::try_from(limits::OVERRUN.as_millis()).unwrap_or(u64::MAX);
        if self.room.course.phase != Phase::Ended && self.hub.ports.clock.now_ms() > end {
            self.queue_own(Wish::End(EndReason::TimeOver));
        }
    }

    /// Students of a crowd get a number instead of names.
    fn tell_counts(&mut self) {
        let students_present = self.room.roster.students_present();
        if !self.room.is_crowd() || students_present == self.counted {
            return;
        }
        self.counted = students_present;
        let frame = render::frame(&ServerFrame::Counts { students_present });
        for (_, seat) in self.seats.iter().filter(|(_, seat)| seat.role == Role::Student) {
            seat.outbox.push(frame.clone());
        }
    }
}
