//! The log's protocol, model-checked: two nodes, a database that orders, a bus that loses, repeats and reorders, clients
//! that come and go. Every interleaving within the bounds of a scenario is walked through, with the real `decide` and
//! `apply` of the room. That each property can fail is shown by building in a flaw and finding it.
//!
//! Here is the protocol as the hub speaks it, not the hub's code: its queues, timers and sockets are in `lessons`.

mod client;
mod log;
mod node;
mod presence;
mod properties;
mod scenario;
mod world;

use scenario::{Faults, Flaw, Scenario};
use stateright::{Checker, Model as _};

/// Walks through everything; panics on a counterexample, or when something that must be possible never came up.
fn holds(scenario: Scenario) {
    let checker = scenario.checker().spawn_dfs().join();
    println!("{} states", checker.unique_state_count());
    checker.assert_properties();
}

/// True when some property falls.
fn falls(mut scenario: Scenario, flaw: Flaw) -> bool {
    scenario.flaw = Some(flaw);
    let checker = scenario.checker().spawn_bfs().join();
    let discovered = checker.discoveries();
    discovered.keys().any(|name| properties::is_promise(name))
}

#[test]
fn lines_of_two_nodes_are_one_history_on_a_lossy_bus() {
    let faults = Faults { losses: 2, duplicates: 2, ..Faults::default() };
    holds(Scenario::two_speak(faults));
    assert!(falls(Scenario::two_speak(faults), Flaw::NumbersAreNoLock));
    assert!(falls(Scenario::two_speak(faults), Flaw::OldEnvelopesAreFolded));
    assert!(falls(Scenario::two_speak(faults), Flaw::AnswersAreToldTwice));
}

#[test]
fn a_line_sent_again_after_a_cut_is_neither_lost_nor_doubled_nor_refused() {
    let cut = Faults { cuts: 1, ..Faults::default() };
    let unknown = Faults { lost_outcomes: 1, ..Faults::default() };
    holds(Scenario::slow_mode(cut));
    holds(Scenario::slow_mode(unknown));
    holds(Scenario::two_speak(unknown));
    assert!(falls(Scenario::two_speak(unknown), Flaw::IdsAreForgotten));
    assert!(falls(Scenario::slow_mode(unknown), Flaw::KnownLinesAreRefused));
}

#[test]
fn what_a_standby_must_have_before_it_is_acknowledged() {
    let faults = Faults { cut_waits: 1, failovers: 1, ..Faults::default() };
    holds(Scenario::slow_mode(faults));
    holds(Scenario::two_speak(faults));
    assert!(falls(Scenario::two_speak(faults), Flaw::KnownIsSafe));
    assert!(falls(Scenario::slow_mode(faults), Flaw::ReadIsSafe));
}

#[test]
fn a_node_that_dies_and_comes_back_loses_nothing_acknowledged() {
    let faults = Faults { crashes: 1, losses: 1, ..Faults::default() };
    holds(Scenario::slow_mode(faults));
    assert!(falls(Scenario::slow_mode(faults), Flaw::AcknowledgedBeforeTheCommit));
}

#[test]
fn who_was_removed_on_one_node_does_nothing_more_on_another() {
    let faults = Faults { losses: 1, ..Faults::default() };
    holds(Scenario::removal(faults));
    assert!(falls(Scenario::removal(faults), Flaw::NumbersAreNoLock));
}

#[test]
fn the_current_attachment_alone_acts() {
    let faults = Faults { losses: 1, ..Faults::default() };
    holds(Scenario::two_devices(faults));
    assert!(falls(Scenario::two_devices(faults), Flaw::FormerConnectionsAct));
}

#[test]
fn a_lost_tail_resets_everybody_and_nobody_diverges() {
    let faults = Faults { promotions: 1, losses: 1, ..Faults::default() };
    holds(Scenario::lost_tail(faults));
    assert!(falls(Scenario::lost_tail(faults), Flaw::HeadsAreNumbersOnly));
}
