//! What must always hold, and what must be able to happen (else the walk proved nothing).

use std::collections::HashMap;

use qism_signaling::{
    protocol::{Command, Event},
    room::{Context, Room, chain, roster::Arrival},
};
use stateright::{Expectation, Property};

use crate::{
    client::{Answer, Client},
    log::{Entry, Outcome},
    node::{Intent, Wish},
    scenario::{Device, Scenario},
    world::{ORIGIN, World, command_id},
};

type Condition = fn(&Scenario, &World) -> bool;

const PROMISES: [(&str, Condition); 7] = [
    ("what was acknowledged is in the log", acknowledged_is_kept),
    ("what was refused is not", refused_is_absent),
    ("a command is in the log once, and in its sender's order", once_and_in_order),
    ("everybody reads one history without gaps", one_history),
    ("the log is what deciding one after another gives", serial),
    ("a connection that another one replaced does nothing", current_alone_acts),
    ("when nothing more can happen, all is done", at_rest_all_is_done),
];

pub fn is_promise(name: &str) -> bool {
    PROMISES.iter().any(|(promise, _)| *promise == name)
}

pub fn all() -> Vec<Property<Scenario>> {
    let promise = |(name, condition)| Property { expectation: Expectation::Always, name, condition };
    let mut all: Vec<_> = PROMISES.into_iter().map(promise).collect();
    all.push(Property::sometimes("all is done", |scenario, world| {
        scenario.progress(world).is_empty() && at_rest_all_is_done(scenario, world)
    }));
    all.push(Property::sometimes(
        "two nodes want the same number, or something goes wrong",
        |scenario: &Scenario, world: &World| {
            let outcome = |wanted| {
                world.nodes.iter().any(|n| n.flight.as_ref().and_then(|f| f.outcome) == Some(wanted))
            };
            outcome(Outcome::Conflict) || world.faults != scenario.faults
        },
    ));
    all
}

fn acknowledged_is_kept(scenario: &Scenario, world: &World) -> bool {
    let kept = |(index, client): (usize, &Client)| {
        let mut accepted = client.answers.iter().filter(|(_, answer)| matches!(answer, Answer::Accepted(_)));
        accepted.all(|(command, _)| number_of(scenario, world, index, *command).is_some())
    };
    // An asynchronous standby loses what it never had: no promise there.
    world.promoted || world.clients.iter().enumerate().all(kept)
}

fn refused_is_absent(scenario: &Scenario, world: &World) -> bool {
    let absent = |(index, client): (usize, &Client)| {
        let mut refused = client.answers.iter().filter(|(_, answer)| **answer == Answer::Refused);
        refused.all(|(command, _)| number_of(scenario, world, index, *command).is_none())
    };
    world.promoted || world.clients.iter().enumerate().all(absent)
}

fn number_of(scenario: &Scenario, world: &World, client: usize, index: usize) -> Option<u64> {
    let intent = Intent { client, wish: Wish::Command { index, attach: Default::default() } };
    world.log.known(scenario.devices[client].user, command_id(&intent))
}

fn once_and_in_order(scenario: &Scenario, world: &World) -> bool {
    let twice = |(at, entry): (usize, &Entry)| {
        let key = |entry: &Entry| (entry.0.sender, entry.0.command, entry.0.event.kind().to_owned());
        let later = &world.log.0[at + 1..];
        entry.0.sender.is_some() && later.iter().any(|other| key(other) == key(entry))
    };
    let in_order = |client: usize| {
        let commands = 0..scenario.devices[client].commands.len();
        let numbers: Vec<u64> = commands.filter_map(|c| number_of(scenario, world, client, c)).collect();
        numbers.is_sorted()
    };
    !world.log.0.iter().enumerate().any(twice) && (0..world.clients.len()).all(in_order)
}

fn one_history(_: &Scenario, world: &World) -> bool {
    let whole = |client: &Client| {
        let next = |pair: &[Entry]| {
            let (before, after) = (&pair[0].0, &pair[1].0);
            let chain = chain::next(before.chain, after.sender, after.command, after.event.kind());
            after.number == before.number + 1 && after.chain == chain
        };
        client.seen.windows(2).all(next)
    };
    let is_in_the_log = |entry: &Entry| world.log.0.get(entry.0.number as usize - 1) == Some(entry);
    let clients = &world.clients;
    clients.iter().all(whole)
        && (world.promoted
            || world.failed_over
            || clients.iter().all(|client| client.seen.iter().all(is_in_the_log)))
}

/// Every command decided on the state before it gives the very events that the log has.
fn serial(scenario: &Scenario, world: &World) -> bool {
    let (mut room, mut rest) = (Room::new(ORIGIN), &world.log.0[..]);
    while let Some(first) = rest.first() {
        let key = |entry: &Entry| (entry.0.sender, entry.0.command);
        let length = rest.iter().take_while(|entry| key(entry) == key(first)).count();
        let (group, later) = rest.split_at(length);
        let events: Vec<Event> = group.iter().map(|entry| entry.0.event.clone()).collect();
        if decided(scenario, &room, first, &events).is_none_or(|decided| decided != events) {
            return false;
        }
        for entry in group {
            if entry.0.number != room.head.number + 1 {
                return false;
            }
            room.apply(&entry.0);
        }
        rest = later;
    }
    true
}

fn decided(scenario: &Scenario, room: &Room, first: &Entry, events: &[Event]) -> Option<Vec<Event>> {
    if let Some((_, command)) = command_of(scenario, first) {
        return room.decide(first.0.sender?, command, &Context::default()).ok();
    }
    let attached = events.iter().find(|event| matches!(event, Event::Attached { .. }));
    match (attached, &first.0.event) {
        (Some(&Event::Attached { user, role, visit, session, incarnation, .. }), _) => {
            room.decide_arrival(&Arrival { user, role, visit, session, incarnation }).ok()
        }
        (None, &Event::Left { user, session, attach, .. }) => Some(room.decide_cut(user, session, attach)),
        _ => None,
    }
}

/// Whose command an event comes from, and which.
fn command_of<'a>(scenario: &'a Scenario, entry: &Entry) -> Option<(&'a Device, &'a Command)> {
    scenario.devices.iter().enumerate().find_map(|(client, device)| {
        device.commands.iter().enumerate().find_map(|(index, command)| {
            let intent = Intent { client, wish: Wish::Command { index, attach: Default::default() } };
            (entry.0.command == command_id(&intent)).then_some((device, command))
        })
    })
}

fn current_alone_acts(scenario: &Scenario, world: &World) -> bool {
    let mut current = HashMap::new();
    world.log.0.iter().all(|entry| {
        if let Event::Attached { user, session, .. } = entry.0.event {
            current.insert(user, session);
        }
        let acts = command_of(scenario, entry);
        acts.is_none_or(|(device, _)| current.get(&device.user) == Some(&device.session))
    })
}

fn at_rest_all_is_done(scenario: &Scenario, world: &World) -> bool {
    if !scenario.progress(world).is_empty() {
        return true;
    }
    let is_done = |(index, client): (usize, &Client)| {
        let answered = client.answers.len() == scenario.devices[index].commands.len();
        client.is_over || answered && client.link.is_some() && client.position == world.log.position()
    };
    world.clients.iter().enumerate().all(is_done)
}
