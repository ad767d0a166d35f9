//! A client: one device of one person, with its outbox and its place in the log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use qism_signaling::protocol::{Attach, Position};

use crate::{
    log::Entry,
    node::{Intent, Wish},
    scenario::Scenario,
    world::World,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Client {
    pub link: Option<Link>,
    tickets: u8,
    pub position: Option<Position>,
    /// What was told since the last snapshot.
    pub seen: Vec<Entry>,
    pub answers: BTreeMap<usize, Answer>,
    pub resets: u8,
    /// Replaced or put out: does not come back by itself.
    pub is_over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Accepted(u64),
    Refused,
}

/// A WebSocket: reliable and in order while it lasts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    pub node: usize,
    /// What the client said it has, coming in.
    pub position: Option<Position>,
    /// Known after the welcome.
    pub attach: Option<Attach>,
    pub sent: BTreeSet<usize>,
    pub inbox: VecDeque<Frame>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Frame {
    /// With a snapshot the state starts there; without, the missing events follow.
    Welcome {
        attach: Attach,
        snapshot: Option<Position>,
    },
    Event(Entry),
    Accepted(usize, u64),
    Refused(usize),
    Later(usize),
    Reset(Position),
    Closed {
        for_good: bool,
    },
}

impl Client {
    pub fn may_connect(&self, scenario: &Scenario) -> bool {
        !self.is_over && self.tickets < scenario.tickets()
    }

    pub fn is_linked_to(&self, node: usize) -> bool {
        self.link.as_ref().is_some_and(|link| link.node == node)
    }

    fn unsent(&self, scenario: &Scenario, index: usize) -> Vec<usize> {
        let Some(link) = self.link.as_ref().filter(|link| link.attach.is_some()) else { return Vec::new() };
        let commands = 0..scenario.devices[index].commands.len();
        commands.filter(|c| !link.sent.contains(c) && !self.answers.contains_key(c)).collect()
    }

    pub fn has_unsent(&self, scenario: &Scenario, index: usize) -> bool {
        !self.unsent(scenario, index).is_empty()
    }

    /// Reads all that came.
    pub fn read(&mut self) {
        while let Some(frame) = self.link.as_mut().and_then(|link| link.inbox.pop_front()) {
            self.take(frame);
        }
    }

    fn take(&mut self, frame: Frame) {
        let Some(link) = &mut self.link else { return };
        match frame {
            Frame::Welcome { attach, snapshot } => {
                link.attach = Some(attach);
                if let Some(head) = snapshot {
                    self.begin_at(head);
                }
            }
            Frame::Event(entry) => {
                self.position = Some(entry.position());
                self.seen.push(entry);
            }
            Frame::Accepted(index, number) => drop(self.answers.insert(index, Answer::Accepted(number))),
            Frame::Refused(index) => drop(self.answers.insert(index, Answer::Refused)),
            Frame::Later(index) => drop(link.sent.remove(&index)),
            Frame::Reset(head) => {
                self.resets += 1;
                self.begin_at(head);
            }
            Frame::Closed { for_good } => {
                self.is_over |= for_good;
                self.link = None;
            }
        }
    }

    fn begin_at(&mut self, head: Position) {
        self.position = Some(head);
        self.seen.clear();
    }
}

impl Scenario {
    /// Every connection asks the next node.
    pub fn connect(&self, world: &mut World, index: usize) {
        let client = &mut world.clients[index];
        let node = (self.devices[index].home + usize::from(client.tickets)) % Self::NODES;
        let (ticket, position) = (client.tickets, client.position);
        client.tickets += 1;
        client.link =
            Some(Link { node, position, attach: None, sent: BTreeSet::new(), inbox: VecDeque::new() });
        world.nodes[node].queue.push_back(Intent { client: index, wish: Wish::Arrive { ticket } });
    }

    pub fn send(&self, world: &mut World, index: usize) {
        let unsent = world.clients[index].unsent(self, index);
        let Some(link) = &mut world.clients[index].link else { return };
        let Some(attach) = link.attach else { return };
        link.sent.extend(unsent.iter().copied());
        let queue = &mut world.nodes[link.node].queue;
        let intents = unsent
            .into_iter()
            .map(|command| Intent { client: index, wish: Wish::Command { index: command, attach } });
        queue.extend(intents);
    }

    /// The socket breaks: what was in it is lost, the node notices.
    pub fn cut(&self, world: &mut World, index: usize) {
        if let Some(link) = world.clients[index].link.take() {
            world.nodes[link.node].seats.remove(&index);
        }
    }
}

impl World {
    /// Sends a frame, if the client is still connected to this node.
    pub fn send(&mut self, node: usize, client: usize, frame: Frame) {
        if let Some(link) = self.clients[client].link.as_mut().filter(|link| link.node == node) {
            link.inbox.push_back(frame);
        }
    }

    /// Closes a connection from the node's side.
    pub fn close(&mut self, node: usize, client: usize, for_good: bool) {
        self.nodes[node].seats.remove(&client);
        self.send(node, client, Frame::Closed { for_good });
    }
}
