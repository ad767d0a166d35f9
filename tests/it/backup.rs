//! `qism backup` beside a running server, `qism restore` when it is gone.

use std::{
    path::Path,
    process::{Command as Process, Output},
};

use qism::app::Running;
use qism_signaling::protocol::{Command, Position, Recipients, SessionId};
use uuid::Uuid;

use crate::server::{self, Person, Server};

async fn qism(words: &[&str], copy: &Path, data: &Path) -> Output {
    let mut program = Process::new(env!("CARGO_BIN_EXE_qism"));
    program.args(words).arg(copy).arg("--data").arg(data);
    tokio::task::spawn_blocking(move || program.output().expect("the program runs")).await.expect("no panic")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn say(text: &str) -> Command {
    Command::Say { text: text.into(), to: Recipients::Everyone }
}

#[tokio::test]
async fn a_copy_made_during_a_lesson_brings_back_the_lesson_of_that_moment() {
    let server = Server::demo().await;
    let (person, mut teacher) = server.enter("teacher1").await;
    let id = teacher.command(say("in the copy")).await;
    let kept = teacher.accepted(id).await;
    let copy = server.data().join("copy");
    let made = qism(&["backup"], &copy, server.data()).await;
    assert!(made.status.success(), "{}", said(&made));
    let id = teacher.command(say("after it")).await;
    let number = teacher.accepted(id).await;
    assert!(number > kept, "the lesson went on");
    let busy = qism(&["restore"], &copy, server.data()).await;
    assert!(!busy.status.success() && said(&busy).contains("in use by another server"), "{}", said(&busy));
    let again = qism(&["backup"], &copy, server.data()).await;
    assert!(!again.status.success(), "an older copy is not overwritten");
    let lesson = teacher.lesson;
    let chain = teacher.welcome.snapshot.as_ref().expect("a snapshot").position.chain;
    drop((person, teacher));
    let Server { running, data, .. } = server;
    running.stop().await;
    let put = qism(&["restore"], &copy, data.path()).await;
    assert!(put.status.success(), "{}", said(&put));
    assert!(
        data.path().join("qism.db.replaced").exists() && data.path().join("qism-log.db.replaced").exists()
    );
    let running = Running::start_demo(server::config(data.path())).await.expect("starts again");
    let person = Person::sign_in(&running.url(), "teacher1").await;
    let ticket = person.ticket(lesson, SessionId(Uuid::now_v7())).await;
    // A browser that knows more than the copy starts anew from it.
    let ahead = Some(Position { number, chain });
    let line = server::enter_with(&running.url(), lesson, ticket, ahead).await;
    let head = line.welcome.snapshot.as_ref().expect("a fresh start").position.number;
    assert!(head >= kept, "{head} of {kept}");
    let missing = Process::new(env!("CARGO_BIN_EXE_qism"))
        .args(["restore", "/nowhere", "--data"])
        .arg(data.path())
        .output();
    assert!(!missing.expect("the program runs").status.success());
    running.stop().await;
}
