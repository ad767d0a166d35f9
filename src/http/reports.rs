//! `/api/reports`: removals and reports, for the director.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;

use super::{AppState, Refusal, cookie::SignedInPerson};
use crate::school::ReportView;

pub fn routes() -> Router<AppState> {
    Router::new().route("/api/reports", get(reports))
}

#[derive(Serialize)]
struct Reports {
    reports: Vec<ReportView>,
}

async fn reports(
    State(state): State<AppState>,
    SignedInPerson(account): SignedInPerson,
) -> Result<Json<Reports>, Refusal> {
    match state.school.reports(&account).await {
        Ok(Some(reports)) => Ok(Json(Reports { reports })),
        Ok(None) => Err(Refusal::new(StatusCode::FORBIDDEN, "not_allowed")),
        Err(error) => Err(Refusal::broken(&error)),
    }
}
