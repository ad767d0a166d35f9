//! Frames of seated people.

use uuid::Uuid;

use crate::protocol::{
    ClientFrame, Command, CommandId, ErrorCode, LegKind, LessonId, Logged, Pull, Role, ServerFrame, UserId,
    limits,
};

use super::{RoomMessage, RoomTask};
use crate::hub::{
    appender::{Intent, Refusal, Wish},
    outbox::Outbox,
    ports::{Journal, MediaOrder},
    seats::SeatId,
};

impl RoomTask {
    pub(super) fn frame(&mut self, id: SeatId, frame: ClientFrame) {
        let Some(seat) = self.seats.get(id) else { return };
        match frame {
            ClientFrame::Hello { .. } => {
                seat.outbox.send(&ServerFrame::Error { error: ErrorCode::Malformed })
            }
            ClientFrame::Command { id: command_id, command } => self.wish(id, command_id, command),
            ClientFrame::Pull { request, pull: Pull::Chat { before } } => self.pull_chat(id, request, before),
            ClientFrame::PublisherOffer { sdp, tracks } => self.publisher_offer(id, sdp, tracks),
            ClientFrame::OpenSubscriber { cameras, packed } => self.open_subscriber(id, cameras, packed),
            ClientFrame::SubscriberAnswer { sdp } => self.subscriber_answer(id, sdp),
            ClientFrame::RestartSubscriber {} => {
                let leg = seat.leg(self.lesson, LegKind::Subscriber);
                self.sdp_order(id, LegKind::Subscriber, |reply| MediaOrder::RestartSubscriber { leg, reply });
            }
            ClientFrame::Receive { mode, cameras } => self.receive(id, mode, cameras),
            ClientFrame::SetBudget { bytes, used } => self.set_budget(id, bytes, used),
            // Answered by the session.
            ClientFrame::Ping { .. } => {}
        }
    }

    /// A command; one that names a line first learns whose line it is.
    fn wish(&mut self, seat: SeatId, id: CommandId, command: Command) {
        match command {
            Command::DeleteLine { number } => self.look_up_line(seat, id, number),
            command => self.command(seat, id, command, None),
        }
    }

    fn look_up_line(&self, seat: SeatId, id: CommandId, number: u64) {
        let Some(room) = self.itself.upgrade() else { return };
        let (journal, lesson) = (self.hub.ports.journal.clone(), self.lesson);
        tokio::spawn(async move {
            let writer = line_writer(&*journal, lesson, number).await;
            let command = Command::DeleteLine { number };
            let _ = room.send(RoomMessage::LineLookedUp { seat, id, command, writer }).await;
        });
    }

    pub(super) fn command(
        &mut self,
        id: SeatId,
        command_id: CommandId,
        command: Command,
        writer: Option<UserId>,
    ) {
        let Some(seat) = self.seats.get(id) else { return };
        let (user, by) = (seat.user, (seat.session, seat.attach));
        self.close_gate_early(user, command_id, &command);
        let wish = Wish::Command { seat: id, by, command, line_writer: writer };
        self.queue(Intent::new(self.lesson, Some(user), command_id, wish));
    }

    /// Queues an intent; with a full queue the sender is told to come again.
    pub(super) fn queue(&mut self, intent: Intent) {
        let role = intent.sender.and_then(|user| self.room.roster.role_of_present(user));
        if let Err(intent) = self.lanes.push(intent, role != Some(Role::Student)) {
            self.refuse(*intent, Refusal::Error(ErrorCode::Busy));
        }
    }

    /// Something the server itself wants.
    pub(super) fn queue_own(&mut self, wish: Wish) {
        self.queue(Intent::new(self.lesson, None, CommandId(Uuid::now_v7()), wish));
    }

    fn pull_chat(&self, id: SeatId, request: u32, before: Option<u64>) {
        let Some(seat) = self.seats.get(id) else { return };
        let page = ChatPull {
            request,
            before,
            reader: seat.user,
            all: seat.role != Role::Student,
            outbox: seat.outbox.clone(),
        };
        let (journal, lesson) = (self.hub.ports.journal.clone(), self.lesson);
        tokio::spawn(async move { page.answer(&*journal, lesson).await });
    }
}

async fn line_writer(journal: &dyn Journal, lesson: LessonId, number: u64) -> Option<UserId> {
    let before = number.checked_sub(1)?;
    let line = journal.read(lesson, before, 1).await.ok()?.into_iter().next()?;
    match line.event {
        crate::protocol::Event::Said { user, .. } => Some(user),
        _ => None,
    }
}

/// One request for older chat lines.
struct ChatPull {
    request: u32,
    before: Option<u64>,
    reader: UserId,
    /// Staff read private questions too.
    all: bool,
    outbox: Outbox,
}

impl ChatPull {
    async fn answer(self, journal: &dyn Journal, lesson: LessonId) {
        let frame = match journal.chat(lesson, self.before, limits::CHAT_PAGE_LINES).await {
            Ok(lines) => self.page(lines),
            Err(_) => ServerFrame::Error { error: ErrorCode::Unavailable },
        };
        self.outbox.send(&frame);
    }

    /// The newest lines that fit into a page. Lines of others' private questions are left out.
    fn page(&self, lines: Vec<Logged>) -> ServerFrame {
        let mut more = lines.len() == limits::CHAT_PAGE_LINES;
        let mut room = limits::PAGE_BYTES - 256;
        let mut page = Vec::new();
        for line in lines.into_iter().rev() {
            if !self.may_read(&line) {
                continue;
            }
            let size = serde_json::to_vec(&line).map_or(0, |json| json.len() + 1);
            if size > room {
                more = true;
                break;
            }
            room -= size;
            page.push(line);
        }
        page.reverse();
        ServerFrame::ChatPage { request: self.request, lines: page, more }
    }

    fn may_read(&self, line: &Logged) -> bool {
        use crate::protocol::{Event, Recipients};
        match &line.event {
            Event::Said { user, to: Recipients::Teachers, .. } => self.all || *user == self.reader,
            // Of a newer server, for whomever it may be.
            Event::Unknown(_) => false,
            _ => true,
        }
    }
}
