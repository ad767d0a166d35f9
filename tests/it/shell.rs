//! The outermost shell: half requests, huge heads, foreign pages, certificates, full houses.

use std::{net::SocketAddr, time::Duration};

use qism::{app::Running, config::TlsFiles, http::selfmade, probe::Trust};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::server::{SOON, Server, config};

/// Sends raw bytes; what came back until the server closed.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(bytes).await.expect("sent");
    let mut answer = Vec::new();
    // A reset after the answer is as good as a close.
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("the server closes by itself");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn half_a_head_and_no_head_are_closed_by_the_deadline() {
    let server = Server::with(|config| config.limits.header_timeout_s = 1).await;
    for half in ["", "G", "GET / HTTP/1.1\r\nHost: x\r\n", "PRI * HTTP/2.0\r\n"] {
        let answer = raw(server.address(), half.as_bytes()).await;
        assert!(!answer.contains("200"), "{half:?} got {answer}");
    }
}

#[tokio::test]
async fn a_head_drop_by_drop_is_closed_by_the_deadline() {
    let server = Server::with(|config| config.limits.header_timeout_s = 1).await;
    let mut stream = TcpStream::connect(server.address()).await.expect("connected");
    let drops = async {
        for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX: ".iter().cycle() {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, drops).await.expect("cut off");
}

#[tokio::test]
async fn too_many_and_too_large_headers_are_refused() {
    let server = Server::start().await;
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(70));
    let large = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "b".repeat(17 * 1024));
    for head in [many, large] {
        let answer = raw(server.address(), head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}

#[tokio::test]
async fn the_house_full_for_one_address_refuses_it_until_there_is_room() {
    let server = Server::with(|config| config.limits.connections_per_address = 2).await;
    let first = TcpStream::connect(server.address()).await.expect("connected");
    let second = TcpStream::connect(server.address()).await.expect("connected");
    let refused = raw(server.address(), b"").await;
    assert_eq!(refused, "", "closed at once");
    drop((first, second));
    let again = async {
        while server.http.get(server.url("/healthz")).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, again).await.expect("room again");
}

#[tokio::test]
async fn a_foreign_page_can_change_nothing() {
    let server = Server::start().await;
    for origin in [None, Some("null"), Some("https://evil.example"), Some("http://127.0.0.1:1")] {
        let mut request = server.http.post(server.url("/api/session")).body("{}");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = request.send().await.expect("answered");
        assert_eq!(answer.status(), 403, "{origin:?}");
        assert!(answer.text().await.expect("text").contains("bad_origin"));
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = Server::start().await;
    for path in ["/", "/healthz", "/api/nothing", "/nothing.js"] {
        let answer = server.http.get(server.url(path)).send().await.expect("answered");
        let policy = answer.headers()["content-security-policy"].to_str().expect("text").to_owned();
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(policy.contains("script-src 'self' 'sha256-") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        assert!(!answer.headers().contains_key("strict-transport-security"), "{path}: there is no TLS");
    }
}

#[tokio::test]
async fn the_app_answers_its_own_addresses_and_unknown_files_do_not_exist() {
    let web = tempfile::tempdir().expect("a folder");
    std::fs::write(web.path().join("index.html"), "<!doctype html>the app").expect("written");
    let server = Server::with(|config| config.server.web_dir = Some(web.path().to_owned())).await;
    let get = async |path: &str| {
        let answer = server.http.get(server.url(path)).send().await.expect("answered");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    for own in ["/", "/lesson/1234", "/desk"] {
        assert_eq!(get(own).await, (200, "<!doctype html>the app".into()), "{own}");
    }
    for unknown in ["/nothing.js", "/assets/x.css", "/api/nothing", "/%2e%2e/secret.txt"] {
        assert_eq!(get(unknown).await.0, 404, "{unknown}");
    }
}

#[tokio::test]
async fn without_the_app_a_page_says_how_to_build_it() {
    let empty = tempfile::tempdir().expect("a folder");
    let server = Server::with(|config| config.server.web_dir = Some(empty.path().to_owned())).await;
    let answer = server.http.get(server.url("/")).send().await.expect("answered");
    assert_eq!(answer.status(), 503);
    let text = answer.text().await.expect("text");
    for language in ["lang=\"ar\"", "lang=\"fr\"", "lang=\"en\"", "make run"] {
        assert!(text.contains(language), "{language}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_with_what_to_do() {
    let server = Server::start().await;
    let mut second = config(server.data());
    second.server.listen = server.address();
    let error = Running::start(second).await.err().expect("refused").to_string();
    assert!(error.contains("listen elsewhere"), "{error}");
}

#[tokio::test]
async fn a_changed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = made(folder.path(), "10.0.0.1");
    let server = Server::with(|config| {
        config.server.tls_certificate = Some(files.certificate.clone());
        config.server.tls_key = Some(files.key.clone());
    })
    .await;
    let first = certificate_of(server.address()).await;
    std::fs::write(&files.certificate, "broken").expect("written");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(certificate_of(server.address()).await, first, "the old one stays");
    made(folder.path(), "10.0.0.2");
    let changed = async {
        while certificate_of(server.address()).await == first {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(SOON, changed).await.expect("the new one is served");
}

fn made(folder: &std::path::Path, address: &str) -> TlsFiles {
    let address = address.parse().expect("an address");
    selfmade::certificate(folder, &[address], jiff::civil::date(2026, 11, 1)).expect("made")
}

async fn certificate_of(address: SocketAddr) -> Vec<u8> {
    let tls = Trust::Anything.connector().expect("a client's TLS");
    let stream = TcpStream::connect(address).await.expect("connected");
    let name = ServerName::try_from("localhost").expect("a name");
    let tls = tls.connect(name, stream).await.expect("handshake");
    tls.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec()
}
