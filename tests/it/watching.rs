//! What an operator sees: readiness, numbers and traces.

use std::{
    collections::{BTreeSet, HashMap},
    io::Write as _,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use qism::app::Running;
use qism_signaling::protocol::{Command as Order, Event, LeftReason, Recipients, ServerFrame};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    cluster::Cluster,
    program::Program,
    server::{Person, Server, eventually},
};

pub async fn page(server: &Running) -> String {
    let address = server.metrics_address().expect("asked for");
    let answer = reqwest::get(format!("http://{address}/metrics")).await.expect("answered");
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.text().await.expect("text")
}

async fn numbers(server: &Server) -> HashMap<String, f64> {
    let page = page(&server.running).await;
    let mut kinds = HashMap::new();
    let mut found = HashMap::new();
    for line in page.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["#", "HELP", _, text @ ..] => {
                assert!(text.last().is_some_and(|last| last.ends_with('.')), "{line}")
            }
            ["#", "TYPE", name, kind] => {
                assert_eq!(name.ends_with("_total"), *kind == "counter", "{line}");
                assert!(kinds.insert((*name).to_owned(), ()).is_none(), "told twice: {line}");
            }
            [name, _] if name.contains("_bucket{") => {}
            [name, value] => {
                let told = name.split('{').next().unwrap_or(name);
                let of = told.trim_end_matches("_sum").trim_end_matches("_count");
                assert!(kinds.contains_key(told) || kinds.contains_key(of), "untold: {line}");
                found.insert((*name).to_owned(), value.parse().expect("a number"));
            }
            _ => panic!("{line}"),
        }
    }
    found
}

#[tokio::test]
async fn prometheus_reads_what_happens_and_the_public_listener_does_not_tell() {
    let server = Server::demo_with(|config| config.metrics.listen = "127.0.0.1:0".parse().ok()).await;
    let before = numbers(&server).await;
    assert_eq!((before["qism_lessons"], before["qism_nodes"]), (0.0, 1.0));
    let (_teacher, _line) = server.enter("teacher1").await;
    let (_student, _other) = server.enter("student1").await;
    let now =
        eventually(async || Some(numbers(&server).await).filter(|now| now["qism_students"] == 1.0)).await;
    assert_eq!(now["qism_lessons"], 1.0);
    assert!(now["qism_connections"] >= 2.0 && now["qism_beat_age_seconds"] < 30.0);
    assert!(now["qism_appended_events_total"] >= 2.0 && now["qism_append_seconds_count"] >= 1.0, "{now:?}");
    assert!(now["process_resident_memory_bytes"] > 1e6 && now["process_open_fds"] > 3.0, "{now:?}");
    let public = server.stranger().get("/metrics").await;
    let type_told = public.headers()["content-type"].to_str().expect("text").to_owned();
    assert!(!type_told.contains("0.0.4"), "{type_told}");
}

#[tokio::test]
async fn a_server_whose_database_does_not_answer_is_not_ready_and_says_so() {
    let server = Server::demo().await;
    let ready = async || server.stranger().get("/readyz").await;
    assert_eq!(ready().await.status(), 200);
    // Somebody else holds the school's file.
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", server.data().join("qism.db").display());
    let mut rival = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.expect("opened");
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut rival).await.expect("locked");
    let told = eventually(async || Some(ready().await).filter(|answer| answer.status() == 503)).await;
    assert_eq!(told.text().await.expect("text"), "the database does not answer");
    sqlx::raw_sql("ROLLBACK").execute(&mut rival).await.expect("let go");
    eventually(async || (ready().await.status() == 200).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_tells_whether_a_server_lives_and_whether_it_takes_people() {
    let server = Server::demo().await;
    let file = server.data().join("own.toml");
    std::fs::write(&file, format!("[server]\nlisten = \"{}\"\n", server.address())).expect("written");
    let ask = async |words: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_qism"));
        program.arg("health").args(words).arg("--config").arg(&file);
        let output = tokio::task::block_in_place(|| program.output().expect("the program runs"));
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&told).into_owned())
    };
    assert_eq!(ask(&[]).await, (Some(0), "/healthz: ok\n".to_owned()));
    let (code, told) = ask(&["--ready"]).await;
    assert!(code == Some(0) && told.contains("/readyz: ok"), "{told}");
    server.running.stop().await;
    let (code, told) = ask(&[]).await;
    assert!(code == Some(1) && told.contains("cannot reach"), "{told}");
}

/// Prometheus's own judge; comes by `tools/setup.sh promtool`.
pub fn judge(page: &str) {
    let judge = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut judge) = judge else {
        eprintln!("no promtool here: not checked");
        return;
    };
    judge.stdin.take().expect("piped").write_all(page.as_bytes()).expect("written");
    let verdict = judge.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&verdict.stderr).into_owned();
    assert!(verdict.status.success() && told.is_empty(), "{told}");
}

#[tokio::test]
async fn promtool_finds_nothing_to_complain_of() {
    let server = Server::demo_with(|config| config.metrics.listen = "127.0.0.1:0".parse().ok()).await;
    let (_student, _line) = server.enter("student1").await;
    judge(&page(&server.running).await);
}

/// The numbers of ours that a server tells.
pub fn told(page: &str) -> BTreeSet<&str> {
    let names = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    names.filter(|name| name.starts_with("qism_")).collect()
}

/// Those that the dashboard asks for.
pub fn asked() -> BTreeSet<&'static str> {
    let dashboard = include_str!("../../config/grafana/qism.json");
    let words = dashboard.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let names = words.filter(|word| word.starts_with("qism_"));
    names
        .map(|name| name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count"))
        .collect()
}

/// Every number on the dashboard is one that a server tells, and none that it tells is forgotten. What only one of several tells
/// is looked at where there are several.
#[tokio::test]
async fn the_dashboard_asks_for_what_there_is() {
    let server = Server::demo_with(|config| config.metrics.listen = "127.0.0.1:0".parse().ok()).await;
    let page = page(&server.running).await;
    let (told, asked) = (told(&page), asked());
    let several = ["qism_bus_", "qism_link_", "qism_relay", "qism_placement_", "qism_node_"];
    for name in &asked {
        let is_of_several = several.iter().any(|beginning| name.starts_with(beginning));
        assert!(is_of_several || told.contains(name), "the dashboard asks for {name}");
    }
    for name in &told {
        assert!(asked.contains(name), "{name} is on no panel");
    }
}

/// A collector that keeps what it gets.
async fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = async |State(kept): State<Arc<Mutex<Vec<u8>>>>, body: Bytes| {
        kept.lock().expect("whole").extend_from_slice(&body);
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let router = Router::new().route("/v1/traces", post(keep)).with_state(kept.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), kept)
}

#[tokio::test]
async fn traces_tell_of_requests_commands_and_commits_and_of_nobody() {
    let (address, kept) = collector().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("qism.toml");
    std::fs::write(&file, format!("[traces]\nendpoint = \"{address}\"\nshare = 1.0\n")).expect("written");
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--data"].map(Into::into);
    let mut program = Program::start(arguments.into_iter().chain([
        folder.path().into(),
        "--config".into(),
        file.as_os_str().into(),
    ]));
    let lesson = Person::sign_in(&program.url, "student1").await.enter().await.lesson;
    for path in ["healthz", "readyz"] {
        let answer = reqwest::get(format!("{}/{path}", program.url)).await.expect("answered");
        assert_eq!(answer.status(), 200, "{path}");
    }
    program.terminate().await;
    let kept = kept.lock().expect("whole");
    let holds = |text: &str| kept.windows(text.len()).any(|window| window == text.as_bytes());
    let lesson = lesson.to_string();
    for text in ["qism", "request", "/api/lessons/{lesson}/ticket", "command", "attached", "append", &lesson]
    {
        assert!(holds(text), "no {text} in {} bytes", kept.len());
    }
    for secret in ["student1", "Salma", "سلمى"] {
        assert!(!holds(secret), "{secret} is told");
    }
    assert!(!holds("healthz") && !holds("readyz"), "what a proxy asks twice a second is told");
}

/// The lines of one server's log so far.
fn lines(log: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).expect("read");
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn tells(line: &Value, message: &str) -> bool {
    line["message"] == message
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_tell_the_node_and_the_lesson_and_nobodys_words() {
    let Some(mut cluster) = Cluster::of(0).await else { return };
    let files: Vec<_> = (0..2).map(|n| cluster.file(n)).collect();
    let logs: Vec<_> = files.iter().map(|file| file.with_extension("log")).collect();
    let start = |n: usize| {
        let text = std::fs::read_to_string(&files[n]).expect("read");
        let text = text.replace("\"warn\"", "\"debug,hyper=info,sqlx=info\"\nformat = \"json\"");
        std::fs::write(&files[n], text).expect("written");
        tokio::task::block_in_place(|| Program::logging(&files[n], &logs[n]))
    };
    let (mut stays, mut dies) = (start(0), start(1));
    let mut teacher = Person::sign_in(&stays.url, "teacher1").await.enter().await;
    let mut student = Person::sign_in(&dies.url, "student1").await.enter().await;
    let secret = "لا أحد يقرأ هذا";
    let id = student.command(Order::Say { text: secret.into(), to: Recipients::Everyone }).await;
    student.accepted(id).await;
    dies.kill();
    let left = |frame: &ServerFrame| match frame {
        ServerFrame::Event(logged) => {
            matches!(logged.event, Event::Left { reason: LeftReason::Cut, .. }).then_some(())
        }
        _ => None,
    };
    teacher.socket.find(left).await;
    cluster.redis.kill();
    let away = "the bus is away; lessons go on by comparing heads";
    eventually(async || lines(&logs[0]).iter().any(|line| tells(line, away)).then_some(())).await;
    stays.terminate().await;

    let lesson = teacher.lesson.to_string();
    for (n, log) in logs.iter().enumerate() {
        let text = std::fs::read_to_string(log).expect("read");
        for words in [secret, "student1", "teacher1", "Nadia", "Salma"] {
            assert!(!text.contains(words), "{words} is told");
        }
        let lines = lines(log);
        assert_eq!(lines.len(), text.lines().count(), "JSON, all of it");
        for line in lines {
            assert_eq!(line["node"], format!("node{n}"), "{line}");
            let target = line["target"].as_str().expect("told");
            assert!(!target.contains("room_task") || line["lesson"] == lesson, "{line}");
        }
    }
    let lines = lines(&logs[0]);
    let of = |message: &str| {
        let found = lines.iter().find(|line| tells(line, message));
        found.unwrap_or_else(|| panic!("no \"{message}\" in {lines:#?}"))
    };
    assert_eq!(of("another node beats")["peer"], "node1");
    assert_eq!(of("a node beats no more")["incarnation"], of("another node beats")["incarnation"]);
    assert_eq!(of("writing off the people of a dead node")["lesson"], lesson);
    assert_eq!(of("room closed")["lesson"], lesson);
}
