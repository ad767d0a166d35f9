//! What a cluster leans on, private and real: PostgreSQL with standbys, Redis with Sentinels, each a process on a free port
//! of loopback, made and ended by whoever tests. Not here: anything of Qism.

mod postgres;
mod redis_server;
mod sentinel;

use std::{
    net::{IpAddr, TcpListener},
    time::Duration,
};

pub use postgres::Postgres;
pub use redis_server::{Redis, Tls};
pub use sentinel::Sentinel;

/// What a server of these does within this, or something is wrong; generous, since machines are shared.
const SOON: Duration = Duration::from_secs(30);

/// A port that nobody listens on just now.
pub fn free_port(address: IpAddr) -> u16 {
    let listener = TcpListener::bind((address, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Asks again until there is something.
async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, asking).await.unwrap_or_else(|_| panic!("never: {what}"))
}
