//! A publisher who sends no key frame by itself is asked for one.

use super::*;

/// The same as a key frame of 640 × 360.
pub fn key_frame(number: u16) -> Vec<u8> {
    let mut packet = picture(number);
    packet.truncate(packet.len() - 3);
    packet.extend([0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 0x02, 0x68, 0x01]);
    packet
}

/// A packet of the camera's lower layer in VP8: no key frame.
fn picture(number: u16) -> Vec<u8> {
    let mut packet = vec![0x90, 0x80 | 96];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 6_000).to_be_bytes());
    packet.extend([0, 0, 7, 209, 0xbe, 0xde, 0, 1, 0x10, b'1', 0x20, b'l']);
    packet.extend([0x90, 0x80, 0x80, number as u8, 0x11, 0, 0]);
    packet
}

/// Sends pictures for a second; how many key frames were asked for.
fn asked(lesson: &mut Lesson, first: u16) -> u64 {
    let before = lesson.worker.counters.totals().plis_out;
    for number in first..first + 50 {
        lesson.media(&picture(number));
        lesson.wait(Duration::from_millis(20));
    }
    lesson.worker.counters.totals().plis_out - before
}

#[test]
fn a_camera_that_is_published_again_without_a_key_frame_is_asked_for_one() {
    let identity = Arc::new(Identity::generate().expect("a certificate"));
    let mut lesson = Lesson::begin(&identity);
    assert!(asked(&mut lesson, 100) > 0, "the gate opened after its first key frame");
    let (room, user) = (LessonId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
    for sources in [vec![Source::Microphone], vec![Source::Microphone, Source::Camera]] {
        lesson.obey(MediaOrder::Permit { lesson: room, user, sources });
    }
    let asked = asked(&mut lesson, 200);
    assert!((1..=3).contains(&asked), "{asked}: at most every half second");
}

/// A subscriber says that it lost the picture in this slot (RFC 4585 section 6.3.1).
fn picture_loss(slot: Slot) -> Vec<u8> {
    let ssrc = 10_000 + u32::from(slot.0);
    [&[0x81, 206, 0, 2, 0, 0, 0, 1][..], &ssrc.to_be_bytes()].concat()
}

#[test]
fn a_receiver_who_says_all_the_time_that_the_picture_is_lost_does_not_cost_everybody_a_key_frame_each_time() {
    let identity = Arc::new(Identity::generate().expect("a certificate"));
    let mut lesson = Lesson::begin(&identity);
    let (mut asked, mut is_asked) = (0, true);
    for number in 0..6_000u16 {
        lesson.media(&if std::mem::take(&mut is_asked) { key_frame(number) } else { picture(number) });
        lesson.control(From::Subscriber, &picture_loss(Slot::FIRST_CAMERA));
        lesson.wait(Duration::from_millis(100));
        let now = lesson.worker.counters.totals().plis_out;
        is_asked = std::mem::replace(&mut asked, now) != now;
    }
    assert!((60..=100).contains(&asked), "{asked} in ten minutes");
}
