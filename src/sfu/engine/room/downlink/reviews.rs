//! When what a link bears is shared out among its pictures: a wide one seldom, and while its memory is at hand; a narrow one by the clock.

use std::time::{Duration, Instant};

use crate::sfu::engine::room::link::Link;

/// How often what the link bears is shared out.
pub const REVIEW: Duration = Duration::from_millis(100);
/// On a wide link that is done with the feedback, while the leg's state is at hand anyway, but not more often than this …
const REVIEW_SOONEST: Duration = Duration::from_millis(80);
/// … and by the clock when no feedback came for so long.
const REVIEW_LATEST: Duration = Duration::from_millis(150);
/// So long a wide link on which everybody has what they want need not be shared out again.
const CALM: Duration = Duration::from_millis(500);

/// What is to be done about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    Nothing,
    /// Only the pacer follows it.
    Follow,
    /// It is shared out among the pictures.
    Share,
}

/// When one link was looked at.
#[derive(Debug, Default)]
pub(super) struct Reviews {
    /// When the link was last shared out, and whether that was with feedback.
    last: Option<(Instant, bool)>,
    /// Everybody had what they want then; nothing is new while the link bears so many bits per second.
    calm: Option<(Instant, u32)>,
}

impl Reviews {
    /// What is to be done now, with feedback that just came or by the clock; from then on it counts anew.
    pub fn poll(&mut self, with_feedback: bool, link: &Link, now: Instant) -> Review {
        let since = self.last.map_or(Duration::MAX, |(at, _)| now.saturating_duration_since(at));
        let was_fed = self.last.is_some_and(|(_, was_fed)| was_fed);
        let wait = match (with_feedback, was_fed) {
            (true, _) if !link.is_wide(now) => return Review::Nothing,
            (true, true) => REVIEW_SOONEST,
            (true, false) => Duration::ZERO,
            (false, true) => REVIEW_LATEST,
            (false, false) => Duration::ZERO,
        };
        if since < wait {
            return Review::Nothing;
        }
        self.last = Some((now, with_feedback));
        if self.calm.is_some_and(|(since, estimate)| now < since + CALM && bears(link, estimate, now)) {
            return Review::Follow;
        }
        Review::Share
    }

    /// The link was shared out; `calm` = everybody has what they want of so many bits per second.
    pub fn shared(&mut self, calm: Option<u32>, now: Instant) {
        self.calm = calm.map(|estimate| (now, estimate / 20 * 19));
    }
}

/// The link is as good as it was, or better.
fn bears(link: &Link, estimate: u32, now: Instant) -> bool {
    link.estimate().is_some_and(|it| it >= estimate) && link.is_wide(now)
}
