//! Who is here, who was cut off, who is kept out; whether the door is locked.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::{
    Attach, CloseCode, ErrorCode, Event, IncarnationId, LeftReason, Phase, RemovalReason, Role, SessionId,
    UserId, limits,
};

use super::Room;

/// Everybody who has been in this lesson.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roster {
    members: BTreeMap<UserId, Member>,
    kept_out: BTreeSet<UserId>,
    erased: BTreeSet<UserId>,
    pub locked: bool,
    /// Counted along, since every student's screen shows it.
    students_present: u32,
}

/// One person of the roster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    pub role: Role,
    pub visit: bool,
    pub presence: Presence,
    /// The last attachment, also when it is over: a reconnect continues its count.
    pub last: Attachment,
}

/// Whether somebody is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    Here,
    /// The line was cut; the place in queue and floor stays.
    Cut,
    /// Left or was put out.
    Gone,
}

/// One connection of a session, as the log knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attachment {
    pub session: SessionId,
    pub attach: Attach,
    /// The process that holds the connection.
    pub incarnation: IncarnationId,
}

/// Somebody at the door with a valid ticket.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub user: UserId,
    pub role: Role,
    pub visit: bool,
    pub session: SessionId,
    pub incarnation: IncarnationId,
}

impl Roster {
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Attached { user, role, visit, session, attach, incarnation } => {
                let last = Attachment { session: *session, attach: *attach, incarnation: *incarnation };
                let member = Member { role: *role, visit: *visit, presence: Presence::Here, last };
                self.set(*user, Some(member));
            }
            Event::Left { user, session, attach, reason } => self.left(*user, *session, *attach, *reason),
            Event::Removed { user, keep_out, .. } => {
                self.set_presence(*user, Presence::Gone);
                if *keep_out {
                    self.kept_out.insert(*user);
                }
            }
            Event::Readmitted { user, .. } => {
                self.kept_out.remove(user);
            }
            Event::LockedSet { locked, .. } => self.locked = *locked,
            Event::Erased { user } => {
                self.erased.insert(*user);
            }
            _ => {}
        }
    }

    fn left(&mut self, user: UserId, session: SessionId, attach: Attach, reason: LeftReason) {
        let current = self.members.get(&user).map(|m| (m.last.session, m.last.attach));
        if current == Some((session, attach)) {
            let cut = matches!(reason, LeftReason::Cut | LeftReason::Replaced);
            self.set_presence(user, if cut { Presence::Cut } else { Presence::Gone });
        }
    }

    fn set_presence(&mut self, user: UserId, presence: Presence) {
        let member = self.members.get(&user).map(|m| Member { presence, ..m.clone() });
        self.set(user, member);
    }

    /// Replaces a member and keeps the count of students right.
    fn set(&mut self, user: UserId, member: Option<Member>) {
        let Some(member) = member else { return };
        let counts = |m: &Member| u32::from(m.role == Role::Student && m.presence == Presence::Here);
        self.students_present += counts(&member);
        if let Some(before) = self.members.insert(user, member) {
            self.students_present -= counts(&before);
        }
    }

    /// Everybody who has been here, in a fixed order.
    pub fn members(&self) -> impl Iterator<Item = (UserId, &Member)> {
        self.members.iter().map(|(user, member)| (*user, member))
    }

    /// Somebody who has been here.
    pub fn member(&self, user: UserId) -> Option<&Member> {
        self.members.get(&user)
    }

    pub fn is_student(&self, user: UserId) -> bool {
        self.member(user).is_some_and(|member| member.role == Role::Student)
    }

    /// How many have been here.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// True before the first came.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The role of somebody connected now.
    pub fn role_of_present(&self, user: UserId) -> Option<Role> {
        self.member(user).filter(|m| m.presence == Presence::Here).map(|m| m.role)
    }

    /// True while any grown-up is connected.
    pub fn adult_present(&self) -> bool {
        self.members.values().any(|m| m.role.is_adult() && m.presence == Presence::Here)
    }

    /// True while a teacher is connected.
    pub fn teacher_present(&self) -> bool {
        self.members.values().any(|m| m.role == Role::Teacher && m.presence == Presence::Here)
    }

    pub fn students_present(&self) -> u32 {
        self.students_present
    }

    pub fn kept_out(&self) -> &BTreeSet<UserId> {
        &self.kept_out
    }

    pub(super) fn remove(
        &self,
        user: UserId,
        by: UserId,
        reason: RemovalReason,
        note: &str,
        keep_out: bool,
    ) -> Result<Vec<Event>, ErrorCode> {
        check_note(note)?;
        match self.member(user) {
            Some(member) if member.role == Role::Student => {
                let note = Some(note.to_owned()).filter(|note| !note.is_empty());
                Ok(vec![Event::Removed { user, by, reason, note, keep_out }])
            }
            Some(_) => Err(ErrorCode::NotAllowed),
            None => Err(ErrorCode::NoSuchParticipant),
        }
    }

    pub(super) fn readmit(&self, user: UserId, by: UserId) -> Vec<Event> {
        if self.kept_out.contains(&user) { vec![Event::Readmitted { user, by }] } else { Vec::new() }
    }

    pub(super) fn leave(&self, user: UserId) -> Vec<Event> {
        self.leave_for(user, LeftReason::Chosen)
    }

    fn leave_for(&self, user: UserId, reason: LeftReason) -> Vec<Event> {
        match self.member(user) {
            Some(m) if m.presence == Presence::Here => {
                vec![Event::Left { user, session: m.last.session, attach: m.last.attach, reason }]
            }
            _ => Vec::new(),
        }
    }
}

impl Room {
    /// What an arrival leads to, or the code its connection is closed with. Another session of the same person is
    /// replaced; the first teacher opens the lesson; an adult ends a pause.
    pub fn decide_arrival(&self, arrival: &Arrival) -> Result<Vec<Event>, CloseCode> {
        let known = self.roster.member(arrival.user);
        self.admit(arrival, known.is_some())?;
        let same = known.filter(|m| m.last.session == arrival.session);
        let mut events = Vec::new();
        if same.is_none() {
            events.extend(self.roster.leave_for(arrival.user, LeftReason::Replaced));
        }
        events.push(Event::Attached {
            user: arrival.user,
            role: arrival.role,
            visit: arrival.visit,
            session: arrival.session,
            attach: Attach(same.map_or(1, |m| m.last.attach.0 + 1)),
            incarnation: arrival.incarnation,
        });
        match self.course.phase {
            Phase::Waiting if arrival.role == Role::Teacher => {
                events.push(Event::Opened { by: arrival.user })
            }
            Phase::Paused if arrival.role.is_adult() => events.push(Event::Resumed {}),
            _ => {}
        }
        Ok(events)
    }

    fn admit(&self, arrival: &Arrival, known: bool) -> Result<(), CloseCode> {
        if self.course.phase == Phase::Ended {
            return Err(CloseCode::Ended);
        }
        if self.roster.kept_out.contains(&arrival.user) {
            return Err(CloseCode::KeptOut);
        }
        if self.roster.locked && arrival.role == Role::Student && !known {
            return Err(CloseCode::Locked);
        }
        Ok(())
    }

    /// The school withdrew the right to be here: out. Whether the person may come in again, the school says at the door.
    pub fn decide_put_out(&self, user: UserId) -> Vec<Event> {
        match self.roster.member(user) {
            Some(m) if m.presence != Presence::Gone => {
                let (reason, note) = (RemovalReason::Withdrawn, None);
                vec![Event::Removed { user, by: user, reason, note, keep_out: false }]
            }
            _ => Vec::new(),
        }
    }

    /// The school erased somebody who has been here: what they wrote loses its text, once.
    pub fn decide_erasure(&self, user: UserId) -> Vec<Event> {
        let is_due = self.roster.member(user).is_some() && !self.roster.erased.contains(&user);
        if is_due { vec![Event::Erased { user }] } else { Vec::new() }
    }

    /// A cut line after its grace; nothing when a later attachment exists.
    pub fn decide_cut(&self, user: UserId, session: SessionId, attach: Attach) -> Vec<Event> {
        match self.roster.member(user) {
            Some(m)
                if m.presence == Presence::Here && (m.last.session, m.last.attach) == (session, attach) =>
            {
                vec![Event::Left { user, session, attach, reason: LeftReason::Cut }]
            }
            _ => Vec::new(),
        }
    }
}

pub(super) fn report(by: UserId, note: &str) -> Result<Vec<Event>, ErrorCode> {
    check_note(note)?;
    Ok(vec![Event::Reported { by, note: Some(note.to_owned()).filter(|note| !note.is_empty()) }])
}

fn check_note(note: &str) -> Result<(), ErrorCode> {
    if super::chat::is_text(note, limits::NOTE_CHARS) { Ok(()) } else { Err(ErrorCode::Invalid) }
}
