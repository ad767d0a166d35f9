//! Of many open microphones the last few voices are heard: at once, and not cut off for the next one.

use std::time::Duration;

use qism_signaling::{
    hub::ports::MediaEvent,
    protocol::{ClientFrame, Command, ServerFrame, Source, UserId},
    room::voice_seats::{HOLD, SEATS},
};

use crate::class::{Class, Seated, settle, stay, wait};

/// Ten students with the floor and open microphones, and one who listens.
struct Talk {
    class: Class,
    everybody: Vec<Seated>,
    listener: Seated,
    /// Who is in the slots of speakers, as the listener was told.
    heard: [Option<UserId>; SEATS],
}

impl Talk {
    async fn begin() -> Self {
        let class = Class::of(11);
        let (mut teacher, mut students) = class.full().await;
        let listener = students.pop().expect("eleven students");
        listener.attached.receive(ClientFrame::OpenSubscriber { cameras: 2, packed: false }).await;
        let open = Command::Publish { source: Source::Microphone, muted: false };
        teacher.ask(open.clone()).await.expect("published");
        for student in &mut students {
            teacher.ask(Command::GiveFloor { user: student.entry.user }).await.expect("given");
            student.ask(open.clone()).await.expect("published");
        }
        let everybody = students.into_iter().chain([teacher]).collect();
        let mut talk = Self { class, everybody, listener, heard: [None; SEATS] };
        talk.look().await;
        talk
    }

    fn student(&self, number: usize) -> UserId {
        self.class.students[number]
    }

    async fn look(&mut self) -> [Option<UserId>; SEATS] {
        for frame in self.listener.now().await {
            if let ServerFrame::SlotAssigned { slot, publication } = frame
                && let Some(place) = usize::from(slot.0).checked_sub(1).filter(|place| *place < SEATS)
            {
                self.heard[place] = publication.map(|it| it.user);
            }
        }
        self.heard
    }

    async fn tell(&self, event: MediaEvent) {
        self.class.media_events.send(event).await.expect("the hub listens");
    }

    async fn begins(&mut self, number: usize) -> bool {
        let (lesson, user) = (self.class.lesson, self.student(number));
        self.tell(MediaEvent::VoiceBegins { lesson, user }).await;
        self.look().await.contains(&Some(user))
    }

    async fn speaking(&mut self, numbers: &[usize]) -> [Option<UserId>; SEATS] {
        let (lesson, users) =
            (self.class.lesson, numbers.iter().map(|number| self.student(*number)).collect());
        self.tell(MediaEvent::Speaking { lesson, users }).await;
        self.look().await
    }

    async fn pass(&self, time: Duration) {
        let mut here: Vec<&Seated> = self.everybody.iter().collect();
        here.push(&self.listener);
        stay(&here, time.as_secs().max(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_voice_is_heard_with_its_first_syllable_and_keeps_its_seat() {
    let mut talk = Talk::begin().await;
    let start = tokio::time::Instant::now();
    assert!(talk.begins(7).await);
    assert!(start.elapsed() <= Duration::from_millis(20), "the hub adds no waiting: {:?}", start.elapsed());
    talk.speaking(&[7]).await;
    talk.speaking(&[]).await;
    talk.pass(Duration::from_secs(60)).await;
    assert!(talk.look().await.contains(&Some(talk.student(7))), "nobody needs the seat");
    wait(1).await;
}

#[tokio::test(start_paused = true)]
async fn three_are_heard_and_each_for_two_seconds() {
    let mut talk = Talk::begin().await;
    for number in [5, 6, 7] {
        assert!(talk.begins(number).await);
    }
    assert!(!talk.begins(8).await, "the others have just begun");
    talk.speaking(&[6, 7]).await;
    talk.pass(HOLD).await;
    assert!(talk.begins(8).await, "the fifth is silent");
    let heard = talk.speaking(&[6, 7, 8]).await;
    assert_eq!(heard.iter().flatten().count(), SEATS);
    assert!(!heard.contains(&Some(talk.student(5))));
}

#[tokio::test(start_paused = true)]
async fn the_slots_of_those_who_go_on_speaking_do_not_change() {
    let mut talk = Talk::begin().await;
    for number in [5, 6, 7] {
        talk.begins(number).await;
    }
    let before = talk.speaking(&[5, 7]).await;
    talk.pass(HOLD).await;
    talk.begins(9).await;
    let after = talk.look().await;
    let changed: Vec<usize> = (0..SEATS).filter(|place| before[*place] != after[*place]).collect();
    assert_eq!(changed.len(), 1, "{before:?} {after:?}");
    assert_eq!(before[changed[0]], Some(talk.student(6)));
}

#[tokio::test(start_paused = true)]
async fn a_closed_microphone_frees_its_seat() {
    let mut talk = Talk::begin().await;
    for number in [5, 6, 7] {
        talk.begins(number).await;
    }
    let muted = Command::SetMuted { source: Source::Microphone, muted: true };
    talk.everybody[6].ask(muted).await.expect("muted");
    settle().await;
    assert!(talk.begins(8).await, "at once");
}
