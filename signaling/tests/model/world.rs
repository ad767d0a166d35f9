//! The whole: database, bus, nodes, clients; and what can happen next.

use std::collections::BTreeSet;

use qism_signaling::protocol::{Attach, Chain, CommandId, Position};
use stateright::{Model, Property};
use uuid::Uuid;

use crate::{
    client::Client,
    log::{Entry, Log, Outcome},
    node::{Intent, Node, Wish},
    properties,
    scenario::{Faults, Flaw, Opening, Scenario},
};

/// One state of everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub log: Log,
    pub nodes: Vec<Node>,
    pub clients: Vec<Client>,
    /// Envelopes on their way: to which node, with which event.
    pub bus: BTreeSet<(usize, Entry)>,
    /// Appends of dead processes that may still be carried out.
    pub ghosts: Vec<(Position, Vec<Entry>)>,
    pub faults: Faults,
    /// Events of the log that the standby has, which commits wait for.
    pub safe: usize,
    /// A tail of the log was lost that some had been told was in it.
    pub promoted: bool,
    /// A tail was lost that nobody was told to be safe.
    pub failed_over: bool,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Connect(usize),
    /// A client sends all that it has not sent on this connection.
    Send(usize),
    /// A client reads all that came.
    Read(usize),
    TakeOff(usize),
    Append(usize),
    Land(usize),
    /// A node compares its head with the database's, and reads.
    Check(usize),
    /// What was read comes.
    HasRead(usize),
    Deliver(usize, Entry),
    /// A node notices that a connection of the fold is no more.
    Expire(usize, Intent),
    Ghost(usize),
    GhostVanishes(usize),
    Lose(usize, Entry),
    Repeat(usize, Entry),
    Cut(usize),
    LoseOutcome(usize),
    Crash(usize),
    Promote,
    /// The connection is cut while the primary waits for the standby.
    CutWait(usize),
    FailOver,
}

impl Scenario {
    fn empty(&self) -> World {
        World {
            log: Log::default(),
            nodes: (0..Self::NODES).map(|_| Node::start(0, &Log::default())).collect(),
            clients: self.devices.iter().map(|_| Client::default()).collect(),
            bus: BTreeSet::new(),
            ghosts: Vec::new(),
            faults: Faults::default(),
            safe: 0,
            promoted: false,
            failed_over: false,
        }
    }

    /// What goes on when nothing goes wrong.
    pub fn progress(&self, world: &World) -> Vec<Action> {
        let mut actions = Vec::new();
        for (index, client) in world.clients.iter().enumerate() {
            match &client.link {
                None if client.may_connect(self) => actions.push(Action::Connect(index)),
                Some(link) if !link.inbox.is_empty() => actions.push(Action::Read(index)),
                Some(_) if client.has_unsent(self, index) => actions.push(Action::Send(index)),
                _ => {}
            }
        }
        for (index, node) in world.nodes.iter().enumerate() {
            match &node.flight {
                Some(flight) if flight.outcome.is_some() => actions.push(Action::Land(index)),
                Some(_) => actions.push(Action::Append(index)),
                None if node.reading.is_some() => actions.extend(self.reading(world, index, node)),
                None => actions.extend(self.idle(world, index, node)),
            }
        }
        let ghosts = 0..world.ghosts.len();
        actions.extend(ghosts.flat_map(|ghost| [Action::Ghost(ghost), Action::GhostVanishes(ghost)]));
        actions
    }

    /// What a node can do while the database is asked: fold what comes by the bus and is the next.
    fn reading(&self, world: &World, index: usize, node: &Node) -> Vec<Action> {
        let next = world.bus.iter().filter(|(to, entry)| *to == index && node.continues(&entry.0));
        let deliver = next.map(|(_, entry)| Action::Deliver(index, entry.clone()));
        deliver.chain([Action::HasRead(index)]).collect()
    }

    /// What a node without an append in flight can do.
    fn idle(&self, world: &World, index: usize, node: &Node) -> Vec<Action> {
        let mut actions = Vec::new();
        if !node.queue.is_empty() {
            actions.push(Action::TakeOff(index));
        }
        if node.differs_from(&world.log, self.flaw) {
            actions.push(Action::Check(index));
        }
        let here = world.bus.iter().filter(|(to, _)| *to == index);
        actions.extend(here.map(|(_, entry)| Action::Deliver(index, entry.clone())));
        actions.extend(self.gone(world, index).into_iter().map(|intent| Action::Expire(index, intent)));
        actions
    }

    /// Connections of a node's fold that are no more, and not on their way to be written off.
    fn gone(&self, world: &World, index: usize) -> Vec<Intent> {
        let node = &world.nodes[index];
        let mut gone = Vec::new();
        for (client, device) in self.devices.iter().enumerate() {
            let Some(member) = node.room.roster.member(device.user) else { continue };
            let is_here = node.room.roster.role_of_present(device.user).is_some();
            if !is_here || member.last.session != device.session {
                continue;
            }
            let holder =
                (0..Self::NODES).find(|at| world.nodes[*at].incarnation_id(*at) == member.last.incarnation);
            let is_mine = holder.is_none() || holder == Some(index);
            let intent = Intent { client, wish: Wish::Gone { attach: member.last.attach } };
            let is_seated = node.seats.get(&client) == Some(&member.last.attach);
            if is_mine && !is_seated && !node.queue.contains(&intent) {
                gone.push(intent);
            }
        }
        gone
    }

    /// What may go wrong.
    fn trouble(&self, world: &World) -> Vec<Action> {
        let (mut actions, left) = (Vec::new(), world.faults);
        for (to, entry) in &world.bus {
            if left.losses > 0 {
                actions.push(Action::Lose(*to, entry.clone()));
            }
            if left.duplicates > 0 && world.nodes[*to].is_idle() {
                actions.push(Action::Repeat(*to, entry.clone()));
            }
        }
        let linked = |client: &Client| client.link.as_ref().is_some_and(|link| link.attach.is_some());
        if left.cuts > 0 {
            let cut = |(index, client): (usize, &Client)| linked(client).then_some(Action::Cut(index));
            actions.extend(world.clients.iter().enumerate().filter_map(cut));
        }
        for (index, node) in world.nodes.iter().enumerate() {
            let answered = node.flight.as_ref().is_some_and(|flight| flight.outcome.is_some());
            if left.lost_outcomes > 0 && (answered || node.reading.is_some()) {
                actions.push(Action::LoseOutcome(index));
            }
            if left.cut_waits > 0 && node.flight.as_ref().is_some_and(|flight| flight.outcome.is_none()) {
                actions.push(Action::CutWait(index));
            }
            if left.crashes > 0 {
                actions.push(Action::Crash(index));
            }
        }
        if left.promotions > 0 && world.log.0.len() > 1 {
            actions.push(Action::Promote);
        }
        if left.failovers > 0 && world.safe < world.log.0.len() {
            actions.push(Action::FailOver);
        }
        actions
    }

    fn perform(&self, world: &mut World, action: Action) {
        match action {
            Action::Connect(client) => self.connect(world, client),
            Action::Send(client) => self.send(world, client),
            Action::Read(client) => world.clients[client].read(),
            Action::TakeOff(node) => self.take_off(world, node),
            Action::Append(node) => {
                let flight = world.nodes[node].flight.as_mut().expect("an append in flight");
                let outcome = world.log.append(flight.head, &flight.batch, self.flaw);
                let is_later_commit = match outcome {
                    Outcome::Written => true,
                    Outcome::Known { .. } => self.flaw != Some(Flaw::KnownIsSafe),
                    Outcome::Conflict | Outcome::Unknown => false,
                };
                flight.outcome = Some(outcome);
                if is_later_commit {
                    world.safe = world.log.0.len();
                }
            }
            Action::Land(node) => self.land(world, node),
            Action::Check(node) => self.look(world, node, Vec::new()),
            Action::HasRead(node) => self.has_read(world, node),
            Action::Deliver(node, entry) => {
                world.bus.remove(&(node, entry.clone()));
                self.deliver(world, node, &entry);
            }
            Action::Repeat(node, entry) => {
                world.faults.duplicates -= 1;
                self.deliver(world, node, &entry);
            }
            Action::Expire(node, intent) => world.nodes[node].queue.push_back(intent),
            Action::Ghost(ghost) => {
                let (head, batch) = world.ghosts.remove(ghost);
                world.log.append(head, &batch, self.flaw);
                world.safe = world.log.0.len();
            }
            Action::GhostVanishes(ghost) => drop(world.ghosts.remove(ghost)),
            Action::Lose(node, entry) => {
                world.faults.losses -= 1;
                world.bus.remove(&(node, entry));
            }
            Action::Cut(client) => {
                world.faults.cuts -= 1;
                self.cut(world, client);
            }
            Action::LoseOutcome(node) => {
                world.faults.lost_outcomes -= 1;
                match world.nodes[node].flight.as_mut() {
                    Some(flight) => flight.outcome = Some(Outcome::Unknown),
                    None => self.has_not_read(world, node),
                }
            }
            Action::Crash(node) => self.crash(world, node),
            Action::Promote => {
                world.faults.promotions -= 1;
                world.log.0.pop();
                world.safe = world.log.0.len();
                world.promoted = true;
            }
            Action::CutWait(node) => {
                world.faults.cut_waits -= 1;
                let flight = world.nodes[node].flight.as_mut().expect("an append in flight");
                world.log.append(flight.head, &flight.batch, self.flaw);
                flight.outcome = Some(Outcome::Unknown);
            }
            Action::FailOver => self.fail_over(world),
        }
    }

    /// What was on its way to the primary is lost with it.
    fn fail_over(&self, world: &mut World) {
        world.faults.failovers -= 1;
        world.log.0.truncate(world.safe);
        world.failed_over = true;
        world.ghosts.clear();
        let flights = world.nodes.iter_mut().filter_map(|node| node.flight.as_mut());
        for flight in flights.filter(|flight| flight.outcome.is_none()) {
            flight.outcome = Some(Outcome::Unknown);
        }
    }

    fn crash(&self, world: &mut World, node: usize) {
        world.faults.crashes -= 1;
        let incarnation = world.nodes[node].incarnation + 1;
        let dead = std::mem::replace(&mut world.nodes[node], Node::start(incarnation, &world.log));
        if let Some(flight) = dead.flight.filter(|flight| flight.outcome.is_none()) {
            world.ghosts.push((flight.head, flight.batch));
        }
        for client in world.clients.iter_mut().filter(|client| client.is_linked_to(node)) {
            client.link = None;
        }
    }

    /// What happens before the exploration.
    fn opened(&self) -> World {
        let mut world = self.empty();
        let is_opening = |action: &Action| match action {
            Action::Send(client) => self.opening == Opening::TeacherIsDone && *client == 0,
            Action::Connect(client) => !matches!(self.opening, Opening::Seated(count) if *client >= count),
            Action::Expire(..) => false,
            _ => true,
        };
        while let Some(action) = self.progress(&world).into_iter().find(is_opening) {
            self.perform(&mut world, action);
        }
        world
    }
}

/// The id of what a client wishes.
pub fn command_id(intent: &Intent) -> CommandId {
    let (kind, count) = match intent.wish {
        Wish::Arrive { ticket } => (1, u128::from(ticket)),
        Wish::Command { index, .. } => (2, index as u128),
        Wish::Gone { attach: Attach(count) } => (3, u128::from(count)),
    };
    CommandId(Uuid::from_u128(kind << 32 | (intent.client as u128) << 16 | count))
}

/// The seed of the lesson's chain.
pub const ORIGIN: Chain = Chain(7);

impl Model for Scenario {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World { faults: self.faults, ..self.opened() }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        actions.extend(self.progress(world));
        // Reading commutes with everything but the end of a connection: then it may as well happen at once.
        let keeps_connections = world.faults.cuts + world.faults.crashes == 0;
        let read = actions.iter().position(|action| matches!(action, Action::Read(_)));
        match read.filter(|_| keeps_connections) {
            Some(read) => *actions = vec![actions.swap_remove(read)],
            None => actions.extend(self.trouble(world)),
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.perform(&mut next, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
