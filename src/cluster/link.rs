//! One connection to Redis, from its opening to its end: subscriptions, letters in, letters out.

use std::{collections::HashSet, convert::Infallible, time::Duration};

use futures_util::StreamExt as _;
use qism_signaling::{
    hub::envelope::{BusEvent, Content, Envelope},
    protocol::LessonId,
};
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use tokio::{sync::mpsc, time::timeout};

use super::{
    redis::{Shared, count},
    seal::SealError,
    server::{RedisServer, ServerError},
};

/// Redis answers within this, or it is away: a network that swallows packets tells nothing else.
const ANSWER: Duration = Duration::from_secs(2);
/// A quiet connection is tried this often.
const PING: Duration = Duration::from_secs(1);
/// Letters published by one pipeline.
const TOGETHER: usize = 128;
/// Channels subscribed by one command.
const CHANNELS: usize = 512;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum LinkEnd {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("{0}")]
    Redis(#[from] redis::RedisError),
    #[error("no answer within {} s", ANSWER.as_secs())]
    Silent(#[from] tokio::time::error::Elapsed),
    #[error("the connection was closed")]
    Closed,
}

/// Opens a connection and carries until it ends.
pub(super) async fn carry(
    server: &RedisServer,
    shared: &Shared,
    letters: &mut mpsc::Receiver<(LessonId, Content)>,
    incoming: &mpsc::Sender<BusEvent>,
) -> LinkEnd {
    match try_carry(server, shared, letters, incoming).await {
        Ok(never) => match never {},
        Err(end) => end,
    }
}

async fn try_carry(
    server: &RedisServer,
    shared: &Shared,
    letters: &mut mpsc::Receiver<(LessonId, Content)>,
    incoming: &mpsc::Sender<BusEvent>,
) -> Result<Infallible, LinkEnd> {
    let client = timeout(ANSWER, server.client()).await??;
    let publisher = timeout(ANSWER, client.get_multiplexed_async_connection()).await??;
    let (sink, stream) = timeout(ANSWER, client.get_async_pubsub()).await??.split();
    count(&shared.counters.connected);
    tokio::select! {
        end = subscribe(sink, shared, incoming) => end,
        end = receive(stream, shared, incoming) => end,
        end = publish(publisher, shared, letters) => end,
    }
}

/// Keeps the subscriptions as the open rooms are. Once all are made the bus is up, and the hub looks what it missed.
async fn subscribe(
    mut sink: PubSubSink,
    shared: &Shared,
    incoming: &mpsc::Sender<BusEvent>,
) -> Result<Infallible, LinkEnd> {
    let mut subscribed = HashSet::new();
    let mut first = true;
    loop {
        let wanted = shared.wanted().clone();
        let more: Vec<String> = wanted.difference(&subscribed).map(channel).collect();
        for some in more.chunks(CHANNELS) {
            timeout(ANSWER, sink.subscribe(some)).await??;
        }
        let less: Vec<String> = subscribed.difference(&wanted).map(channel).collect();
        for some in less.chunks(CHANNELS) {
            timeout(ANSWER, sink.unsubscribe(some)).await??;
        }
        subscribed = wanted;
        if std::mem::take(&mut first) {
            shared.set_up(true);
            tracing::info!(lessons = subscribed.len(), "the bus carries");
            let _ = incoming.try_send(BusEvent::Restored);
        }
        if timeout(PING, shared.changed.notified()).await.is_err() {
            timeout(ANSWER, sink.ping::<redis::Value>()).await??;
        }
    }
}

fn channel(lesson: &LessonId) -> String {
    format!("qism:{lesson}")
}

async fn receive(
    mut stream: PubSubStream,
    shared: &Shared,
    incoming: &mpsc::Sender<BusEvent>,
) -> Result<Infallible, LinkEnd> {
    let mut told = false;
    while let Some(message) = stream.next().await {
        match shared.seal.open(message.get_payload_bytes()) {
            Ok((envelope, _)) if envelope.from == shared.own => {}
            Ok((envelope, stamp)) if shared.is_copy(envelope.from, stamp) => count(&shared.counters.forged),
            Ok((envelope, _)) => {
                count(&shared.counters.received);
                if incoming.try_send(BusEvent::Received(envelope)).is_err() {
                    count(&shared.counters.dropped);
                }
            }
            Err(SealError::Forged) => {
                count(&shared.counters.forged);
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(
                        "a letter on the bus is not sealed by our key: do all servers have the same cluster.key?"
                    );
                }
            }
            Err(SealError::Unreadable) => count(&shared.counters.unreadable),
        }
    }
    Err(LinkEnd::Closed)
}

async fn publish(
    mut connection: MultiplexedConnection,
    shared: &Shared,
    letters: &mut mpsc::Receiver<(LessonId, Content)>,
) -> Result<Infallible, LinkEnd> {
    let mut some = Vec::with_capacity(TOGETHER);
    while letters.recv_many(&mut some, TOGETHER).await > 0 {
        let mut pipe = redis::pipe();
        for (lesson, content) in some.drain(..) {
            count(&shared.counters.published);
            let sealed = shared.seal.close(&Envelope { from: shared.own, lesson, content }, shared.stamp());
            pipe.publish(channel(&lesson), sealed).ignore();
        }
        timeout(ANSWER, pipe.query_async::<()>(&mut connection)).await??;
    }
    Err(LinkEnd::Closed)
}
