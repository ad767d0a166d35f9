//! The end of a server, in reverse order of its start: its people first.

use std::time::Duration;

use super::Running;

/// A server of an older version looks at the others once a beat: so long it may still send people here.
const LEAVE: Duration = Duration::from_millis(1_200);
/// Everybody has moved within this, or is told to come back.
const MOVE_OUT: Duration = Duration::from_secs(28);
/// Rooms get this long to tell everybody at shutdown.
const DRAIN_LESSONS: Duration = Duration::from_secs(5);
/// The last word to the database.
const FORGET: Duration = Duration::from_secs(2);

impl Running {
    /// Takes nobody new, has everybody move to another node (or tells them to come back, where there is none), lets what is under
    /// way end.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.draining.start();
        let moved = self.move_out().await;
        if tokio::time::timeout(DRAIN_LESSONS, self.hub.shutdown()).await.is_err() {
            tracing::warn!("lessons did not end in time");
        }
        self.keeping.abort();
        self.beating.abort();
        if moved {
            self.forget().await;
        }
        if let Some((_, serving)) = &self.metrics {
            serving.abort();
        }
        self.stop.send_replace(true);
        if self.serving.await.is_err() {
            tracing::error!("the listener panicked");
        }
        if let Some(watching) = self.watching {
            watching.abort();
        }
        let sfu = self.sfu;
        // Joins threads.
        if tokio::task::spawn_blocking(move || sfu.stop()).await.is_err() {
            tracing::error!("the media plane panicked");
        }
        self.store.close().await;
        tracing::info!("stopped");
    }

    /// True when there is another node, to which everybody has gone.
    async fn move_out(&self) -> bool {
        let has_others = || self.steering.as_ref().is_some_and(|steering| steering.is_anybody_else());
        if !has_others() {
            return false;
        }
        self.nudge.notify_one();
        self.hub.close_door();
        tokio::time::sleep(LEAVE).await;
        if !has_others() {
            return false;
        }
        let moved = tokio::time::timeout(MOVE_OUT, self.hub.move_out()).await.is_ok();
        if !moved {
            tracing::warn!("not everybody has moved in time");
        }
        moved
    }

    /// Others need not find out that this one beats no more.
    async fn forget(&self) {
        let forgotten = tokio::time::timeout(FORGET, self.store.forget_node(self.incarnation)).await;
        if !matches!(forgotten, Ok(Ok(()))) {
            tracing::warn!("the row of this server is left behind");
        }
    }
}
