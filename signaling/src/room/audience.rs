//! Who may read which event. Everybody gets every number; who may not read an event gets it `withheld`, or without its
//! private part.

use crate::protocol::{Event, LeftReason, Recipients, Role, UserId, limits};

use super::Room;

/// Two renderings of one event are enough: as it is, and as the others may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    pub readers: Readers,
    /// What everybody else receives in its place; `None` = nobody is left out.
    pub others: Option<Event>,
}

/// Who receives an event as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    Everyone,
    /// Everybody but students, and these two.
    Staff(Option<UserId>),
    /// Directors, and the one who reported.
    Directors(UserId),
    Nobody,
}

impl Readers {
    pub fn include(self, user: UserId, role: Role) -> bool {
        match self {
            Self::Everyone => true,
            Self::Staff(also) => role != Role::Student || also == Some(user),
            Self::Directors(also) => role == Role::Director || also == user,
            Self::Nobody => false,
        }
    }
}

impl Room {
    /// True when the lesson is so large that students get counts instead of names.
    pub fn is_crowd(&self) -> bool {
        self.roster.len() > limits::FULL_ROSTER_PEOPLE
    }

    /// For whom an event is, judged on the state before it.
    pub fn audience(&self, event: &Event) -> Audience {
        let only = |readers| Audience { readers, others: Some(Event::Withheld {}) };
        match event {
            Event::Said { user, to: Recipients::Teachers, .. } => only(Readers::Staff(Some(*user))),
            Event::Reported { by, .. } => only(Readers::Directors(*by)),
            Event::Unknown(_) => only(Readers::Nobody),
            Event::Removed { user, by, reason, note: Some(_), keep_out } => Audience {
                readers: Readers::Staff(None),
                others: Some(Event::Removed {
                    user: *user,
                    by: *by,
                    reason: *reason,
                    note: None,
                    keep_out: *keep_out,
                }),
            },
            Event::Attached { user, role: Role::Student, .. } if self.is_crowd() => {
                only(Readers::Staff(Some(*user)))
            }
            Event::Left {
                user, reason: LeftReason::Chosen | LeftReason::Cut | LeftReason::Replaced, ..
            } if self.is_crowd() && !self.is_notable(*user) => only(Readers::Staff(Some(*user))),
            _ => Audience { readers: Readers::Everyone, others: None },
        }
    }

    /// One of the few who matter to every student: staff, whoever holds the floor or has a hand up.
    pub fn is_notable(&self, user: UserId) -> bool {
        self.roster.member(user).is_some_and(|m| m.role != Role::Student)
            || self.floor.holds(user)
            || self.floor.hands().contains(&user)
    }
}
