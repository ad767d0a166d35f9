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
