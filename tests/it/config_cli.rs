//! The program from outside: help, exit codes, errors with what to do, signals.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_qism");

fn qism(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().expect("the program runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let output = qism(&["--help"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0));
    for word in ["serve", "demo", "school", "user", "health", "check-config", "Exit codes"] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for wrong in [&["bogus"][..], &["demo", "--listen", "here"], &["serve", "--nothing"], &[]] {
        assert_eq!(qism(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn an_unknown_key_shows_file_line_and_key_and_ends_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("qism.toml");
    std::fs::write(&file, "[media]\nudp_port = 7000\nudp_prot = 7001\n").expect("written");
    let path = file.to_str().expect("text");
    for command in ["check-config", "serve"] {
        let output = qism(&[command, "--config", path]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        for word in [path, "line 3", "udp_prot"] {
            assert!(text.contains(word), "{word} in {text}");
        }
    }
}

#[test]
fn a_missing_configuration_is_told_and_ends_with_2() {
    let output = qism(&["check-config", "--config", "/nonexistent/qism.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/nonexistent/qism.toml"));
}

#[test]
fn a_file_that_the_configuration_names_and_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("qism.toml");
    let path = file.to_str().expect("text");
    let https = "[server]\ntls_certificate = \"/nonexistent/cert.pem\"\ntls_key = \"/nonexistent/key.pem\"\n";
    let redis = format!(
        "[storage]\nurl = \"postgres://qism@127.0.0.1/qism\"\n[cluster]\nredis = \"rediss://127.0.0.1\"\n\
         redis_ca = \"/nonexistent/ca.pem\"\nkey = \"{}\"\nnode = \"a\"\n",
        "ab".repeat(32)
    );
    for (text, missing) in [(https, "/nonexistent/cert.pem"), (&redis, "/nonexistent/ca.pem")] {
        std::fs::write(&file, text).expect("written");
        let output = qism(&["check-config", "--config", path]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(missing), "{told}");
    }
}

#[test]
fn what_is_seldom_meant_is_told_beside_that_it_can_be_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("qism.toml");
    let absolute = "[storage]\nurl = \"sqlite:///var/lib/qism/qism.db\"\n";
    for (text, note) in [
        ("[server]\nlisten = \"0.0.0.0:80\"\n".to_owned() + absolute, Some("no microphone")),
        ("[storage]\nurl = \"sqlite://qism.db\"\n".to_owned(), Some("sqlite:///var/lib")),
        (
            "[server]\nlisten = \"0.0.0.0:80\"\npublic_origins = [\"https://qism.example\"]\n".to_owned()
                + absolute,
            None,
        ),
    ] {
        std::fs::write(&file, &text).expect("written");
        let output = qism(&["check-config", "--config", file.to_str().expect("text")]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert_eq!(told.matches("note: ").count(), usize::from(note.is_some()), "{told}");
        assert!(told.contains(note.unwrap_or("can be used")), "{text}: {told}");
    }
}

#[test]
fn the_commented_defaults_can_be_used() {
    let defaults = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/default.toml");
    let output = qism(&["check-config", "--config", defaults.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// A demonstration in its own process; killed when the test ends.
struct Demo {
    child: Child,
    ready: String,
}

impl Demo {
    fn start(data: &Path) -> Self {
        let data = data.to_str().expect("text");
        let mut child = Command::new(PROGRAM)
            .args(["demo", "--listen", "127.0.0.1:0", "--data", data])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = lines.map_while(Result::ok).find(|line| line.starts_with("ready "));
        Self { ready: ready.expect("a line that says ready"), child }
    }

    fn address(&self) -> &str {
        self.ready.strip_prefix("ready http://").expect("plain HTTP").trim_end_matches('/')
    }

    fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_demonstration_says_ready_and_ends_well_by_a_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(folder.path());
    assert_eq!(demo.terminate(), Some(0));
}

#[test]
fn a_port_in_use_ends_with_1_and_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(folder.path());
    let other = tempfile::tempdir().expect("a folder");
    let output = qism(&["demo", "--listen", demo.address(), "--data", other.path().to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("listen elsewhere"), "{}", stderr(&output));
}
