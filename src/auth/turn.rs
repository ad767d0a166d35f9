//! Passes for the school's TURN server, by the scheme that coturn calls `use-auth-secret` (draft-uberti-behave-turn-rest): the
//! name says until when it is good and whose it is, the password proves that we wrote the name.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use qism_signaling::protocol::UserId;
use serde::Serialize;
use sha1::Sha1;

use crate::telemetry::Redacted;

/// Where the relays are, and the secret shared with them.
#[derive(Debug)]
pub struct Turn {
    urls: Vec<String>,
    secret: Redacted<String>,
    lifetime: Duration,
}

/// What a browser is told (`RTCIceServer`). It has no `Debug`: passes are not for logs.
#[derive(Serialize)]
pub struct IceServer {
    urls: Vec<String>,
    username: String,
    credential: String,
}

impl Turn {
    /// `None` without relays.
    pub fn new(urls: Vec<String>, secret: Redacted<String>, lifetime: Duration) -> Option<Self> {
        (!urls.is_empty()).then_some(Self { urls, secret, lifetime })
    }

    /// A pass for one person. `now` is milliseconds since the epoch.
    pub fn pass(&self, user: UserId, now: u64) -> IceServer {
        let username = format!("{}:{}", now / 1_000 + self.lifetime.as_secs(), user.0);
        // Invariant: HMAC takes keys of any length.
        let mut mac = Hmac::<Sha1>::new_from_slice(self.secret.reveal().as_bytes()).expect("any key fits");
        mac.update(username.as_bytes());
        let credential = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        IceServer { urls: self.urls.clone(), username, credential }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// The password was computed by OpenSSL: `printf %s NAME | openssl dgst -sha1 -hmac SECRET -binary | base64`.
    #[test]
    fn a_pass_is_what_coturn_computes_itself() {
        let urls = vec!["turns:relay.example:443".to_owned()];
        let secret = Redacted::new("a secret of the school".to_owned());
        let turn = Turn::new(urls.clone(), secret, Duration::from_secs(600)).expect("a relay");
        let pass = turn.pass(UserId(Uuid::from_u128(7)), 1_000_000);
        assert_eq!(pass.username, "1600:00000000-0000-0000-0000-000000000007");
        assert_eq!(pass.credential, "rMuGLOqrZBWkc7cqPNC3+oWifjs=");
        assert_eq!(pass.urls, urls);
    }
}
