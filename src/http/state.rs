//! What every request handler may use. Made once by `app`, cloned per request (all fields are shared pointers).

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    assets::Assets,
    health::{Draining, Readiness},
};
use crate::{auth::Turn, cluster::Steering, school::School};
use axum::http::{HeaderMap, HeaderValue, header};
use qism_signaling::hub::Hub;

/// The state of the router.
#[derive(Clone)]
pub struct AppState {
    pub site: Arc<Site>,
    pub assets: Arc<Assets>,
    pub draining: Arc<Draining>,
    pub readiness: Readiness,
    pub school: Arc<School>,
    pub hub: Arc<Hub>,
    /// Present when there are other nodes.
    pub steering: Option<Arc<Steering>>,
    /// Relays for networks that let nothing else through; `None`: there are none.
    pub turn: Option<Arc<Turn>>,
    /// A socket that takes nothing for this long is closed.
    pub write_stall: Duration,
}

/// Under which addresses browsers see this server.
#[derive(Clone, Debug)]
pub struct Site {
    pub origins: Origins,
    /// Browsers reach us by HTTPS (own certificate or a proxy's): cookies are `Secure` and named `__Host-…`.
    pub secure: bool,
}

/// Address of the client, behind trusted proxies the one they name; an extension of every request, the key of login back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// Which pages may send unsafe requests and open sockets. A browser always tells the page's origin on those; nothing
/// else protects a WebSocket from a foreign page that rides on the visitor's network position.
#[derive(Clone, Debug)]
pub enum Origins {
    /// The host that the request names, by the scheme we serve.
    OwnHost { scheme: &'static str },
    /// Exactly these, e.g. `https://qism.example.ma`.
    Listed(Vec<String>),
}

impl Origins {
    /// True when the `Origin` header is there and allowed.
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = text(headers.get(header::ORIGIN)) else { return false };
        match self {
            Self::Listed(list) => list.iter().any(|allowed| allowed == origin),
            Self::OwnHost { scheme } => text(headers.get(header::HOST)).is_some_and(|host| {
                origin.strip_prefix(scheme).and_then(|o| o.strip_prefix("://")) == Some(host)
            }),
        }
    }
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value.and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: Option<&'static str>, host: &'static str) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert(header::HOST, HeaderValue::from_static(host));
        if let Some(origin) = origin {
            map.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        map
    }

    #[test]
    fn own_host_needs_the_same_scheme_host_and_port() {
        let own = Origins::OwnHost { scheme: "http" };
        assert!(own.allows(&headers(Some("http://127.0.0.1:7880"), "127.0.0.1:7880")));
        for foreign in ["http://127.0.0.1", "https://127.0.0.1:7880", "http://evil.example", "null", ""] {
            assert!(!own.allows(&headers(Some(foreign), "127.0.0.1:7880")), "{foreign}");
        }
        assert!(!own.allows(&headers(None, "127.0.0.1:7880")));
    }

    #[test]
    fn a_list_is_exact() {
        let list = Origins::Listed(vec!["https://qism.example".into()]);
        assert!(list.allows(&headers(Some("https://qism.example"), "10.0.0.1:7880")));
        assert!(!list.allows(&headers(Some("https://qism.example.evil.example"), "10.0.0.1:7880")));
        assert!(!list.allows(&headers(Some("http://qism.example"), "qism.example")));
    }
}
