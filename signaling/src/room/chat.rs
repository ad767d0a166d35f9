//! The rules of the chat. Its lines are in the log, not here: the fold holds no text.

use std::collections::BTreeMap;

use crate::protocol::{ChatMode, ErrorCode, Event, Recipients, Role, UserId, limits};

use super::Context;

/// Who may write, and when each wrote last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chat {
    pub mode: ChatMode,
    /// Seconds between two lines of one student; 0 = off.
    pub slow_mode_s: u16,
    /// Times of the last lines of each writer, oldest first, at most [`limits::CHAT_LINES_PER_SECOND`].
    last_lines: BTreeMap<UserId, Vec<u64>>,
}

impl Chat {
    pub(super) fn apply(&mut self, event: &Event, at: u64) {
        match event {
            Event::ChatSet { mode, slow_mode_s, .. } => {
                self.mode = *mode;
                self.slow_mode_s = *slow_mode_s;
            }
            Event::Said { user, .. } => {
                let lines = self.last_lines.entry(*user).or_default();
                if lines.len() == limits::CHAT_LINES_PER_SECOND as usize {
                    lines.remove(0);
                }
                lines.push(at);
            }
            _ => {}
        }
    }

    pub(super) fn say(
        &self,
        user: UserId,
        role: Role,
        text: &str,
        to: Recipients,
        context: &Context,
    ) -> Result<Vec<Event>, ErrorCode> {
        let text = text.trim();
        if text.is_empty() || !is_text(text, limits::CHAT_TEXT_CHARS) {
            return Err(ErrorCode::Invalid);
        }
        self.check_pace(user, role, context.now_ms)?;
        let private = role == Role::Student && self.mode == ChatMode::Questions;
        let to = if private { Recipients::Teachers } else { to };
        Ok(vec![Event::Said { user, to, text: Some(text.to_owned()) }])
    }

    fn check_pace(&self, user: UserId, role: Role, now_ms: u64) -> Result<(), ErrorCode> {
        let Some(lines) = self.last_lines.get(&user) else { return Ok(()) };
        let since = |at: u64| now_ms.saturating_sub(at);
        let full = lines.len() == limits::CHAT_LINES_PER_SECOND as usize;
        if full && lines.first().is_some_and(|first| since(*first) < 1_000) {
            return Err(ErrorCode::TooFast);
        }
        let slow_ms = u64::from(self.slow_mode_s) * 1_000;
        if role == Role::Student && lines.last().is_some_and(|last| since(*last) < slow_ms) {
            return Err(ErrorCode::SlowMode);
        }
        Ok(())
    }

    /// When the next line of a student is welcome, in milliseconds from now.
    pub fn wait_ms(&self, user: UserId, now_ms: u64) -> u64 {
        let last = self.last_lines.get(&user).and_then(|lines| lines.last()).copied();
        let slow_ms = u64::from(self.slow_mode_s) * 1_000;
        last.map_or(0, |last| (last + slow_ms).saturating_sub(now_ms))
    }
}

/// At most so many characters, and none that a store refuses: PostgreSQL keeps no U+0000, and one such line would fail the
/// whole batch it is written with.
pub(super) fn is_text(text: &str, chars: usize) -> bool {
    text.chars().count() <= chars && !text.contains('\0')
}

pub(super) fn set(mode: ChatMode, slow_mode_s: u16, by: UserId) -> Result<Vec<Event>, ErrorCode> {
    if slow_mode_s > limits::SLOW_MODE_MAX_S {
        return Err(ErrorCode::Invalid);
    }
    Ok(vec![Event::ChatSet { mode, slow_mode_s, by }])
}
