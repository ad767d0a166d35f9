//! Relays in the configuration reach whoever gets a ticket, and nobody else. That media flow through one is proven with coturn and a
//! browser (`tests/e2e/turn.test.mjs`).

use std::time::Duration;

use qism::telemetry::Redacted;
use qism_signaling::protocol::SessionId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::Server;

const RELAY: &str = "turns:relay.example:443?transport=tcp";

async fn ticket(server: &Server, login: &str) -> Value {
    let person = server.sign_in(login).await;
    let path = format!("/api/lessons/{}/ticket", person.first_lesson().await.0);
    person.post(&path, &json!({ "session": SessionId(Uuid::now_v7()) })).await.json().await.expect("JSON")
}

#[tokio::test]
async fn a_ticket_tells_the_relays_with_a_pass_of_the_person_and_a_refusal_does_not() {
    let server = Server::demo_with(|config| {
        config.media.turn_urls = vec![RELAY.into()];
        config.media.turn_secret = Redacted::new("0123456789abcdef".into());
        config.media.turn_lifetime_s = Duration::from_secs(600);
    })
    .await;
    let [first, second] = [ticket(&server, "student1").await, ticket(&server, "student2").await];
    let relay = &first["ice_servers"][0];
    assert_eq!(relay["urls"], json!([RELAY]));
    assert_ne!(relay["username"], second["ice_servers"][0]["username"]);
    assert_ne!(relay["credential"], second["ice_servers"][0]["credential"]);
    let until = relay["username"].as_str().and_then(|name| name.split(':').next()?.parse::<u64>().ok());
    let left = until.expect("an expiry") as i64 - jiff::Timestamp::now().as_second();
    assert!((500..=600).contains(&left), "{left}");
    let refused = server.stranger().post("/api/lessons/x/ticket", &json!({})).await;
    assert!(!refused.text().await.expect("text").contains("relay.example"));
}

#[tokio::test]
async fn without_relays_a_ticket_says_nothing_of_them() {
    let server = Server::demo().await;
    assert_eq!(ticket(&server, "student1").await.get("ice_servers"), None);
}
