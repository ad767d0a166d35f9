//! The HTTP port takes connections that carry media; strangers get nothing there, and HTTP goes on beside them. That media
//! really flow so is proven with a browser (`tests/e2e/network.test.mjs`).

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    server::{SOON, Server},
    sfu::forged_check,
};

/// Sends these bytes to the HTTP port; what comes back until the server closes.
async fn told(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address()).await.expect("connected");
    stream.write_all(bytes).await.expect("sent");
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("the server closes");
    answer
}

fn framed(datagram: &[u8]) -> Vec<u8> {
    [&(datagram.len() as u16).to_be_bytes(), datagram].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_on_the_media_side_of_the_port_gets_no_answer_and_http_goes_on() {
    let server = Server::start().await;
    for ufrag in ["00000000ffffffffffffffff", "zz", "ff00000000"] {
        assert_eq!(told(&server, &framed(&forged_check(ufrag))).await, b"", "{ufrag}");
    }
    let mut cut_short = framed(&forged_check("00000000ffffffffffffffff"));
    cut_short[..2].copy_from_slice(&1_500u16.to_be_bytes());
    let waits = told(&server, &cut_short);
    let health = async { server.http.get(server.url("/healthz")).send().await.expect("an answer").status() };
    let (waited, status) = tokio::join!(waits, health);
    assert_eq!((waited.len(), status.as_u16()), (0, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_begins_like_nothing_we_speak_is_closed() {
    let server = Server::start().await;
    let answer = told(&server, &[0, 20, 9, 9, 9, 9, 9, 9, 9, 9, b'\r', b'\n', b'\r', b'\n']).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
}
