//! Who of many open microphones is heard: the last few who spoke have a seat each, and keep it while nobody needs it.
//!
//! A voice gets a seat with its first syllable. It takes one from somebody who is silent; from somebody who speaks only when
//! clearly louder voices want it; and from nobody who has just been given it.

use std::time::Duration;

use crate::protocol::UserId;

/// Voices that are forwarded beside the teacher's.
pub const SEATS: usize = 3;
/// A seat is kept at least this long.
pub const HOLD: Duration = Duration::from_secs(2);

/// Somebody who is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seated {
    user: UserId,
    /// When the seat was taken; all times are since the room was opened.
    since: Duration,
    /// Last known to speak.
    heard: Duration,
}

/// The seats of one lesson.
#[derive(Clone, Debug, Default)]
pub struct VoiceSeats {
    seated: Vec<Seated>,
    /// Who speaks now, loudest first.
    speaking: Vec<UserId>,
}

impl VoiceSeats {
    /// A voice begins; true when the seats are others now.
    pub fn begins(&mut self, user: UserId, now: Duration) -> bool {
        match self.seated.iter_mut().find(|seated| seated.user == user) {
            Some(seated) => {
                seated.heard = now;
                false
            }
            None => self.take(user, now),
        }
    }

    /// These speak, loudest first; `teacher` has a seat of their own. True when the seats are others now.
    pub fn speaking(&mut self, users: &[UserId], teacher: UserId, now: Duration) -> bool {
        self.speaking = users.iter().copied().filter(|user| *user != teacher).collect();
        for seated in self.seated.iter_mut().filter(|seated| users.contains(&seated.user)) {
            seated.heard = now;
        }
        let loudest: Vec<UserId> = self.speaking.iter().copied().take(SEATS).collect();
        let changes = loudest.into_iter().filter(|user| self.begins(*user, now)).count();
        changes > 0
    }

    /// Takes the seats of everybody for whom `may` does not hold.
    pub fn keep(&mut self, may: impl Fn(UserId) -> bool) {
        self.seated.retain(|seated| may(seated.user));
    }

    /// Who has a seat.
    pub fn users(&self) -> Vec<UserId> {
        self.seated.iter().map(|seated| seated.user).collect()
    }

    fn take(&mut self, user: UserId, now: Duration) -> bool {
        if self.seated.len() == SEATS {
            let Some(place) = self.weakest(user, now) else { return false };
            self.seated.remove(place);
        }
        self.seated.push(Seated { user, since: now, heard: now });
        true
    }

    /// Who gives way to a voice that begins: the longest silent; of those who speak, the quietest, and only to one of the
    /// loudest.
    fn weakest(&self, newcomer: UserId, now: Duration) -> Option<usize> {
        let rank = |user: UserId| self.speaking.iter().position(|speaking| *speaking == user);
        let held = |seated: &&(usize, &Seated)| now >= seated.1.since + HOLD;
        let seated: Vec<(usize, &Seated)> = self.seated.iter().enumerate().collect();
        let silent = seated.iter().filter(held).filter(|(_, seated)| rank(seated.user).is_none());
        let silent = silent.min_by_key(|(_, seated)| seated.heard);
        let quiet = seated.iter().filter(held).max_by_key(|(_, seated)| rank(seated.user));
        let is_loud = rank(newcomer).is_some_and(|rank| rank < SEATS);
        let quiet =
            quiet.filter(|(_, seated)| is_loud && rank(seated.user).is_some_and(|rank| rank >= SEATS));
        silent.or(quiet).map(|(place, _)| *place)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(number: u128) -> UserId {
        UserId(Uuid::from_u128(number))
    }

    fn users(numbers: &[u128]) -> Vec<UserId> {
        numbers.iter().map(|number| user(*number)).collect()
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const TEACHER: u128 = 100;

    fn speak(seats: &mut VoiceSeats, numbers: &[u128], now: Duration) -> bool {
        seats.speaking(&users(numbers), user(TEACHER), now)
    }

    #[test]
    fn a_voice_has_a_seat_at_once_and_keeps_it_while_nobody_needs_it() {
        let mut seats = VoiceSeats::default();
        assert!(seats.begins(user(1), ms(0)));
        assert!(!seats.begins(user(1), ms(500)), "it has one");
        assert!(!speak(&mut seats, &[], ms(60_000)));
        assert_eq!(seats.users(), users(&[1]));
    }

    #[test]
    fn a_fourth_voice_takes_the_seat_of_the_longest_silent() {
        let mut seats = VoiceSeats::default();
        (1..=3).for_each(|number| assert!(seats.begins(user(number), ms(number as u64))));
        speak(&mut seats, &[2], ms(3_000));
        speak(&mut seats, &[1], ms(4_000));
        assert!(seats.begins(user(4), ms(5_000)));
        assert_eq!(seats.users(), users(&[1, 2, 4]));
    }

    #[test]
    fn a_seat_is_held_for_two_seconds() {
        let mut seats = VoiceSeats::default();
        (1..=3).for_each(|number| assert!(seats.begins(user(number), ms(0))));
        assert!(!seats.begins(user(4), HOLD - Duration::from_millis(1)));
        assert!(seats.begins(user(4), HOLD));
    }

    #[test]
    fn who_speaks_gives_way_only_to_clearly_louder_voices() {
        let mut seats = VoiceSeats::default();
        speak(&mut seats, &[1, 2, 3], ms(0));
        assert!(!seats.begins(user(4), ms(10_000)), "all three speak");
        assert!(!speak(&mut seats, &[1, 2, 3, 4], ms(10_100)), "and are louder");
        assert!(speak(&mut seats, &[4, 1, 2, 3], ms(10_200)));
        assert_eq!(seats.users(), users(&[1, 2, 4]));
    }

    #[test]
    fn the_teacher_needs_none_and_who_was_silenced_has_none() {
        let mut seats = VoiceSeats::default();
        speak(&mut seats, &[TEACHER, 1, 2, 3, 4], ms(0));
        assert_eq!(seats.users(), users(&[1, 2, 3]));
        seats.keep(|each| each != user(2));
        assert_eq!(seats.users(), users(&[1, 3]));
    }
}
