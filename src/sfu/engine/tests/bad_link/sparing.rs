//! A student who pays for every byte, on bad links too: the voice is whole, and what it costs is bounded.

use super::{
    cable::Loss,
    scenarios::{EVERYTHING, losing, print, seconds},
    *,
};

/// Bytes of a frame at the `limits::SAVER_VOICE_BITRATE` (15 kbit/s) that browsers are told while anybody saves data, as Chromium sends
/// them on the average.
const SAVING: usize = 36;
const MB: f64 = 1e6;

/// A lesson of a voice only, which comes joined.
fn saving(student: Student, nature: Nature) -> World {
    let mut world = World::of(student, nature, Program::default(), 1);
    world.publisher.frame = SAVING;
    world.spare(true, None);
    world
}

/// Megabytes an hour that the student pays while the lesson goes on for so long, and the voice's frames missed: percent.
fn hour(world: &mut World, span: Duration) -> (f64, f64) {
    let (before, from) = (world.given(), world.now - world.start);
    world.run(span);
    let until = world.now - world.start;
    let per_hour = (world.given() - before) as f64 * 3_600.0 / span.as_secs_f64() / MB;
    // The last ones are still on their way.
    (per_hour, world.missed(from, until - Duration::from_millis(400)))
}

#[test]
fn a_voice_for_who_saves_data_costs_eleven_megabytes_an_hour_on_either_thread() {
    for student in Student::EITHER {
        let mut world = saving(student, Nature::good(DELAY));
        world.run(seconds(3));
        let before = world.receiver.said.len();
        let (cost, missed) = hour(&mut world, seconds(30));
        println!("{student}: {cost:.1} MB an hour, {missed:.2} % missed");
        assert!(cost <= 11.0, "{student}: {cost}");
        assert!(missed == 0.0, "{student}: {missed}");
        let said = &world.receiver.said[before..];
        assert!((495..=505).contains(&said.len()), "{student}: {} packets of 60 ms", said.len());
        assert!(said.iter().all(|it| !it.has_extensions), "{student}");
        assert!(said.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1), "{student}");
        assert!(said.windows(2).all(|pair| pair[1].timestamp == pair[0].timestamp.wrapping_add(2_880)));
    }
}

#[test]
fn who_saves_data_hears_the_voice_whole_on_a_bad_link_and_pays_a_bounded_price() {
    // Lost packets, percent; missed frames, percent, and megabytes an hour with earlier packets in each and sent again.
    let aims = [(3, [0.3; 2], [18.0, 32.0]), (10, [0.5; 2], [25.0, 32.0]), (20, [1.5; 2], [25.0, 32.0])];
    for (loss, most_missed, most_paid) in aims {
        for student in Student::ALL {
            let mut world = saving(student, losing(Loss::Each(loss)));
            // Who gets each packet again tells of no losses while they are mended: protection learns how long to hold.
            world.run(seconds(if student.red { 10 } else { 120 }));
            let (cost, missed) = hour(&mut world, seconds(60));
            println!("{loss} %, {student}: {cost:.1} MB an hour, {missed:.2} % missed");
            let browser = usize::from(!student.red);
            assert!(missed <= most_missed[browser], "{loss} %, {student}: {missed} % missed");
            assert!(cost <= most_paid[browser], "{loss} %, {student}: {cost} MB an hour");
            let step = |pair: &[receiver::Said]| pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            let mut said = world.receiver.said.clone();
            said.sort_by_key(|it| it.sequence);
            let said: Vec<_> = said.into_iter().filter(|it| it.at > world.start + seconds(1)).collect();
            let steps = said.windows(2).map(|pair| (step(pair), pair[1].sequence - pair[0].sequence));
            let unsteady = steps.filter(|(step, count)| u64::from(*step) != count * 2_880).count();
            assert_eq!(unsteady, 0, "{loss} %, {student}: it comes joined all the time, in one stream");
        }
    }
}

#[test]
fn behind_a_bad_time_who_saves_data_pays_as_little_as_before() {
    let mut world = saving(Student::USUAL, losing(Loss::Each(20)));
    world.run(seconds(10));
    world.set(Nature::good(DELAY));
    world.run(seconds(40));
    let (cost, missed) = hour(&mut world, seconds(20));
    assert!(cost <= 11.0 && missed == 0.0, "{cost} MB an hour, {missed} % missed");
}

/// What is sent again for the pictures is paid for too.
#[test]
fn a_budget_lasts_on_a_bad_link_and_the_voice_is_whole_to_its_end() {
    let lesson = seconds(200);
    for student in Student::EITHER {
        for (budget, is_enough) in [(9_000_000, true), (1_500_000, false)] {
            let mut world = World::of(student, losing(Loss::Each(15)), EVERYTHING, 1);
            world.publisher.frame = if is_enough { world.publisher.frame } else { SAVING };
            world.spare(false, Some((budget, lesson)));
            world.run(lesson);
            let missed = world.missed(seconds(5), lesson - seconds(1));
            print(&world, &format!("{student}, {budget} bytes"));
            println!("  {} carried, {} on the link, told {:?}", world.carried, world.given(), world.spared);
            assert!(missed <= 1.0, "{student}: {missed} % of the voice missed");
            assert!(world.carried <= budget + budget / 50, "{student}: {} of {budget}", world.carried);
            // Told every two seconds, of the way up what arrived.
            let told = world.carried as f64 / world.given() as f64;
            assert!((0.9..=1.001).contains(&told), "{student}: {told} of the bytes are counted");
            assert!(!world.spared.is_empty(), "{student}: the student is told");
            let last = world.pictures(lesson - seconds(60), lesson);
            assert!(!is_enough || last > 100_000, "{student}: {last} bytes of pictures in the last minute");
        }
    }
}
