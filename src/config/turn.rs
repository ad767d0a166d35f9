//! The `turn_…` keys of `[media]`: relays for networks that let nothing else through.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::telemetry::Redacted;

/// Each costs every browser a connection.
const MOST: usize = 4;
/// Shorter secrets can be guessed from one password that was given out.
const SHORTEST_SECRET: usize = 16;
/// Seconds: a reconnect must find it valid; what leaks is of use for no longer than a week.
const LIFETIME: std::ops::RangeInclusive<u64> = 300..=604_800;

pub fn urls<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let urls = Vec::<String>::deserialize(from)?;
    if urls.len() > MOST {
        return Err(D::Error::custom(format!("at most {MOST} TURN servers")));
    }
    match urls.iter().find(|url| !is_turn(url)) {
        Some(wrong) => Err(D::Error::custom(format!(
            "{wrong:?} is not like \"turns:turn.example.ma:443?transport=tcp\" or \"turn:192.0.2.1:3478\""
        ))),
        None => Ok(urls),
    }
}

/// RFC 7065: scheme, host, port, transport.
fn is_turn(url: &str) -> bool {
    let Some((scheme @ ("turn" | "turns"), rest)) = url.split_once(':') else { return false };
    let (place, transport) = rest.split_once("?transport=").unwrap_or((rest, "tcp"));
    let transports: &[&str] = if scheme == "turns" { &["tcp"] } else { &["tcp", "udp"] };
    transports.contains(&transport) && is_place(place)
}

fn is_place(place: &str) -> bool {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, "443"),
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or_default()),
        None => place.split_once(':').unwrap_or((place, "443")),
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
    !host.is_empty() && host.bytes().all(allowed) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

pub fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Redacted<String>, D::Error> {
    let secret = String::deserialize(from)?;
    if (1..SHORTEST_SECRET).contains(&secret.len()) {
        return Err(D::Error::custom(format!(
            "at least {SHORTEST_SECRET} characters, as in coturn's static-auth-secret"
        )));
    }
    Ok(Redacted::new(secret))
}

pub fn lifetime<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let seconds = u64::deserialize(from)?;
    if LIFETIME.contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    Err(D::Error::custom(format!("{} to {} seconds", LIFETIME.start(), LIFETIME.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_relays_are_told_from_others() {
        for good in [
            "turn:192.0.2.1",
            "turn:relay.example:3478?transport=udp",
            "turns:[2001:db8::1]:443?transport=tcp",
            "turns:relay.example",
        ] {
            assert!(is_turn(good), "{good}");
        }
        for bad in [
            "stun:relay.example",
            "turn:",
            "turn:relay.example:0",
            "turns:relay.example?transport=udp",
            "turn:a b",
            "https://x",
            "turn:x:y",
        ] {
            assert!(!is_turn(bad), "{bad}");
        }
    }
}
