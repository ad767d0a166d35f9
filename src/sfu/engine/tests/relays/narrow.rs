//! A link that does not bear everything: voices come in time, pictures take what is left.

use super::*;

impl World {
    /// Runs for a while; the share of voices that came within 250 ms of a wait, the longest wait in the link's queue, and the bits per
    /// second that crossed.
    fn watch(&mut self, time: Duration) -> (f64, Duration, u64) {
        let (first, bytes) = (self.sent, self.nodes[0].counters.totals().relay_bytes_out);
        self.waited = Duration::ZERO;
        self.run(time);
        let bitrate = (self.nodes[0].counters.totals().relay_bytes_out - bytes) * 8 / time.as_secs();
        self.run(Duration::from_millis(500));
        let voices = (first..self.sent - 25).map(|count| self.voice[&count].1);
        let in_time = voices.clone().flatten().filter(|took| *took <= TRAVEL + LATEST + STEP).count();
        (in_time as f64 / voices.count() as f64, self.waited, bitrate)
    }
}

/// What nothing waits for longer than.
const LATEST: Duration = Duration::from_millis(250);

/// Voice, 0.9 and 2.1 Mbit/s of pictures.
fn wide_pictures(seed: u64, bitrate: u64) -> World {
    let mut world = World::new(seed);
    (world.parts, world.bitrate) = (10, Some(bitrate));
    world.run(Duration::from_secs(3));
    world
}

#[test]
fn a_link_that_bears_everything_carries_everything_at_once() {
    let mut world = wide_pictures(20, 20_000_000);
    let (voices, queue, bitrate) = world.watch(Duration::from_secs(20));
    println!(
        "20 Mbit/s: {voices:.3} of the voices in time, at most {queue:?} in the queue, {bitrate} bit/s cross"
    );
    assert!(voices == 1.0 && queue < Duration::from_millis(30), "{voices} {queue:?}");
    assert_eq!(world.nodes[0].counters.totals().relay_packets_left_out, 0);
}

#[test]
fn on_a_narrow_link_voices_come_in_time_and_pictures_take_what_is_left() {
    let mut world = wide_pictures(21, 1_600_000);
    println!("found out after waits of up to {:?}", world.waited);
    let pictures = world.passed(Slot::FIRST_CAMERA);
    let (voices, queue, bitrate) = world.watch(Duration::from_secs(30));
    let pictures = world.passed(Slot::FIRST_CAMERA) - pictures;
    println!(
        "1.6 Mbit/s: {voices:.3} in time, {queue:?} in the queue, {bitrate} bit/s cross, {pictures} packets of pictures"
    );
    assert!(voices == 1.0 && queue <= LATEST, "{voices} {queue:?}");
    assert!(pictures > 30 * 500 * 8 / 10, "the lower layer: {pictures}");
}

#[test]
fn a_student_who_sees_the_upper_layer_sees_the_lower_one_soon_after_the_link_got_narrow() {
    let mut world = wide_pictures(25, 20_000_000);
    world.bitrate = Some(1_600_000);
    let (began, mut last, mut longest) = (world.now, world.now, Duration::ZERO);
    let mut before = world.passed(Slot::FIRST_CAMERA);
    while world.now < began + Duration::from_secs(10) {
        world.step();
        let passed = world.passed(Slot::FIRST_CAMERA);
        if passed > before {
            (longest, last, before) = (longest.max(world.now - last), world.now, passed);
        }
    }
    println!("the picture stood still for {longest:?}");
    assert!(longest <= Duration::from_millis(1_200), "{longest:?}");
}

#[test]
fn a_screen_goes_before_cameras() {
    let mut world = World::new(24);
    (world.parts, world.screen) = (10, true);
    let (lesson, user) = (lesson(), teacher());
    for node in 0..2 {
        let sources = vec![Source::Microphone, Source::Camera, Source::Screen];
        world.obey(node, MediaOrder::Permit { lesson, user, sources });
    }
    world.publish(0);
    let leg = student();
    let publication = Some(Publication { user, source: Source::Screen });
    world.obey(1, MediaOrder::Assign { leg, slot: Slot::SCREEN, publication, cap: LayerCap::FULL });
    world.run(Duration::from_secs(3));
    // Screen and lower layer take 0.9 Mbit/s each.
    world.bitrate = Some(1_400_000);
    world.run(Duration::from_secs(5));
    let before = [Slot::SCREEN, Slot::FIRST_CAMERA].map(|slot| world.passed(slot));
    let (voices, queue, bitrate) = world.watch(Duration::from_secs(20));
    let [screen, camera] = [Slot::SCREEN, Slot::FIRST_CAMERA].map(|slot| world.passed(slot));
    let (screen, camera) = (screen - before[0], camera - before[1]);
    println!(
        "1.4 Mbit/s: {voices:.3} in time, {queue:?} in the queue, {bitrate} bit/s; screen {screen}, camera {camera} packets"
    );
    assert!(voices == 1.0 && queue <= LATEST, "{voices} {queue:?}");
    assert!(screen > 20 * 500 * 9 / 10 && camera < screen / 4, "{screen} {camera}");
}

#[test]
fn on_a_link_for_voices_only_there_are_only_voices_until_it_is_wide_again() {
    let mut world = wide_pictures(22, 10_000_000);
    world.bitrate = Some(200_000);
    world.run(Duration::from_secs(3));
    let (voices, queue, bitrate) = world.watch(Duration::from_secs(30));
    println!("200 kbit/s: {voices:.3} in time, {queue:?} in the queue, {bitrate} bit/s cross");
    assert!(voices > 0.99 && queue <= LATEST, "{voices} {queue:?}");
    world.bitrate = Some(10_000_000);
    let began = world.now;
    while world.now < began + Duration::from_secs(60) {
        let before = world.nodes[0].counters.totals().relay_packets_out;
        world.run(Duration::from_secs(1));
        if world.nodes[0].counters.totals().relay_packets_out - before > 1_000 {
            println!("both layers are back after {:?}", world.now - began);
            break;
        }
    }
    assert!(world.now - began <= Duration::from_secs(45), "{:?}", world.now - began);
    let (voices, queue, _) = world.watch(Duration::from_secs(10));
    assert!(voices == 1.0 && queue <= LATEST, "{voices} {queue:?}");
}

#[test]
fn both_layers_are_back_within_two_seconds_of_a_narrow_time() {
    let mut slowest = Duration::ZERO;
    for round in 0..12 {
        let mut world = wide_pictures(40 + round, 10_000_000);
        world.bitrate = Some(1_600_000);
        world.run(Duration::from_secs(18) + Duration::from_millis(370) * round as u32);
        world.bitrate = Some(10_000_000);
        let (began, span) = (world.now, Duration::from_millis(200));
        // Voice and both layers: 1,050 packets a second.
        while world.now < began + Duration::from_secs(20) {
            let before = world.nodes[0].counters.totals().relay_packets_out;
            world.run(span);
            if world.nodes[0].counters.totals().relay_packets_out - before >= 200 {
                break;
            }
        }
        println!("both layers flow again after {:?}", world.now - began - span);
        slowest = slowest.max(world.now - began - span);
    }
    assert!(slowest <= Duration::from_secs(2), "{slowest:?}");
}

#[test]
fn losses_alone_leave_the_pictures_and_heal() {
    let mut world = wide_pictures(23, 20_000_000);
    world.lost = 3;
    let (voices, _, _) = world.watch(Duration::from_secs(20));
    let left_out = world.nodes[0].counters.totals().relay_packets_left_out;
    println!("3 % lost: {voices:.4} in time, {left_out} packets left out");
    assert!(voices > 0.99 && left_out == 0);
}
