//! Rules for Rust sources.

use crate::source::{bare, too_long};

/// Lines of one function; a single-line arm of a dispatching `match` does not count.
const MAX_FUNCTION_LINES: usize = 70;

/// In files under `folder` (except under `but`), `words` do not occur in code.
struct Rule {
    folder: &'static str,
    but: &'static [&'static str],
    words: &'static [&'static str],
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        folder: "signaling/",
        but: &[],
        words: &[
            "webrtc::",
            "rtc::",
            "axum::",
            "hyper::",
            "redis::",
            "sqlx::",
            "rusqlite::",
            "std::fs",
            "tokio::net",
            "tokio::fs",
        ],
        why: "the brain knows no sockets, files, HTTP, SQL or media",
    },
    Rule {
        folder: "signaling/src/protocol/",
        but: &[],
        words: &["crate::room", "crate::hub", "tokio::", "async fn"],
        why: "the wire is types only",
    },
    Rule {
        folder: "signaling/src/room/",
        but: &[],
        words: &[
            "crate::hub",
            "tokio::",
            "async fn",
            "Instant::now",
            "SystemTime::now",
            "rand::",
            "Uuid::new_v4",
            "Uuid::now_v7",
            "tracing::",
        ],
        why: "a room is pure: time, ids and randomness are arguments",
    },
    Rule {
        folder: "src/",
        but: &["src/sfu/", "src/probe/"],
        words: &["webrtc::", "rtc::"],
        why: "only the SFU and the probe touch webrtc-rs",
    },
    Rule {
        folder: "src/sfu/forward/",
        but: &[],
        words: &[
            "Instant::now",
            "SystemTime::now",
            "UdpSocket",
            "TcpStream",
            "tokio::",
            "libc::",
            "socket2::",
            "std::thread",
            "crate::sfu::engine",
            "super::super::engine",
            "rand::",
            "async fn",
        ],
        why: "packet logic is pure: it takes `now` and bytes",
    },
    Rule {
        folder: "src/sfu/",
        but: &[],
        words: &[
            "crate::app",
            "crate::http",
            "crate::school",
            "crate::storage",
            "crate::auth",
            "crate::probe",
            "crate::cluster",
            "axum::",
            "sqlx::",
        ],
        why: "the SFU knows media and the hub's ports only",
    },
    Rule { folder: "src/", but: &["src/storage/"], words: &["sqlx::"], why: "SQL lives in storage" },
    Rule { folder: "src/", but: &["src/cluster/"], words: &["redis::"], why: "Redis lives in cluster" },
    Rule { folder: "src/", but: &["src/http/"], words: &["axum::"], why: "HTTP lives in http" },
    Rule {
        folder: "src/storage/",
        but: &[],
        words: &["crate::app", "crate::http", "crate::school", "crate::sfu", "crate::probe"],
        why: "storage is below the use cases",
    },
    Rule {
        folder: "src/auth/",
        but: &[],
        words: &["crate::app", "crate::http", "crate::school", "crate::sfu", "crate::probe"],
        why: "auth is below the use cases",
    },
    Rule {
        folder: "src/cluster/",
        but: &[],
        words: &["crate::app", "crate::http", "crate::school", "crate::sfu", "crate::probe"],
        why: "cluster is below the use cases",
    },
    Rule {
        folder: "src/school/",
        but: &[],
        words: &["crate::app", "crate::http", "crate::sfu", "crate::probe", "hyper::", "StatusCode"],
        why: "use cases know neither HTTP nor media",
    },
    Rule {
        folder: "src/http/",
        but: &[],
        words: &["crate::app", "crate::sfu", "crate::storage", "crate::probe"],
        why: "HTTP asks the use cases",
    },
    Rule {
        folder: "src/config/",
        but: &["src/config/cli.rs"],
        words: &[
            "crate::app",
            "crate::http",
            "crate::school",
            "crate::sfu",
            "crate::storage",
            "crate::probe",
            "crate::auth",
        ],
        why: "the configuration knows nobody",
    },
    Rule {
        folder: "src/",
        but: &["src/app.rs", "src/main.rs"],
        words: &["crate::app::", "qism::app"],
        why: "nobody looks up to the composition root",
    },
    Rule {
        folder: "",
        but: &[
            "signaling/src/hub/",
            "src/app.rs",
            "src/http/",
            "src/storage/",
            "src/sfu/engine/",
            "src/sfu/mod.rs",
            "src/cluster/",
            "src/probe/",
            "benches/",
        ],
        words: &["tokio::spawn", "task::spawn(", "JoinSet"],
        why: "tasks are made in the shell only",
    },
    Rule {
        folder: "",
        but: &[],
        words: &["unbounded_channel", "std::sync::mpsc::channel", "unbounded("],
        why: "every queue is bounded",
    },
    Rule {
        folder: "",
        but: &["src/config/", "benches/"],
        words: &["std::env", "env::var", "env::args"],
        why: "the environment is read in config only",
    },
];

/// Words of another layer.
pub fn layers(path: &str, text: &str) -> Vec<String> {
    let code = bare(text);
    let rules = RULES.iter().filter(|rule| applies(rule, path));
    rules.flat_map(|rule| offences(rule, path, &code)).collect()
}

fn applies(rule: &Rule, path: &str) -> bool {
    path.starts_with(rule.folder) && !rule.but.iter().any(|but| path.starts_with(but))
}

fn offences(rule: &Rule, path: &str, code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in without_tests(code).into_iter().enumerate() {
        let Some(line) = line else { continue };
        for word in rule.words.iter().filter(|word| has_word(line, word)) {
            found.push(format!("{path}:{}: `{word}`: {}", index + 1, rule.why));
        }
    }
    found
}

/// `rtc::` is in `use rtc::x` and not in `webrtc::x`. `use axum;` and `use axum as x` count as `axum::`.
fn has_word(line: &str, word: &str) -> bool {
    let renamed = word.strip_suffix("::").is_some_and(|name| {
        line.trim_start().strip_prefix("use ").is_some_and(|used| {
            used.strip_prefix(name).is_some_and(|rest| rest.starts_with(';') || rest.starts_with(" as "))
        })
    });
    let mut from = 0;
    while let Some(at) = line[from..].find(word) {
        let before = line[..from + at].chars().next_back();
        if !before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return true;
        }
        from += at + word.len();
    }
    renamed
}

/// Lines, `None` in place of those that are there for tests only and may use anything: each such attribute with its item.
fn without_tests(code: &str) -> Vec<Option<&str>> {
    let lines: Vec<&str> = code.lines().collect();
    let mut kept = Vec::with_capacity(lines.len());
    while let Some(line) = lines.get(kept.len()) {
        if line.trim_start().starts_with("#[cfg(test)]") {
            kept.resize(kept.len() + item_lines(&lines[kept.len()..]), None);
        } else {
            kept.push(Some(*line));
        }
    }
    kept
}

/// Lines from an attribute to the end of its item: a `;`, or the brace that closes it.
fn item_lines(lines: &[&str]) -> usize {
    let (mut braces, mut brackets) = (0i32, 0i32);
    for (index, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '{' => braces += 1,
                '}' => braces -= 1,
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets -= 1,
                _ => {}
            }
            if (c == '}' && braces <= 0) || (c == ';' && braces == 0 && brackets == 0) {
                return index + 1;
            }
        }
    }
    lines.len()
}

/// The log may be in other databases than the school: `src/storage/logs` asks for nothing but the log, everybody else for nothing of it.
pub fn tables(path: &str, text: &str, school: &[String], log: &[String]) -> Vec<String> {
    let foreign = match path {
        _ if path.starts_with("src/storage/logs/") => school,
        _ if path.starts_with("src/storage/") => log,
        _ => return Vec::new(),
    };
    let names = |line: &str, table: &str| {
        ["FROM", "INTO", "UPDATE", "JOIN", "TABLE"].iter().any(|before| {
            let asked = format!("{before} {table}");
            line.match_indices(&asked).any(|(at, _)| {
                let next = line[at + asked.len()..].chars().next();
                !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        })
    };
    let found = text.lines().enumerate().flat_map(|(index, line)| {
        let foreign = foreign.iter().filter(move |table| names(line, table));
        foreign.map(move |table| format!("{path}:{}: `{table}` may be in another database", index + 1))
    });
    found.collect()
}

/// Long files and long functions.
pub fn sizes(path: &str, text: &str) -> Vec<String> {
    let code = bare(text);
    let lines = without_tests(&code).into_iter().flatten().count();
    too_long(path, lines).into_iter().chain(long_functions(path, &code)).collect()
}

fn long_functions(path: &str, code: &str) -> Vec<String> {
    let lines: Vec<&str> = without_tests(code).into_iter().map(Option::unwrap_or_default).collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| starts_function(line));
    let long = starts.filter_map(|(start, line)| {
        let counted = function_lines(&lines[start..]);
        (counted > MAX_FUNCTION_LINES).then(|| {
            format!("{path}:{}: {counted} lines, at most {MAX_FUNCTION_LINES}: {}", start + 1, line.trim())
        })
    });
    long.collect()
}

fn starts_function(line: &str) -> bool {
    let line = line.trim_start();
    let head = line.split("fn ").next().unwrap_or_default();
    line.contains("fn ")
        && head.split_whitespace().all(|word| {
            word.starts_with("pub")
                || word.ends_with(')')
                || ["const", "async", "unsafe", "extern", "in"].contains(&word)
        })
}

/// Lines from the signature to the closing brace, without single-line match arms.
fn function_lines(lines: &[&str]) -> usize {
    let (mut depth, mut opened, mut counted) = (0i32, false, 0);
    for line in lines {
        counted += usize::from(!is_single_arm(line));
        for c in line.chars() {
            match c {
                '{' => (depth, opened) = (depth + 1, true),
                '}' => depth -= 1,
                ';' if !opened && depth == 0 => return 0, // a trait's signature
                _ => {}
            }
        }
        if opened && depth == 0 {
            break;
        }
    }
    counted
}

fn is_single_arm(line: &str) -> bool {
    let line = line.trim();
    line.contains("=> ") && (line.ends_with(',') || line.ends_with("}"))
}

/// A file starts by saying what it is, who owns it, what it must not do.
pub fn module_doc(path: &str, text: &str) -> Vec<String> {
    if text.starts_with("//!") { Vec::new() } else { vec![format!("{path}: the module doc is missing")] }
}

/// The brain's manifest names none of the body's crates.
pub fn brain_dependencies(manifest: &str) -> Vec<String> {
    const BODY: [&str; 9] =
        ["webrtc", "rtc", "axum", "hyper", "redis", "sqlx", "rusqlite", "reqwest", "rustls"];
    let named = manifest.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    named.filter(|name| BODY.contains(name)).map(|name| format!("signaling/Cargo.toml: {name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layer_refuses_what_is_below_it() {
        for (path, bad) in [
            ("signaling/src/hub/session.rs", "use axum::Router;"),
            ("signaling/src/protocol/frame.rs", "use crate::room::Room;"),
            ("signaling/src/room/chat.rs", "let now = std::time::Instant::now();"),
            ("signaling/src/room/mod.rs", "    pub async fn apply() {}"),
            ("src/http/ws.rs", "use rtc::stun;"),
            ("src/http/lessons.rs", "use sqlx;"),
            ("src/sfu/forward/rewriter.rs", "fn f() { Instant::now(); }"),
            ("src/sfu/engine/mod.rs", "use crate::school::School;"),
            ("src/school/mod.rs", "use axum as web;"),
            ("src/storage/log.rs", "use crate::school::School;"),
            ("src/http/lessons.rs", "tokio::spawn(x); crate::storage::Store"),
            ("src/school/mod.rs", "tokio::spawn(async {});"),
            ("src/http/ws.rs", "let (a, b) = mpsc::unbounded_channel();"),
            ("src/http/ws.rs", "std::env::var(x)"),
            ("src/http/ws.rs", "use crate::app::Running;"),
        ] {
            assert!(!layers(path, bad).is_empty(), "{path} may not say {bad}");
        }
    }

    #[test]
    fn words_in_comments_strings_tests_and_longer_names_are_no_offence() {
        for (path, good) in [
            ("src/http/ws.rs", "// rtc::stun\nlet x = \"sqlx::query\";"),
            ("src/probe/mod.rs", "use webrtc::api;"),
            ("src/http/ws.rs", "use myrtc::x;"),
            ("src/school/mod.rs", "#[cfg(test)]\nmod tests { fn f() { tokio::spawn(x); } }"),
            ("src/config/mod.rs", "std::env::args()"),
        ] {
            assert_eq!(layers(path, good), Vec::<String>::new());
        }
    }

    #[test]
    fn only_what_stands_behind_the_attribute_is_for_tests_and_not_the_file_below_it() {
        for (items, line) in [
            ("#[cfg(test)]\nmod tests;\n", 3),
            ("#[cfg(test)]\n#[path = \"tests/x.rs\"]\nmod tests;\n", 4),
            ("#[cfg(test)]\nuse std::time::{\n    Instant,\n};\n", 5),
            ("#[cfg(test)]\nconst A: [u8; 2] = [\n    1,\n    2,\n];\n", 6),
            ("impl X {\n    #[cfg(test)]\n    fn f(a: [u8; 2]) -> u8 {\n        { 1 }\n    }\n}\n", 7),
        ] {
            let text = format!("{items}fn f() {{ Instant::now(); }}\n");
            let found = layers("signaling/src/room/mod.rs", &text);
            assert_eq!(found.len(), 1, "{text}{found:?}");
            assert!(found[0].starts_with(&format!("signaling/src/room/mod.rs:{line}:")), "{found:?}");
            let long = format!("{items}{}", "const A: u8 = 1;\n".repeat(601));
            assert_eq!(sizes("src/x.rs", &long).len(), 1, "{items}");
        }
        let tested = "#[cfg(test)]\nimpl X {\n    fn f() { Instant::now(); }\n}\n";
        assert!(layers("signaling/src/room/mod.rs", tested).is_empty());
    }

    #[test]
    fn a_statement_over_both_parts_of_the_store_is_found() {
        let (school, log) = (["lesson".to_owned()], ["event".to_owned(), "packed".to_owned()]);
        let found = |path: &str, sql: &str| tables(path, sql, &school, &log).len();
        assert_eq!(found("src/storage/logs/log.rs", "\"SELECT 1 FROM event e JOIN lesson l\""), 1);
        assert_eq!(found("src/storage/places.rs", "\"SELECT 1 FROM lesson, x JOIN event\""), 1);
        assert_eq!(
            found("src/storage/places.rs", "\"UPDATE packed SET a = (SELECT 1 FROM lesson_place)\""),
            1
        );
        assert_eq!(found("src/storage/logs/log.rs", "\"SELECT lesson FROM event JOIN lesson_place\""), 0);
        assert_eq!(found("src/http/x.rs", "\"FROM lesson\""), 0);
    }

    #[test]
    fn a_long_function_is_found_wherever_it_stands() {
        let long = format!(
            "impl X {{\n    pub(crate) async fn f(\n        a: u8,\n    ) {{\n{}    }}\n}}\n",
            "        g();\n".repeat(70)
        );
        assert_eq!(sizes("src/x.rs", &long).len(), 1);
        let short = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(60));
        assert!(sizes("src/x.rs", &short.repeat(3)).is_empty());
    }

    #[test]
    fn a_dispatch_of_single_calls_may_be_long_and_a_heavy_one_may_not() {
        let arms =
            format!("fn f() {{\n    match x {{\n{}    }}\n}}\n", "        A => self.a(),\n".repeat(100));
        assert!(sizes("src/x.rs", &arms).is_empty());
        let heavy = format!(
            "fn f() {{\n    match x {{\n{}    }}\n}}\n",
            "        A => {\n            a();\n        }\n".repeat(30)
        );
        assert_eq!(sizes("src/x.rs", &heavy).len(), 1);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        assert_eq!(sizes("src/x.rs", &"const A: u8 = 1;\n".repeat(601)).len(), 1);
        let tested = format!(
            "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            "const A: u8 = 1;\n".repeat(300),
            "// t\n".repeat(400)
        );
        assert!(sizes("src/x.rs", &tested).is_empty());
    }

    #[test]
    fn a_missing_module_doc_and_a_forbidden_dependency_are_found() {
        assert_eq!(module_doc("src/x.rs", "use std::io;\n").len(), 1);
        assert_eq!(
            brain_dependencies("[dependencies]\naxum.workspace = true\nsqlx = \"1\"\ntokio = \"1\"\n").len(),
            2
        );
    }
}
