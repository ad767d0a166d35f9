//! The way into the log: take off with a batch, land with its outcome.

use tracing::{Instrument as _, Span, info_span};

use tokio::time::Instant;

use crate::{
    protocol::{
        Attach, CloseCode, Command, ErrorCode, Event, LeftReason, Logged, RemovalReason, ServerFrame,
    },
    room::chain,
};

use super::{Append, Asked, Flight, Landed, RoomTask};
use crate::hub::{
    appender::{self, Decided, Intent, Refusal, Wish},
    envelope::Content,
    ports::{AppendError, Batch, Erase},
};

impl RoomTask {
    /// Starts the next append, when none is in flight and something waits. Intents that change nothing are answered at once.
    pub(super) fn take_off(&mut self) {
        while self.flight.is_none() && !self.lanes.is_empty() {
            let now_ms = self.hub.ports.clock.now_ms();
            // What is decided again was let through before what is held now was refused.
            let (mut intents, behind) = self.lanes.take();
            intents.extend(self.behind_the_held(behind));
            let plan = appender::plan(&self.room, intents, now_ms, self.hub.event_format());
            let known = self.answer_refused(plan.refused);
            let events: Vec<Logged> = plan.decided.iter().flat_map(|d| d.events.iter().cloned()).collect();
            let nobody_waits = plan.decided.is_empty() && known.is_empty();
            if events.is_empty() && (nobody_waits || !self.unconfirmed) {
                self.answer_all_known(known);
                self.each_committed(plan.decided);
                continue;
            }
            let span = append_span(&plan.decided, events.len());
            let outcome = Box::pin(self.write(events).instrument(span));
            let append = Append { head: self.room.head, decided: plan.decided, known, outcome };
            self.flight = Some(Flight::Append(append));
        }
    }

    /// Refuses the lines behind those that their writer was told to send again: they would overtake them.
    fn behind_the_held(&mut self, intents: Vec<Intent>) -> Vec<Intent> {
        let now = Instant::now();
        let mut rest = Vec::with_capacity(intents.len());
        for intent in intents {
            match self.held_before(&intent, now) {
                Some(error) => self.refuse(intent, Refusal::Error(error)),
                None => rest.push(intent),
            }
        }
        rest
    }

    fn held_before(&mut self, intent: &Intent, now: Instant) -> Option<ErrorCode> {
        let Wish::Command { seat, command: Command::Say { .. }, .. } = &intent.wish else { return None };
        self.held.held_before(*seat, intent.command, now)
    }

    /// Refuses, but for what the log has already: those are given back with their numbers.
    fn answer_refused(&mut self, refused: Vec<(Intent, Refusal)>) -> Vec<(Intent, u64)> {
        // A gate that was closed early for one of them opens again.
        let gates = refused.iter().any(|(intent, _)| intent.is_safety());
        let mut known = Vec::new();
        for (intent, refusal) in refused {
            match self.number_of(&intent) {
                Some(number) => known.push((intent, number)),
                None => self.refuse(intent, refusal),
            }
        }
        if gates {
            self.after_change();
        }
        known
    }

    /// The append of these events; without any, the confirmation of what was read before.
    fn write(&self, events: Vec<Logged>) -> Asked<(), AppendError> {
        let (journal, lesson, head) = (self.hub.ports.journal.clone(), self.lesson, self.room.head);
        if events.is_empty() {
            return Box::pin(async move { journal.confirm(lesson, head).await });
        }
        let erase = Erase::of(&events);
        Box::pin(async move { journal.append(Batch { lesson, head, events, erase }).await })
    }

    /// The number of a command that the log has already, of those that a resume may still need: sent again, it may no
    /// longer be allowed (the slow mode runs, the chat is closed), but it was.
    fn number_of(&self, intent: &Intent) -> Option<u64> {
        intent.sender?;
        let is_it = |logged: &Logged| logged.sender == intent.sender && logged.command == intent.command;
        self.ring
            .iter()
            .rev()
            .map(|(logged, _)| logged)
            .find(|logged| is_it(logged))
            .map(|logged| logged.number)
    }

    /// The journal has answered.
    pub(super) fn landed(&mut self, landed: Landed) {
        let is_answered = match (self.flight.take(), landed) {
            (Some(Flight::Append(append)), Landed::Append(outcome)) => {
                self.written(append, outcome);
                true
            }
            (Some(Flight::Reading(reading)), Landed::Reading(answer)) => {
                self.has_read(reading, answer).is_ok()
            }
            // The answer is that of the flight: nothing else can be.
            _ => true,
        };
        // Else the next comparison of heads comes in a moment, and closes a gap, too.
        if is_answered {
            self.fold_early();
        }
    }

    /// The append is over.
    fn written(&mut self, append: Append, outcome: Result<(), AppendError>) {
        match outcome {
            Ok(()) => {
                // All that was read before stands in the log before this commit.
                self.unconfirmed = false;
                self.answer_all_known(append.known);
                self.all_committed(append.decided);
            }
            Err(AppendError::Overtaken { since }) => self.overtaken(append, since),
            Err(AppendError::Conflict) => self.look_into_journal(append.into_intents()),
            Err(AppendError::Known { sender, command, number }) => {
                let known = |intent: &Intent| intent.sender == Some(sender) && intent.command == command;
                let (known, others): (Vec<_>, Vec<_>) = append.into_intents().into_iter().partition(known);
                self.answer_all_known(known.into_iter().map(|intent| (intent, number)).collect());
                self.lanes.put_back(others.into_iter());
            }
            Err(AppendError::Unavailable(error)) => {
                tracing::warn!(lesson = %self.lesson, %error, "append failed");
                self.store_failed(append.into_intents());
            }
        }
    }

    fn all_committed(&mut self, decided: Vec<Decided>) {
        let events: Vec<Logged> = decided.iter().flat_map(|d| d.events.iter().cloned()).collect();
        if events.first().is_some_and(|first| !continues(&self.room.head, first)) {
            // The store took what does not continue our fold: it went back to an older state meanwhile. What was written stands.
            return self.fold_anew(Vec::new(), decided);
        }
        self.each_committed(decided);
        if !events.is_empty() {
            self.hub.ports.bus.publish(self.lesson, Content::Events { events });
        }
    }

    /// They are in the log, of another history than ours was.
    pub(super) fn committed_elsewhere(&mut self, decided: Vec<Decided>) {
        for decided in decided {
            let number = decided.events.last().map_or(self.room.head.number, |logged| logged.number);
            self.answer_known(decided.intent, number);
        }
    }

    fn each_committed(&mut self, decided: Vec<Decided>) {
        let mut changed = false;
        for decided in decided {
            changed |= decided.changes_the_room();
            self.committed(decided);
        }
        if changed {
            self.after_change();
        }
    }

    /// Somebody wrote first: fold that, then decide again on the new head.
    fn overtaken(&mut self, append: Append, since: Vec<Logged>) {
        match self.take_in(append.head, since) {
            true => self.lanes.put_back(append.into_intents().into_iter()),
            false => self.look_into_journal(append.into_intents()),
        }
    }

    /// Folds, tells and acknowledges one intent's events.
    fn committed(&mut self, decided: Decided) {
        let Decided { intent, events } = decided;
        self.holds.release(intent.command);
        let mut attach = Attach::default();
        for logged in &events {
            if let Event::Attached { attach: given, .. } = logged.event {
                attach = given;
            }
            self.fold(logged);
            self.notify_director(logged);
        }
        match intent.wish {
            Wish::Command { seat, .. } => {
                let number = events.last().map_or(self.room.head.number, |logged| logged.number);
                self.accept(seat, intent.command, number);
            }
            Wish::Arrive(knock) => self.seat(*knock, attach),
            Wish::Cut { .. } | Wish::PutOut { .. } | Wish::Erase { .. } | Wish::Pause | Wish::End(_) => {}
        }
        for logged in &events {
            self.consequences(&logged.event);
        }
    }

    /// What an event means for connections.
    pub(super) fn consequences(&mut self, event: &Event) {
        match event {
            Event::Left { user, reason: LeftReason::Chosen, .. } => self.unseat(*user, CloseCode::Left),
            Event::Removed { user, reason, keep_out, .. } => self.unseat(*user, put_out(*reason, *keep_out)),
            Event::Ended { .. } => self.everybody_out(),
            _ => {}
        }
    }

    fn answer_all_known(&mut self, known: Vec<(Intent, u64)>) {
        let gates = known.iter().any(|(intent, _)| intent.is_safety());
        known.into_iter().for_each(|(intent, number)| self.answer_known(intent, number));
        if gates {
            self.after_change();
        }
    }

    fn answer_known(&mut self, intent: Intent, number: u64) {
        self.holds.release(intent.command);
        match intent.wish {
            Wish::Command { seat, .. } => self.accept(seat, intent.command, number),
            Wish::Arrive(knock) => {
                let _ = knock.reply.send(Err(CloseCode::Ticket));
            }
            Wish::Cut { .. } | Wish::PutOut { .. } | Wish::Erase { .. } | Wish::Pause | Wish::End(_) => {}
        }
    }

    pub(super) fn refuse(&mut self, intent: Intent, refusal: Refusal) {
        match refusal {
            Refusal::Error(ErrorCode::Unavailable) => self.holds.keep(intent.command),
            _ => self.holds.release(intent.command),
        }
        match (intent.wish, refusal) {
            (Wish::Command { seat, command, .. }, Refusal::Error(error)) => {
                if matches!(command, Command::Say { .. }) {
                    self.held.hold_behind(seat, intent.command, error, Instant::now());
                }
                let Some(seat) = self.seats.get(seat) else { return };
                let now_ms = self.hub.ports.clock.now_ms();
                let retry_after_ms = match error {
                    ErrorCode::Busy | ErrorCode::Unavailable | ErrorCode::TooFast => Some(1_000),
                    ErrorCode::SlowMode => u32::try_from(self.room.chat.wait_ms(seat.user, now_ms)).ok(),
                    _ => None,
                };
                seat.outbox.send(&ServerFrame::Refused { id: intent.command, error, retry_after_ms });
            }
            (Wish::Arrive(knock), Refusal::Door(code)) => {
                let _ = knock.reply.send(Err(code));
            }
            (Wish::Arrive(knock), Refusal::Error(_)) => {
                let _ = knock.reply.send(Err(CloseCode::Unavailable));
            }
            (own, Refusal::Error(_)) => self.owe(own),
            (_, Refusal::Door(_)) => {}
        }
    }
}

/// How the connection of somebody who was put out is closed.
fn put_out(reason: RemovalReason, keep_out: bool) -> CloseCode {
    match (reason, keep_out) {
        (RemovalReason::Withdrawn, _) => CloseCode::Withdrawn,
        (_, true) => CloseCode::KeptOut,
        (_, false) => CloseCode::Removed,
    }
}

/// True when an event is the next one of this history.
pub(super) fn continues(head: &crate::protocol::Position, logged: &Logged) -> bool {
    let chain = chain::next(head.chain, logged.sender, logged.command, logged.event.kind());
    logged.number == head.number + 1 && logged.chain == chain
}

/// Belongs to the first command of the batch; the others waited for it too.
fn append_span(decided: &[Decided], events: usize) -> Span {
    for decided in decided {
        decided.intent.span.record("led_to", decided.events.first().map(|logged| logged.event.kind()));
    }
    let first = decided.first().and_then(|decided| decided.intent.span.id());
    let span = info_span!(parent: first, "append", events);
    for decided in decided.iter().skip(1) {
        span.follows_from(&decided.intent.span);
    }
    span
}
