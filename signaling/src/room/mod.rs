//! The pure state machine of one lesson.
//!
//! A [`Room`] is the fold of the lesson's log. [`Room::decide`] turns a wish into events or a refusal and changes
//! nothing; [`Room::apply`] takes one event of the log and never refuses. Owned by one room task; no clock, no
//! randomness, no I/O in here: time and ids are arguments.
//!
//! This file only dispatches. Each noun has its file: [`course`] (waiting, open, paused, ended), [`roster`] (who is here),
//! [`floor`] (hands, the floor, camera grants), [`stage`] (published tracks), [`chat`]. What follows from the state for one
//! person is in [`policy`], [`permits`], [`audience`], [`seating`] and [`view`].

pub mod audience;
pub mod chain;
pub mod chat;
pub mod course;
pub mod floor;
pub mod permits;
pub mod policy;
pub mod roster;
pub mod seating;
pub mod stage;
pub mod view;
pub mod voice_seats;

#[cfg(test)]
mod tests;

use crate::protocol::{
    Chain, Command, ErrorCode, Event, Logged, PauseReason, Phase, Position, Role, Source, UserId,
    event::EndReason,
};

use self::policy::{Action, Situation};

/// The fold of a lesson's log up to `head`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Room {
    /// The last event folded.
    pub head: Position,
    /// Time of the last event; the next one is not earlier.
    pub at: u64,
    pub course: course::Course,
    pub roster: roster::Roster,
    pub floor: floor::Floor,
    pub stage: stage::Stage,
    pub chat: chat::Chat,
}

/// What `decide` may look at beside the state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context {
    /// Milliseconds since the Unix epoch by the database's clock.
    pub now_ms: u64,
    /// The writer of the line that a `delete_line` names, looked up by the caller; `None` = no such line.
    pub line_writer: Option<UserId>,
}

impl Room {
    /// An empty lesson. `origin` is the random seed of its chain.
    pub fn new(origin: Chain) -> Self {
        Self {
            head: Position { number: 0, chain: origin },
            at: 0,
            course: course::Course::default(),
            roster: roster::Roster::default(),
            floor: floor::Floor::default(),
            stage: stage::Stage::default(),
            chat: chat::Chat::default(),
        }
    }

    /// Students whose microphone is open: whom *mute all* is about.
    pub fn students_heard(&self) -> Vec<UserId> {
        let tracks = self.stage.tracks().filter(|(publication, track)| {
            publication.source == Source::Microphone
                && !track.muted
                && self.roster.is_student(publication.user)
        });
        tracks.map(|(publication, _)| publication.user).collect()
    }

    /// Folds the next event of the log. Consults only state and event.
    pub fn apply(&mut self, logged: &Logged) {
        debug_assert_eq!(logged.number, self.head.number + 1, "the log has no gaps");
        self.head = Position { number: logged.number, chain: logged.chain };
        self.at = self.at.max(logged.at);
        let event = &logged.event;
        self.course.apply(event);
        self.roster.apply(event);
        self.floor.apply(event);
        self.stage.apply(event, logged.number);
        if let Event::AllMuted { .. } = event {
            let roster = &self.roster;
            self.stage.mute_microphones(|user| roster.is_student(user));
        }
        self.chat.apply(event, logged.at);
    }

    /// What a participant's command leads to, or why not. Roles come from the roster, never from the sender.
    pub fn decide(&self, by: UserId, command: &Command, context: &Context) -> Result<Vec<Event>, ErrorCode> {
        use Command as C;
        let role = self.roster.role_of_present(by).ok_or(ErrorCode::Superseded)?;
        let may = |action| policy::may(role, action, &self.situation(by));
        match command {
            C::Say { text, to } => {
                may(Action::Say).and_then(|()| self.chat.say(by, role, text, *to, context))
            }
            C::DeleteLine { number } => {
                let writer = context.line_writer.ok_or(ErrorCode::NoSuchLine)?;
                may(if writer == by { Action::DeleteOwnLine } else { Action::DeleteAnyLine })?;
                Ok(vec![Event::LineDeleted { number: *number, by }])
            }
            C::SetChat { mode, slow_mode_s } => {
                may(Action::SetChat).and_then(|()| chat::set(*mode, *slow_mode_s, by))
            }
            C::RaiseHand {} => may(Action::RaiseHand).and_then(|()| self.floor.raise(by)),
            C::LowerHand { user } => {
                may(if *user == by { Action::LowerOwnHand } else { Action::LowerAnyHand })?;
                Ok(self.floor.lower(*user, by))
            }
            C::LowerAllHands {} => may(Action::LowerAnyHand).map(|()| self.floor.lower_all(by)),
            C::GiveFloor { user } => {
                may(Action::GiveFloor)?;
                self.present_student(*user)?;
                self.floor.give(*user, by)
            }
            C::TakeFloor { user } => {
                may(if *user == by { Action::ReturnFloor } else { Action::TakeFloor })?;
                Ok(self.floor.take(*user, by))
            }
            C::GrantCamera { user, to } => {
                may(Action::GrantCamera)?;
                self.present_student(*user)?;
                self.floor.grant_camera(*user, *to, by)
            }
            C::RevokeCamera { user } => {
                may(if *user == by { Action::ReturnFloor } else { Action::GrantCamera })?;
                Ok(self.floor.revoke_camera(*user, by))
            }
            C::Publish { source, muted } => {
                may(Action::Publish(*source))?;
                Ok(vec![Event::Published { user: by, source: *source, muted: *muted }])
            }
            C::Unpublish { source } => Ok(self.stage.unpublish(by, *source, by)),
            C::SetMuted { source, muted } => {
                may(if *muted { Action::MuteOwn } else { Action::Publish(*source) })?;
                self.stage.set_muted(by, *source, *muted, by)
            }
            C::Mute { user } => may(Action::MuteOther).and_then(|()| self.stage.mute(*user, by)),
            C::MuteAll {} => may(Action::MuteOther).map(|()| vec![Event::AllMuted { by }]),
            C::StopSource { user, source } => {
                may(Action::StopSource).map(|()| self.stage.unpublish(*user, *source, by))
            }
            C::Remove { user, reason, note, keep_out } => {
                may(Action::Remove)?;
                self.roster.remove(*user, by, *reason, note, *keep_out)
            }
            C::Readmit { user } => may(Action::Readmit).map(|()| self.roster.readmit(*user, by)),
            C::SetLocked { locked } => {
                may(Action::Lock).map(|()| vec![Event::LockedSet { locked: *locked, by }])
            }
            C::Report { note } => may(Action::Report).and_then(|()| roster::report(by, note)),
            C::Leave {} => may(Action::Leave).map(|()| self.roster.leave(by)),
            C::End {} => {
                may(Action::End)?;
                Ok(vec![Event::Ended { by: Some(by), reason: EndReason::Chosen }])
            }
        }
    }

    /// A pause, when the lesson is on and no adult is connected.
    pub fn decide_pause(&self) -> Vec<Event> {
        match self.course.phase {
            Phase::Open if !self.roster.adult_present() => {
                vec![Event::Paused { reason: PauseReason::NoAdult }]
            }
            _ => Vec::new(),
        }
    }

    /// The end of a lesson that is not over yet, by the server itself.
    pub fn decide_end(&self, reason: EndReason) -> Vec<Event> {
        match (self.course.phase, reason) {
            (Phase::Ended, _) => Vec::new(),
            (_, EndReason::NoAdult) if self.roster.adult_present() => Vec::new(),
            _ => vec![Event::Ended { by: None, reason }],
        }
    }

    /// The facts about one person and the lesson that permissions depend on.
    pub fn situation(&self, user: UserId) -> Situation {
        Situation {
            phase: self.course.phase,
            chat: self.chat.mode,
            floor: self.floor.holds(user),
            camera: self.floor.camera_of(user).is_some(),
        }
    }

    fn present_student(&self, user: UserId) -> Result<(), ErrorCode> {
        match self.roster.role_of_present(user) {
            Some(Role::Student) => Ok(()),
            _ => Err(ErrorCode::NoSuchParticipant),
        }
    }
}
