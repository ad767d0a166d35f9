//! Students who raise and lower their hands: each time one event of the log, acknowledged when it is kept.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use qism_signaling::protocol::{Command, UserId};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use qism_client::{Socket, command};

/// What came of it.
#[derive(Debug, Default)]
pub struct Waved {
    /// Acknowledged.
    pub kept: u64,
    /// From the moment each was due to its acknowledgement; sorted.
    pub delays_ms: Vec<f64>,
    pub seconds: f64,
}

impl Waved {
    pub fn per_s(&self) -> f64 {
        self.kept as f64 / self.seconds
    }
}

/// Each hand so many times a second, but only after its last answer. A late answer counts for all that was due meanwhile.
pub async fn wave(hands: Vec<(Socket, UserId)>, per_s: f64, during: Duration) -> anyhow::Result<Waved> {
    let period = Duration::from_secs_f64(1.0 / per_s);
    let mut waving = JoinSet::new();
    let began = Instant::now();
    for (socket, user) in hands {
        waving.spawn(one(socket, user, period, began + during));
    }
    let mut all = Waved::default();
    while let Some(delays_ms) = waving.join_next().await {
        all.delays_ms.extend(delays_ms??);
    }
    all.kept = all.delays_ms.len() as u64;
    all.seconds = began.elapsed().as_secs_f64();
    all.delays_ms.sort_by(f64::total_cmp);
    Ok(all)
}

async fn one(mut socket: Socket, user: UserId, period: Duration, until: Instant) -> anyhow::Result<Vec<f64>> {
    let first = tokio::time::Instant::now() + period.mul_f64(rand::random::<f64>());
    let mut rhythm = tokio::time::interval_at(first, period);
    let mut delays = Vec::new();
    while Instant::now() < until {
        let due = next_due(&mut socket, &mut rhythm).await?;
        let up = delays.len() % 2 == 0;
        let wish = if up { Command::RaiseHand {} } else { Command::LowerHand { user } };
        socket.send(command(wish)).await?;
        while heard(socket.next().await)?.is_continue() {}
        delays.push(due.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(delays)
}

/// Reads on meanwhile, as a browser does.
async fn next_due(
    socket: &mut Socket,
    rhythm: &mut tokio::time::Interval,
) -> anyhow::Result<tokio::time::Instant> {
    loop {
        tokio::select! {
            due = rhythm.tick() => return Ok(due),
            message = socket.next() => drop(heard(message)?),
        }
    }
}

/// Ends at the answer; what else is told is not looked at.
fn heard(
    message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
) -> anyhow::Result<ControlFlow<()>> {
    let Message::Text(text) = message.context("the socket was closed")?? else {
        return Ok(ControlFlow::Continue(()));
    };
    if text.starts_with(r#"{"type":"refused""#) {
        bail!("refused: {text}");
    }
    let is_answer = text.starts_with(r#"{"type":"accepted""#);
    Ok(if is_answer { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use qism_signaling::protocol::{CommandId, ErrorCode, ServerFrame};

    #[test]
    fn an_answer_is_known_by_how_it_begins() {
        let id = CommandId(uuid::Uuid::nil());
        let told = |frame: ServerFrame| {
            heard(Some(Ok(Message::text(serde_json::to_string(&frame).expect("frames are JSON")))))
        };
        assert!(told(ServerFrame::Accepted { id, number: 7 }).is_ok_and(|flow| flow.is_break()));
        assert!(told(ServerFrame::Error { error: ErrorCode::Busy }).is_ok_and(|flow| flow.is_continue()));
        let refused = ServerFrame::Refused { id, error: ErrorCode::Busy, retry_after_ms: None };
        assert!(told(refused).is_err());
        assert!(heard(None).is_err());
    }
}
