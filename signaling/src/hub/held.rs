//! Lines that were refused as *later*, by the connection that they came by: those behind them must not overtake them, also when that
//! connection is gone meanwhile. Their writer sends all that is not acknowledged again, from the first one on.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::seats::SeatId;
use crate::protocol::{CommandId, ErrorCode, limits};

/// So long the lines behind a held one wait for it.
const HELD: Duration = Duration::from_secs(5);
/// Of one connection; more are refused, but not remembered as such. As many as it can send in that time.
const MOST: usize =
    limits::FRAME_BURST as usize + limits::FRAMES_PER_SECOND as usize * HELD.as_secs() as usize;

/// Of each connection, as the room refused them. Bounded: of those that wrote within [`HELD`].
#[derive(Debug, Default)]
pub(crate) struct HeldLines(HashMap<SeatId, HeldLine>);

impl HeldLines {
    /// A line was refused. Those behind it wait until its writer sends again what was refused.
    pub(crate) fn hold_behind(&mut self, seat: SeatId, line: CommandId, error: ErrorCode, now: Instant) {
        self.0.entry(seat).or_default().hold_behind(line, error, now);
    }

    /// Why a line must wait, if it must. One that was refused must not: its writer has begun anew.
    pub(crate) fn held_before(&mut self, seat: SeatId, line: CommandId, now: Instant) -> Option<ErrorCode> {
        self.0.get_mut(&seat)?.held_before(line, now)
    }

    /// Forgets the lines that nobody waits for any more.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, held| held.is_held(now));
    }
}

/// The same of one connection.
#[derive(Debug, Default)]
pub(crate) struct HeldLine(Option<Held>);

/// Lines that their writer will send again.
#[derive(Debug)]
struct Held {
    /// In the order in which they were refused, which need not be that in which they were written: what is being kept fails later than what is
    /// too fast. At most [`MOST`].
    lines: Vec<CommandId>,
    error: ErrorCode,
    /// Then their writer has thought better of it.
    until: Instant,
}

impl HeldLine {
    pub(crate) fn hold_behind(&mut self, line: CommandId, error: ErrorCode, now: Instant) {
        if !matches!(error, ErrorCode::TooFast | ErrorCode::Busy | ErrorCode::Unavailable) {
            return;
        }
        match self.0.as_mut().filter(|held| held.until > now) {
            Some(held) if held.lines.len() < MOST => held.lines.push(line),
            Some(_) => {}
            None => self.0 = Some(Held { lines: vec![line], error, until: now + HELD }),
        }
    }

    pub(crate) fn held_before(&mut self, line: CommandId, now: Instant) -> Option<ErrorCode> {
        self.0 = self.0.take().filter(|held| held.until > now && !held.lines.contains(&line));
        self.0.as_ref().map(|held| held.error)
    }

    fn is_held(&self, now: Instant) -> bool {
        self.0.as_ref().is_some_and(|held| held.until > now)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn lines_wait_until_their_writer_begins_anew_but_not_for_ever() {
        let (mut lines, now, one, two) = (HeldLines::default(), Instant::now(), SeatId(1), SeatId(2));
        let [first, second, third] = [1, 2, 3].map(|n| CommandId(Uuid::from_u128(n)));
        // The second is too fast while the first is being kept, which fails then.
        lines.hold_behind(one, second, ErrorCode::TooFast, now);
        lines.hold_behind(one, first, ErrorCode::Unavailable, now);
        assert_eq!(lines.held_before(one, third, now), Some(ErrorCode::TooFast));
        assert_eq!(lines.held_before(two, third, now), None, "another connection's");
        assert_eq!(lines.held_before(one, first, now), None, "it begins anew");
        assert_eq!(lines.held_before(one, second, now), None);
        lines.hold_behind(one, first, ErrorCode::ChatClosed, now);
        assert_eq!(lines.held_before(one, second, now), None, "refused for good");
        lines.hold_behind(one, first, ErrorCode::Busy, now);
        assert_eq!(lines.held_before(one, second, now + HELD), None);
        lines.hold_behind(one, first, ErrorCode::Busy, now);
        lines.sweep(now + HELD);
        assert!(lines.0.is_empty());
    }

    #[test]
    fn no_more_lines_are_remembered_than_can_come() {
        let (mut line, now) = (HeldLine::default(), Instant::now());
        for n in 0..2 * MOST as u128 {
            line.hold_behind(CommandId(Uuid::from_u128(n)), ErrorCode::Busy, now);
        }
        assert_eq!(line.0.as_ref().map(|held| held.lines.len()), Some(MOST));
        assert!(line.held_before(CommandId(Uuid::from_u128(9_999)), now).is_some());
        assert!(line.held_before(CommandId(Uuid::from_u128(0)), now).is_none());
    }
}
