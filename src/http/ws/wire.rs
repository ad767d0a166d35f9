//! A socket's transport, shared by its own task and by whoever tells a whole class something: the latter writes as far as the
//! transport takes it now, without waking anybody.
//!
//! What is half written goes on first, whoever comes next: texts are finished before a frame of the WebSocket library
//! (pong, close), and such a frame before a text.

use std::{
    fmt, io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use qism_signaling::hub;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{cost, texts::Texts};

/// Taken from the outbox at once.
const WRITE_BYTES: usize = 32 * 1024;

/// The transport of one connection.
pub struct Wire<T>(Mutex<Inner<T>>);

struct Inner<T> {
    transport: T,
    texts: Texts,
    /// Bytes of `texts` when they were taken; 0 = all is written, to the last record of TLS.
    under_way: usize,
    /// The library's last frame is not written whole.
    control_left: bool,
    /// The library waits until the transport is flushed, which for TLS may take as long as a write. The transport would
    /// forget that somebody waits if another wrote.
    unflushed: bool,
    /// Bytes that were written since that was last told, with all that is around them on the air.
    carried: u64,
}

impl<T> Wire<T> {
    pub fn new(transport: T) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inner {
            transport,
            texts: Texts::default(),
            under_way: 0,
            control_left: false,
            unflushed: false,
            carried: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: AsyncWrite + Unpin> Wire<T> {
    /// Writes what is half written, and then what waits, up to [`WRITE_BYTES`]. To be awaited to its end.
    pub async fn write(&self, waiting: &hub::Waiting) -> io::Result<()> {
        std::future::poll_fn(|cx| self.lock().poll_write_some(cx, waiting)).await
    }
}

impl<T: AsyncWrite + Unpin> Inner<T> {
    fn poll_write_some(&mut self, cx: &mut Context<'_>, waiting: &hub::Waiting) -> Poll<io::Result<()>> {
        ready!(self.poll_finish(cx))?;
        self.take(waiting);
        ready!(self.poll_finish(cx))?;
        waiting.note_carried(std::mem::take(&mut self.carried));
        Poll::Ready(Ok(()))
    }

    /// Writes the texts under way to their end.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.under_way > 0 {
            ready!(self.texts.poll_write(cx, Pin::new(&mut self.transport)))?;
            self.carried += cost::on_the_air(std::mem::take(&mut self.under_way));
        }
        Poll::Ready(Ok(()))
    }

    fn take(&mut self, waiting: &hub::Waiting) {
        while self.under_way < WRITE_BYTES
            && let Some(text) = waiting.pop()
        {
            self.under_way += self.texts.push(text);
        }
    }
}

impl<T: AsyncWrite + Send + Unpin> hub::Wire for Wire<T> {
    fn write_now(&self, waiting: &hub::Waiting) -> bool {
        let Ok(mut inner) = self.0.try_lock() else { return false };
        if inner.under_way > 0 || inner.control_left || inner.unflushed {
            return false;
        }
        // Whoever writes to a whole class would soon have used up its turn; the writes are as many as the class is large.
        let writing =
            tokio::task::unconstrained(std::future::poll_fn(|cx| inner.poll_write_some(cx, waiting)));
        let written = pin!(writing).poll(&mut Context::from_waker(Waker::noop()));
        matches!(written, Poll::Ready(Ok(()))) && waiting.is_empty()
    }
}

impl<T> fmt::Debug for Wire<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

/// The end that the WebSocket library reads from, and writes its own frames to.
pub struct Library<T>(pub Arc<Wire<T>>);

impl<T: AsyncRead + Unpin> AsyncRead for Library<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().transport).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Library<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.0.lock();
        ready!(inner.poll_finish(cx))?;
        let written = Pin::new(&mut inner.transport).poll_write(cx, buf);
        inner.control_left = !matches!(written, Poll::Ready(Ok(count)) if count == buf.len());
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        ready!(inner.poll_finish(cx))?;
        let flushed = Pin::new(&mut inner.transport).poll_flush(cx);
        inner.unflushed = !matches!(flushed, Poll::Ready(Ok(())));
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().transport).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::{SinkExt as _, StreamExt as _};
    use qism_signaling::hub::{Waiting, Wire as _};
    use rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject as _},
    };
    use tokio::{
        io::{AsyncReadExt as _, DuplexStream, duplex},
        sync::Notify,
    };
    use tokio_rustls::{TlsConnector, TlsStream};
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::{Message, protocol::Role},
    };

    use super::*;
    use crate::http::{selfmade, tls::Certificate};

    const TEXTS: usize = 500;
    const PINGS: usize = 200;

    trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

    impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for T {}

    /// A pipe so narrow that hardly anything passes whole.
    fn pipe() -> (DuplexStream, DuplexStream) {
        duplex(97)
    }

    /// The same with TLS over it.
    async fn tls() -> (TlsStream<DuplexStream>, TlsStream<DuplexStream>) {
        let folder = tempfile::tempdir().expect("a folder");
        let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        let files = selfmade::certificate(folder.path(), &[], today).expect("made");
        let pem = std::fs::read(&files.certificate).expect("kept");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).expect("a certificate")).expect("whole");
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let acceptor = Certificate::load(files).expect("read").acceptor().expect("usable");
        let (ours, theirs) = pipe();
        let name = "localhost".try_into().expect("a name");
        let connector = TlsConnector::from(Arc::new(client));
        let accepting = tokio::spawn(acceptor.accept(ours));
        let mut theirs = connector.connect(name, theirs).await.expect("connected");
        // The server's session tickets do not fit into the pipe: somebody must read them.
        let ours = tokio::select! {
            ours = accepting => ours.expect("whole"),
            read = theirs.read_u8() => panic!("nobody wrote yet: {read:?}"),
        };
        (ours.expect("accepted").into(), theirs.into())
    }

    async fn client<T: Transport>(transport: T) -> WebSocketStream<T> {
        WebSocketStream::from_raw_socket(transport, Role::Client, None).await
    }

    /// What the socket's own task does: answers pings, and finishes what others could not.
    async fn own_task<T: Transport>(wire: Arc<Wire<T>>, waiting: Arc<Waiting>, needed: Arc<Notify>) {
        let library = Library(wire.clone());
        let mut socket = WebSocketStream::from_raw_socket(library, Role::Server, None).await;
        loop {
            tokio::select! {
                () = needed.notified() => while !waiting.is_empty() || wire.lock().under_way > 0 {
                    socket.flush().await.expect("flushed");
                    wire.write(&waiting).await.expect("written");
                },
                message = socket.next() => if message.is_none_or(|message| message.is_err()) { return },
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn texts_written_by_others_and_pongs_never_cut_each_other() {
        let (ours, theirs) = pipe();
        both_pass(ours, theirs).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn nor_do_they_over_tls() {
        let (ours, theirs) = tls().await;
        both_pass(ours, theirs).await;
    }

    async fn both_pass(ours: impl Transport, theirs: impl Transport) {
        let wire = Wire::new(ours);
        let (waiting, needed) = (Arc::new(Waiting::default()), Arc::new(Notify::new()));
        tokio::spawn(own_task(wire.clone(), waiting.clone(), needed.clone()));
        let (mut sending, mut reading) = client(theirs).await.split();
        tokio::spawn(async move {
            for n in 0..PINGS {
                sending.send(Message::Ping(vec![n as u8; 100].into())).await.expect("sent");
            }
            // Open to the end.
            std::future::pending::<()>().await;
        });
        tokio::spawn(async move {
            for n in 0..TEXTS {
                waiting.put(Bytes::from(format!("{n} {}", "x".repeat(n))));
                if !wire.write_now(&waiting) {
                    needed.notify_one();
                }
                tokio::task::yield_now().await;
            }
        });
        let (mut texts, mut pongs) = (0, 0);
        while texts < TEXTS || pongs == 0 {
            match reading.next().await {
                Some(Ok(Message::Text(text))) => {
                    assert_eq!(text.as_str(), format!("{texts} {}", "x".repeat(texts)));
                    texts += 1;
                }
                Some(Ok(Message::Pong(same))) => {
                    assert!(same.len() == 100 && same.iter().all(|byte| *byte == same[0]));
                    pongs += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn what_a_transport_does_not_take_is_left_to_its_own_task_and_goes_first() {
        let (ours, theirs) = pipe();
        let (wire, mut client) = (Wire::new(ours), client(theirs).await);
        let waiting = Waiting::default();
        waiting.put(Bytes::from("x".repeat(200)));
        assert!(!wire.write_now(&waiting));
        waiting.put(Bytes::from_static(b"behind it"));
        assert!(!wire.write_now(&waiting), "it is not its turn");
        let reading = tokio::spawn(async move { ([client.next().await, client.next().await], client) });
        wire.write(&waiting).await.expect("written");
        let (texts, _open) = reading.await.expect("read");
        let texts = texts.map(|text| text.expect("a text").expect("whole").into_data());
        assert_eq!(texts, ["x".repeat(200), "behind it".to_owned()].map(Bytes::from));
        waiting.put(Bytes::from_static(b"at once"));
        assert!(wire.write_now(&waiting));
    }
}
