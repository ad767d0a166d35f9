//! What a student hears and sees on bad links. `cargo test --lib bad_link -- --nocapture` prints each lesson second by second.

use super::{
    cable::Loss,
    publisher::{CAMERA_RATES, Slide},
    *,
};

const SLIDE: Slide = Slide { key_frame: 40_000, frames: [900; 3], rate: 8 };
/// A page in which a film runs, as much as a screen may take.
const FILM: Slide = Slide { key_frame: 90_000, frames: [30_000; 3], rate: 5 };
/// A clock with hands.
const HANDS: Slide = Slide { key_frame: 12_000, frames: [1_900; 3], rate: 2 };
/// A clock on a page.
const CLOCK: Slide = Slide { key_frame: 25_000, frames: [3_000; 3], rate: 2 };
/// The time in large digits, as Chromium sends it (90 pixels, sharp): what changes twice in a row is sent twice.
const DIGITS: Slide = Slide { key_frame: 12_000, frames: [5_000, 1_800, 3_000], rate: 2 };
const AT_ONCE: [Duration; 3] = [Duration::ZERO; 3];
pub const EVERYTHING: Program = Program { camera: true, screen: Some(SLIDE), late: AT_ONCE };
const SCREEN_ONLY: Program = Program { camera: false, screen: Some(SLIDE), late: AT_ONCE };
const WIDE: u16 = 1_280;
/// A voice may be silent for so long: then it is missed.
const SILENCE: Duration = Duration::from_millis(200);

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn narrow(bitrate: u32) -> Nature {
    Nature { bitrate: Some(bitrate), ..Nature::good(DELAY) }
}

pub fn losing(loss: Loss) -> Nature {
    Nature { loss, ..Nature::good(DELAY) }
}

fn lesson(nature: Nature, program: Program, length: Duration) -> World {
    let mut world = World::new(nature, program, 1);
    world.run(length);
    world
}

/// The lesson second by second.
pub fn print(world: &World, title: &str) {
    let length = (world.now - world.start).as_secs();
    let (padding, bytes) = world.padding();
    let silence = world.silence(seconds(1), seconds(length));
    let missing = world.publisher.said() as usize - world.receiver.heard.len();
    println!(
        "{title}: longest silence {silence:?}, {missing} voice frames missing, padding {padding} of {bytes} bytes"
    );
    println!(
        "  key frames {}, overflowed {}, told {:?}",
        world.publisher.key_frames, world.down.overflowed, world.told
    );
    let row = |slot| {
        let shown = (0..length).map(|at| world.shown(slot, seconds(at), seconds(at + 1)).to_string());
        shown.collect::<Vec<_>>().join(" ")
    };
    println!("  screen {}\n  camera {}", row(Slot::SCREEN), row(Slot::FIRST_CAMERA));
    let step = |place: usize| {
        let grown = world.seconds.windows(2).map(|pair| (pair[1][place] - pair[0][place]).to_string());
        grown.collect::<Vec<_>>().join(" ")
    };
    let estimates: Vec<String> = world.seconds.iter().map(|second| second[2].to_string()).collect();
    println!("  dropped {}\n  padding {}\n  kbit/s {}", step(0), step(1), estimates.join(" "));
}

#[test]
fn a_good_link_carries_everything_and_is_asked_for_little() {
    let world = lesson(Nature::good(DELAY), EVERYTHING, seconds(10));
    print(&world, "good");
    assert!(world.longest_silence(seconds(1), seconds(10)) < Duration::from_millis(30));
    assert!(
        world.first_shown(Slot::FIRST_CAMERA, WIDE, Duration::ZERO).expect("the large picture") < seconds(3)
    );
    assert!(world.shown(Slot::FIRST_CAMERA, seconds(3), seconds(10)) > 160);
    assert!(world.shown(Slot::SCREEN, seconds(3), seconds(10)) > 52);
    assert!(world.publisher.key_frames < 20, "{}", world.publisher.key_frames);
    assert!(world.told.is_empty() && world.rates.is_empty(), "{:?}", world.rates);
}

#[test]
fn the_voice_is_not_silent_on_narrow_links() {
    for kbps in [60, 80, 100, 150, 250] {
        let world = lesson(narrow(kbps * 1_000), EVERYTHING, seconds(25));
        print(&world, &format!("{kbps} kbit/s"));
        let silence = world.longest_silence(seconds(2), seconds(25));
        // The link's own queue, once: a packet of a picture takes 150 ms of the narrowest.
        let bearable = if kbps == 60 { SILENCE * 3 / 2 } else { SILENCE };
        assert!(silence <= bearable, "{kbps} kbit/s: {silence:?}");
    }
}

#[test]
fn a_hundred_kilobits_carry_a_screen() {
    for program in [EVERYTHING, SCREEN_ONLY] {
        let world = lesson(narrow(100_000), program, seconds(45));
        print(&world, "100 kbit/s");
        let first = world.first_shown(Slot::SCREEN, 0, Duration::ZERO).expect("a picture");
        assert!(first < seconds(20), "{first:?}");
        let blank = (first.as_secs() + 1..45)
            .find(|&at| world.shown(Slot::SCREEN, seconds(at), seconds(at + 1)) == 0);
        assert_eq!(blank, None, "a picture each second");
    }
}

#[test]
fn a_link_that_gets_narrow_for_half_a_minute_costs_pictures_not_the_voice() {
    let mut world = lesson(Nature::good(DELAY), EVERYTHING, seconds(15));
    world.set(narrow(250_000));
    world.run(seconds(30));
    world.set(Nature::good(DELAY));
    world.run(seconds(15));
    print(&world, "1.5 Mbit/s, 250 kbit/s, 1.5 Mbit/s");
    // In the first moment the voice waits behind what is in the link's own queue of 300 ms.
    assert!(world.longest_silence(seconds(14), seconds(17)) < Duration::from_millis(320));
    assert!(world.longest_silence(seconds(17), seconds(60)) <= SILENCE);
    assert!(world.shown(Slot::SCREEN, seconds(25), seconds(45)) >= 20);
    let back = world.first_shown(Slot::FIRST_CAMERA, WIDE, seconds(46)).expect("the large picture");
    assert!(back < seconds(55), "{back:?}");
    assert!(world.told.is_empty(), "nothing to be told of: {:?}", world.told);
}

#[test]
fn black_outs_of_half_a_second_stop_nothing() {
    let mut world = lesson(Nature::good(DELAY), EVERYTHING, seconds(5));
    for _ in 0..4 {
        world.set(Nature { is_cut: true, ..Nature::good(DELAY) });
        world.run(Duration::from_millis(500));
        world.set(Nature::good(DELAY));
        world.run(Duration::from_millis(9_500));
    }
    print(&world, "black-outs");
    assert!(world.told.is_empty(), "{:?}", world.told);
    assert!(world.longest_silence(seconds(1), seconds(45)) < Duration::from_millis(600));
    for cut in [5, 15, 25, 35] {
        let seen = world.shown(Slot::FIRST_CAMERA, seconds(cut + 3), seconds(cut + 10));
        assert!(seen > 7 * 20, "after the one at {cut}: {seen}");
    }
}

#[test]
fn who_loses_two_fifths_or_has_less_than_sixty_kilobits_is_told_and_hears_on_and_sees_again_when_it_is_over()
{
    let bad = [
        ("40 %", losing(Loss::Each(40)), SILENCE, seconds(4)),
        ("50 kbit/s", narrow(50_000), SILENCE * 2, seconds(5)),
    ];
    for student in Student::EITHER {
        for (name, nature, bearable, patience) in bad {
            let mut world = World::of(student, Nature::good(DELAY), EVERYTHING, 1);
            world.run(seconds(5));
            world.set(nature);
            world.run(seconds(15));
            let &(stopped_at, stopped) = world.told.first().expect("a word");
            assert!(stopped && stopped_at < seconds(5) + patience, "{name}, {student}: {stopped_at:?}");
            // What is in the link's own queue still comes.
            let tried = world.told.get(1).map_or(seconds(20), |(at, _)| *at);
            let pictures = world.pictures(stopped_at + DELAY + Duration::from_millis(400), tried);
            assert_eq!(pictures, 0, "{name}, {student}: bytes of pictures after they were stopped");
            let silence = world.longest_silence(stopped_at + seconds(1), seconds(20));
            assert!(silence <= bearable, "{name}, {student}: {silence:?}");
            let over = world.now - world.start;
            world.set(Nature::good(DELAY));
            world.run(seconds(35));
            print(&world, &format!("{name}, {student}"));
            let (back, stopped) = world.told.last().copied().expect("another word");
            assert!(!stopped && back >= stopped_at + seconds(5), "{name}, {student}: {:?}", world.told);
            assert!(back <= over + seconds(8), "{name}, {student}: {back:?}, over at {over:?}");
            let back = back.max(over);
            let large = world.first_shown(Slot::FIRST_CAMERA, WIDE, back).expect("the large picture");
            assert!(large < back + seconds(10), "{name}, {student}: {:?}", large - back);
            let first = [Slot::SCREEN, Slot::FIRST_CAMERA].map(|slot| world.first_shown(slot, 0, back));
            let first = first.into_iter().flatten().min().expect("a picture");
            println!(
                "{name}, {student}: a picture after {:?}, the large one after {:?}",
                first - back,
                large - back
            );
            assert!(first < back + seconds(4), "{name}, {student}: {:?}", first - back);
        }
    }
}

/// However long the bad time was, and though voices are reported on seldom.
#[test]
fn the_words_about_a_weak_link_are_gone_some_seconds_after_it_got_well_and_not_before() {
    let worst = Nature { loss: Loss::Each(30), ..narrow(40_000) };
    let unsteady = Nature { jitter: Duration::from_millis(20), ..narrow(50_000) };
    for (name, nature) in
        [("40 kbit/s, 30 % lost", worst), ("50 kbit/s", narrow(50_000)), ("uneven", unsteady)]
    {
        for (student, bad_for) in Student::EITHER.into_iter().flat_map(|it| [(it, 20), (it, 63)]) {
            gone_after(name, nature, student, bad_for, 8);
        }
    }
    // Longer than the padding lasts that is there from the start, and than feelers leave often.
    gone_after("50 kbit/s", narrow(50_000), Student::EITHER[0], 420, 10);
}

/// The words about a link that is bad for so many seconds come once, and are gone so long after it got well.
fn gone_after(name: &str, nature: Nature, student: Student, bad_for: u64, at_most: u64) {
    let mut world = World::of(student, Nature::good(DELAY), EVERYTHING, 1);
    world.receiver.reports[1] = receiver::SELDOM;
    world.run(seconds(5));
    world.set(nature);
    world.run(seconds(bad_for));
    let over = world.now - world.start;
    let before = world.told.clone();
    world.set(Nature::good(DELAY));
    world.run(seconds(14));
    print(&world, &format!("{name} for {bad_for} s, {student}"));
    assert!(before.len() <= 3, "{name}, {student}: pictures come and go: {before:?}");
    let (back, stopped) = world.told.last().copied().expect("a word");
    println!("{name}, {student}: gone after {:?}", back.saturating_sub(over));
    assert!(!stopped && back > over + seconds(3), "{name}, {student}: {:?}", world.told);
    assert!(back <= over + seconds(at_most), "{name}, {student}: {back:?}, over at {over:?}");
}

/// An encoder adds error correction only for losses that it hears of; more than a quarter costs the voice itself.
#[test]
fn what_a_listener_loses_on_any_thread_is_told_to_the_speaker() {
    for student in Student::EITHER {
        for (loss, expected) in [(0, 0..=0), (20, 35..=64), (60, 64..=64)] {
            let mut world = World::of(student, losing(Loss::Each(loss)), Program::default(), 1);
            world.run(seconds(20));
            let until = world.start + seconds(10);
            let told =
                world.publisher.losses.iter().filter(|(at, _)| *at > until).map(|(_, loss)| u32::from(*loss));
            let told: Vec<u32> = told.collect();
            let mean = told.iter().sum::<u32>() / told.len() as u32;
            assert!(told.len() >= 9 && told.iter().all(|it| *it <= 64), "{loss} %, {student}: {told:?}");
            assert!(expected.contains(&mean), "{loss} %, {student}: {told:?}");
        }
    }
}

#[test]
fn redundancy_reaches_listeners_of_any_thread_and_browser() {
    for student in Student::ALL {
        let mut world = World::of(student, losing(Loss::Each(20)), Program::default(), 1);
        // Who gets each packet again tells of no losses while they are mended: protection learns how long to hold.
        world.run(seconds(215));
        let missed = world.missed(seconds(115), seconds(214));
        println!("20 %, {student}: {missed:.2} % missed");
        assert!(missed <= 1.5, "{student}: {missed} % missed");
    }
}

#[test]
fn bearable_losses_cost_the_size_of_pictures_only() {
    for loss in [Loss::Each(10), Loss::Bursts { every: 100, length: 8 }] {
        let jitter = Duration::from_millis(30);
        let world = lesson(Nature { jitter, ..losing(loss) }, EVERYTHING, seconds(15));
        print(&world, &format!("{loss:?}"));
        assert!(world.told.is_empty());
        assert!(world.longest_silence(seconds(1), seconds(15)) <= SILENCE);
        assert!(world.shown(Slot::SCREEN, seconds(3), seconds(15)) > 12 * 5);
        assert!(world.shown(Slot::FIRST_CAMERA, seconds(3), seconds(15)) > 12 * 15);
    }
}

/// The moment at which the link gets narrow meets any part of a picture.
#[test]
fn fifty_kilobits_are_judged_too_narrow_for_pictures_within_five_seconds() {
    for student in Student::EITHER {
        for before in [5_000, 5_100, 5_300, 5_600, 8_100] {
            let mut world = World::of(student, Nature::good(DELAY), EVERYTHING, 1);
            world.run(Duration::from_millis(before));
            world.set(narrow(50_000));
            world.run(seconds(30));
            print(&world, &format!("50 kbit/s after {before} ms, {student}"));
            let (narrowed, told) = (Duration::from_millis(before), &world.told);
            let &(first, stopped) = told.first().expect("a word");
            assert!(stopped && first < narrowed + seconds(5), "{student}, {before} ms: {told:?}");
            assert_eq!(told.len(), 1, "{student}, {before} ms: it is felt, not tried: {told:?}");
        }
    }
}

#[test]
fn layers_that_nobody_receives_rest_and_are_back_within_a_second() {
    let mut world = lesson(narrow(700_000), EVERYTHING, seconds(12));
    world.set(Nature::good(DELAY));
    world.run(seconds(14));
    print(&world, "700 kbit/s, then wide");
    let is_told = |layers: [bool; 3]| world.wanted.iter().rfind(|(_, told)| *told == layers);
    let (rested, _) = is_told([true, false, true]).expect("the middle one rests at last");
    assert!(*rested > seconds(12));
    assert!(world.shown(Slot::FIRST_CAMERA, seconds(20), seconds(26)) > 6 * 22);
    let sum: u32 = CAMERA_RATES.iter().sum();
    assert!(world.padding().1 < 26 * sum as usize / 8);
}

/// Bits per second of pictures that came in a span of the lesson.
fn rate(world: &World, from: u64, until: u64) -> usize {
    world.pictures(seconds(from), seconds(until)) * 8 / (until - from) as usize
}

#[test]
fn a_film_and_a_camera_are_back_within_ten_seconds() {
    // The end of the narrow time meets every moment between two probes; delays that vary look like the end of the link to one.
    for (jitter, narrow_for) in [
        (0, 30),
        (0, 32),
        (0, 35),
        (20, 30),
        (20, 35),
        (40, 30),
        (40, 32),
        (40, 35),
        (60, 30),
        (60, 33),
        (60, 35),
        (0, 50),
    ] {
        let program = Program { camera: true, screen: Some(FILM), late: AT_ONCE };
        let jitter = Duration::from_millis(jitter);
        let mut world = lesson(Nature { jitter, ..Nature::good(DELAY) }, program, seconds(15));
        world.set(Nature { jitter, ..narrow(250_000) });
        world.run(seconds(narrow_for));
        world.set(Nature { jitter, ..Nature::good(DELAY) });
        world.run(seconds(14));
        print(&world, &format!("wide, 250 kbit/s, wide, with a jitter of {jitter:?}"));
        let (wanted, wide) = (rate(&world, 10, 15), 15 + narrow_for);
        let back = (wide..wide + 12).find(|&at| rate(&world, at, at + 2) * 10 >= wanted * 8);
        assert!(back.is_some_and(|at| at <= wide + 10), "{wanted} bit/s; from {wide} s on, back at {back:?}");
    }
}

#[test]
fn a_clock_on_a_page_ticks_each_second_at_a_hundred_kilobits() {
    let program = Program { camera: true, screen: Some(CLOCK), late: AT_ONCE };
    let world = lesson(narrow(100_000), program, seconds(90));
    print(&world, "a clock at 100 kbit/s");
    let first = world.first_shown(Slot::SCREEN, 0, Duration::ZERO).expect("a picture");
    assert!(first < seconds(10), "{first:?}");
    let blank =
        (first.as_secs() + 1..90).find(|&at| world.shown(Slot::SCREEN, seconds(at), seconds(at + 1)) == 0);
    assert_eq!(blank, None, "a picture each second");
}

/// Jitter of the link, and when it gets narrow, in milliseconds.
const SHARED: [(u64, u64); 5] = [(0, 8_000), (0, 9_100), (5, 8_700), (10, 8_333), (20, 9_100)];

/// A lesson with a camera, whose link gets narrow at 100 kbit/s; ten seconds later this is shared for so long. Also when, from the
/// beginning on.
fn share_on_a_narrow_link(
    screen: Slide,
    before_ms: u64,
    jitter_ms: u64,
    length: Duration,
) -> (World, Duration) {
    let camera = Program { camera: true, screen: None, late: AT_ONCE };
    let mut world = lesson(Nature::good(DELAY), camera, Duration::from_millis(before_ms));
    world.set(Nature { jitter: Duration::from_millis(jitter_ms), ..narrow(100_000) });
    world.run(seconds(10));
    let shared = world.now - world.start;
    world.begin(Program { screen: Some(screen), ..camera });
    world.run(length);
    (world, shared)
}

#[test]
fn a_clock_that_is_shared_on_a_narrow_link_ticks_from_its_first_second_on() {
    for (jitter, before) in SHARED {
        let (world, shared) = share_on_a_narrow_link(CLOCK, before, jitter, seconds(65));
        print(&world, "a clock, shared at 100 kbit/s");
        let first = world.first_shown(Slot::SCREEN, 0, shared).expect("a picture");
        assert!(first < shared + seconds(10), "{:?}", first - shared);
        let blank: Vec<Duration> = (0..55)
            .map(|at| first + seconds(at))
            .filter(|&at| world.shown(Slot::SCREEN, at, at + Duration::from_millis(1_040)) == 0)
            .collect();
        assert!(blank.is_empty(), "jitter {jitter} ms: nothing new at {blank:?}");
    }
}

/// As `voice.steady` of the benches, and with the same digits.
#[test]
fn digits_that_hardly_fit_a_hundred_kilobits_are_new_each_second() {
    for (jitter, before) in SHARED {
        let (world, shared) = share_on_a_narrow_link(DIGITS, before, jitter, seconds(66));
        print(&world, "digits, shared at 100 kbit/s");
        let first = world.first_shown(Slot::SCREEN, 0, shared).expect("a picture");
        let span = Duration::from_millis(1_050);
        let blank: Vec<Duration> = (0..56)
            .map(|at| first + span * at)
            .filter(|&at| world.shown(Slot::SCREEN, at, at + span) == 0)
            .collect();
        let frames = world.shown(Slot::SCREEN, first, first + seconds(60));
        let silence = world.longest_silence(shared, shared + seconds(60));
        println!("{frames} frames in a minute, the voice silent for {silence:?}");
        assert!(blank.is_empty(), "jitter {jitter:?} ms: nothing new at {blank:?}");
        assert!(frames > 80 && silence <= SILENCE, "jitter {jitter:?} ms: {frames}, {silence:?}");
        assert!(world.told.is_empty(), "it is a link for pictures: {:?}", world.told);
    }
}

/// Whatever thread the student is on: the teacher hears how little the widest link takes, and that it takes all again.
#[test]
fn where_every_link_is_narrow_the_screen_is_made_to_fit_and_a_wide_one_lifts_that() {
    for student in Student::EITHER {
        let camera = Program { camera: true, screen: None, late: AT_ONCE };
        let mut world = World::of(student, Nature::good(DELAY), camera, 1);
        world.run(seconds(8));
        world.set(narrow(100_000));
        world.run(seconds(10));
        let shared = world.now - world.start;
        world.begin(Program { screen: Some(CLOCK), ..camera });
        world.run(seconds(40));
        let over = world.now - world.start;
        world.set(Nature::good(DELAY));
        world.run(seconds(15));
        print(&world, &format!("a clock at 100 kbit/s, {student}: {:?}", world.rates));
        let asked = world.rates.iter().filter(|(at, _)| *at < over);
        let lowest = asked.filter_map(|(_, rate)| *rate).min().expect("less was asked for");
        assert!(lowest < 80_000, "{student}: {:?}", world.rates);
        let shown = world.shown(Slot::SCREEN, shared + seconds(8), over);
        assert!(shown > 32 * 2 * 9 / 10, "{student}: {shown} frames of 64");
        assert!(world.longest_silence(shared, over) <= SILENCE);
        let &(lifted, last) = world.rates.last().expect("a word");
        assert!(last.is_none() && lifted < over + seconds(10), "{student}: {:?}", world.rates);
        assert!(world.rates.len() < 16, "{student}: {:?}", world.rates);
    }
}

#[test]
fn no_frame_is_left_out_of_a_clock_that_fits_the_link() {
    let (world, _) = share_on_a_narrow_link(HANDS, 8_000, 0, seconds(60));
    print(&world, "hands of a clock at 100 kbit/s");
    let shown = world.shown(Slot::SCREEN, seconds(38), seconds(78));
    assert!(shown > 40 * 2 * 9 / 10, "{shown} frames of 80");
}

#[test]
fn a_layer_that_its_publisher_stops_in_the_middle_of_a_picture_leaves_nobody_in_the_dark() {
    // What was not sent any more has numbers, or none.
    for gap in [false, true] {
        let mut world = lesson(Nature::good(DELAY), Program { screen: None, ..EVERYTHING }, seconds(5));
        world.publisher.stop_in_the_middle(gap);
        world.run(seconds(6));
        let again = world.now - world.start;
        world.publisher.go_on();
        world.run(seconds(5));
        print(&world, &format!("a layer stops in the middle of a picture, numbers left: {gap}"));
        let smaller =
            world.first_shown(Slot::FIRST_CAMERA, 0, seconds(5) + 2 * DELAY).expect("a smaller one");
        let back = world.first_shown(Slot::FIRST_CAMERA, WIDE, again).expect("the large picture");
        println!(
            "the smaller one after {:?}, the large one again after {:?}",
            smaller - seconds(5),
            back - again
        );
        // Until the silence of one layer tells that it is off, and a key frame of the other came.
        assert!(smaller < seconds(6) + seconds(1) / 4, "{smaller:?}");
        assert!(world.shown(Slot::FIRST_CAMERA, seconds(7), again) > 3 * 22);
        assert!(back < again + seconds(1), "{:?}", back - again);
    }
}

#[test]
fn the_first_key_frame_of_a_screen_is_not_asked_for_once_more() {
    for nature in [Nature::good(DELAY), narrow(100_000)] {
        let mut world = lesson(nature, Program::default(), seconds(2));
        world.begin(Program { screen: Some(SLIDE), ..Program::default() });
        world.run(seconds(12));
        print(&world, "a screen");
        assert!(world.first_shown(Slot::SCREEN, 0, seconds(2)).is_some());
        assert_eq!(world.publisher.key_frames, 1);
    }
}

/// Large layers need longer to the server, and each has a clock of its own; the teacher's wall clock shows another time than
/// ours.
#[test]
fn voice_and_picture_stay_in_step_over_twenty_layer_switches() {
    let late = [20, 80, 160].map(Duration::from_millis);
    let mut world = World::new(Nature::good(DELAY), Program { camera: true, screen: None, late }, 1);
    world.run(seconds(3));
    for switch in 0..20 {
        world.cap(Slot::FIRST_CAMERA, if switch % 2 == 0 { LayerCap::LOW } else { LayerCap::FULL });
        world.run(seconds(2));
    }
    let skews = world.skews(seconds(3));
    let widths: Vec<u16> = skews.iter().map(|skew| skew.width).collect();
    let switches = widths.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let worst = skews.iter().map(|skew| skew.seconds.abs()).fold(0.0, f64::max);
    println!("{} pictures, {switches} switches, at most {:.1} ms out of step", skews.len(), worst * 1_000.0);
    assert!(switches >= 20, "{switches}");
    assert!(skews.len() > 40 * 20, "{}", skews.len());
    assert!(worst < 0.02, "{worst} s out of step");
}

#[test]
fn a_layer_that_rested_is_back_within_a_second() {
    let mut world = lesson(Nature::good(DELAY), Program { screen: None, ..EVERYTHING }, seconds(3));
    for round in 0..5 {
        world.cap(Slot::FIRST_CAMERA, LayerCap::LOW);
        world.run(seconds(5));
        let (_, told) = world.wanted.last().expect("a word");
        assert_eq!(told, &[true, false, false], "nobody receives the others");
        let asked = world.now - world.start;
        let before = world.shown(Slot::FIRST_CAMERA, asked - seconds(1), asked);
        world.cap(Slot::FIRST_CAMERA, LayerCap::FULL);
        world.run(seconds(3));
        let back = world.first_shown(Slot::FIRST_CAMERA, WIDE, asked).expect("the large picture");
        println!("round {round}: {:?}, {before} pictures in the second before", back - asked);
        assert!(back - asked < seconds(1), "{:?}", back - asked);
    }
}

/// So long before the first picture everybody is there.
const BEFORE: Duration = Duration::from_secs(2);

/// A lesson of which pictures begin when all are there.
fn awaited(nature: Nature, program: Program, length: Duration) -> World {
    let mut world = lesson(nature, Program::default(), BEFORE);
    world.begin(program);
    world.run(length);
    world
}

#[test]
fn pictures_begin_whole_on_a_wide_link() {
    let film = Program { camera: true, screen: Some(FILM), late: AT_ONCE };
    for jitter in [0, 20] {
        let nature = Nature { jitter: Duration::from_millis(jitter), ..Nature::good(DELAY) };
        let world = awaited(nature, film, seconds(10));
        print(&world, &format!("a film and a camera, all at once, jitter {jitter} ms"));
        let (first, wanted) = (rate(&world, 2, 4), rate(&world, 8, 12));
        assert_eq!(world.down.overflowed, 0);
        assert!(world.padding().0 < 80_000, "{}", world.padding().0);
        if jitter > 0 {
            continue;
        }
        assert!(first * 100 >= wanted * 80, "{first} bit/s in the first two seconds, {wanted} later");
        assert!(world.seconds[2][1] > 10_000, "{:?}", world.seconds[2]);
        let small = |it: &&receiver::Shown| it.slot == Slot::FIRST_CAMERA && it.width < WIDE;
        let small = world.receiver.shown.iter().filter(small).count();
        println!("{small} small pictures, {first} bit/s at first, {wanted} later");
        assert!(small <= 12, "{small} pictures in a smaller size");
    }
}

#[test]
fn a_look_at_a_narrow_link_costs_no_voice_and_spares_it_the_first_pictures() {
    for kbps in [60, 100, 250, 500] {
        let world = awaited(narrow(kbps * 1_000), EVERYTHING, seconds(13));
        print(&world, &format!("{kbps} kbit/s, looked at before"));
        let before = world.silence(Duration::from_millis(100), BEFORE);
        assert!(before.0 <= SILENCE * 5 / 4, "{kbps} kbit/s: {before:?}");
        let [overflowed, padding, estimate] = world.seconds[2];
        assert!(overflowed == 0 && padding < 3_000, "{:?}", world.seconds[2]);
        assert!(estimate <= kbps as usize, "{estimate} of {kbps} kbit/s");
        let silence = world.longest_silence(seconds(1), seconds(15));
        let bearable = if kbps == 60 { SILENCE * 3 / 2 } else { SILENCE };
        assert!(silence <= bearable, "{kbps} kbit/s: {silence:?}");
    }
}
