//! Accepts connections and serves the router on them, with the limits that the plain axum listener lacks: a deadline
//! and a size for the head of a request, a bounded number of connections, TLS.
//!
//! The protocol is chosen before the first byte (HTTP/1 without TLS, else by ALPN): hyper-util's `auto` guesses it from
//! the first bytes and waits for those without a deadline, even when told to speak only one.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{Router, body::Body, http::StatusCode, response::IntoResponse as _};
use hyper::{
    Request, Response,
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::{
    ClientAddress, Refusal,
    connections::{Connections, Permit},
    forwarded::Proxies,
};

/// Head of a request, the handshake of a WebSocket included.
const HEAD_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;
/// Requests of one HTTP/2 connection at once.
const STREAMS: u32 = 64;
/// Unsent bytes of one connection that the kernel holds.
const UNSENT_BYTES: u32 = 64 * 1024;
/// A silent HTTP/2 connection is asked this often whether it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// When somebody behind a proxy with too many open requests may ask again.
const LATER: Duration = Duration::from_secs(5);
/// Connections that wait to be accepted: a class presses *reload* at once.
const BACKLOG: i32 = 4096;
/// After a failed accept (no file descriptors left).
const BREATH: Duration = Duration::from_millis(100);
/// Bytes that tell whether a connection carries media.
const FIRST_BYTES: usize = 10;
/// First byte of a TLS handshake; letters come after it, the length of a media frame before it.
const FIRST_OF_OTHERS: u8 = 0x16;
/// Between two looks at a connection that began like media.
const GLANCE: Duration = Duration::from_millis(20);
/// Requests under way and sockets told to close get this long at shutdown.
const DRAIN: Duration = Duration::from_secs(10);

/// A bound address, not served yet.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
}

/// Who takes connections that carry media: browsers whose network lets no UDP through open them.
#[async_trait]
pub trait MediaDoor: Send + Sync {
    /// Until the connection ends.
    async fn carry(&self, stream: TcpStream);
}

/// What is served, to whom, under which limits.
#[derive(Clone)]
pub struct Service {
    pub router: Router,
    /// Takes connections that carry media; `None` = there are none.
    pub media: Option<Arc<dyn MediaDoor>>,
    /// `None` = plain HTTP.
    pub tls: Option<TlsAcceptor>,
    pub connections: Arc<Connections>,
    pub proxies: Arc<Proxies>,
    pub header_timeout: Duration,
    /// Turns true at shutdown.
    pub stop: watch::Receiver<bool>,
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
    pub async fn serve(self, mut service: Service) {
        loop {
            let accepted = tokio::select! {
                accepted = self.tcp.accept() => accepted,
                () = stopped(&mut service.stop) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let peer = peer.ip().to_canonical();
                    let Some(permit) = service.admit(peer) else {
                        tracing::debug!("a connection over the limit was closed");
                        continue;
                    };
                    tokio::spawn(connection(service.clone(), stream, peer, permit));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
        drop(self.tcp);
        service.drain().await;
    }
}

impl Service {
    fn admit(&self, peer: IpAddr) -> Option<Permit> {
        if self.proxies.trust(peer) { self.connections.admit_proxy() } else { self.connections.admit(peer) }
    }

    async fn drain(&self) {
        let drained = async {
            while self.connections.open() > 0 {
                tokio::time::sleep(BREATH).await;
            }
        };
        if timeout(DRAIN, drained).await.is_err() {
            tracing::warn!(open = self.connections.open(), "connections were cut at shutdown");
        }
    }
}

/// One connection from its first byte to its last; a WebSocket keeps the permit on.
async fn connection(mut shared: Service, stream: TcpStream, peer: IpAddr, permit: Permit) {
    tune(&stream);
    if let Some(media) = shared.media.clone() {
        match first_bytes(&stream, &mut shared).await {
            First::Media => {
                return tokio::select! {
                    () = media.carry(stream) => {}
                    () = stopped(&mut shared.stop) => {}
                };
            }
            First::Silence => return,
            First::Other => {}
        }
    }
    let visitor = Visitor { service: shared.clone(), peer, permit: Arc::new(permit) };
    let Some(tls) = shared.tls.clone() else {
        return serve_http1(shared, stream, visitor).await;
    };
    match timeout(shared.header_timeout, tls.accept(stream)).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            serve_http2(shared, stream, visitor).await;
        }
        Ok(Ok(stream)) => serve_http1(shared, stream, visitor).await,
        Ok(Err(error)) => tracing::trace!(%error, "TLS handshake failed"),
        Err(_) => tracing::trace!("TLS handshake took too long"),
    }
}

/// True for a frame of media that is a binding request: a length below 1,536, its type, the magic cookie (RFC 6544
/// section 10.1 has such connections begin so).
fn is_check(head: &[u8; FIRST_BYTES]) -> bool {
    matches!(head, [0..=5, _, 0, 1, _, _, 0x21, 0x12, 0xa4, 0x42])
}

/// What a connection begins with.
enum First {
    Media,
    /// HTTP, TLS, or what their readers refuse.
    Other,
    /// Nothing, for too long.
    Silence,
}

/// Looks at the first bytes, which stay unread.
async fn first_bytes(stream: &TcpStream, shared: &mut Service) -> First {
    tokio::select! {
        first = timeout(shared.header_timeout, look(stream)) => first.unwrap_or(First::Silence),
        () = stopped(&mut shared.stop) => First::Silence,
    }
}

/// HTTP and TLS begin unlike media, so that only what begins like it waits for more.
async fn look(stream: &TcpStream) -> First {
    let mut head = [0; FIRST_BYTES];
    loop {
        match stream.peek(&mut head).await {
            Ok(FIRST_BYTES) if is_check(&head) => return First::Media,
            Ok(1..FIRST_BYTES) if head[0] < FIRST_OF_OTHERS => tokio::time::sleep(GLANCE).await,
            _ => return First::Other,
        }
    }
}

/// Failures here only make the connection slower.
fn tune(stream: &TcpStream) {
    // Small frames must not wait for each other.
    let _ = stream.set_nodelay(true);
    // What the peer does not take waits in our bounded queue, not in megabytes of kernel memory.
    let _ = SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES);
}

/// Resolves at shutdown.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A lost sender is a shutdown too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Who is at the other end of a connection.
#[derive(Clone)]
struct Visitor {
    service: Service,
    peer: IpAddr,
    permit: Arc<Permit>,
}

impl Visitor {
    async fn answer(self, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let client = self.service.proxies.client(self.peer, request.headers());
        let Some(permit) = self.permit_for(client) else {
            tracing::debug!("a request over the limit of its address was refused");
            return Ok(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy").after(LATER).into_response());
        };
        request.extensions_mut().insert(ClientAddress(client));
        request.extensions_mut().insert(permit);
        self.service.router.oneshot(request.map(Body::new)).await
    }

    /// The connection's own permit, or behind a proxy the client's share.
    fn permit_for(&self, client: IpAddr) -> Option<Arc<Permit>> {
        if !self.service.proxies.trust(self.peer) {
            return Some(self.permit.clone());
        }
        self.service.connections.admit_client(client, self.permit.clone()).map(Arc::new)
    }
}

async fn serve_http1(mut shared: Service, stream: impl Transport, visitor: Visitor) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.header_timeout)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service_fn(move |request| visitor.clone().answer(request)))
        .with_upgrades();
    tokio::pin!(connection);
    to_the_end(connection, http1::UpgradeableConnection::graceful_shutdown, &mut shared.stop).await;
}

async fn serve_http2(mut shared: Service, stream: impl Transport, visitor: Visitor) {
    let asked = Arc::new(AtomicBool::new(false));
    let first = asked.clone();
    let service = service_fn(move |request| {
        first.store(true, Ordering::Relaxed);
        visitor.clone().answer(request)
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES as u32)
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let silence = timeout(shared.header_timeout, connection.as_mut());
    match silence.await {
        Ok(ended) => tell(ended),
        // Keep-alive starts after the first frames; whoever sends none would stay for ever.
        Err(_) if !asked.load(Ordering::Relaxed) => {}
        Err(_) => to_the_end(connection, http2::Connection::graceful_shutdown, &mut shared.stop).await,
    }
}

/// Serves a connection until it ends; at shutdown it is asked to, and what is under way is still answered.
async fn to_the_end<C: Future<Output = hyper::Result<()>>>(
    mut connection: Pin<&mut C>,
    shut: impl FnOnce(Pin<&mut C>),
    stop: &mut watch::Receiver<bool>,
) {
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(stop) => {
            shut(connection.as_mut());
            connection.await
        }
    };
    tell(ended);
}

fn tell(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended");
    }
}

/// A plain or TLS stream.
trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for T {}
