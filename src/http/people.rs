//! `/api/people`: the people of a school, for its director, who may erase them.

use axum::{
    Json, Router,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    routing::{get, post},
};
use qism_signaling::protocol::UserId;
use serde::Deserialize;
use uuid::Uuid;

use super::{AppState, Refusal, cookie::SignedInPerson};
use crate::school::{EraseError, People};

pub fn routes() -> Router<AppState> {
    Router::new().route("/api/people", get(people)).route("/api/people/{user}/erasure", post(erase))
}

async fn people(
    State(state): State<AppState>,
    SignedInPerson(account): SignedInPerson,
) -> Result<Json<People>, Refusal> {
    match state.school.people(&account).await {
        Ok(Some(people)) => Ok(Json(people)),
        Ok(None) => Err(Refusal::new(StatusCode::FORBIDDEN, "not_allowed")),
        Err(error) => Err(Refusal::broken(&error)),
    }
}

/// The sign-in name is said once more: what is erased does not come back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    login: String,
}

async fn erase(
    State(state): State<AppState>,
    SignedInPerson(account): SignedInPerson,
    Path(user): Path<Uuid>,
    body: Result<Json<Confirmation>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(Confirmation { login }) =
        body.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "malformed"))?;
    let erased = state.school.erase(&account, UserId(user), &login).await;
    erased.map(|()| StatusCode::NO_CONTENT).map_err(|error| match error {
        EraseError::NotAllowed | EraseError::Protected => Refusal::new(StatusCode::FORBIDDEN, "not_allowed"),
        EraseError::Unknown => Refusal::new(StatusCode::NOT_FOUND, "unknown"),
        EraseError::NotConfirmed => Refusal::new(StatusCode::CONFLICT, "not_confirmed"),
        EraseError::Broken(error) => Refusal::broken(&error),
    })
}
