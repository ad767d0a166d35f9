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
    time::{Instant, timeout},
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
/// What began like media must be told apart by then.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at a connection that began like media.
const GLANCE: Duration = Duration::from_millis(20);
/// Requests under way and sockets told to close get this long at shutdown.
const DRAIN: Duration = Duration::from_secs(10);

/// A bound address, not served yet.
#[derive(Debug)]
pub struct Listener {
    /// Not the runtime's before it listens: it would see an end of it.
    socket: Socket,
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
    /// Binds now, so that a port in use is told before anything else starts. Until [`Listener::listen`] whoever knocks is refused.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        if address.ip() == IpAddr::from([0u16; 8]) {
            // "[::]" serves IPv4 too, whatever the system's default.
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let bound = socket.local_addr()?.as_socket();
        let address = bound.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { socket, address })
    }

    /// From now on whoever knocks waits to be served.
    pub fn listen(&self) -> io::Result<()> {
        self.socket.listen(BACKLOG)
    }

    /// With the real port where 0 was asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` turns true, then lets requests under way end.
    pub async fn serve(self, mut service: Service) {
        let tcp = match TcpListener::from_std(self.socket.into()) {
            Ok(tcp) => tcp,
            Err(error) => return tracing::error!(%error, "nobody is served"),
        };
        loop {
            let accepted = tokio::select! {
                accepted = tcp.accept() => accepted,
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
        drop(tcp);
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

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// A framed binding request.
    Media,
    /// HTTP, TLS, or what their readers refuse.
    Other,
    /// Nothing that tells it, for too long.
    Silence,
}

impl First {
    /// What these first bytes tell; `None`: more are needed. HTTP and TLS begin unlike media, so that only what begins
    /// like it waits. A frame of media that is a binding request begins with a length below 1,536, its type, and has the
    /// magic cookie (RFC 6544 section 10.1 has such connections begin so).
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0..=5, _, 0, 1, _, _, 0x21, 0x12, 0xa4, 0x42, ..] => Some(Self::Media),
            [first, ..] if *first < FIRST_OF_OTHERS && head.len() < FIRST_BYTES => None,
            _ => Some(Self::Other),
        }
    }
}

/// Looks at the first bytes, which stay unread.
async fn first_bytes(stream: &TcpStream, shared: &mut Service) -> First {
    tokio::select! {
        first = timeout(shared.header_timeout, look(stream)) => first.unwrap_or(First::Silence),
        () = stopped(&mut shared.stop) => First::Silence,
    }
}

/// Whoever begins like media, and then neither ends nor goes on, gets less time than a slow browser.
async fn look(stream: &TcpStream) -> First {
    let mut head = [0; FIRST_BYTES];
    let mut began = None;
    loop {
        let Ok(length @ 1..) = stream.peek(&mut head).await else { return First::Other };
        if let Some(first) = First::of(&head[..length]) {
            return first;
        }
        if began.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
            return First::Silence;
        }
        tokio::time::sleep(GLANCE).await;
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// What a connection is taken for that begins with these bytes and then stands still, and after how long.
    async fn taken_for(begin: &[u8]) -> (First, Duration) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("accepted");
        client.write_all(begin).await.expect("written");
        let start = Instant::now();
        (look(&stream).await, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_begins_like_media_and_does_not_go_on_is_closed_after_five_seconds() {
        for begin in [&[0, 20][..], &[0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xa4], &[9; 5]] {
            let (first, waited) = taken_for(begin).await;
            assert_eq!(first, First::Silence, "{begin:?}");
            assert!((PATIENCE..PATIENCE + GLANCE * 2).contains(&waited), "{waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn media_http_and_tls_are_known_at_once() {
        let check = [0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        for (begin, expected) in [(&check[..], First::Media), (b"G", First::Other), (&[0x16], First::Other)] {
            let (first, waited) = taken_for(begin).await;
            assert_eq!((first, waited), (expected, Duration::ZERO));
        }
    }
}
