//! Fifteen hundred present: whoever sees them all is told page by page. A single frame was once longer than a reader may have
//! waiting: the teacher was closed as too slow, came back, and got the same.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use qism_signaling::{
    hub::{Attached, OutboxReader, Outgoing},
    protocol::{
        ClientFrame, Command, CommandId, Event, LeftReason, Participant, Person, Position, Recipients, Role,
        ServerFrame, Snapshot, UserId, limits,
    },
};
use uuid::Uuid;

use crate::class::{Class, Seated, wait};

/// More than the people of one page.
const SOME_PAGES: u128 = 300;

/// What a client knows of the people, from all it was sent.
#[derive(Default)]
struct Known {
    people: HashSet<UserId>,
    participants: HashMap<UserId, Participant>,
    students_present: u32,
    position: Position,
}

impl Known {
    fn start(&mut self, snapshot: &Snapshot) {
        self.participants = snapshot.participants.iter().map(|p| (p.user, p.clone())).collect();
        self.students_present = snapshot.students_present;
        self.position = snapshot.position;
    }

    fn meet(&mut self, people: &[Person]) {
        self.people.extend(people.iter().map(|person| person.user));
    }

    fn follow(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Welcome(welcome) => {
                self.meet(&welcome.people);
                welcome.snapshot.iter().for_each(|snapshot| self.start(snapshot));
            }
            ServerFrame::Reset { snapshot, people } => {
                self.people.clear();
                self.meet(people);
                self.start(snapshot);
            }
            ServerFrame::People { people, participants } => {
                self.meet(people);
                self.participants.extend(participants.iter().map(|p| (p.user, p.clone())));
            }
            ServerFrame::Counts { students_present } => self.students_present = *students_present,
            ServerFrame::Event(logged) => {
                self.position = Position { number: logged.number, chain: logged.chain };
                if let Event::Left { user, reason: LeftReason::Chosen, .. } = logged.event {
                    self.participants.remove(&user);
                }
            }
            _ => {}
        }
    }

    /// Reads until nothing comes for two seconds; no frame is longer than a page.
    async fn read(&mut self, reader: &mut OutboxReader) {
        while let Ok(next) = tokio::time::timeout(Duration::from_secs(2), reader.next()).await {
            self.take(next);
        }
    }

    fn take(&mut self, next: Option<Outgoing>) -> ServerFrame {
        let Some(Outgoing::Frame(text)) = next else { panic!("closed: {next:?}") };
        assert!(text.len() <= limits::PAGE_BYTES, "{} bytes", text.len());
        let frame = serde_json::from_slice(&text).expect("a frame");
        self.follow(&frame);
        frame
    }
}

async fn attach(class: &Class, user: UserId, position: Option<Position>) -> (Attached, OutboxReader) {
    class.hub.attach(class.entry(user, user.0.as_u128()), position).await.expect("attached")
}

/// Everybody but the teacher is here.
async fn students(class: &Class) -> Vec<Seated> {
    let mut seated = Vec::new();
    for student in &class.students {
        seated.push(class.enter(*student).await);
    }
    seated
}

#[tokio::test(start_paused = true)]
async fn the_teacher_of_fifteen_hundred_comes_in_last_a_director_visits_and_a_reset_closes_neither() {
    let class = Class::of(1_500);
    let students = students(&class).await;
    let mut seated = Vec::new();
    for user in [class.teacher, class.director] {
        let (attached, mut reader) = attach(&class, user, None).await;
        let mut known = Known::default();
        let first = known.take(reader.next().await);
        assert!(matches!(first, ServerFrame::Welcome(_)));
        assert!(known.participants.contains_key(&user) && known.people.contains(&class.teacher));
        assert!(known.participants.len() < 500, "the others follow");
        known.read(&mut reader).await;
        assert!(class.students.iter().all(|student| known.people.contains(student)));
        assert!(class.students.iter().all(|student| known.participants.contains_key(student)));
        assert_eq!(known.students_present, 1_500);
        seated.push((attached, reader, known));
    }
    drop(students);
    let say = Command::Say { text: "lost with the tail".into(), to: Recipients::Everyone };
    let line = ClientFrame::Command { id: CommandId(Uuid::now_v7()), command: say };
    seated[0].0.receive(line).await;
    for (_, reader, known) in &mut seated {
        known.read(reader).await;
    }
    let mut log = class.journal.log(class.lesson);
    log.pop();
    class.journal.replace(class.lesson, log);
    for (_, reader, known) in &mut seated {
        known.people.clear();
        known.participants.clear();
        known.read(reader).await;
        assert!(class.students.iter().all(|student| known.people.contains(student)));
        assert!(class.students.iter().all(|student| known.participants.contains_key(student)));
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_has_one_page_waiting_and_who_leaves_meanwhile_is_not_counted() {
    let class = Class::of(SOME_PAGES);
    let mut students = students(&class).await;
    let (_attached, mut reader) = attach(&class, class.teacher, None).await;
    let mut known = Known::default();
    known.take(reader.next().await);
    wait(3).await;
    let untold = students.iter().position(|student| !known.participants.contains_key(&student.entry.user));
    let mut leaver = students.swap_remove(untold.expect("the first page has not all"));
    leaver.ask(Command::Leave {}).await.expect("left");
    let waiting: usize = std::iter::from_fn(|| reader.try_next())
        .map(|next| {
            known.take(Some(next.clone()));
            if let Outgoing::Frame(text) = next { text.len() } else { 0 }
        })
        .sum();
    assert!(waiting <= 2 * limits::PAGE_BYTES, "{waiting} bytes");
    known.read(&mut reader).await;
    assert_eq!(known.participants.values().filter(|p| p.role == Role::Student).count(), 299);
    assert_eq!(known.students_present, 299);
}

#[tokio::test(start_paused = true)]
async fn who_is_cut_off_between_two_pages_is_told_of_all_after_the_return() {
    let class = Class::of(SOME_PAGES);
    let _students = students(&class).await;
    let (attached, mut reader) = attach(&class, class.teacher, None).await;
    let mut known = Known::default();
    known.take(reader.next().await);
    attached.disconnected().await;
    let (_attached, mut reader) = attach(&class, class.teacher, Some(known.position)).await;
    known.read(&mut reader).await;
    assert_eq!(known.participants.len(), 301);
    assert_eq!(known.people.len(), 301);
}
