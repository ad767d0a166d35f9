//! What a cluster leans on, private and real: PostgreSQL with standbys, Redis with Sentinels, each a process on a free port
//! of loopback, made and ended by whoever tests. Not here: anything of Qism.

mod postgres;
mod redis_server;
mod sentinel;

use std::{
    net::{IpAddr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

pub use postgres::Postgres;
pub use redis_server::{Redis, Tls};
pub use sentinel::Sentinel;

/// What a server of these does within this, or something is wrong; generous, since machines are shared.
const SOON: Duration = Duration::from_secs(30);

/// Below those that the kernel gives to whoever asks for any (`ip_local_port_range` begins at 32,768): nobody gets one of these by chance between
/// this question and its use, nor while its server is down for a moment.
const PORTS: std::ops::Range<u32> = 12_000..32_000;

/// A port that nobody listens on just now, and that is given to nobody else in this process.
pub fn free_port(address: IpAddr) -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let count = PORTS.end - PORTS.start;
    // Programs that run beside each other begin far from each other.
    let first = std::process::id().wrapping_mul(7_919);
    let next = || PORTS.start + first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % count;
    let free = |port: &u16| TcpListener::bind((address, *port)).is_ok();
    let ports = std::iter::repeat_with(next).take(count as usize);
    ports.filter_map(|port| u16::try_from(port).ok()).find(free).expect("a free port")
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
