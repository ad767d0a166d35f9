//! What is read from the journal comes late: the lesson goes on meanwhile, each event comes once, and lines keep their order.

use std::{sync::Arc, time::Duration};

use qism_signaling::{
    hub::{
        envelope::{Content, Envelope},
        memory_bus::Wire,
        ports::MediaEvent,
    },
    protocol::{ClientFrame, Command, CommandId, Event, Recipients, ServerFrame, Source},
};
use uuid::Uuid;

use crate::class::{Class, Seated, incarnation, settle, wait};

/// Two nodes: the teacher on the first; on the second a student who speaks, and a director. That one reads a line whose letter was
/// lost, and the answer is on its way for two seconds.
struct Late {
    classes: Vec<Class>,
    wire: Arc<Wire>,
    teacher: Seated,
    student: Seated,
    director: Seated,
}

async fn late() -> Late {
    let (classes, wire) = Class::on_nodes(2, 1);
    let user = classes[0].students[0];
    let mut teacher = classes[0].enter(classes[0].teacher).await;
    let mut student = classes[1].enter(user).await;
    let director = classes[1].enter(classes[1].director).await;
    settle().await;
    teacher.ask(Command::GiveFloor { user }).await.expect("given");
    settle().await;
    student.ask(Command::Publish { source: Source::Microphone, muted: false }).await.expect("published");
    student.now().await;
    classes[0].journal.set_read_delay_ms(2_000);
    wire.lose(1);
    teacher.say("lost on the way").await.expect("said");
    let reads = classes[0].journal.reads();
    // Until the heads have been compared.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(classes[0].journal.reads(), reads + 1);
    classes[1].media.take();
    Late { classes, wire, teacher, student, director }
}

async fn send(seat: &Seated, command: Command) {
    let id = CommandId(Uuid::now_v7());
    seat.attached.receive(ClientFrame::Command { id, command }).await;
}

fn say(text: &str) -> Command {
    Command::Say { text: text.into(), to: Recipients::Everyone }
}

fn said(class: &Class) -> Vec<String> {
    let text = |event| match event {
        Event::Said { text, .. } => text,
        _ => None,
    };
    class.log().into_iter().filter_map(text).collect()
}

#[tokio::test(start_paused = true)]
async fn who_speaks_is_told_and_a_mute_shuts_the_gate_while_the_journal_is_read() {
    let Late { classes, mut student, director, .. } = late().await;
    let (here, user) = (&classes[1], classes[1].students[0]);
    let speaking = MediaEvent::Speaking { lesson: here.lesson, users: vec![user] };
    here.media_events.send(speaking).await.expect("the hub listens");
    let frames = student.now().await;
    let is_told =
        |frame: &ServerFrame| matches!(frame, ServerFrame::Speaking { users } if users[..] == [user]);
    assert!(frames.iter().any(is_told), "{frames:?}");
    send(&director, Command::Mute { user }).await;
    settle().await;
    let orders = here.media.take();
    let is_shut = |order: &String| order.contains("Permit") && !order.contains("Microphone");
    assert!(orders.iter().any(is_shut), "{orders:?}");
    assert!(student.lines().await.is_empty(), "still on its way");
    wait(3).await;
    assert_eq!(student.lines().await, ["lost on the way"]);
    assert!(matches!(here.log().last(), Some(Event::MutedSet { .. })), "{:?}", here.log().last());
}

#[tokio::test(start_paused = true)]
async fn what_letters_bring_while_the_journal_is_read_comes_once() {
    let Late { classes, wire, mut teacher, mut student, .. } = late().await;
    let log = classes[0].journal.log(classes[0].lesson);
    let events = vec![log.last().expect("the line").clone()];
    let (from, lesson) = (incarnation(1), classes[0].lesson);
    wire.inject(Envelope { from, lesson, content: Content::Events { events } });
    assert_eq!(student.lines().await, ["lost on the way"], "the letter came after all");
    teacher.say("newer than the answer").await.expect("said");
    assert_eq!(student.lines().await, ["newer than the answer"]);
    wait(3).await;
    let frames = student.now().await;
    let is_history = |frame: &ServerFrame| matches!(frame, ServerFrame::Event(_) | ServerFrame::Reset { .. });
    assert!(!frames.iter().any(is_history), "{frames:?}");
    send(&student, say("and on")).await;
    settle().await;
    assert_eq!(teacher.lines().await, ["and on"]);
}

/// The journal went back to an older state, and answers late.
async fn with_a_lost_tail() -> (Class, Seated, Vec<Seated>) {
    let class = Class::of(1);
    let (mut teacher, students) = class.full().await;
    let restored = class.journal.log(class.lesson);
    teacher.say("in the lost tail").await.expect("said");
    class.journal.replace(class.lesson, restored);
    class.journal.set_read_delay_ms(300);
    (class, teacher, students)
}

#[tokio::test(start_paused = true)]
async fn lines_keep_their_order_while_another_history_is_read() {
    let (class, _teacher, mut students) = with_a_lost_tail().await;
    for text in ["first", "second"] {
        send(&students[0], say(text)).await;
        settle().await;
    }
    assert_eq!(said(&class), Vec::<String>::new());
    wait(2).await;
    assert_eq!(said(&class), ["first", "second"]);
    let frames = students[0].now().await;
    let accepted = frames.iter().filter(|frame| matches!(frame, ServerFrame::Accepted { .. })).count();
    assert_eq!(accepted, 2, "{frames:?}");
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_does_not_answer_refuses_what_waits_for_it() {
    let (class, mut teacher, mut students) = with_a_lost_tail().await;
    send(&students[0], say("first")).await;
    settle().await;
    class.journal.set_down(true);
    send(&students[0], say("second")).await;
    wait(2).await;
    class.journal.set_down(false);
    wait(2).await;
    let frames = students[0].now().await;
    let refused = frames.iter().filter(|frame| matches!(frame, ServerFrame::Refused { .. })).count();
    assert_eq!((refused, said(&class).len()), (2, 0), "{frames:?}");
    teacher.say("the lesson goes on").await.expect("said");
}
