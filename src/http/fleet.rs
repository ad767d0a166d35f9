//! `/api/fleet`: the servers and what goes on, for the administrator.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};

use super::{AppState, Refusal, cookie::SignedInPerson};
use crate::school::FleetView;

pub fn routes() -> Router<AppState> {
    Router::new().route("/api/fleet", get(fleet))
}

async fn fleet(
    State(state): State<AppState>,
    SignedInPerson(account): SignedInPerson,
) -> Result<Json<FleetView>, Refusal> {
    match state.school.fleet(&account).await {
        Ok(Some(fleet)) => Ok(Json(fleet)),
        Ok(None) => Err(Refusal::new(StatusCode::FORBIDDEN, "not_allowed")),
        Err(error) => Err(Refusal::broken(&error)),
    }
}
