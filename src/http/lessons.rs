//! `/api/lessons`: today's lessons, starting one now, tickets into one.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::StatusCode,
    routing::{get, post},
};
use qism_signaling::{
    hub::LessonNow,
    protocol::{LessonId, Person, Phase, SessionId, limits, snapshot::Localized},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AppState, Refusal, cookie::SignedInPerson};
use crate::{
    auth::IceServer,
    school::{EntryRefusal, LessonRow, Roster, StartRefusal},
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/lessons", get(today).post(start_now))
        .route("/api/lessons/{lesson}/ticket", post(ticket))
}

const MALFORMED: Refusal = Refusal::new(StatusCode::BAD_REQUEST, "malformed");

#[derive(Serialize)]
struct TodayView {
    now: u64,
    lessons: Vec<LessonView>,
    groups: Vec<Roster>,
}

#[derive(Serialize)]
struct LessonView {
    lesson: LessonId,
    subject: Localized,
    group: String,
    teacher: Person,
    starts_at: u64,
    ends_at: u64,
    phase: Phase,
    /// Nobody can enter for a while, and whether it was ended is not known.
    unavailable: bool,
    students_present: u32,
    students_expected: u32,
}

async fn today(
    State(state): State<AppState>,
    SignedInPerson(account): SignedInPerson,
) -> Result<Json<TodayView>, Refusal> {
    let today = state.school.today(&account).await.map_err(|error| Refusal::broken(&error))?;
    let ids: Vec<LessonId> = today.lessons.iter().map(|row| row.lesson).collect();
    let open = phases(&state, &ids).await;
    let lessons = today.lessons.into_iter().map(|row| {
        let now = open.iter().find(|now| now.lesson == row.lesson);
        view(row, now)
    });
    Ok(Json(TodayView { now: today.now, lessons: lessons.collect(), groups: today.groups }))
}

/// How lessons stand that are open here, or on another node.
async fn phases(state: &AppState, ids: &[LessonId]) -> Vec<LessonNow> {
    let mut open = state.hub.phases(ids);
    if let Some(steering) = &state.steering {
        let elsewhere = ids.iter().filter(|id| !open.iter().any(|now| now.lesson == **id)).copied();
        let elsewhere = elsewhere.collect::<Vec<_>>();
        open.extend(steering.elsewhere(&elsewhere).await);
    }
    open
}

/// The school's plan and what the hub sees.
fn view(row: LessonRow, now: Option<&LessonNow>) -> LessonView {
    let phase = if row.ended { Phase::Ended } else { now.map_or(Phase::Waiting, |now| now.phase) };
    LessonView {
        lesson: row.lesson,
        subject: row.subject,
        group: row.group,
        teacher: row.teacher,
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        phase,
        unavailable: row.unavailable,
        students_present: now.map_or(0, |now| now.students_present),
        students_expected: row.students_expected,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartNow {
    group: Uuid,
    #[serde(default)]
    subject: Option<Uuid>,
}

#[derive(Serialize)]
struct Started {
    lesson: LessonId,
}

async fn start_now(
    State(state): State<AppState>,
    SignedInPerson(account): SignedInPerson,
    body: Result<Json<StartNow>, JsonRejection>,
) -> Result<(StatusCode, Json<Started>), Refusal> {
    let Json(wish) = body.map_err(|_| MALFORMED)?;
    match state.school.start_now(&account, wish.group, wish.subject).await {
        Ok(lesson) => Ok((StatusCode::CREATED, Json(Started { lesson }))),
        Err(StartRefusal::NotTaught) => Err(Refusal::new(StatusCode::FORBIDDEN, "not_allowed")),
        Err(StartRefusal::Broken(error)) => Err(Refusal::broken(&error)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketWish {
    session: SessionId,
}

#[derive(Serialize)]
struct Ticket {
    ticket: String,
    /// Where to open the WebSocket: on the node where the lesson's people meet.
    socket: String,
    expires_in_s: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ice_servers: Vec<IceServer>,
}

async fn ticket(
    State(state): State<AppState>,
    SignedInPerson(account): SignedInPerson,
    lesson: Result<Path<LessonId>, PathRejection>,
    body: Result<Json<TicketWish>, JsonRejection>,
) -> Result<Json<Ticket>, Refusal> {
    let Path(lesson) = lesson.map_err(|_| Refusal::new(StatusCode::NOT_FOUND, "no_such_lesson"))?;
    let Json(wish) = body.map_err(|_| MALFORMED)?;
    let ticket = state.school.ticket(&account, lesson, wish.session).await.map_err(refusal)?;
    let socket = match &state.steering {
        Some(steering) => steering.socket(lesson).await,
        None => "/ws".into(),
    };
    let ice_servers = state.turn.iter().map(|turn| turn.pass(account.user, state.school.now())).collect();
    Ok(Json(Ticket { ticket, socket, expires_in_s: limits::TICKET.as_secs(), ice_servers }))
}

fn refusal(refusal: EntryRefusal) -> Refusal {
    match refusal {
        EntryRefusal::NoSuchLesson => Refusal::new(StatusCode::NOT_FOUND, "no_such_lesson"),
        EntryRefusal::NotAdmitted => Refusal::new(StatusCode::FORBIDDEN, "not_admitted"),
        EntryRefusal::Ended => Refusal::new(StatusCode::CONFLICT, "lesson_ended"),
        EntryRefusal::TooEarly { starts_at, now } => {
            let wait = Duration::from_millis(starts_at.saturating_sub(now));
            Refusal::new(StatusCode::TOO_EARLY, "too_early").after(wait)
        }
        EntryRefusal::TooOften { wait } => {
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts").after(wait)
        }
        EntryRefusal::Broken(error) => Refusal::broken(&error),
    }
}
