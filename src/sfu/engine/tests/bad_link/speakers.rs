//! A speaker whose own way to the server loses packets: the links of those who listen are not blamed for it, nor hers for theirs.

use super::{
    cable::Loss,
    receiver::SELDOM,
    scenarios::{EVERYTHING, losing, print, seconds},
    *,
};
use crate::sfu::forward::red::EARLIER;

/// Percent lost on the way of the voice to the server.
fn uplink(percent: u32) -> Nature {
    Nature { loss: Loss::Each(percent), ..Nature::good(Duration::ZERO) }
}

/// A lesson with everything, in which the voice loses `up` percent before the server and everything `down` percent behind it.
fn lesson(student: Student, up: u32, down: u32, seldom: bool) -> World {
    let mut world = World::of(student, losing(Loss::Each(down)), EVERYTHING, 1);
    world.uplink.nature = uplink(up);
    if seldom {
        world.receiver.reports[1] = SELDOM;
    }
    world.run(seconds(40));
    print(&world, &format!("{up} % lost before, {down} % behind, {student}, reports seldom: {seldom}"));
    world
}

impl World {
    /// So many times more than once each frame of the voice goes out.
    fn copies(&mut self) -> usize {
        let (now, subscriber) = (self.now, self.subscriber);
        match self.threads.last().legs.get_mut(subscriber) {
            Some(LegState { role: Role::Subscriber(downlink), .. }) => {
                downlink.protection.copies(downlink.saver, now)
            }
            _ => panic!("a subscriber"),
        }
    }

    /// What the speaker was told of losses on the average from a time on: percent.
    fn told_speaker(&self, from: Duration) -> u32 {
        let told = self.publisher.losses.iter().filter(|(at, _)| *at > self.start + from);
        let told: Vec<u32> = told.map(|(_, loss)| u32::from(*loss)).collect();
        told.iter().sum::<u32>() * 100 / 256 / told.len() as u32
    }
}

/// With every thread and browser, and however seldom it reports.
fn cases() -> impl Iterator<Item = (Student, bool)> {
    Student::ALL.into_iter().flat_map(|student| [(student, false), (student, true)])
}

#[test]
fn what_the_speaker_loses_stops_nobodys_pictures_and_is_no_reason_for_redundancy() {
    for (student, seldom) in cases() {
        let mut world = lesson(student, 30, 0, seldom);
        assert!(world.told.is_empty(), "{student}: {:?}", world.told);
        assert_eq!(world.copies(), 0, "{student}");
        assert!(world.shown(Slot::FIRST_CAMERA, seconds(5), seconds(40)) > 35 * 22, "{student}");
        let told = world.told_speaker(seconds(5));
        assert!((27..=33).contains(&told), "{student}: the speaker hears of {told} %");
    }
}

#[test]
fn where_both_ways_lose_each_is_judged_by_its_own() {
    for (student, seldom) in cases() {
        let mut world = lesson(student, 15, 15, seldom);
        assert!(world.told.is_empty(), "{student}: {:?}", world.told);
        assert_eq!(world.copies(), EARLIER, "{student}");
        let told = world.told_speaker(seconds(5));
        // Of redundant packets a listener tells what it lost, of those that came again what it missed in the end.
        assert!((13..=25).contains(&told), "{student}: the speaker hears of {told} %");

        let world = lesson(student, 30, 40, seldom);
        assert!(world.told.first().is_some_and(|(_, stopped)| *stopped), "{student}: {:?}", world.told);
        let told = world.told_speaker(seconds(5));
        assert!((27..=33).contains(&told), "{student}: listeners add nothing beyond a quarter: {told} %");
    }
}

/// Joined ones have no gaps at all, and are not protected for nothing.
#[test]
fn who_saves_data_does_not_pay_for_what_the_speaker_loses() {
    for student in Student::ALL {
        let mut world = World::of(student, Nature::good(DELAY), Program::default(), 1);
        world.spare(true, None);
        world.uplink.nature = uplink(30);
        world.run(seconds(30));
        assert_eq!(world.copies(), 0, "{student}");
    }
}
