//! The same store on PostgreSQL: a private cluster on a free port of loopback, made and ended by the test.

use std::{
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use qism::{app::Running, storage::Store};
use qism_signaling::protocol::{Command as Wish, CommandId, ErrorCode, Recipients, ServerFrame};
use sqlx::{AnyConnection, Connection as _};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    journal,
    server::{Line, Person, Server, config, eventually},
};

pub struct Cluster {
    server: Child,
    port: u16,
    _folder: TempDir,
}

impl Cluster {
    /// `None` where PostgreSQL is not installed (`tools/setup.sh postgres`).
    pub async fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir().expect("a folder");
        let owner = Owner::find();
        owner.take(folder.path());
        let data = folder.path().join("data");
        let made = owner
            .run(&programs.join("initdb"))
            .args(["--no-sync", "--auth=trust", "--username=qism", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let server = owner
            .run(&programs.join("postgres"))
            .args(["-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "max_connections=200"])
            .args(["-p", &port.to_string(), "-D"])
            .arg(&data)
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres runs");
        let cluster = Self { server, port, _folder: folder };
        sqlx::any::install_default_drivers();
        eventually(async || AnyConnection::connect(&cluster.url()).await.ok()).await;
        Some(cluster)
    }

    pub fn url(&self) -> String {
        format!("postgres://qism@127.0.0.1:{}/postgres", self.port)
    }

    /// As a failover does: every open connection is cut.
    async fn end_connections(&self) {
        let mut own = AnyConnection::connect(&self.url()).await.expect("connected");
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        sqlx::raw_sql(cut).execute(&mut own).await.expect("cut");
    }

    fn signal(&self, name: &str) {
        Command::new("kill").args([name, &self.server.id().to_string()]).status().expect("kill runs");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // At once; nobody needs this data again.
        self.signal("-QUIT");
        let _ = self.server.wait();
    }
}

/// PostgreSQL does not run as root: root's tests run it as `postgres`.
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn find() -> Self {
        let root = number(&["-u"]) == Some(0);
        let ids = || Some((number(&["-u", "postgres"])?, number(&["-g", "postgres"])?));
        Self(root.then(ids).flatten())
    }

    fn take(&self, folder: &Path) {
        if let Some((user, group)) = self.0 {
            std::os::unix::fs::chown(folder, Some(user), Some(group)).expect("root may");
        }
    }

    fn run(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command.current_dir("/").stdout(Stdio::null());
        command
    }
}

fn number(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    folders.filter(|folder| folder.join("initdb").exists()).max()
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn skipped() {
    eprintln!("skipped: PostgreSQL is not installed (tools/setup.sh postgres)");
}

fn say(text: &str) -> Wish {
    Wish::Say { text: text.into(), to: Recipients::Everyone }
}

#[tokio::test]
async fn the_log_on_postgresql_is_the_log_on_sqlite() {
    let Some(cluster) = Cluster::start().await else { return skipped() };
    let store = Store::open(&cluster.url()).await.expect("opened");
    journal::all_that_any_store_does(&store.journal()).await;
    store.close().await;
    Store::open(&cluster.url()).await.expect("opened again").close().await;
}

#[tokio::test]
async fn a_school_on_postgresql_teaches_survives_a_restart_and_an_outage() {
    let Some(cluster) = Cluster::start().await else { return skipped() };
    let server = Server::demo_with(|config| config.storage.url = cluster.url()).await;
    let nobody = serde_json::json!({ "login": "a\0b", "password": "x" });
    assert_eq!(server.stranger().post("/api/session", &nobody).await.status(), 401);
    let (_, mut teacher) = server.enter("teacher1").await;
    let refused = teacher.command(say("a\0b")).await;
    assert_eq!(teacher.refused(refused).await, ErrorCode::Invalid);
    let id = teacher.command(say("قبل")).await;
    let number = teacher.accepted(id).await;
    teacher.again(id, say("قبل")).await;
    assert_eq!(teacher.accepted(id).await, number, "known");
    cluster.end_connections().await;
    let late = CommandId(Uuid::now_v7());
    loop {
        teacher.again(late, say("بعد")).await;
        match outcome(&mut teacher, late).await {
            Ok(_) => break,
            Err(error) => assert_eq!(error, ErrorCode::Unavailable),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    drop(teacher);
    server.running.stop().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut again = config(folder.path());
    again.storage.url = cluster.url();
    let running = Running::start_demo(again).await.expect("starts again");
    let person = Person::sign_in(&running.url(), "teacher1").await;
    let line = person.enter().await;
    let head = line.welcome.snapshot.as_ref().map(|snapshot| snapshot.position.number);
    assert!(head > Some(number), "the log went on from {number}: {head:?}");
    running.stop().await;
}

async fn outcome(line: &mut Line, wanted: CommandId) -> Result<u64, ErrorCode> {
    let answer = |frame: &ServerFrame| match frame {
        ServerFrame::Accepted { id, number } if *id == wanted => Some(Ok(*number)),
        ServerFrame::Refused { id, error, .. } if *id == wanted => Some(Err(*error)),
        _ => None,
    };
    line.socket.find(answer).await
}
