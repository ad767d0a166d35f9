//! The cookie that keeps a browser signed in, and the person behind it.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};

use super::{AppState, Refusal};
use crate::{auth::Token, school::Account};

const DAYS: u64 = 30;

/// `__Host-` binds the cookie to this very host over HTTPS; browsers refuse it on plain HTTP, which only loopback has.
fn name(secure: bool) -> &'static str {
    if secure { "__Host-qism" } else { "qism" }
}

pub fn set(token: &Token, secure: bool) -> HeaderValue {
    value(token.reveal(), DAYS * 24 * 3_600, secure)
}

pub fn remove(secure: bool) -> HeaderValue {
    value("", 0, secure)
}

fn value(token: &str, max_age_s: u64, secure: bool) -> HeaderValue {
    let flag = if secure { "; Secure" } else { "" };
    let text =
        format!("{}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{flag}", name(secure));
    // Invariant: tokens are hexadecimal.
    let mut value = HeaderValue::from_str(&text).expect("ASCII");
    value.set_sensitive(true);
    value
}

/// Our token among the cookies of a request.
pub fn token(headers: &HeaderMap, secure: bool) -> Option<Token> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name(secure)).and_then(|(_, text)| Token::parse(text))
}

/// The signed-in person of a request; without one the request is refused.
pub struct SignedInPerson(pub Account);

impl FromRequestParts<AppState> for SignedInPerson {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        let token = token(&parts.headers, state.site.secure).ok_or(Refusal::signed_out())?;
        let account = state.school.who(&token).await.map_err(|error| Refusal::broken(&error))?;
        account.map(Self).ok_or(Refusal::signed_out())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_comes_back_among_others_and_only_under_its_own_name() {
        let ours = Token::random();
        let mut headers = HeaderMap::new();
        let pair = format!("a=b; __Host-qism={}; qism=nonsense", ours.reveal());
        headers.insert(header::COOKIE, HeaderValue::from_str(&pair).expect("ASCII"));
        assert_eq!(token(&headers, true).map(|token| token.hash()), Some(ours.hash()));
        assert!(token(&headers, false).is_none());
    }

    #[test]
    fn scripts_and_other_sites_cannot_use_it() {
        let value = set(&Token::random(), true);
        let text = value.to_str().expect("ASCII");
        for word in ["__Host-qism=", "; HttpOnly", "; SameSite=Strict", "; Secure", "; Path=/"] {
            assert!(text.contains(word), "{word}");
        }
    }
}
