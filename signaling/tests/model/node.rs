//! A node: the fold of the log as far as it knows it, what waits to be written, who sits here.

use std::collections::{BTreeMap, VecDeque};

use qism_signaling::{
    protocol::{Attach, Event, IncarnationId, Logged, Position},
    room::{Context, Room, chain, roster::Arrival},
};
use uuid::Uuid;

use crate::{
    client::Frame,
    log::{Entry, Log, Outcome},
    scenario::{Flaw, Scenario},
    world::{ORIGIN, World, command_id},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub incarnation: u8,
    pub room: Room,
    /// What was folded.
    pub ring: Vec<Entry>,
    pub queue: VecDeque<Intent>,
    pub flight: Option<Flight>,
    /// Never beside a flight.
    pub reading: Option<Reading>,
    /// Something was read since the last own commit.
    pub unconfirmed: bool,
    /// Clients that sit here, with the attachment they have.
    pub seats: BTreeMap<usize, Attach>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flight {
    pub head: Position,
    pub decided: Vec<(Intent, Vec<Entry>)>,
    /// What the log has already, by its numbers.
    pub known: Vec<(Intent, u64)>,
    /// Empty: only a later commit than what was read.
    pub batch: Vec<Entry>,
    pub outcome: Option<Outcome>,
}

/// A look into the database, which letters may overtake.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    /// The head with which it was asked.
    asked: Position,
    /// All of the log was asked for: the history is another one.
    anew: bool,
    /// What the database had then.
    log: Log,
    /// Decided again on what is read.
    intents: Vec<Intent>,
}

impl Flight {
    /// All that waits for it, in the order in which it came.
    fn into_intents(self) -> Vec<Intent> {
        let known = self.known.into_iter().map(|(intent, _)| intent);
        known.chain(self.decided.into_iter().map(|(intent, _)| intent)).collect()
    }
}

/// What somebody, or the node itself, wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Intent {
    pub client: usize,
    pub wish: Wish,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    Arrive { ticket: u8 },
    Command { index: usize, attach: Attach },
    Gone { attach: Attach },
}

impl Node {
    /// A process starts and reads what there is.
    pub fn start(incarnation: u8, log: &Log) -> Self {
        let mut node = Self {
            incarnation,
            room: Room::new(ORIGIN),
            ring: Vec::new(),
            queue: VecDeque::new(),
            flight: None,
            reading: None,
            unconfirmed: false,
            seats: BTreeMap::new(),
        };
        node.refold(log.clone());
        node
    }

    fn refold(&mut self, log: Log) {
        self.room = Room::new(ORIGIN);
        self.ring = log.0;
        self.unconfirmed = !self.ring.is_empty();
        self.ring.iter().for_each(|entry| self.room.apply(&entry.0));
    }

    pub fn incarnation_id(&self, index: usize) -> IncarnationId {
        IncarnationId(Uuid::from_u128((index as u128) << 8 | u128::from(self.incarnation)))
    }

    /// The database is asked nothing.
    pub fn is_idle(&self) -> bool {
        self.flight.is_none() && self.reading.is_none()
    }

    /// True when a look at the database's head calls for more.
    pub fn differs_from(&self, log: &Log, flaw: Option<Flaw>) -> bool {
        match flaw {
            Some(Flaw::HeadsAreNumbersOnly) => log.0.len() as u64 > self.room.head.number,
            _ => log.position().unwrap_or(Position { number: 0, chain: ORIGIN }) != self.room.head,
        }
    }

    pub fn continues(&self, logged: &Logged) -> bool {
        let next = chain::next(self.room.head.chain, logged.sender, logged.command, logged.event.kind());
        logged.number == self.room.head.number + 1 && logged.chain == next
    }

    /// The number that a command has in what was folded.
    fn known(&self, intent: &Intent, scenario: &Scenario) -> Option<u64> {
        let log = Log(self.ring.clone());
        log.known(scenario.devices[intent.client].user, command_id(intent))
    }
}

impl Scenario {
    fn decide(&self, world: &World, at: usize, room: &Room, intent: &Intent) -> Result<Vec<Event>, ()> {
        let device = &self.devices[intent.client];
        let node = &world.nodes[at];
        match &intent.wish {
            Wish::Arrive { .. } => {
                let arrival = Arrival {
                    user: device.user,
                    role: device.role,
                    visit: false,
                    session: device.session,
                    incarnation: node.incarnation_id(at),
                };
                room.decide_arrival(&arrival).map_err(drop)
            }
            Wish::Command { index, attach } => {
                let current = room.roster.member(device.user).map(|member| member.last);
                let is_current =
                    current.is_some_and(|last| (last.session, last.attach) == (device.session, *attach));
                if !is_current && self.flaw != Some(Flaw::FormerConnectionsAct) {
                    return Err(());
                }
                room.decide(device.user, &device.commands[*index], &Context::default()).map_err(drop)
            }
            Wish::Gone { attach } => Ok(room.decide_cut(device.user, device.session, *attach)),
        }
    }

    /// Decides all that waits on the head, in order, and starts to write it.
    pub fn take_off(&self, world: &mut World, at: usize) {
        let intents = std::mem::take(&mut world.nodes[at].queue);
        let mut scratch = world.nodes[at].room.clone();
        let mut flight = Flight {
            head: scratch.head,
            decided: Vec::new(),
            known: Vec::new(),
            batch: Vec::new(),
            outcome: None,
        };
        for intent in intents {
            match self.decide(world, at, &scratch, &intent) {
                Ok(events) => {
                    let entries: Vec<Entry> =
                        events.into_iter().map(|event| self.log_on(&mut scratch, &intent, event)).collect();
                    flight.batch.extend(entries.iter().cloned());
                    flight.decided.push((intent, entries));
                }
                Err(()) => match self.known_line(world, at, &intent) {
                    Some(number) => flight.known.push((intent, number)),
                    None => refuse(world, at, &intent),
                },
            }
        }
        if self.flaw == Some(Flaw::AcknowledgedBeforeTheCommit) {
            for (intent, entries) in &flight.decided {
                accept(world, at, intent, entries.last().map_or(0, |entry| entry.0.number));
            }
        }
        let unconfirmed = world.nodes[at].unconfirmed && self.flaw != Some(Flaw::ReadIsSafe);
        let nobody_waits = flight.decided.is_empty() && flight.known.is_empty();
        if !flight.batch.is_empty() || (unconfirmed && !nobody_waits) {
            world.nodes[at].flight = Some(flight);
        } else {
            flight.known.iter().for_each(|(intent, number)| accept(world, at, intent, *number));
            flight.decided.iter().for_each(|(intent, _)| accept(world, at, intent, flight.head.number));
        }
    }

    fn log_on(&self, scratch: &mut Room, intent: &Intent, event: Event) -> Entry {
        let own = matches!(intent.wish, Wish::Gone { .. });
        let sender = (!own).then_some(self.devices[intent.client].user);
        let logged = chain::log(scratch.head, 0, sender, command_id(intent), event);
        scratch.apply(&logged);
        Entry(logged)
    }

    /// Who asks again for what the log has already gets the old answer.
    fn known_line(&self, world: &World, at: usize, intent: &Intent) -> Option<u64> {
        let is_line = matches!(intent.wish, Wish::Command { .. });
        let asks = is_line && self.flaw != Some(Flaw::KnownLinesAreRefused);
        asks.then(|| world.nodes[at].known(intent, self)).flatten()
    }

    /// The database has answered.
    pub fn land(&self, world: &mut World, at: usize) {
        let flight = world.nodes[at].flight.take().expect("an append in flight");
        match flight.outcome.expect("an answer") {
            Outcome::Written => {
                world.nodes[at].unconfirmed = false;
                flight.known.iter().for_each(|(intent, number)| accept(world, at, intent, *number));
                self.written(world, at, flight.decided);
            }
            Outcome::Conflict => {
                self.look(world, at, flight.into_intents());
            }
            Outcome::Known { sender, command, number } => {
                let is_it = |intent: &Intent| {
                    self.devices[intent.client].user == sender && command_id(intent) == command
                };
                let (known, others): (Vec<_>, Vec<_>) = flight.into_intents().into_iter().partition(is_it);
                put_back(world, at, others);
                for intent in known {
                    match intent.wish {
                        Wish::Arrive { .. } => world.close(at, intent.client, false),
                        _ => accept(world, at, &intent, number),
                    }
                }
            }
            Outcome::Unknown => store_failed(world, at, flight.into_intents()),
        }
    }

    fn written(&self, world: &mut World, at: usize, decided: Vec<(Intent, Vec<Entry>)>) {
        for (intent, entries) in decided {
            for entry in &entries {
                self.fold(world, at, entry);
                let others = (0..Self::NODES).filter(|node| *node != at);
                world.bus.extend(others.map(|node| (node, entry.clone())));
            }
            let number = entries.last().map_or(world.nodes[at].room.head.number, |last| last.0.number);
            match intent.wish {
                Wish::Arrive { .. } => self.seat(world, at, intent.client, &entries),
                _ => accept(world, at, &intent, number),
            }
        }
    }

    fn seat(&self, world: &mut World, at: usize, client: usize, entries: &[Entry]) {
        let Some(link) = world.clients[client].link.as_ref().filter(|link| link.node == at) else { return };
        let position = link.position;
        let attached = entries.iter().find_map(|entry| match entry.0.event {
            Event::Attached { attach, .. } => Some(attach),
            _ => None,
        });
        world.nodes[at].seats.insert(client, attached.expect("an arrival attaches"));
        let ring = &world.nodes[at].ring;
        let known = position.and_then(|position| ring.iter().position(|entry| entry.position() == position));
        let missing: Option<Vec<Entry>> = known.map(|index| ring[index + 1..].to_vec());
        let snapshot = missing.is_none().then_some(world.nodes[at].room.head);
        world.send(at, client, Frame::Welcome { attach: attached.expect("attached"), snapshot });
        for entry in missing.into_iter().flatten() {
            world.send(at, client, Frame::Event(entry));
        }
    }

    /// Folds one event and tells it to all seats.
    fn fold(&self, world: &mut World, at: usize, entry: &Entry) {
        let node = &mut world.nodes[at];
        node.room.apply(&entry.0);
        node.ring.push(entry.clone());
        tell(world, at, entry);
        match entry.0.event {
            Event::Attached { user, session, attach, .. } => {
                let current = (session, attach);
                self.unseat(world, at, |client, seated| {
                    self.devices[client].user == user && (self.devices[client].session, seated) != current
                });
            }
            Event::Removed { user, .. } => {
                self.unseat(world, at, |client, _| self.devices[client].user == user)
            }
            _ => {}
        }
    }

    fn unseat(&self, world: &mut World, at: usize, out: impl Fn(usize, Attach) -> bool) {
        if self.flaw == Some(Flaw::FormerConnectionsAct) {
            return;
        }
        let seats = world.nodes[at].seats.clone();
        for (client, _) in seats.into_iter().filter(|(client, seated)| out(*client, *seated)) {
            world.close(at, client, true);
        }
    }

    /// Reads what the database has, and decides these again.
    pub fn look(&self, world: &mut World, at: usize, intents: Vec<Intent>) {
        let (asked, log) = (world.nodes[at].room.head, world.log.clone());
        world.nodes[at].reading = Some(Reading { asked, anew: false, log, intents });
    }

    /// The database's answer has come: what is beyond the head is folded, or all anew when the history is another one.
    pub fn has_read(&self, world: &mut World, at: usize) {
        let reading = world.nodes[at].reading.take().expect("a look into the database");
        if reading.anew {
            self.start_anew(world, at, reading.log);
        } else if !self.take_in(world, at, &reading) {
            let log = world.log.clone();
            world.nodes[at].reading = Some(Reading { anew: true, log, ..reading });
            return;
        }
        put_back(world, at, reading.intents);
    }

    /// The database's answer is lost.
    pub fn has_not_read(&self, world: &mut World, at: usize) {
        let reading = world.nodes[at].reading.take().expect("a look into the database");
        if !reading.intents.is_empty() {
            store_failed(world, at, reading.intents);
        }
    }

    /// False: it does not continue our history.
    fn take_in(&self, world: &mut World, at: usize, reading: &Reading) -> bool {
        let Reading { asked, log, .. } = reading;
        let by_number = self.flaw == Some(Flaw::HeadsAreNumbersOnly);
        let own = log.0.get((asked.number as usize).wrapping_sub(1)).map(Entry::position);
        if asked.number > 0 && own != Some(*asked) && !by_number {
            return false;
        }
        for entry in log.0.iter().skip(asked.number as usize) {
            let node = &world.nodes[at];
            let is_old = entry.0.number < node.room.head.number || entry.position() == node.room.head;
            if is_old {
                if self.flaw == Some(Flaw::AnswersAreToldTwice) {
                    tell(world, at, entry);
                }
                continue;
            }
            if !node.continues(&entry.0) && !by_number {
                return false;
            }
            self.fold(world, at, entry);
            world.nodes[at].unconfirmed = true;
        }
        true
    }

    fn start_anew(&self, world: &mut World, at: usize, log: Log) {
        world.nodes[at].refold(log);
        let head = world.nodes[at].room.head;
        for client in world.nodes[at].seats.clone().into_keys() {
            let device = &self.devices[client];
            let seated = world.nodes[at].seats[&client];
            let last = world.nodes[at].room.roster.member(device.user).map(|member| member.last);
            // Who is not in this history as it sits here comes in again.
            match last.is_some_and(|last| (last.session, last.attach) == (device.session, seated)) {
                true => world.send(at, client, Frame::Reset(head)),
                false => world.close(at, client, false),
            }
        }
    }

    /// An envelope: next, old, or a sign that something is missing.
    pub fn deliver(&self, world: &mut World, at: usize, entry: &Entry) {
        let node = &world.nodes[at];
        if entry.0.number <= node.room.head.number {
            if self.flaw == Some(Flaw::OldEnvelopesAreFolded) {
                tell(world, at, entry);
            }
        } else if node.continues(&entry.0) {
            self.fold(world, at, entry);
        } else {
            self.look(world, at, Vec::new());
        }
    }
}

fn refuse(world: &mut World, at: usize, intent: &Intent) {
    match &intent.wish {
        Wish::Command { index, .. } => world.send(at, intent.client, Frame::Refused(*index)),
        Wish::Arrive { .. } => world.close(at, intent.client, true),
        Wish::Gone { .. } => {}
    }
}

fn tell(world: &mut World, at: usize, entry: &Entry) {
    for client in world.nodes[at].seats.clone().into_keys() {
        world.send(at, client, Frame::Event(entry.clone()));
    }
}

fn put_back(world: &mut World, at: usize, intents: Vec<Intent>) {
    let queue = &mut world.nodes[at].queue;
    intents.into_iter().rev().for_each(|intent| queue.push_front(intent));
}

fn accept(world: &mut World, at: usize, intent: &Intent, number: u64) {
    if let Wish::Command { index, .. } = intent.wish {
        world.send(at, intent.client, Frame::Accepted(index, number));
    }
}

/// Whoever waits is told to come later, so that no line overtakes another; arrivals knock again.
fn store_failed(world: &mut World, at: usize, intents: Vec<Intent>) {
    let waiting = std::mem::take(&mut world.nodes[at].queue);
    for intent in intents.into_iter().chain(waiting) {
        match intent.wish {
            Wish::Command { index, .. } => world.send(at, intent.client, Frame::Later(index)),
            Wish::Arrive { .. } => world.close(at, intent.client, false),
            // What the server owes it wants again, as long as the fold asks for it.
            Wish::Gone { .. } => {}
        }
    }
}
