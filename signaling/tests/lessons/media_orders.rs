//! Slots: who is seen and heard where, told before the SFU is ordered.

use qism_signaling::{
    hub::ports::MediaEvent,
    protocol::{
        ClientFrame, Command, LegKind, Publication, ReceiveMode, Recipients, ServerFrame, Slot, Source,
        WantedVideo,
    },
};

use crate::class::{Class, Seated, settle, wait};

async fn listen(seated: &Seated) {
    seated.attached.receive(ClientFrame::OpenSubscriber { cameras: 2, packed: false }).await;
    settle().await;
}

fn assigned(frames: &[ServerFrame]) -> Vec<(u8, Option<Publication>)> {
    let slot = |frame: &ServerFrame| match frame {
        ServerFrame::SlotAssigned { slot, publication } => Some((slot.0, *publication)),
        _ => None,
    };
    frames.iter().filter_map(slot).collect()
}

async fn publish(seated: &mut Seated, source: Source) -> Publication {
    seated.ask(Command::Publish { source, muted: false }).await.expect("published");
    Publication { user: seated.entry.user, source }
}

#[tokio::test(start_paused = true)]
async fn the_teachers_voice_has_its_own_slot_and_speakers_keep_theirs() {
    let class = Class::of(6);
    let (mut teacher, mut students) = class.full().await;
    let mut listener = students.pop().expect("six students");
    listen(&listener).await;
    listener.now().await;
    let voice = publish(&mut teacher, Source::Microphone).await;
    assert_eq!(assigned(&listener.now().await), [(0, Some(voice))]);
    let mut voices = Vec::new();
    for student in &mut students {
        teacher.ask(Command::GiveFloor { user: student.entry.user }).await.expect("given");
        voices.push(publish(student, Source::Microphone).await);
    }
    let told = assigned(&listener.now().await);
    assert_eq!(told, [(1, Some(voices[0])), (2, Some(voices[1])), (3, Some(voices[2]))]);
    let speaks = MediaEvent::Speaking { lesson: class.lesson, users: vec![voices[4].user] };
    class.media_events.send(speaks).await.expect("the hub listens");
    let told = assigned(&listener.now().await);
    assert_eq!(told, [(3, Some(voices[4]))], "one changes, the others stay");
}

#[tokio::test(start_paused = true)]
async fn what_is_received_follows_the_mode_and_the_grant() {
    let class = Class::of(2);
    let (mut teacher, mut students) = class.full().await;
    let mut viewer = students.pop().expect("two students");
    let mut shown = students.pop().expect("two students");
    let (screen, face) =
        (publish(&mut teacher, Source::Screen).await, publish(&mut teacher, Source::Camera).await);
    let user = shown.entry.user;
    teacher.ask(Command::GrantCamera { user, to: Recipients::Teachers }).await.expect("granted");
    let own = publish(&mut shown, Source::Camera).await;
    listen(&viewer).await;
    let cameras = [face.user, own.user].map(|user| WantedVideo { user, width: 640, height: 360 }).to_vec();
    let receive = |mode| ClientFrame::Receive { mode, cameras: cameras.clone() };
    viewer.now().await;
    viewer.attached.receive(receive(ReceiveMode::Everything)).await;
    assert_eq!(
        assigned(&viewer.now().await),
        [(6, Some(face))],
        "a classmate's camera is for the teacher only"
    );
    teacher.ask(Command::GrantCamera { user, to: Recipients::Everyone }).await.expect("granted");
    assert_eq!(assigned(&viewer.now().await), [(7, Some(own))]);
    viewer.attached.receive(receive(ReceiveMode::VoiceAndScreen)).await;
    assert_eq!(assigned(&viewer.now().await), [(6, None), (7, None)]);
    viewer.attached.receive(receive(ReceiveMode::Voice)).await;
    assert_eq!(assigned(&viewer.now().await), [(Slot::SCREEN.0, None)]);
    viewer.attached.receive(receive(ReceiveMode::LowVideo)).await;
    let told = assigned(&viewer.now().await);
    assert!(told.contains(&(4, Some(screen))) && told.contains(&(6, Some(face))));
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_keeps_the_slots_and_a_long_cut_loses_the_legs() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    let mut student = students.remove(0);
    publish(&mut teacher, Source::Microphone).await;
    listen(&student).await;
    student.now().await;
    for (seconds, lost) in [(1, false), (8, true)] {
        let (entry, position) = (student.entry, student.position);
        student.attached.disconnected().await;
        wait(seconds).await;
        class.media.take();
        student =
            class.try_enter(entry.user, entry.session.0.as_u128(), Some(position)).await.expect("admitted");
        let frames = student.now().await;
        let told = frames.iter().any(|f| matches!(f, ServerFrame::LegLost { leg: LegKind::Subscriber }));
        assert_eq!(told, lost, "after {seconds} s");
        assert_eq!(assigned(&frames), []);
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_is_told_who_speaks_though_nothing_changed_since() {
    let class = Class::of(1);
    let (teacher, mut students) = class.full().await;
    let student = students.remove(0);
    let (entry, position) = (student.entry, student.position);
    student.attached.disconnected().await;
    let users = vec![teacher.entry.user];
    let speaks = MediaEvent::Speaking { lesson: class.lesson, users: users.clone() };
    class.media_events.send(speaks).await.expect("the hub listens");
    wait(1).await;
    let mut back =
        class.try_enter(entry.user, entry.session.0.as_u128(), Some(position)).await.expect("admitted");
    let told = back.now().await;
    assert!(told.iter().any(|f| matches!(f, ServerFrame::Speaking { users: told } if *told == users)));
}

#[tokio::test(start_paused = true)]
async fn descriptions_go_to_the_media_plane_and_come_back() {
    let class = Class::of(1);
    let (mut teacher, _students) = class.full().await;
    listen(&teacher).await;
    let offer = ClientFrame::PublisherOffer { sdp: "v=0".into(), tracks: Vec::new() };
    teacher.attached.receive(offer).await;
    teacher.attached.receive(ClientFrame::SubscriberAnswer { sdp: "v=0".into() }).await;
    let frames = teacher.now().await;
    assert!(frames.iter().any(|f| matches!(f, ServerFrame::SubscriberOffer { sdp } if sdp == "offer")));
    assert!(frames.iter().any(|f| matches!(f, ServerFrame::PublisherAnswer { sdp } if sdp == "answer")));
}

#[tokio::test(start_paused = true)]
async fn who_takes_packed_offers_gets_each_of_them_so() {
    let class = Class::of(1);
    let (mut teacher, _students) = class.full().await;
    teacher.attached.receive(ClientFrame::OpenSubscriber { cameras: 6, packed: true }).await;
    teacher.attached.receive(ClientFrame::RestartSubscriber {}).await;
    let frames = teacher.now().await;
    assert!(!frames.iter().any(|f| matches!(f, ServerFrame::SubscriberOffer { .. })));
    let packed = frames
        .iter()
        .filter(|f| matches!(f, ServerFrame::PackedOffer { packed } if packed.starts_with("eJ")));
    assert_eq!(packed.count(), 2, "the offer and the one that restarts");
}
