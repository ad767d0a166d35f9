//! The store fails while a lesson runs: locked, full, read-only. Only who sends is told, nothing is acknowledged that is
//! not stored, and everything goes on by itself when the fault is gone.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command as Process, Stdio},
};

use qism::storage::Store;
use qism_signaling::protocol::{
    ClientFrame, Command, CommandId, ErrorCode, Event, Recipients, ServerFrame, frame,
};
use sqlx::{AnyConnection, Connection as _, Executor as _, Row as _};

use crate::server::{Line, Person, Server};

fn say(text: &str) -> Command {
    Command::Say { text: text.into(), to: Recipients::Everyone }
}

/// A teacher and a student in the same lesson.
struct Class {
    teacher: Line,
    student: Line,
}

impl Class {
    async fn at(url: &str) -> Self {
        let teacher = Person::sign_in(url, "teacher1").await.enter().await;
        let student = Person::sign_in(url, "student1").await.enter().await;
        let mut class = Self { teacher, student };
        class.is_well("before").await;
        class
    }

    /// A line of the teacher's is stored and heard.
    async fn is_well(&mut self, text: &str) {
        let id = self.teacher.command(say(text)).await;
        self.teacher.accepted(id).await;
        assert_eq!(self.heard().await, text);
    }

    async fn heard(&mut self) -> String {
        let said = |frame: &ServerFrame| match frame {
            ServerFrame::Event(logged) => match &logged.event {
                Event::Said { text, .. } => text.clone(),
                _ => None,
            },
            _ => None,
        };
        self.student.socket.find(said).await
    }

    /// The teacher's lines are refused as *later*; the student notices nothing and is served.
    async fn cannot_say(&mut self, lines: &[&str]) -> Vec<CommandId> {
        let mut ids = Vec::new();
        for line in lines {
            ids.push(self.teacher.command(say(line)).await);
        }
        for id in &ids {
            assert_eq!(self.teacher.refused(*id).await, ErrorCode::Unavailable);
        }
        self.student.socket.send(&ClientFrame::Ping { nonce: 9 }).await;
        loop {
            match self.student.socket.frame().await {
                ServerFrame::Pong { nonce: 9, .. } => return ids,
                // What the lesson costs is told now and then.
                ServerFrame::DataUsed { .. } => {}
                other => panic!("the student was told {other:?}"),
            }
        }
    }

    /// What the browser does when the time to retry has come.
    async fn say_again(&mut self, ids: &[CommandId], lines: &[&str]) {
        for (id, line) in ids.iter().zip(lines) {
            self.teacher.again(*id, say(line)).await;
        }
        for (id, line) in ids.iter().zip(lines) {
            self.teacher.accepted(*id).await;
            assert_eq!(self.heard().await, *line);
        }
    }
}

/// Another program at the file of a running server.
async fn rival(file: &Path) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(&format!("sqlite://{}", file.display())).await.expect("opened")
}

/// The chat as it is in the file, whatever the server says.
async fn stored(file: &Path) -> Vec<String> {
    let mut connection = rival(file).await;
    let rows = sqlx::query("SELECT text FROM event WHERE kind = 'said' ORDER BY number")
        .fetch_all(&mut connection)
        .await
        .expect("read");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_locked_log_refuses_the_sender_and_drains_when_it_is_free() {
    let server = Server::demo().await;
    let file = server.data().join("qism-log.db");
    let mut class = Class::at(&server.running.url()).await;
    let mut rival = rival(&file).await;
    rival.execute(sqlx::raw_sql("BEGIN IMMEDIATE")).await.expect("locked");
    let ids = class.cannot_say(&["one", "two"]).await;
    assert_eq!(stored(&file).await, ["before"]);
    rival.execute(sqlx::raw_sql("ROLLBACK")).await.expect("free");
    class.say_again(&ids, &["one", "two"]).await;
    assert_eq!(stored(&file).await, ["before", "one", "two"]);
}

#[tokio::test]
async fn a_locked_school_refuses_the_sign_in_and_leaves_the_lesson_alone() {
    let server = Server::demo().await;
    let mut class = Class::at(&server.running.url()).await;
    let mut rival = rival(&server.data().join("qism.db")).await;
    rival.execute(sqlx::raw_sql("BEGIN IMMEDIATE")).await.expect("locked");
    let late = server.stranger();
    let body = serde_json::json!({ "login": "student2", "password": qism::school::demo::PASSWORD });
    let answer = late.post("/api/session", &body).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    class.is_well("the lesson goes on").await;
    rival.execute(sqlx::raw_sql("ROLLBACK")).await.expect("free");
    assert_eq!(late.post("/api/session", &body).await.status(), 200);
}

/// The program in a mount namespace of its own, its data on a small disk in memory.
struct OnSmallDisk {
    program: Child,
    url: String,
    /// The data folder, seen from here.
    data: PathBuf,
    folder: tempfile::TempDir,
}

impl OnSmallDisk {
    /// `None` where this user may not mount.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let script =
            "mount -t tmpfs -o size=3m tmpfs \"$1\" && exec \"$2\" demo --listen 127.0.0.1:0 --data \"$1\"";
        let mut program = Process::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh"])
            .args([folder.path().as_os_str(), env!("CARGO_BIN_EXE_qism").as_ref()])
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let lines = BufReader::new(program.stdout.take().expect("piped")).lines();
        let ready =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        let data = PathBuf::from(format!("/proc/{}/root{}", program.id(), folder.path().display()));
        match ready {
            Some(url) => Some(Self { program, url, data, folder }),
            None => {
                let _ = program.wait();
                None
            }
        }
    }

    /// Python at the log, inside the namespace: from here SQLite would resolve the path to the empty folder below.
    fn at_the_log(&self, script: &str) -> Process {
        let mut python = Process::new("nsenter");
        python.args(["--mount", "--target", &self.program.id().to_string(), "python3", "-c"]);
        python.arg(format!(
            "import sqlite3, sys\nlog = sqlite3.connect(sys.argv[1], isolation_level=None)\n{script}"
        ));
        python.arg(self.folder.path().join("qism-log.db"));
        python
    }

    fn stored(&self) -> Vec<String> {
        let read = "for row in log.execute(\"SELECT text FROM event WHERE kind = 'said' ORDER BY number\"): print(row[0])";
        let output = self.at_the_log(read).output().expect("python3 runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// Locks the log until the child is told to end.
    fn lock(&self) -> Child {
        let lock = "log.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()";
        let mut python = self.at_the_log(lock);
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 runs");
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut said).expect("read");
        assert_eq!(said.trim(), "locked");
        child
    }

    /// Takes every free byte.
    fn fill(&self) {
        let mut filler = fs::File::create(self.data.join("filler")).expect("made");
        while filler.write_all(&[0; 512]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.data.join("filler")).expect("removed");
    }
}

impl Drop for OnSmallDisk {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[tokio::test]
async fn a_full_disk_acknowledges_nothing_that_is_not_stored() {
    let Some(server) = OnSmallDisk::start() else {
        return eprintln!("skipped: this user may not mount a small disk (needs root and unshare)");
    };
    let mut class = Class::at(&server.url).await;
    let mut expected = vec!["before".to_owned()];
    server.fill();
    // What still fits into the log's last allocated pages is stored as ever.
    let long = "0123456789".repeat(90);
    let refused = loop {
        let id = class.teacher.command(say(&long)).await;
        let answer = |frame: &ServerFrame| match frame {
            ServerFrame::Accepted { id: told, .. } if *told == id => Some(true),
            ServerFrame::Refused { id: told, error: ErrorCode::Unavailable, .. } if *told == id => {
                Some(false)
            }
            _ => None,
        };
        if !class.teacher.socket.find(answer).await {
            break id;
        }
        expected.push(class.heard().await);
        // Faster is refused as a flood.
        tokio::time::sleep(std::time::Duration::from_millis(210)).await;
    };
    class.cannot_say(&["full"]).await;
    assert_eq!(server.stored(), expected);
    server.make_room();
    class.say_again(&[refused], &[&long]).await;
    // A fault after the fault: the connection must not be left in a transaction that nobody ends.
    let mut rival = server.lock();
    let ids = class.cannot_say(&["one", "two"]).await;
    drop(rival.stdin.take());
    rival.wait().expect("it ends");
    class.say_again(&ids, &["one", "two"]).await;
    expected.extend([long, "one".into(), "two".into()]);
    assert_eq!(server.stored(), expected);
}

/// Files that nobody may write, not even through an open handle: what a disk does that turned read-only.
struct ReadOnly(Vec<PathBuf>);

impl ReadOnly {
    /// `None` where this user or file system cannot.
    fn make(files: Vec<PathBuf>) -> Option<Self> {
        let made = Self(files);
        made.set("+i").then_some(made)
    }

    fn set(&self, flag: &str) -> bool {
        Process::new("chattr").arg(flag).args(&self.0).status().is_ok_and(|status| status.success())
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        self.set("-i");
    }
}

#[tokio::test]
async fn a_log_that_turns_read_only_still_shows_what_it_has() {
    let server = Server::demo().await;
    let log = server.data().join("qism-log.db");
    let mut class = Class::at(&server.running.url()).await;
    let Some(read_only) = ReadOnly::make(vec![log.clone(), server.data().join("qism-log.db-wal")]) else {
        return eprintln!("skipped: files cannot be made immutable here (needs root and chattr)");
    };
    let mut ids = class.cannot_say(&["one"]).await;
    // A connection that is opened now could only read.
    ids.extend(class.cannot_say(&["two"]).await);
    class
        .student
        .socket
        .send(&ClientFrame::Pull { request: 1, pull: frame::Pull::Chat { before: None } })
        .await;
    let page = |frame: &ServerFrame| match frame {
        ServerFrame::ChatPage { lines, .. } => Some(lines.len()),
        _ => None,
    };
    assert_eq!(class.student.socket.find(page).await, 1);
    drop(read_only);
    class.say_again(&ids, &["one", "two"]).await;
    assert_eq!(stored(&log).await, ["before", "one", "two"]);
}

#[tokio::test]
async fn a_store_that_is_locked_at_the_start_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("qism.db").display());
    Store::open(&url).await.expect("made").close().await;
    let mut rival = rival(&folder.path().join("qism.db")).await;
    rival.execute(sqlx::raw_sql("BEGIN IMMEDIATE")).await.expect("locked");
    let error = Store::open(&url).await.err().expect("refused").to_string();
    assert!(error.contains("locked: end that one"), "{error}");
}

/// Runs the program on a disk mounted with `options`; what it says when it does not start.
fn cannot_start(options: &str) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "mount -t tmpfs -o \"$1\" tmpfs \"$2\" || exit 77; exec \"$3\" demo --listen 127.0.0.1:0 --data \"$2\"";
    let output = Process::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh", options])
        .args([folder.path().as_os_str(), env!("CARGO_BIN_EXE_qism").as_ref()])
        .output()
        .ok()?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code() == Some(1) && told.starts_with("qism:")).then_some(told)
}

#[test]
fn a_full_or_read_only_disk_at_the_start_is_told_with_what_to_do() {
    let (Some(full), Some(read_only)) = (cannot_start("size=40k"), cannot_start("ro")) else {
        return eprintln!("skipped: this user may not mount a small disk (needs root and unshare)");
    };
    assert!(full.contains("make room"), "{full}");
    assert!(read_only.contains("Read-only file system") && read_only.contains("--data DIR"), "{read_only}");
}
