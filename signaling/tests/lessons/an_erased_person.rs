//! The school erases a person: what they wrote is gone from open lessons, for those who are there and those who come back.

use qism_signaling::{
    hub::fleet::Fleet,
    protocol::{CloseCode, Command, EVENT_FORMAT, Event, Logged, Name, RemovalReason, ServerFrame, UserId},
};
use tokio::time::Instant;

use crate::class::{Class, Seated, incarnation, settle, wait};

const WORD: &str = "somebody wrote this";

/// The first student says two lines, the second one; the teacher puts the first out with a note, and lets them in again.
async fn with_words(class: &Class, teacher: &mut Seated, students: &mut [Seated]) {
    students[0].say(WORD).await.expect("said");
    students[1].say("bystander").await.expect("said");
    students[0].say(WORD).await.expect("said");
    let (user, reason) = (class.students[0], RemovalReason::Disturbing);
    teacher.ask(Command::Remove { user, reason, note: WORD.into(), keep_out: false }).await.expect("removed");
}

fn has_word(texts: &impl serde::Serialize) -> bool {
    says(texts, WORD)
}

fn says(texts: &impl serde::Serialize, words: &str) -> bool {
    serde_json::to_string(texts).expect("wire types").contains(words)
}

fn erasures(log: &[Event]) -> usize {
    log.iter().filter(|event| matches!(event, Event::Erased { .. })).count()
}

/// Whether the frames say that this person has no name.
fn takes_the_name(frames: &[ServerFrame], user: UserId) -> bool {
    let nameless = |frame: &ServerFrame| match frame {
        ServerFrame::People { people, .. } => {
            people.iter().any(|person| person.user == user && person.name == Name::default())
        }
        _ => false,
    };
    frames.iter().any(nameless)
}

#[tokio::test(start_paused = true)]
async fn what_they_wrote_is_gone_for_those_who_are_there_and_those_who_come_back() {
    let class = Class::of(3);
    let (mut teacher, mut students) = class.full().await;
    let away = students.pop().expect("three");
    let (session, position) = (away.entry.session.0.as_u128(), away.position);
    drop((away.attached, away.reader));
    with_words(&class, &mut teacher, &mut students).await;
    let erased = class.students[0];
    let mut anew = class.enter(erased).await;
    assert!(has_word(&class.log()));
    teacher.now().await;
    students[1].now().await;

    for _ in 0..3 {
        class.hub.erase(erased).await;
    }
    assert_eq!(anew.closed().await, CloseCode::Withdrawn);
    for seat in [&mut teacher, &mut students[1]] {
        let told = seat.now().await;
        assert!(takes_the_name(&told, erased), "{told:?}");
        let mut events = told.iter().filter_map(|frame| match frame {
            ServerFrame::Event(Logged { event, .. }) => Some(event),
            _ => None,
        });
        assert!(events.next_back().is_some_and(|last| *last == Event::Erased { user: erased }), "{told:?}");
    }
    assert_eq!(erasures(&class.log()), 1, "told three times, written once");
    assert!(!has_word(&class.log()), "the log lost the texts with the same commit");

    let mut back = class.try_enter(class.students[2], session, Some(position)).await.expect("admitted");
    assert!(back.welcome.as_ref().is_some_and(|welcome| welcome.snapshot.is_none()), "told what was missed");
    let people = &back.welcome.as_ref().expect("welcomed").people;
    assert!(people.iter().all(|person| person.user != erased || person.name == Name::default()));
    let missed = back.now().await;
    assert!(!has_word(&missed) && says(&missed, "bystander"), "{missed:?}");
    teacher.ask(Command::Report { note: "look".into() }).await.expect("reported");
    settle().await;
    assert!(!has_word(&class.admissions.notices().pop()), "a report takes nothing along");
}

#[tokio::test(start_paused = true)]
async fn several_nodes_write_it_once_and_all_forget() {
    let (nodes, _wire) = Class::on_nodes(2, 2);
    let mut teacher = nodes[0].enter(nodes[0].teacher).await;
    let mut student = nodes[1].enter(nodes[1].students[0]).await;
    let mut other = nodes[1].enter(nodes[1].students[1]).await;
    student.say(WORD).await.expect("said");
    teacher.until(|event| matches!(event, Event::Said { .. })).await;
    let erased = nodes[0].students[0];
    for node in &nodes {
        node.hub.erase(erased).await;
    }
    assert_eq!(student.closed().await, CloseCode::Withdrawn);
    for seat in [&mut teacher, &mut other] {
        seat.until(|event| *event == Event::Erased { user: erased }).await;
    }
    wait(2).await;
    assert_eq!((erasures(&nodes[0].log()), has_word(&nodes[0].log())), (1, false));
}

#[tokio::test(start_paused = true)]
async fn an_older_server_delays_the_event_and_not_the_removal() {
    let class = Class::of(2);
    let (mut teacher, mut students) = class.full().await;
    students[0].say(WORD).await.expect("said");
    let seen = || Fleet::seen(vec![incarnation(1), incarnation(2)], Vec::new(), Instant::now());
    class.hub.see(seen().reading(EVENT_FORMAT - 1));
    class.hub.erase(class.students[0]).await;
    assert_eq!(students[0].closed().await, CloseCode::Withdrawn);
    wait(2).await;
    assert_eq!(erasures(&class.log()), 0);
    class.hub.see(seen().reading(EVENT_FORMAT));
    teacher.until(|event| matches!(event, Event::Erased { .. })).await;
    assert!(!has_word(&class.log()));
}

#[tokio::test(start_paused = true)]
async fn whoever_was_not_in_the_lesson_only_loses_the_name() {
    let class = Class::of(2);
    let mut teacher = class.enter(class.teacher).await;
    class.hub.erase(class.students[0]).await;
    assert!(takes_the_name(&teacher.now().await, class.students[0]));
    assert_eq!(erasures(&class.log()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_line_is_not_told_to_those_who_come_back() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    let away = class.enter(class.director).await;
    let (session, position) = (away.entry.session.0.as_u128(), away.position);
    drop((away.attached, away.reader));
    let number = students[0].say(WORD).await.expect("said");
    teacher.ask(Command::DeleteLine { number }).await.expect("deleted");
    let mut back = class.try_enter(class.director, session, Some(position)).await.expect("admitted");
    let missed = back.now().await;
    assert!(says(&missed, "line_deleted") && !has_word(&missed), "{missed:?}");
}
