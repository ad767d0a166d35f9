//! Text messages written straight to the transport: a frame's head is made on the stack, its payload is the text that all
//! readers share, and up to [`AT_ONCE`] of them leave in one system call. Nothing is copied, nothing is kept per socket.
//! RFC 6455, section 5.2: server to client, final, unmasked.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;

/// Messages per system call, two slices each.
const AT_ONCE: usize = 32;
/// Final frame, opcode 1.
const TEXT: u8 = 0x81;

/// The head of a text message's only frame.
#[derive(Clone, Copy, Default)]
struct Head {
    bytes: [u8; 10],
    len: usize,
}

impl Head {
    fn of(payload: usize) -> Self {
        let mut bytes = [0; 10];
        bytes[0] = TEXT;
        let len = match (u8::try_from(payload), u16::try_from(payload)) {
            (Ok(short), _) if short < 126 => {
                bytes[1] = short;
                2
            }
            (_, Ok(medium)) => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&medium.to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..].copy_from_slice(&(payload as u64).to_be_bytes());
                10
            }
        };
        Self { bytes, len }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Texts on their way to one transport.
#[derive(Debug, Default)]
pub struct Texts {
    waiting: VecDeque<Bytes>,
    /// Bytes of the first one, head included, that are written already.
    written: usize,
}

impl Texts {
    /// `text` must be UTF-8. The bytes to write for it, head included.
    pub fn push(&mut self, text: Bytes) -> usize {
        let bytes = Head::of(text.len()).len + text.len();
        self.waiting.push_back(text);
        bytes
    }

    /// Writes everything, and flushes. To be polled to its end: a half-written message can only be continued or cut off.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut transport: Pin<&mut impl AsyncWrite>,
    ) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let mut heads = [Head::default(); AT_ONCE];
            let mut slices = [IoSlice::new(&[]); 2 * AT_ONCE];
            let count = 2 * self.waiting.len().min(AT_ONCE);
            for (head, text) in heads.iter_mut().zip(&self.waiting) {
                *head = Head::of(text.len());
            }
            for ((pair, head), text) in slices.chunks_exact_mut(2).zip(&heads).zip(&self.waiting) {
                pair.copy_from_slice(&[IoSlice::new(head.bytes()), IoSlice::new(text)]);
            }
            let mut rest = &mut slices[..count];
            IoSlice::advance_slices(&mut rest, self.written);
            match ready!(transport.as_mut().poll_write_vectored(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.advance(written),
            }
        }
        // Behind TLS a record may still wait.
        transport.poll_flush(cx)
    }

    fn advance(&mut self, written: usize) {
        self.written += written;
        while let Some(first) = self.waiting.front() {
            let whole = Head::of(first.len()).len + first.len();
            if self.written < whole {
                return;
            }
            self.written -= whole;
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::{Message, protocol::Role},
    };

    use super::*;

    /// A transport that takes a few bytes at a time, and at every other call none.
    struct Reluctant {
        taken: Vec<u8>,
        each: usize,
        willing: bool,
    }

    impl AsyncWrite for Reluctant {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.willing = !self.willing;
            if !self.willing {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let count = bytes.len().min(self.each);
            self.taken.extend_from_slice(&bytes[..count]);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    async fn read_back(wire: Vec<u8>, count: usize) -> Vec<String> {
        use futures_util::StreamExt as _;
        let (mut ours, theirs) = tokio::io::duplex(wire.len() + 1);
        tokio::io::AsyncWriteExt::write_all(&mut ours, &wire).await.expect("fits");
        let mut socket = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        let mut texts = Vec::new();
        for _ in 0..count {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => texts.push(text.to_string()),
                other => panic!("not a text: {other:?}"),
            }
        }
        texts
    }

    #[tokio::test]
    async fn a_websocket_client_reads_what_was_written_bit_by_bit() {
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];
        let texts = (0..80).map(|i| "ق".repeat(i)).chain(lengths.map(|len| "x".repeat(len)));
        let texts: Vec<String> = texts.collect();
        for each in [1, 7, 1_000, usize::MAX] {
            let mut sending = Texts::default();
            let bytes: usize = texts.iter().map(|text| sending.push(Bytes::from(text.clone()))).sum();
            let mut transport = Reluctant { taken: Vec::new(), each, willing: false };
            let written = std::future::poll_fn(|cx| sending.poll_write(cx, Pin::new(&mut transport)));
            written.await.expect("written");
            assert_eq!(transport.taken.len(), bytes);
            assert!(read_back(transport.taken, texts.len()).await == texts, "{each} bytes at a time");
        }
    }
}
