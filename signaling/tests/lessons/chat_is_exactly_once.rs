//! Chat: acknowledged after the commit, in one order for all, never twice.

use qism_signaling::{
    hub::memory::MemoryJournal,
    protocol::{
        ChatMode, ClientFrame, CloseCode, Command, CommandId, ErrorCode, Event, Pull, Recipients, Role,
        ServerFrame,
    },
    room::chain,
};
use uuid::Uuid;

use crate::class::{Class, settle, stay, user, wait};

#[tokio::test(start_paused = true)]
async fn everybody_reads_the_same_lines_in_the_same_order() {
    let class = Class::of(30);
    let (mut teacher, mut students) = class.full().await;
    for (i, student) in students.iter_mut().enumerate() {
        student.say(&format!("line {i}")).await.expect("said");
    }
    let told = teacher.lines().await;
    assert_eq!(told.len(), 30);
    let log: Vec<String> = class
        .log()
        .into_iter()
        .filter_map(|event| if let Event::Said { text, .. } = event { text } else { None })
        .collect();
    assert_eq!(told, log);
}

#[tokio::test(start_paused = true)]
async fn a_command_sent_again_is_answered_with_its_old_number() {
    let class = Class::of(1);
    let (_teacher, mut students) = class.full().await;
    let id = CommandId(Uuid::now_v7());
    let say = Command::Say { text: "once".into(), to: Recipients::Everyone };
    let first = students[0].ask_as(id, say.clone()).await.expect("said");
    let again = students[0].ask_as(id, say).await.expect("known");
    assert_eq!(first, again);
    let said = class.log().iter().filter(|event| matches!(event, Event::Said { .. })).count();
    assert_eq!(said, 1);
}

#[tokio::test(start_paused = true)]
async fn a_line_sent_again_is_known_even_where_it_would_no_longer_be_allowed() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    teacher.ask(Command::SetChat { mode: ChatMode::Open, slow_mode_s: 30 }).await.expect("set");
    let id = CommandId(Uuid::now_v7());
    let say = Command::Say { text: "once".into(), to: Recipients::Everyone };
    let first = students[0].ask_as(id, say.clone()).await.expect("said");
    assert_eq!(students[0].ask_as(id, say.clone()).await, Ok(first), "not refused by the slow mode");
    teacher.ask(Command::SetChat { mode: ChatMode::Closed, slow_mode_s: 0 }).await.expect("set");
    assert_eq!(students[0].ask_as(id, say).await, Ok(first), "nor by the closed chat");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_acknowledged_while_the_journal_is_down_and_all_goes_on_after() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    class.journal.set_down(true);
    let id = CommandId(Uuid::now_v7());
    let say = Command::Say { text: "kept".into(), to: Recipients::Everyone };
    assert_eq!(students[0].ask_as(id, say.clone()).await, Err(ErrorCode::Unavailable));
    assert_eq!(teacher.lines().await, Vec::<String>::new());
    class.journal.set_down(false);
    students[0].ask_as(id, say).await.expect("said");
    assert_eq!(teacher.lines().await, ["kept"]);
}

#[tokio::test(start_paused = true)]
async fn another_writer_moves_the_head_and_both_histories_become_one() {
    let journal = std::sync::Arc::new(MemoryJournal::default());
    let here = Class::with(2, journal.clone());
    let there = Class::with(2, journal);
    let mut teacher = here.enter(here.teacher).await;
    let mut student = there.enter(there.students[0]).await;
    for round in 0..5 {
        let text = format!("round {round}");
        let (a, b) = tokio::join!(teacher.say(&text), student.say(&text));
        a.expect("said here");
        b.expect("said there");
    }
    wait(2).await;
    teacher.now().await;
    student.now().await;
    assert_eq!(teacher.position, student.position, "the same log on both nodes");
    let mut head = (0, here.journal.log(here.lesson)[0].clone());
    for logged in here.journal.log(here.lesson).into_iter().skip(1) {
        assert_eq!(
            logged.chain,
            chain::next(head.1.chain, logged.sender, logged.command, logged.event.kind())
        );
        head = (head.0 + 1, logged);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restored_backup_resets_everybody_instead_of_forking() {
    let class = Class::of(1);
    let (mut teacher, _students) = class.full().await;
    teacher.say("lost with the backup").await.expect("said");
    let mut log = class.journal.log(class.lesson);
    let last = log.pop().expect("the line");
    let other = chain::log(
        qism_signaling::protocol::Position {
            number: last.number - 1,
            chain: log.last().expect("earlier").chain,
        },
        last.at,
        None,
        CommandId(Uuid::now_v7()),
        Event::Said { user: user(100), to: Recipients::Everyone, text: Some("another history".into()) },
    );
    log.push(other);
    let extra = chain::log(
        qism_signaling::protocol::Position { number: last.number, chain: log[log.len() - 1].chain },
        last.at,
        None,
        CommandId(Uuid::now_v7()),
        Event::LockedSet { locked: true, by: user(100) },
    );
    log.push(extra);
    class.journal.replace(class.lesson, log);
    wait(2).await;
    let reset = teacher
        .now()
        .await
        .into_iter()
        .any(|frame| matches!(frame, ServerFrame::Reset { snapshot, .. } if snapshot.locked));
    assert!(reset);
}

#[tokio::test(start_paused = true)]
async fn who_came_with_a_lost_tail_comes_in_again_and_the_others_go_on() {
    let class = Class::of(1);
    let mut teacher = class.enter(class.teacher).await;
    let before = class.journal.log(class.lesson);
    let mut student = class.enter(class.students[0]).await;
    class.journal.replace(class.lesson, before);
    let line = teacher.say("right after the loss").await;
    assert!(line.is_ok(), "decided again on the history that holds: {line:?}");
    assert_eq!(student.closed().await, CloseCode::Draining);
    let mut back = class.enter(class.students[0]).await;
    back.say("here again").await.expect("said");
    teacher
        .until(|event| matches!(event, Event::Said { text: Some(text), .. } if text == "here again"))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_private_question_reaches_staff_and_its_writer_only() {
    let class = Class::of(2);
    let (mut teacher, mut students) = class.full().await;
    teacher.ask(Command::SetChat { mode: ChatMode::Questions, slow_mode_s: 0 }).await.expect("set");
    students[0].say("may I?").await.expect("said");
    assert_eq!(teacher.lines().await, ["may I?"]);
    let seen = students[1].now().await;
    assert!(
        seen.iter().any(
            |f| matches!(f, ServerFrame::Event(l) if l.event == Event::Withheld {} && l.sender.is_none())
        )
    );
    for seat in [&mut students[1]] {
        seat.attached.receive(ClientFrame::Pull { request: 1, pull: Pull::Chat { before: None } }).await;
        settle().await;
        let page = seat.now().await;
        assert!(page.iter().any(|f| matches!(f, ServerFrame::ChatPage { lines, .. } if lines.is_empty())));
    }
    assert_eq!(teacher.entry.role, Role::Teacher);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_line_loses_its_text_for_good() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    let number = students[0].say("rude").await.expect("said");
    assert_eq!(students[0].ask(Command::DeleteLine { number: 1 }).await, Err(ErrorCode::NoSuchLine));
    teacher.ask(Command::DeleteLine { number }).await.expect("deleted");
    let stored =
        class.journal.log(class.lesson).into_iter().find(|logged| logged.number == number).expect("the line");
    assert!(matches!(stored.event, Event::Said { text: None, .. }));
}

#[tokio::test(start_paused = true)]
async fn slow_mode_and_a_closed_chat_hold_students_not_teachers() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    teacher.ask(Command::SetChat { mode: ChatMode::Open, slow_mode_s: 30 }).await.expect("set");
    students[0].say("one").await.expect("said");
    assert_eq!(students[0].say("two").await, Err(ErrorCode::SlowMode));
    teacher.say("a").await.expect("said");
    teacher.say("b").await.expect("said");
    stay(&[&teacher, &students[0]], 29).await;
    assert_eq!(students[0].say("two").await, Err(ErrorCode::SlowMode));
    wait(2).await;
    students[0].say("two").await.expect("said");
    teacher.ask(Command::SetChat { mode: ChatMode::Closed, slow_mode_s: 0 }).await.expect("set");
    assert_eq!(students[0].say("three").await, Err(ErrorCode::ChatClosed));
}

#[tokio::test(start_paused = true)]
async fn older_lines_come_in_pages() {
    let class = Class::of(0);
    let mut teacher = class.enter(class.teacher).await;
    for i in 0..120 {
        teacher.say(&format!("line {i}")).await.expect("said");
        wait(1).await;
    }
    let mut before = None;
    let mut seen = Vec::new();
    loop {
        teacher.attached.receive(ClientFrame::Pull { request: 7, pull: Pull::Chat { before } }).await;
        let (lines, more) = loop {
            if let Ok(ServerFrame::ChatPage { lines, more, .. }) = teacher.frame().await {
                break (lines, more);
            }
        };
        before = lines.first().map(|line| line.number);
        seen.splice(0..0, lines.into_iter().map(|line| line.number));
        if !more {
            break;
        }
    }
    assert_eq!(seen.len(), 120);
    assert!(seen.is_sorted());
}
