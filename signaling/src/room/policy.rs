//! The one permission function. There is no permission `if` anywhere else.

use crate::protocol::{ChatMode, ErrorCode, Phase, Role, Source};

/// Something a participant may want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Say,
    DeleteOwnLine,
    DeleteAnyLine,
    SetChat,
    RaiseHand,
    LowerOwnHand,
    LowerAnyHand,
    GiveFloor,
    TakeFloor,
    /// Give one's own floor or camera grant back.
    ReturnFloor,
    GrantCamera,
    Publish(Source),
    MuteOwn,
    MuteOther,
    StopSource,
    Remove,
    Readmit,
    Lock,
    Report,
    Leave,
    End,
}

/// What permissions depend on beside role and action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Situation {
    pub phase: Phase,
    pub chat: ChatMode,
    /// Holds the floor.
    pub floor: bool,
    /// Has a camera grant.
    pub camera: bool,
}

/// Whether somebody of this role may do this now, or the reason why not.
pub fn may(role: Role, action: Action, situation: &Situation) -> Result<(), ErrorCode> {
    if situation.phase == Phase::Ended && action != Action::Leave {
        return Err(ErrorCode::Ended);
    }
    match role {
        Role::Teacher => Ok(()),
        Role::Director => director(action),
        Role::Supervisor | Role::Inspector => visitor(action),
        Role::Student => student(action, situation),
    }
}

/// A director's visit watches, and may protect: silence, remove, lock, end.
fn director(action: Action) -> Result<(), ErrorCode> {
    use Action as A;
    match action {
        A::DeleteAnyLine | A::MuteOther | A::StopSource | A::TakeFloor => Ok(()),
        A::Remove | A::Readmit | A::Lock | A::End => Ok(()),
        other => visitor(other),
    }
}

fn visitor(action: Action) -> Result<(), ErrorCode> {
    match action {
        Action::Report | Action::Leave => Ok(()),
        _ => Err(ErrorCode::NotAllowed),
    }
}

fn student(action: Action, situation: &Situation) -> Result<(), ErrorCode> {
    use Action as A;
    match action {
        A::Report | A::Leave | A::LowerOwnHand | A::ReturnFloor | A::MuteOwn | A::DeleteOwnLine => Ok(()),
        A::RaiseHand => class_is_on(situation),
        A::Say => class_is_on(situation).and(match situation.chat {
            ChatMode::Open | ChatMode::Questions => Ok(()),
            ChatMode::Closed => Err(ErrorCode::ChatClosed),
        }),
        A::Publish(source) => class_is_on(situation).and_then(|()| student_publishes(source, situation)),
        _ => Err(ErrorCode::NotAllowed),
    }
}

fn class_is_on(situation: &Situation) -> Result<(), ErrorCode> {
    match situation.phase {
        Phase::Open => Ok(()),
        Phase::Waiting => Err(ErrorCode::NotOpen),
        Phase::Paused => Err(ErrorCode::Paused),
        Phase::Ended => Err(ErrorCode::Ended),
    }
}

fn student_publishes(source: Source, situation: &Situation) -> Result<(), ErrorCode> {
    match source {
        _ if !situation.floor => Err(ErrorCode::NeedsFloor),
        Source::Camera if !situation.camera => Err(ErrorCode::NeedsCameraGrant),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When somebody may, told apart from the code above.
    #[derive(Clone, Copy, Debug)]
    enum When {
        Always,
        Never,
        /// The class is on.
        On,
        /// … and the chat is not closed.
        Chat,
        /// … and the floor is theirs.
        Floor,
        /// … and a camera grant too.
        Camera,
    }
    use When::{Always, Camera, Chat, Floor, Never, On};

    /// Who may do what before the end: teacher, director, other visitors, student.
    const TABLE: [(Action, [When; 4]); 24] = [
        (Action::Say, [Always, Never, Never, Chat]),
        (Action::DeleteOwnLine, [Always, Never, Never, Always]),
        (Action::DeleteAnyLine, [Always, Always, Never, Never]),
        (Action::SetChat, [Always, Never, Never, Never]),
        (Action::RaiseHand, [Always, Never, Never, On]),
        (Action::LowerOwnHand, [Always, Never, Never, Always]),
        (Action::LowerAnyHand, [Always, Never, Never, Never]),
        (Action::GiveFloor, [Always, Never, Never, Never]),
        (Action::TakeFloor, [Always, Always, Never, Never]),
        (Action::ReturnFloor, [Always, Never, Never, Always]),
        (Action::GrantCamera, [Always, Never, Never, Never]),
        (Action::Publish(Source::Microphone), [Always, Never, Never, Floor]),
        (Action::Publish(Source::Camera), [Always, Never, Never, Camera]),
        (Action::Publish(Source::Screen), [Always, Never, Never, Floor]),
        (Action::Publish(Source::ScreenAudio), [Always, Never, Never, Floor]),
        (Action::MuteOwn, [Always, Never, Never, Always]),
        (Action::MuteOther, [Always, Always, Never, Never]),
        (Action::StopSource, [Always, Always, Never, Never]),
        (Action::Remove, [Always, Always, Never, Never]),
        (Action::Readmit, [Always, Always, Never, Never]),
        (Action::Lock, [Always, Always, Never, Never]),
        (Action::Report, [Always, Always, Always, Always]),
        (Action::Leave, [Always, Always, Always, Always]),
        (Action::End, [Always, Always, Never, Never]),
    ];

    fn situations() -> Vec<Situation> {
        let mut all = Vec::new();
        for phase in [Phase::Waiting, Phase::Open, Phase::Paused, Phase::Ended] {
            for chat in [ChatMode::Open, ChatMode::Questions, ChatMode::Closed] {
                for (floor, camera) in [(false, false), (false, true), (true, false), (true, true)] {
                    all.push(Situation { phase, chat, floor, camera });
                }
            }
        }
        all
    }

    fn holds(when: When, action: Action, at: &Situation) -> bool {
        let on = at.phase == Phase::Open;
        if at.phase == Phase::Ended {
            return action == Action::Leave;
        }
        match when {
            Always => true,
            Never => false,
            On => on,
            Chat => on && at.chat != ChatMode::Closed,
            Floor => on && at.floor,
            Camera => on && at.floor && at.camera,
        }
    }

    #[test]
    fn the_whole_table() {
        let columns = [
            (Role::Teacher, 0),
            (Role::Director, 1),
            (Role::Supervisor, 2),
            (Role::Inspector, 2),
            (Role::Student, 3),
        ];
        assert!(Role::ALL.iter().all(|role| columns.iter().any(|(column, _)| column == role)));
        for (action, whens) in TABLE {
            for (role, column) in columns {
                for situation in situations() {
                    let expected = holds(whens[column], action, &situation);
                    let found = may(role, action, &situation);
                    assert_eq!(found.is_ok(), expected, "{role:?} {action:?} {situation:?}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn a_refusal_says_what_is_missing() {
        let mut at = Situation { phase: Phase::Waiting, chat: ChatMode::Open, floor: false, camera: false };
        let why = |action, at: &Situation| may(Role::Student, action, at);
        assert_eq!(why(Action::Say, &at), Err(ErrorCode::NotOpen));
        at.phase = Phase::Paused;
        assert_eq!(why(Action::RaiseHand, &at), Err(ErrorCode::Paused));
        at.phase = Phase::Open;
        assert_eq!(why(Action::Publish(Source::Camera), &at), Err(ErrorCode::NeedsFloor));
        at.floor = true;
        assert_eq!(why(Action::Publish(Source::Camera), &at), Err(ErrorCode::NeedsCameraGrant));
        at.chat = ChatMode::Closed;
        assert_eq!(why(Action::Say, &at), Err(ErrorCode::ChatClosed));
        at.phase = Phase::Ended;
        assert_eq!(why(Action::Say, &at), Err(ErrorCode::Ended));
    }
}
