//! A lesson over real sockets and a real store: chat, resume, reload, restart of the server, a second server.

use qism::app::Running;
use qism_signaling::protocol::{
    Chain, Command, ErrorCode, Event, Phase, Position, Recipients, RemovalReason, ServerFrame, SessionId,
};
use uuid::Uuid;

use crate::server::{Line, Server, config};

fn say(text: &str) -> Command {
    Command::Say { text: text.into(), to: Recipients::Everyone }
}

/// The next chat line: its text and place.
async fn heard(line: &mut Line) -> (String, Position) {
    let said = |frame: &ServerFrame| match frame {
        ServerFrame::Event(logged) => match &logged.event {
            Event::Said { text, .. } => Some((
                text.clone().unwrap_or_default(),
                Position { number: logged.number, chain: logged.chain },
            )),
            _ => None,
        },
        _ => None,
    };
    line.socket.find(said).await
}

#[tokio::test]
async fn a_line_is_heard_once_by_everybody_in_order() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let (_, mut student) = server.enter("student1").await;
    for n in 0..5 {
        let id = teacher.command(say(&format!("السطر {n}"))).await;
        teacher.accepted(id).await;
        assert_eq!(heard(&mut student).await.0, format!("السطر {n}"));
    }
}

#[tokio::test]
async fn the_lesson_opens_with_the_teacher_and_the_home_screen_knows() {
    let server = Server::demo().await;
    let (student, line) = server.enter("student1").await;
    assert_eq!(line.welcome.snapshot.as_ref().expect("a first entry").phase, Phase::Waiting);
    let (_, _teacher) = server.enter("teacher1").await;
    let today = student.json("/api/lessons").await;
    assert_eq!(today["lessons"][0]["phase"], "open");
    assert_eq!(today["lessons"][0]["students_present"], 1);
}

#[tokio::test]
async fn a_cut_line_comes_back_to_exactly_what_it_missed() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let student = server.sign_in("student1").await;
    let (lesson, session) = (student.first_lesson().await, SessionId(Uuid::now_v7()));
    let mut line = server.enter_lesson(&student, lesson, session, None).await;
    teacher.command(say("before")).await;
    let (_, position) = heard(&mut line).await;
    drop(line);
    for n in 0..3 {
        let id = teacher.command(say(&format!("missed {n}"))).await;
        teacher.accepted(id).await;
    }
    let mut line = server.enter_lesson(&student, lesson, session, Some(position)).await;
    assert!(line.welcome.snapshot.is_none(), "the missing events follow");
    for n in 0..3 {
        assert_eq!(heard(&mut line).await.0, format!("missed {n}"));
    }
    drop(line);
    let foreign = Position { chain: Chain(position.chain.0 ^ 1), ..position };
    let line = server.enter_lesson(&student, lesson, session, Some(foreign)).await;
    assert!(line.welcome.snapshot.is_some(), "another history: start anew");
}

#[tokio::test]
async fn a_command_sent_twice_is_done_once() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let id = teacher.command(say("once")).await;
    let number = teacher.accepted(id).await;
    teacher.again(id, say("once")).await;
    assert_eq!(teacher.accepted(id).await, number);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_restart_on_the_same_folder() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let id = teacher.command(say("kept")).await;
    let number = teacher.accepted(id).await;
    let server = server.restart().await;
    let person = server.sign_in("teacher1").await;
    let lesson = person.first_lesson().await;
    assert_eq!(lesson, teacher.lesson, "the same lesson goes on");
    let line = server.enter_lesson(&person, lesson, SessionId(Uuid::now_v7()), None).await;
    let snapshot = line.welcome.snapshot.expect("a first entry");
    assert!(snapshot.position.number > number);
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() {
    let server = Server::demo().await;
    let error = Running::start(config(server.data())).await.err().expect("refused");
    assert!(format!("{error:#}").contains("in use by another server"), "{error:#}");
}

#[tokio::test]
async fn a_student_may_not_what_a_teacher_may() {
    let server = Server::demo().await;
    let (_, _teacher) = server.enter("teacher1").await;
    let (_, mut student) = server.enter("student1").await;
    for forbidden in [Command::End {}, Command::MuteAll {}, Command::SetLocked { locked: true }] {
        let id = student.command(forbidden).await;
        assert_eq!(student.refused(id).await, ErrorCode::NotAllowed);
    }
}

#[tokio::test]
async fn a_removal_reaches_the_director_with_its_reason() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let (_, mut student) = server.enter("student1").await;
    let removal = Command::Remove {
        user: student.welcome.user,
        reason: RemovalReason::Insulting,
        note: "ملاحظة".into(),
        keep_out: true,
    };
    let id = teacher.command(removal).await;
    teacher.accepted(id).await;
    assert!(matches!(student.socket.closed().await, Some(4404 | 4405)));
    let director = server.sign_in("director").await;
    let report = crate::server::eventually(async || {
        let reports = director.json("/api/reports").await;
        reports["reports"].as_array().and_then(|list| list.first().cloned())
    })
    .await;
    assert_eq!(
        (&report["kind"], &report["reason"], &report["note"]),
        (&"removal".into(), &"insulting".into(), &"ملاحظة".into())
    );
}

#[tokio::test]
async fn an_ended_lesson_gives_no_tickets() {
    let server = Server::demo().await;
    let (person, mut teacher) = server.enter("teacher1").await;
    let id = teacher.command(Command::End {}).await;
    teacher.accepted(id).await;
    let path = format!("/api/lessons/{}/ticket", teacher.lesson);
    let answer = person.post(&path, &serde_json::json!({ "session": SessionId(Uuid::now_v7()) })).await;
    assert_eq!(answer.status(), 409);
}
