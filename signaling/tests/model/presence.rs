//! Who is alive, and rights that the school takes back, model-checked in steps of a second: two servers that beat into a database
//! and hear each other over a bus, one of them holding a student's line and letting the student's voice pass. Links are cut
//! and heal, the database goes away and comes back, servers stand still, die and begin again as another incarnation. In each
//! second the servers act in any order.
//!
//! Here are the rules of `cluster::beats`, `hub::fleet`, `room_task::ghosts` and of the withdrawals, not their code.

use stateright::{Checker, Expectation, Model, Property};

/// The student's line is here.
const HOST: usize = 0;
const OTHER: usize = 1;
/// Seconds without a beat, by the database's clock, and a server is dead.
const STALE: u8 = 3;
/// Seconds without database and bus, and a server is deaf.
const DEAF: u8 = 2;
/// So old may be what others say of not hearing the database either.
const ALIKE: u8 = 5;
/// Seconds without the database and without a word of others.
const ALONE: u8 = 7;
/// Seconds in which a right that was taken back ends everywhere, whatever is cut.
const WITHDRAWN: u8 = ALONE + 1;
/// A server that stood still looks within this after it goes on.
const AWAKE: u8 = 1;
/// Seconds in which the people of a server that died are shown as gone.
const GONE: u8 = STALE + 2;
/// The exploration ends then.
const END: u8 = 11;

/// What could be built wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// A server that hears nobody goes on.
    DeafServersServe,
    /// A server that hears the others, and that alone does not hear the database, goes on.
    TheDeadServe,
    /// Nobody writes off the people of a server that beats no more.
    NobodyBuries,
    /// The first that hears the database again judges the others at once.
    JudgesAtOnce,
    /// A server is known by its name: begun again, it vouches for the people of its former life.
    NamesAreIncarnations,
    /// Only the server that was asked reads what the school took back.
    WithdrawalsAreNotRead,
}

/// How often each thing may go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Faults {
    database_cuts: u8,
    bus_cuts: u8,
    outages: u8,
    pauses: u8,
    crashes: u8,
}

#[derive(Clone, Copy, Debug)]
struct Scenario {
    faults: Faults,
    /// The school takes the student's right back at some time.
    withdraws: bool,
    flaw: Option<Flaw>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Life {
    Runs,
    StandsStill,
    Dead,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    life: Life,
    incarnation: u8,
    /// Seconds since it heard the database, the bus, and since when it has heard the database without a gap.
    database_age: u8,
    bus_age: u8,
    hearing: u8,
    has_database: bool,
    has_bus: bool,
    has_looked: bool,
    /// Seconds since it last went on, or began.
    awake: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    now: u8,
    database_is_up: bool,
    /// Seconds since the beat of each incarnation that ever was: server, incarnation, age.
    beats: Vec<(usize, u8, u8)>,
    servers: [Server; 2],
    /// Seconds since the other told the host that it hears the database, and that it does not.
    told_with: u8,
    told_without: u8,
    withdrawn: Option<u8>,
    /// The incarnation of the host that holds the student's line, by the log; `None`: gone.
    here: Option<u8>,
    /// The host lets the voice pass.
    voice: bool,
    /// The log says that the student is gone, and the host has not read it.
    died: Option<u8>,
    /// Somebody was written off although nothing was wrong with the server.
    wronged: bool,
    faults: Faults,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Tick,
    Look(usize),
    Withdraw,
    CutDatabase(usize),
    CutBus(usize),
    HealDatabase(usize),
    HealBus(usize),
    Outage,
    Repair,
    Pause,
    GoOn,
    Crash,
    Begin,
}

impl World {
    fn reaches_database(&self, at: usize) -> bool {
        self.database_is_up && self.servers[at].has_database
    }

    fn age_of(&self, at: usize, incarnation: u8) -> u8 {
        let beat = self.beats.iter().find(|(server, life, _)| (*server, *life) == (at, incarnation));
        beat.map_or(u8::MAX, |(_, _, age)| *age)
    }

    /// The log says so; whoever hears the bus knows at once.
    fn write_gone(&mut self, by: usize) {
        self.here = None;
        let told = by == HOST || (self.servers[by].has_bus && self.servers[HOST].has_bus);
        if told && self.servers[HOST].life == Life::Runs {
            self.voice = false;
        }
    }
}

impl Scenario {
    fn look(&self, world: &mut World, at: usize) {
        world.servers[at].has_looked = true;
        if world.servers[at].has_bus {
            world.servers[at].bus_age = 0;
        }
        let hears = world.reaches_database(at);
        if hears {
            self.look_into_the_database(world, at);
        }
        if at == OTHER && world.servers[OTHER].has_bus && world.servers[HOST].has_bus {
            *(if hears { &mut world.told_with } else { &mut world.told_without }) = 0;
        }
        if at == HOST && self.must_stop(world) {
            world.voice = false;
        }
    }

    /// As `cluster::beats` has it.
    fn must_stop(&self, world: &World) -> bool {
        let host = &world.servers[HOST];
        let silent_for = |seconds| host.database_age >= seconds;
        match (host.bus_age == 0, self.flaw) {
            (false, Some(Flaw::DeafServersServe)) | (true, Some(Flaw::TheDeadServe)) => false,
            (false, _) => silent_for(DEAF),
            (true, _) if world.told_with < DEAF => silent_for(STALE),
            (true, _) => silent_for(ALONE) && world.told_without >= ALIKE,
        }
    }

    fn look_into_the_database(&self, world: &mut World, at: usize) {
        let server = &mut world.servers[at];
        if server.database_age >= STALE {
            server.hearing = 0;
        }
        server.database_age = 0;
        let (incarnation, hearing) = (server.incarnation, server.hearing);
        for beat in world.beats.iter_mut().filter(|beat| (beat.0, beat.1) == (at, incarnation)) {
            beat.2 = 0;
        }
        let reads = at == OTHER || self.flaw != Some(Flaw::WithdrawalsAreNotRead);
        if world.withdrawn.is_some() && reads && world.here.is_some() && at == HOST {
            world.write_gone(at);
        }
        if at == HOST && world.here.is_none() {
            world.voice = false;
        }
        let judges = hearing >= STALE || self.flaw == Some(Flaw::JudgesAtOnce);
        if judges && self.flaw != Some(Flaw::NobodyBuries) {
            self.bury(world, at);
        }
    }

    /// Writes off the student, if the line was held by an incarnation that beats no more.
    fn bury(&self, world: &mut World, at: usize) {
        let Some(held_by) = world.here else { return };
        let host = &world.servers[HOST];
        let known = match self.flaw {
            Some(Flaw::NamesAreIncarnations) => host.incarnation,
            _ => held_by,
        };
        let own = at == HOST && held_by == host.incarnation;
        if own || world.age_of(HOST, known) < STALE {
            return;
        }
        let is_well = host.life == Life::Runs && host.incarnation == held_by && host.has_database;
        world.wronged |= is_well && host.awake > STALE && world.servers[HOST].hearing > STALE;
        world.write_gone(at);
    }

    fn tick(world: &mut World) {
        world.now += 1;
        world.told_with = world.told_with.saturating_add(1).min(END);
        world.told_without = world.told_without.saturating_add(1).min(END);
        world.beats.iter_mut().for_each(|(_, _, age)| *age = age.saturating_add(1).min(END));
        for server in &mut world.servers {
            server.has_looked = false;
            server.database_age = server.database_age.saturating_add(1).min(END);
            server.bus_age = server.bus_age.saturating_add(1).min(END);
            server.hearing = server.hearing.saturating_add(1).min(STALE + 1);
            server.awake = server.awake.saturating_add(1).min(STALE + 2);
        }
    }

    fn trouble(&self, world: &World, actions: &mut Vec<Action>) {
        let left = world.faults;
        let mut may = |is_left: u8, action| {
            if is_left > 0 {
                actions.push(action);
            }
        };
        for (at, server) in world.servers.iter().enumerate() {
            match server.has_database {
                true => may(left.database_cuts, Action::CutDatabase(at)),
                false => may(1, Action::HealDatabase(at)),
            }
            match server.has_bus {
                true => may(left.bus_cuts, Action::CutBus(at)),
                false => may(1, Action::HealBus(at)),
            }
        }
        match world.database_is_up {
            true => may(left.outages, Action::Outage),
            false => may(1, Action::Repair),
        }
        match world.servers[HOST].life {
            Life::Runs => {
                may(left.pauses, Action::Pause);
                may(left.crashes, Action::Crash);
            }
            Life::StandsStill => may(1, Action::GoOn),
            Life::Dead => may(1, Action::Begin),
        }
        may(u8::from(self.withdraws && world.withdrawn.is_none()), Action::Withdraw);
    }

    fn perform(&self, world: &mut World, action: Action) {
        let host = &mut world.servers[HOST];
        match action {
            Action::Tick => Self::tick(world),
            Action::Look(at) => self.look(world, at),
            Action::Withdraw => world.withdrawn = Some(world.now),
            Action::CutDatabase(at) => {
                world.faults.database_cuts -= 1;
                world.servers[at].has_database = false;
            }
            Action::CutBus(at) => {
                world.faults.bus_cuts -= 1;
                world.servers[at].has_bus = false;
            }
            // It was to blame itself for what was thought of it meanwhile.
            Action::HealDatabase(at) => {
                world.servers[at].has_database = true;
                world.servers[at].awake = 0;
            }
            Action::HealBus(at) => world.servers[at].has_bus = true,
            Action::Outage => {
                world.faults.outages -= 1;
                world.database_is_up = false;
            }
            Action::Repair => world.database_is_up = true,
            Action::Pause => {
                world.faults.pauses -= 1;
                host.life = Life::StandsStill;
            }
            Action::GoOn => (host.life, host.awake) = (Life::Runs, 0),
            Action::Crash => {
                world.faults.crashes -= 1;
                host.life = Life::Dead;
                (world.voice, world.died) = (false, Some(world.now));
            }
            Action::Begin => {
                (host.life, host.awake, host.hearing) = (Life::Runs, 0, 0);
                (host.database_age, host.bus_age) = (0, 0);
                host.incarnation += 1;
                world.beats.push((HOST, host.incarnation, 0));
            }
        }
    }
}

impl Model for Scenario {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let server = Server {
            life: Life::Runs,
            incarnation: 0,
            database_age: 0,
            bus_age: 0,
            hearing: STALE + 1,
            has_database: true,
            has_bus: true,
            has_looked: false,
            awake: STALE + 2,
        };
        vec![World {
            now: 0,
            database_is_up: true,
            beats: vec![(HOST, 0, 0), (OTHER, 0, 0)],
            servers: [server.clone(), server],
            told_with: 0,
            told_without: END,
            withdrawn: None,
            here: Some(0),
            voice: true,
            died: None,
            wronged: false,
            faults: self.faults,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.now == END {
            return;
        }
        let looks = |at: &usize| world.servers[*at].life == Life::Runs && !world.servers[*at].has_looked;
        let waiting: Vec<usize> = [HOST, OTHER].into_iter().filter(looks).collect();
        // A second is over when everybody who runs has looked.
        if waiting.is_empty() {
            actions.push(Action::Tick);
        }
        // Things go wrong, or right, at the beginning of a second.
        if world.servers.iter().all(|server| !server.has_looked) {
            self.trouble(world, actions);
        }
        actions.extend(waiting.into_iter().map(Action::Look));
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.perform(&mut next, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property { expectation: Expectation::Always, name: PROMISES[0], condition: withdrawn_is_over },
            Property { expectation: Expectation::Always, name: PROMISES[1], condition: the_dead_are_gone },
            Property { expectation: Expectation::Always, name: PROMISES[2], condition: nobody_is_wronged },
            Property::sometimes("something goes wrong to the end", |scenario: &Self, world: &World| {
                world.now == END && world.faults != scenario.faults
            }),
        ]
    }
}

const PROMISES: [&str; 3] = [
    "no right that was taken back is used after its bound",
    "the people of a dead server are gone after their bound",
    "nobody's people are written off while all is well with their server",
];

fn withdrawn_is_over(_: &Scenario, world: &World) -> bool {
    let host = &world.servers[HOST];
    let is_late = world.withdrawn.is_some_and(|since| world.now > since + WITHDRAWN);
    // Who stands still lets nothing pass; who has just gone on has a second to look.
    let may_be_late = host.life != Life::Runs || host.awake <= AWAKE;
    !(world.voice && is_late && !may_be_late)
}

fn the_dead_are_gone(_: &Scenario, world: &World) -> bool {
    let is_late = world.died.is_some_and(|died| world.now > died + GONE);
    let other = &world.servers[OTHER];
    // Somebody who hears the database must be there to write it.
    let can_be_written = other.hearing > STALE && world.reaches_database(OTHER) && other.database_age <= 1;
    !(is_late && world.here == Some(0) && can_be_written)
}

fn nobody_is_wronged(_: &Scenario, world: &World) -> bool {
    !world.wronged
}

fn holds(scenario: Scenario) {
    let checker = scenario.checker().spawn_dfs().join();
    println!("{} states", checker.unique_state_count());
    checker.assert_properties();
}

fn falls(mut scenario: Scenario, flaw: Flaw) -> bool {
    scenario.flaw = Some(flaw);
    let discovered = scenario.checker().spawn_bfs().join().discoveries();
    discovered.keys().any(|name| PROMISES.contains(name))
}

fn scenario(faults: Faults, withdraws: bool) -> Scenario {
    Scenario { faults, withdraws, flaw: None }
}

#[test]
fn a_right_that_was_taken_back_ends_within_its_bound_whatever_is_cut() {
    let cut = Faults { database_cuts: 1, bus_cuts: 1, ..Faults::default() };
    holds(scenario(cut, true));
    assert!(falls(scenario(cut, true), Flaw::DeafServersServe));
    assert!(falls(scenario(cut, true), Flaw::TheDeadServe));
    assert!(falls(scenario(cut, true), Flaw::WithdrawalsAreNotRead));
}

#[test]
fn a_server_that_stood_still_lets_nothing_pass_that_was_taken_back_meanwhile() {
    let paused = Faults { pauses: 1, database_cuts: 1, ..Faults::default() };
    holds(scenario(paused, true));
    assert!(falls(scenario(paused, true), Flaw::WithdrawalsAreNotRead));
}

#[test]
fn the_people_of_a_former_incarnation_are_gone_within_their_bound() {
    let died = Faults { crashes: 2, ..Faults::default() };
    holds(scenario(died, false));
    assert!(falls(scenario(died, false), Flaw::NobodyBuries));
    assert!(falls(scenario(died, false), Flaw::NamesAreIncarnations));
}

#[test]
fn behind_an_outage_of_the_database_nobody_is_taken_for_dead() {
    let outage = Faults { outages: 2, ..Faults::default() };
    holds(scenario(outage, false));
    assert!(falls(scenario(outage, false), Flaw::JudgesAtOnce));
}
