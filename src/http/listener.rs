//! Accepts connections and serves the router on them, with the limits that the plain axum listener lacks: a deadline
//! and a size for the head of a request, a bounded number of connections, TLS.
//!
//! The protocol is chosen before the first byte (HTTP/1 without TLS, else by ALPN): waiting to guess it would be
//! waiting without a deadline.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::{
    ClientAddress,
    connections::{Connections, Permit},
};
use crate::config::Limits;

/// Head of a request, the handshake of a WebSocket included.
const HEAD_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;
/// Requests of one HTTP/2 connection at once.
const STREAMS: u32 = 64;
/// Connections that wait to be accepted: a class presses *reload* at once.
const BACKLOG: i32 = 4096;
/// After a failed accept (no file descriptors left).
const BREATH: Duration = Duration::from_millis(100);
/// Requests under way and sockets told to close get this long at shutdown.
const DRAIN: Duration = Duration::from_secs(10);

/// A bound address, not served yet.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
}

/// What every connection task needs.
#[derive(Clone)]
struct Shared {
    router: Router,
    tls: Option<TlsAcceptor>,
    header_timeout: Duration,
}

impl Listener {
    /// Binds now, so that a port in use is told before anything else starts.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        if address.ip() == IpAddr::from([0u16; 8]) {
            // "[::]" serves IPv4 too, whatever the system's default.
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let tcp = TcpListener::from_std(socket.into())?;
        let address = tcp.local_addr()?;
        Ok(Self { tcp, address })
    }

    /// With the real port where 0 was asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` turns true, then lets requests under way end.
    pub async fn serve(
        self,
        router: Router,
        tls: Option<TlsAcceptor>,
        limits: Limits,
        mut stop: watch::Receiver<bool>,
    ) {
        let shared = Shared { router, tls, header_timeout: limits.header_timeout() };
        let connections = Connections::new(limits.connections, limits.connections_per_address);
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.tcp.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(permit) = connections.admit(peer.ip()) else {
                        tracing::debug!("a connection over the limit was closed");
                        continue;
                    };
                    tokio::spawn(connection(shared.clone(), stream, permit, graceful.watcher()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        drop(self.tcp);
        let drained = async {
            graceful.shutdown().await;
            while connections.open() > 0 {
                tokio::time::sleep(BREATH).await;
            }
        };
        if timeout(DRAIN, drained).await.is_err() {
            tracing::warn!(open = connections.open(), "connections were cut at shutdown");
        }
    }
}

/// One connection from its first byte to its last; a WebSocket keeps the permit on.
async fn connection(shared: Shared, stream: TcpStream, permit: Permit, watcher: Watcher) {
    let peer = stream.peer_addr().map(|peer| peer.ip().to_canonical());
    let Ok(peer) = peer else { return };
    // Small frames must not wait for each other; on failure they are only slower.
    let _ = stream.set_nodelay(true);
    let permit = Arc::new(permit);
    let Some(tls) = shared.tls.clone() else {
        return serve_http(&shared, stream, Protocol::Http1, peer, permit, watcher).await;
    };
    match timeout(shared.header_timeout, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let protocol = if two { Protocol::Http2 } else { Protocol::Http1 };
            serve_http(&shared, stream, protocol, peer, permit, watcher).await;
        }
        Ok(Err(error)) => tracing::trace!(%error, "TLS handshake failed"),
        Err(_) => tracing::trace!("TLS handshake took too long"),
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    Http1,
    Http2,
}

async fn serve_http(
    shared: &Shared,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    protocol: Protocol,
    peer: IpAddr,
    permit: Arc<Permit>,
    watcher: Watcher,
) {
    let router = shared.router.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ClientAddress(peer));
        request.extensions_mut().insert(permit.clone());
        let answer = router.clone().oneshot(request.map(Body::new));
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let builder = builder(protocol, shared.header_timeout);
    let served =
        watcher.watch(builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned());
    if let Err(error) = served.await {
        tracing::trace!(%error, "connection ended");
    }
}

fn builder(protocol: Protocol, header_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES as u32)
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(Some(Duration::from_secs(20)));
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}
