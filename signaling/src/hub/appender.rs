//! What waits for the log: lanes, decided together on one head and written by one append at a time.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tracing::{Span, field, info_span};

use crate::{
    protocol::{
        Attach, CloseCode, Command, CommandId, ErrorCode, Event, LessonId, Logged, Position, SessionId,
        UserId, event::EndReason, limits,
    },
    room::{Context, Room, chain, roster::Arrival},
};

use super::{outbox::Outbox, registry::Entry, seats::SeatId};

/// Something to decide.
#[derive(Debug)]
pub(crate) struct Intent {
    pub wish: Wish,
    /// `None` = the server itself.
    pub sender: Option<UserId>,
    pub command: CommandId,
    /// From its coming to its answer.
    pub span: Span,
}

/// What is wished.
#[derive(Debug)]
pub(crate) enum Wish {
    Command {
        seat: SeatId,
        by: (SessionId, Attach),
        command: Command,
        line_writer: Option<UserId>,
    },
    Arrive(Box<Knock>),
    Cut {
        user: UserId,
        session: SessionId,
        attach: Attach,
    },
    /// The school withdrew a right.
    PutOut {
        user: UserId,
    },
    /// The school erased somebody.
    Erase {
        user: UserId,
    },
    Pause,
    End(EndReason),
}

/// Somebody at the door, with the way to answer.
#[derive(Debug)]
pub(crate) struct Knock {
    pub entry: Entry,
    pub arrival: Arrival,
    pub position: Option<Position>,
    pub outbox: Outbox,
    pub reply: oneshot::Sender<Result<SeatId, CloseCode>>,
}

/// Why an intent came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Error(ErrorCode),
    Door(CloseCode),
}

/// An intent with the events it led to (none: it changed nothing, and is acknowledged all the same).
#[derive(Debug)]
pub(crate) struct Decided {
    pub intent: Intent,
    pub events: Vec<Logged>,
}

impl Decided {
    /// False for what is only read: it changes no gate, no slot and nobody's presence.
    pub(crate) fn changes_the_room(&self) -> bool {
        let read = |event: &Event| {
            use Event as E;
            matches!(event, E::Said { .. } | E::LineDeleted { .. } | E::Erased { .. } | E::Reported { .. })
        };
        self.events.is_empty() || self.events.iter().any(|logged| !read(&logged.event))
    }
}

/// A batch ready to be written.
#[derive(Debug)]
pub(crate) struct Plan {
    pub decided: Vec<Decided>,
    pub refused: Vec<(Intent, Refusal)>,
}

/// What protects the lesson, and what else is wished: in each of these lanes [`limits::APPEND_QUEUE`] commands may wait, more are
/// answered `busy`.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    /// Batches that are decided again, before both: what came later, as the taking back of what was given in them, goes behind them, in the
    /// same append. No longer than the batch that was in flight.
    again: VecDeque<Intent>,
    safety: VecDeque<Intent>,
    ordinary: VecDeque<Intent>,
}

/// Intents in one append: bounds the statement and the time others wait. As many again of what protects the lesson, behind a batch
/// that is decided again.
const BATCH: usize = 128;

impl Lanes {
    /// Queues an intent, or gives it back when there is no room. What the server itself wants always has some: there is one
    /// of a kind and person. `may_pass`: its sender may have to protect the lesson; a student's mute of the teacher, refused
    /// anyway, neither passes the others nor keeps a teacher's from its place.
    pub(crate) fn push(&mut self, intent: Intent, may_pass: bool) -> Result<(), Box<Intent>> {
        let passes = may_pass && intent.is_safety();
        let lane = if passes { &mut self.safety } else { &mut self.ordinary };
        if lane.len() >= limits::APPEND_QUEUE && (!passes || intent.sender.is_some()) {
            return Err(Box::new(intent));
        }
        lane.push_back(intent);
        Ok(())
    }

    /// Puts a batch that must be decided again in front, in its order.
    pub(crate) fn put_back(&mut self, intents: impl DoubleEndedIterator<Item = Intent>) {
        for intent in intents.rev() {
            self.again.push_front(intent);
        }
    }

    /// The next batch: what is decided again, and what comes behind it, safety first, which waits for no other append because of it.
    pub(crate) fn take(&mut self) -> (Vec<Intent>, Vec<Intent>) {
        let again = self.again.len();
        let safety = self.safety.len().min(BATCH.min((2 * BATCH).saturating_sub(again)));
        let ordinary = self.ordinary.len().min(BATCH.saturating_sub(again + safety));
        let behind = self.safety.drain(..safety).chain(self.ordinary.drain(..ordinary));
        (self.again.drain(..).collect(), behind.collect())
    }

    /// Takes what people sent; what the server itself wants stays.
    pub(crate) fn take_commands(&mut self) -> Vec<Intent> {
        let mut taken = Vec::new();
        for lane in [&mut self.again, &mut self.safety, &mut self.ordinary] {
            let is_command = |intent: &Intent| matches!(intent.wish, Wish::Command { .. });
            let (commands, own): (Vec<_>, Vec<_>) = lane.drain(..).partition(is_command);
            taken.extend(commands);
            lane.extend(own);
        }
        taken
    }

    pub(crate) fn len(&self) -> usize {
        self.again.len() + self.safety.len() + self.ordinary.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Intent {
    pub(crate) fn new(lesson: LessonId, sender: Option<UserId>, command: CommandId, wish: Wish) -> Self {
        let span = info_span!("command", %lesson, led_to = field::Empty);
        Self { wish, sender, command, span }
    }

    /// Withdrawals and the end of things are served before chat.
    pub(crate) fn is_safety(&self) -> bool {
        use Command as C;
        match &self.wish {
            Wish::Command { command, .. } => matches!(
                command,
                C::Remove { .. }
                    | C::Mute { .. }
                    | C::MuteAll {}
                    | C::TakeFloor { .. }
                    | C::RevokeCamera { .. }
                    | C::StopSource { .. }
                    | C::SetLocked { .. }
                    | C::End {}
            ),
            Wish::PutOut { .. } | Wish::Erase { .. } | Wish::Pause | Wish::End(_) => true,
            Wish::Arrive(_) | Wish::Cut { .. } => false,
        }
    }

    fn decide(&self, room: &Room, now_ms: u64) -> Result<Vec<Event>, Refusal> {
        match &self.wish {
            Wish::Command { by: connection, command, line_writer, .. } => {
                let by = self.sender.ok_or(Refusal::Error(ErrorCode::Superseded))?;
                if room.roster.member(by).is_none_or(|m| (m.last.session, m.last.attach) != *connection) {
                    return Err(Refusal::Error(ErrorCode::Superseded));
                }
                let context = Context { now_ms, line_writer: *line_writer };
                room.decide(by, command, &context).map_err(Refusal::Error)
            }
            Wish::Arrive(knock) => room.decide_arrival(&knock.arrival).map_err(Refusal::Door),
            Wish::Cut { user, session, attach } => Ok(room.decide_cut(*user, *session, *attach)),
            Wish::PutOut { user } => Ok(room.decide_put_out(*user)),
            Wish::Erase { user } => Ok(room.decide_erasure(*user)),
            Wish::Pause => Ok(room.decide_pause()),
            Wish::End(reason) => Ok(room.decide_end(*reason)),
        }
    }
}

/// Decides a batch in order, each intent on what the ones before it led to. Changes nothing. What would need a newer format of
/// events than all servers read is refused.
pub(crate) fn plan(room: &Room, intents: Vec<Intent>, now_ms: u64, format: u32) -> Plan {
    let mut scratch = room.clone();
    let mut plan = Plan { decided: Vec::new(), refused: Vec::new() };
    let read_by_all = |events: Vec<Event>| match events.iter().all(|event| event.format() <= format) {
        true => Ok(events),
        false => Err(Refusal::Error(ErrorCode::NotYet)),
    };
    for intent in intents {
        match intent.decide(&scratch, now_ms).and_then(read_by_all) {
            Ok(events) => {
                let events = events.into_iter().map(|event| {
                    let at = now_ms.max(scratch.at);
                    let logged = chain::log(scratch.head, at, intent.sender, intent.command, event);
                    scratch.apply(&logged);
                    logged
                });
                let events = events.collect();
                plan.decided.push(Decided { intent, events });
            }
            Err(refusal) => plan.refused.push((intent, refusal)),
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::protocol::Recipients;

    fn command(user: u128, command: Command) -> Intent {
        let by = (SessionId(Uuid::nil()), Attach::default());
        let wish = Wish::Command { seat: SeatId(1), by, command, line_writer: None };
        let (lesson, user) = (LessonId(Uuid::nil()), UserId(Uuid::from_u128(user)));
        Intent::new(lesson, Some(user), CommandId(Uuid::now_v7()), wish)
    }

    fn next_batch(lanes: &mut Lanes) -> Vec<Intent> {
        let (again, behind) = lanes.take();
        again.into_iter().chain(behind).collect()
    }

    #[test]
    fn a_student_who_mutes_without_end_keeps_no_teacher_from_protecting_the_lesson() {
        let (mut lanes, teacher, student) = (Lanes::default(), 1, 2);
        let mute = |by, whom| command(by, Command::Mute { user: UserId(Uuid::from_u128(whom)) });
        let taken = (0..2_000).filter(|_| lanes.push(mute(student, teacher), false).is_ok()).count();
        assert_eq!(taken, limits::APPEND_QUEUE);
        assert!(lanes.push(mute(teacher, student), true).is_ok());
        let first = next_batch(&mut lanes).into_iter().next().expect("waits");
        assert_eq!(first.sender, Some(UserId(Uuid::from_u128(teacher))));
        let taken = (0..2_000).filter(|_| lanes.push(mute(teacher, student), true).is_ok()).count();
        assert_eq!(taken, limits::APPEND_QUEUE, "it is a queue all the same");
        let lesson = LessonId(Uuid::nil());
        let end = Intent::new(lesson, None, CommandId(Uuid::now_v7()), Wish::End(EndReason::NoAdult));
        assert!(lanes.push(end, true).is_ok(), "what the server wants is never lost");
    }

    #[test]
    fn what_is_decided_again_keeps_its_place_and_a_mute_that_came_meanwhile_goes_with_it() {
        let (mut lanes, teacher, student) = (Lanes::default(), 1, 2);
        let say = || command(student, Command::Say { text: "a".into(), to: Recipients::Everyone });
        for _ in 0..2 * BATCH {
            lanes.push(say(), false).expect("room");
        }
        let batch = next_batch(&mut lanes);
        let first: Vec<_> = batch.iter().map(|intent| intent.command).collect();
        let mute = command(teacher, Command::Mute { user: UserId(Uuid::from_u128(student)) });
        let muted = mute.command;
        lanes.push(mute, true).expect("room");
        lanes.put_back(batch.into_iter());
        let again: Vec<_> = next_batch(&mut lanes).into_iter().map(|intent| intent.command).collect();
        assert_eq!(again[..BATCH], first);
        assert_eq!(again[BATCH..], [muted]);
        assert_eq!(lanes.len(), BATCH, "the others wait behind it");
    }

    #[test]
    fn however_often_a_batch_is_decided_again_it_does_not_grow_without_end() {
        let (mut lanes, teacher, student) = (Lanes::default(), 1, 2);
        for _ in 0..limits::APPEND_QUEUE {
            let mute = command(teacher, Command::Mute { user: UserId(Uuid::from_u128(student)) });
            lanes.push(mute, true).expect("room");
        }
        for _ in 0..5 {
            let batch = next_batch(&mut lanes);
            assert!(batch.len() <= 2 * BATCH);
            lanes.put_back(batch.into_iter());
        }
        assert_eq!(lanes.len(), limits::APPEND_QUEUE);
    }
}
