//! Behind a proxy that ends TLS: whose address counts, which pages may, which cookie is set. The test is the proxy.

use qism_signaling::protocol::{ClientFrame, CloseCode, VERSION};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{
    self,
    client::IntoClientRequest as _,
    http::{HeaderMap, HeaderValue},
};

use crate::server::Server;

const ORIGIN: &str = "https://qism.example.ma";
const ALICE: &str = "203.0.113.1";
const MALLORY: &str = "203.0.113.66";

/// A server that trusts `proxies`, under its public name.
async fn server(proxies: &[&str]) -> Server {
    let trusted = proxies.iter().map(|text| text.parse().expect("a network")).collect();
    Server::demo_with(|config| {
        config.server.public_origins = vec![ORIGIN.into()];
        config.server.trusted_proxies = trusted;
        config.limits.connections_per_address = 3;
    })
    .await
}

/// Passes a sign-in on for a client, as a proxy does: its address behind whatever the client wrote.
fn sign_in(server: &Server, written: &str, password: &str) -> RequestBuilder {
    let body = json!({ "login": "student1", "password": password });
    let request = Client::new().post(server.url("/api/session")).header("x-forwarded-for", written);
    request.header("origin", ORIGIN).json(&body)
}

async fn status(request: RequestBuilder) -> u16 {
    answer(request).await.status().as_u16()
}

async fn answer(request: RequestBuilder) -> Response {
    request.send().await.expect("answered")
}

/// As often as is free of a wait, and until the first that is not looked at: each guess more doubles the wait, so that one comes too early on any machine.
async fn guess(server: &Server, written: impl Fn(usize) -> String) -> u16 {
    let mut answered = 401;
    for n in 0..20 {
        answered = status(sign_in(server, &written(n), "wrong")).await;
        if answered != 401 {
            assert!(n > 4, "five are free");
            break;
        }
    }
    answered
}

#[tokio::test]
async fn a_guesser_behind_the_proxy_waits_alone() {
    let server = server(&["127.0.0.1/32"]).await;
    assert_eq!(guess(&server, |_| MALLORY.into()).await, 429);
    assert_eq!(status(sign_in(&server, ALICE, qism::school::demo::PASSWORD)).await, 200);
}

#[tokio::test]
async fn addresses_that_a_client_makes_up_do_not_help_it() {
    let trusted = server(&["127.0.0.1/32"]).await;
    assert_eq!(
        guess(&trusted, |n| format!("198.51.100.{n}, {MALLORY}")).await,
        429,
        "left of the proxy's own"
    );
    let untrusted = server(&["10.0.0.0/8"]).await;
    assert_eq!(guess(&untrusted, |n| format!("198.51.100.{n}")).await, 429, "we are no proxy of theirs");
}

#[tokio::test]
async fn pages_of_the_public_origin_may_and_their_cookie_is_secure() {
    let server = server(&["127.0.0.1/32"]).await;
    let granted = answer(sign_in(&server, ALICE, qism::school::demo::PASSWORD)).await;
    let cookie = granted.headers()["set-cookie"].to_str().expect("text");
    assert!(cookie.starts_with("__Host-qism=") && cookie.contains("; Secure"), "{cookie}");
    assert_eq!(granted.headers()["strict-transport-security"], "max-age=31536000");
    for foreign in ["http://qism.example.ma", &server.running.url(), "https://evil.example"] {
        let request = Client::new().post(server.url("/api/session")).header("origin", foreign);
        assert_eq!(status(request.json(&json!({}))).await, 403, "{foreign}");
    }
}

type Socket = tokio_tungstenite::WebSocketStream<TcpStream>;

async fn socket(server: &Server, client: &'static str) -> Result<Socket, tungstenite::Error> {
    let mut request = format!("ws://{}/ws", server.address()).into_client_request()?;
    let headers: &mut HeaderMap = request.headers_mut();
    headers.insert("origin", HeaderValue::from_static(ORIGIN));
    headers.insert("x-forwarded-for", HeaderValue::from_static(client));
    let stream = TcpStream::connect(server.address()).await?;
    Ok(tokio_tungstenite::client_async(request, stream).await?.0)
}

#[tokio::test]
async fn one_client_behind_the_proxy_cannot_take_everybodys_sockets() {
    let server = server(&["127.0.0.1/32"]).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(socket(&server, MALLORY).await.expect("room"));
    }
    let refused = socket(&server, MALLORY).await.expect_err("full");
    assert!(matches!(refused, tungstenite::Error::Http(answer) if answer.status() == 503));
    let mut other = crate::server::Socket(socket(&server, ALICE).await.expect("somebody else"));
    let ticket = "not a ticket".to_owned();
    other.send(&ClientFrame::Hello { version: VERSION, ticket, position: None }).await;
    assert_eq!(other.closed().await, Some(CloseCode::Ticket.number()));
    held.clear();
    crate::server::eventually(async || socket(&server, MALLORY).await.ok()).await;
}
