//! Old lessons are packed, now and then.

use std::{sync::Arc, time::Duration};

use qism_signaling::hub::ports::Clock;

use crate::storage::Store;

/// About so often; servers that started together do not do it at the same moment.
const EVERY: Duration = Duration::from_secs(600);

/// Until it is aborted. `after`: so long after its last event; `None`: never.
pub async fn pack_old_lessons(store: Store, clock: Arc<dyn Clock>, after: Option<Duration>) {
    let Some(after) = after else { return };
    loop {
        tokio::time::sleep(EVERY.mul_f64(0.5 + rand::random::<f64>())).await;
        match store.pack(clock.now_ms(), after).await {
            Ok(0) => {}
            Ok(lessons) => tracing::info!(lessons, "old lessons packed"),
            Err(error) => tracing::warn!(%error, "old lessons were not packed; again in a while"),
        }
    }
}
