//! The cookie that keeps a browser signed in, and the person behind it; and the one by which the browser is known to whoever signed in
//! before.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};

use super::{AppState, Refusal};
use crate::{
    auth::{Marks, Token},
    school::Account,
};

const DAY_S: u64 = 24 * 3_600;
/// Of a sign-in.
const SIGNED_IN_S: u64 = 30 * DAY_S;
/// Of the marks: over the summer.
const KNOWN_S: u64 = 365 * DAY_S;

/// `__Host-` binds the cookie to this very host over HTTPS; browsers refuse it on plain HTTP, which only loopback has.
fn name(secure: bool) -> &'static str {
    if secure { "__Host-qism" } else { "qism" }
}

fn marks_name(secure: bool) -> &'static str {
    if secure { "__Host-qism-known" } else { "qism-known" }
}

pub fn set(token: &Token, secure: bool) -> HeaderValue {
    value(name(secure), token.reveal(), SIGNED_IN_S, secure)
}

pub fn remove(secure: bool) -> HeaderValue {
    value(name(secure), "", 0, secure)
}

/// To whom the browser is known.
pub fn set_marks(marks: &Marks, secure: bool) -> HeaderValue {
    value(marks_name(secure), &marks.reveal(), KNOWN_S, secure)
}

fn value(name: &str, text: &str, max_age_s: u64, secure: bool) -> HeaderValue {
    let flag = if secure { "; Secure" } else { "" };
    let text = format!("{name}={text}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{flag}");
    // Invariant: tokens and marks are hexadecimal, with dots between.
    let mut value = HeaderValue::from_str(&text).expect("ASCII");
    value.set_sensitive(true);
    value
}

/// Our token among the cookies of a request.
pub fn token(headers: &HeaderMap, secure: bool) -> Option<Token> {
    of(headers, name(secure)).and_then(Token::parse)
}

/// To whom the browser of a request is known.
pub fn marks(headers: &HeaderMap, secure: bool) -> Marks {
    of(headers, marks_name(secure)).map(Marks::parse).unwrap_or_default()
}

fn of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, text)| text)
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
        let known = Marks::default().with("salma", "hash");
        let pair = format!(
            "a=b; __Host-qism-known={}; __Host-qism={}; qism=nonsense",
            known.reveal(),
            ours.reveal()
        );
        headers.insert(header::COOKIE, HeaderValue::from_str(&pair).expect("ASCII"));
        assert_eq!(token(&headers, true).map(|token| token.hash()), Some(ours.hash()));
        assert_eq!(marks(&headers, true).reveal(), known.reveal());
        assert!(token(&headers, false).is_none() && marks(&headers, false).is_empty());
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
