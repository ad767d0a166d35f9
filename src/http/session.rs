//! `/api/session` and `/api/me`: signing in and out, and who is signed in.

use axum::{
    Extension, Json, Router,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::AppendHeaders,
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    AppState, ClientAddress, Refusal,
    cookie::{self, SignedInPerson},
};
use crate::{
    school::{Me, SignInRefusal},
    telemetry::Redacted,
};

pub fn routes() -> Router<AppState> {
    Router::new().route("/api/session", post(sign_in).delete(sign_out)).route("/api/me", get(me))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    login: String,
    password: String,
}

type WithCookies<const COUNT: usize, T> = (AppendHeaders<[(HeaderName, HeaderValue); COUNT]>, T);

async fn sign_in(
    State(state): State<AppState>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Result<Json<Credentials>, JsonRejection>,
) -> Result<WithCookies<2, Json<Me>>, Refusal> {
    let Json(credentials) = body.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "malformed"))?;
    let password = Redacted::new(credentials.password);
    let secure = state.site.secure;
    let marks = cookie::marks(&headers, secure);
    let signed_in = state.school.sign_in(&credentials.login, password, address, marks).await;
    let signed_in = signed_in.map_err(refusal)?;
    let me = state.school.me(&signed_in.account).await.map_err(|error| Refusal::broken(&error))?;
    let cookies = [cookie::set(&signed_in.token, secure), cookie::set_marks(&signed_in.marks, secure)];
    Ok((AppendHeaders(cookies.map(|cookie| (header::SET_COOKIE, cookie))), Json(me)))
}

fn refusal(refusal: SignInRefusal) -> Refusal {
    match refusal {
        SignInRefusal::WrongCredentials => Refusal::new(StatusCode::UNAUTHORIZED, "wrong_credentials"),
        SignInRefusal::TooManyAttempts { wait } => {
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts").after(wait)
        }
        SignInRefusal::Disabled => Refusal::new(StatusCode::FORBIDDEN, "account_disabled"),
        SignInRefusal::Broken(error) => Refusal::broken(&error),
    }
}

/// Also without a session: the cookie goes in any case. Who is known to the browser stays so.
async fn sign_out(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<WithCookies<1, StatusCode>, Refusal> {
    if let Some(token) = cookie::token(&headers, state.site.secure) {
        state.school.sign_out(&token).await.map_err(|error| Refusal::broken(&error))?;
    }
    let gone = cookie::remove(state.site.secure);
    Ok((AppendHeaders([(header::SET_COOKIE, gone)]), StatusCode::NO_CONTENT))
}

async fn me(
    State(state): State<AppState>,
    SignedInPerson(account): SignedInPerson,
) -> Result<Json<Me>, Refusal> {
    state.school.me(&account).await.map(Json).map_err(|error| Refusal::broken(&error))
}
