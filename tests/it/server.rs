//! A real server in this process: free ports, a data folder of its own. Dropping it removes the folder.

use std::{net::SocketAddr, path::Path, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use qism::{
    app::Running,
    config::{Config, Storage},
    school::demo,
};
use qism_signaling::protocol::{
    ClientFrame, Command, CommandId, ErrorCode, LessonId, Position, ServerFrame, SessionId, VERSION,
    frame::Welcome,
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest as _, http::HeaderValue},
};
use uuid::Uuid;

/// What the server must do within this, or the test fails; generous, since the machine is shared.
pub const SOON: Duration = Duration::from_secs(20);

pub struct Server {
    pub running: Running,
    pub http: reqwest::Client,
    pub data: TempDir,
}

impl Server {
    /// With the demonstration school in it.
    pub async fn demo() -> Self {
        Self::demo_with(|_| {}).await
    }

    pub async fn demo_with(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut config = config(data.path());
        change(&mut config);
        let running = Running::start_demo(config).await.expect("the server starts");
        Self { running, http: client(), data }
    }

    /// Somebody of the demonstration school, signed in.
    pub async fn sign_in(&self, login: &str) -> Person {
        Person::sign_in(&self.running.url(), login).await
    }

    /// Somebody who is not signed in.
    pub fn stranger(&self) -> Person {
        Person::stranger_at(&self.running.url())
    }

    /// The same data in a new process life.
    pub async fn restart(self) -> Self {
        self.running.stop().await;
        let running = Running::start_demo(config(self.data.path())).await.expect("the server starts again");
        Self { running, http: client(), data: self.data }
    }

    /// A raw socket from our own page; no ticket yet.
    pub async fn socket(&self) -> Socket {
        self.socket_from(&self.running.url()).await.expect("upgraded")
    }

    /// The upgrade as a page of `origin` asks for it.
    pub async fn socket_from(&self, origin: &str) -> Result<Socket, tungstenite::Error> {
        upgrade(TcpStream::connect(self.address()).await?, self.address(), origin).await
    }

    /// Like `enter`, by a line that holds a few kilobytes.
    pub async fn enter_slowly(&self, login: &str) -> Line {
        let person = self.sign_in(login).await;
        let lesson = person.first_lesson().await;
        let ticket = person.ticket(lesson, SessionId(Uuid::now_v7())).await;
        let tcp = TcpSocket::new_v4().expect("a socket");
        tcp.set_recv_buffer_size(4_096).expect("a small buffer");
        let stream = tcp.connect(self.address()).await.expect("connected");
        let socket = upgrade(stream, self.address(), &self.running.url()).await.expect("upgraded");
        welcomed(socket, lesson, ticket, None).await
    }

    /// Signed in, with a ticket into today's first lesson, welcomed.
    pub async fn enter(&self, login: &str) -> (Person, Line) {
        let person = self.sign_in(login).await;
        let lesson = person.first_lesson().await;
        let line = self.enter_lesson(&person, lesson, SessionId(Uuid::now_v7()), None).await;
        (person, line)
    }

    pub async fn enter_lesson(
        &self,
        person: &Person,
        lesson: LessonId,
        session: SessionId,
        position: Option<Position>,
    ) -> Line {
        let ticket = person.ticket(lesson, session).await;
        welcomed(self.socket().await, lesson, ticket, position).await
    }

    /// With the defaults but for ports and places.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With some settings changed.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut config = config(data.path());
        change(&mut config);
        let running = Running::start(config).await.expect("the server starts");
        Self { running, http: client(), data }
    }

    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url())
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }
}

/// Defaults on loopback, free ports, data in `folder`.
pub fn config(folder: &Path) -> Config {
    let mut config = Config::defaults();
    config.server.listen = "127.0.0.1:0".parse().expect("an address");
    config.storage = Storage::in_folder(folder);
    config.media.udp_port = 0;
    config.media.listen_addresses = vec!["127.0.0.1".parse().expect("an address")];
    config
}

async fn upgrade(stream: TcpStream, address: SocketAddr, origin: &str) -> Result<Socket, tungstenite::Error> {
    upgrade_at("/ws", stream, address, origin).await
}

async fn upgrade_at(
    path: &str,
    stream: TcpStream,
    address: SocketAddr,
    origin: &str,
) -> Result<Socket, tungstenite::Error> {
    let mut request = format!("ws://{address}{path}").into_client_request()?;
    request.headers_mut().insert("origin", HeaderValue::from_str(origin)?);
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    Ok(Socket(socket))
}

/// A socket of the server at `url`.
pub async fn open_socket(url: &str) -> Socket {
    open_socket_at(url, "/ws").await
}

/// By a path, as a ticket says and a proxy brings it.
pub async fn open_socket_at(url: &str, path: &str) -> Socket {
    let address = url.trim_start_matches("http://").parse().expect("an address");
    let stream = TcpStream::connect(address).await.expect("connected");
    upgrade_at(path, stream, address, url).await.expect("upgraded")
}

/// Through the door of the server at `url`, with a ticket of any server.
pub async fn enter_with(url: &str, lesson: LessonId, ticket: String, position: Option<Position>) -> Line {
    welcomed(open_socket(url).await, lesson, ticket, position).await
}

async fn welcomed(mut socket: Socket, lesson: LessonId, ticket: String, position: Option<Position>) -> Line {
    socket.send(&ClientFrame::Hello { version: VERSION, ticket, position }).await;
    match socket.frame().await {
        ServerFrame::Welcome(welcome) => Line { socket, welcome, lesson },
        other => panic!("no welcome but {other:?}"),
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().cookie_store(true).build().expect("a client")
}

/// A browser's cookies and address bar. Whatever does not go as it should fails the test.
pub struct Person(qism_client::Person);

impl Person {
    /// Somebody of the demonstration school that serves at `server`, in this process or another.
    pub async fn sign_in(server: &str, login: &str) -> Self {
        let person = Self::stranger_at(server);
        let body = json!({ "login": login, "password": demo::PASSWORD });
        let answer = person.post("/api/session", &body).await;
        assert_eq!(answer.status(), 200, "{login} signs in");
        person
    }

    /// Into the lesson that is now.
    pub async fn enter(&self) -> Line {
        let lesson = self.first_lesson().await;
        let ticket = self.ticket(lesson, SessionId(Uuid::now_v7())).await;
        enter_with(self.0.url(), lesson, ticket, None).await
    }

    /// The same browser at another server's address.
    pub fn at(&self, server: &str) -> Self {
        Self(self.0.at(server))
    }

    /// Somebody who is not signed in.
    pub fn stranger_at(server: &str) -> Self {
        Self(qism_client::Person::stranger(server).expect("a client"))
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.0.request(Method::GET, path).send().await.expect("answered")
    }

    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        self.0.request(Method::POST, path).json(body).send().await.expect("answered")
    }

    pub async fn delete(&self, path: &str) -> reqwest::Response {
        self.0.request(Method::DELETE, path).send().await.expect("answered")
    }

    /// The status; `None` when the server hung up on us.
    pub async fn upload(&self, path: &str, bytes: Vec<u8>) -> Option<u16> {
        let answer = self.0.request(Method::POST, path).body(bytes).send().await;
        answer.ok().map(|answer| answer.status().as_u16())
    }

    pub async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.expect("JSON")
    }

    /// The lesson that is now.
    pub async fn first_lesson(&self) -> LessonId {
        self.0.lesson().await.expect("a lesson today")
    }

    pub async fn ticket(&self, lesson: LessonId, session: SessionId) -> String {
        self.0.ticket(lesson, session).await.expect("a ticket").ticket
    }
}

/// One WebSocket, in frames.
pub struct Socket(pub WebSocketStream<TcpStream>);

impl Socket {
    pub async fn send(&mut self, frame: &ClientFrame) {
        self.text(&serde_json::to_string(frame).expect("JSON")).await;
    }

    pub async fn text(&mut self, text: &str) {
        // A server that has closed meanwhile is found out by reading.
        let _ = self.0.send(Message::text(text)).await;
    }

    /// The next frame; panics when the server closes instead.
    pub async fn frame(&mut self) -> ServerFrame {
        match self.next().await {
            Ok(frame) => frame,
            Err(code) => panic!("closed with {code:?}"),
        }
    }

    /// The next frame; `None` once the connection is over.
    pub async fn try_frame(&mut self) -> Option<ServerFrame> {
        self.next().await.ok()
    }

    /// The first frame that fits, passing over others.
    pub async fn find<T>(&mut self, fits: impl Fn(&ServerFrame) -> Option<T>) -> T {
        loop {
            if let Some(found) = fits(&self.frame().await) {
                return found;
            }
        }
    }

    /// The close code, passing over frames before it; `None` for a cut without one.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    async fn next(&mut self) -> Result<ServerFrame, Option<u16>> {
        loop {
            match timeout(SOON, self.0.next()).await.expect("the server says something") {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(&text).expect("a server frame"));
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }
}

/// Somebody in a lesson.
pub struct Line {
    pub socket: Socket,
    pub welcome: Box<Welcome>,
    pub lesson: LessonId,
}

impl Line {
    /// Sends a command; its id.
    pub async fn command(&mut self, command: Command) -> CommandId {
        let id = CommandId(Uuid::now_v7());
        self.again(id, command).await;
        id
    }

    /// Sends a command under an id that may be known.
    pub async fn again(&mut self, id: CommandId, command: Command) {
        self.socket.send(&ClientFrame::Command { id, command }).await;
    }

    /// Waits for the refusal; its code.
    pub async fn refused(&mut self, wanted: CommandId) -> ErrorCode {
        let refused = |frame: &ServerFrame| match frame {
            ServerFrame::Refused { id, error, .. } if *id == wanted => Some(*error),
            ServerFrame::Accepted { id, .. } if *id == wanted => panic!("accepted"),
            _ => None,
        };
        self.socket.find(refused).await
    }

    /// Waits until the log has it; its number.
    pub async fn accepted(&mut self, wanted: CommandId) -> u64 {
        let accepted = |frame: &ServerFrame| match frame {
            ServerFrame::Accepted { id, number } if *id == wanted => Some(*number),
            ServerFrame::Refused { id, error, .. } if *id == wanted => panic!("refused: {error:?}"),
            _ => None,
        };
        self.socket.find(accepted).await
    }
}

/// Asks again until there is something.
pub async fn eventually<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, asking).await.expect("it happens")
}
