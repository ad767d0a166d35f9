//! Withdrawals fail closed: the gate shuts when the order comes, here and on the other nodes; the log confirms later.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::{
    protocol::{Command, CommandId, Source, UserId},
    room::policy::{self, Action},
};

use super::RoomTask;
use crate::hub::envelope::Content;

/// The store did not take the command: its sender sends it again after a second, and the gate does not open in between.
const KEPT: Duration = Duration::from_secs(5);
/// An order from another node ends unless it is renewed within this.
const LASTS: Duration = Duration::from_secs(2);
/// Orders of other nodes held at once; more are not obeyed before the log says so.
const FOREIGN: usize = 1_024;

/// Gates that are shut although the fold does not say so yet, by the command that shuts them and whose they are. Own ones are
/// bounded by the lanes and by who publishes.
#[derive(Debug, Default)]
pub(super) struct Holds(HashMap<(CommandId, UserId), Hold>);

#[derive(Debug)]
struct Hold {
    /// `None` = all.
    source: Option<Source>,
    /// The other nodes are told of it again and again.
    ours: bool,
    /// `None` = as long as its command waits.
    until: Option<Instant>,
}

impl Holds {
    pub(super) fn shut(&self, user: UserId, source: Source) -> bool {
        let mut theirs = self.0.iter().filter(|((_, whose), _)| *whose == user);
        theirs.any(|(_, hold)| hold.source.is_none_or(|held| held == source))
    }

    /// The command came to its end.
    pub(super) fn release(&mut self, command: CommandId) {
        self.0.retain(|(by, _), _| *by != command);
    }

    /// The command could not be written and will come again.
    pub(super) fn keep(&mut self, command: CommandId) {
        for (_, hold) in self.0.iter_mut().filter(|((by, _), _)| *by == command) {
            hold.until = Some(Instant::now() + KEPT);
        }
    }
}

impl RoomTask {
    /// A withdrawal that its sender may order shuts the gate before it is written.
    pub(super) fn close_gate_early(&mut self, by: UserId, id: CommandId, command: &Command) {
        let Some(role) = self.room.roster.role_of_present(by) else { return };
        let situation = self.room.situation(by);
        let may = |action| policy::may(role, action, &situation).is_ok();
        match command {
            Command::TakeFloor { user } if may(Action::TakeFloor) => self.hold(id, *user, None),
            Command::Remove { user, .. } if may(Action::Remove) => self.hold(id, *user, None),
            Command::Mute { user } if may(Action::MuteOther) => {
                self.hold(id, *user, Some(Source::Microphone));
            }
            Command::MuteAll {} if may(Action::MuteOther) => {
                for user in self.room.students_heard() {
                    self.hold(id, user, Some(Source::Microphone));
                }
            }
            Command::StopSource { user, source } if may(Action::StopSource) => {
                self.hold(id, *user, Some(*source));
            }
            Command::RevokeCamera { user } if may(Action::GrantCamera) => {
                self.hold(id, *user, Some(Source::Camera));
            }
            _ => {}
        }
    }

    /// Shuts a gate here and tells the others, until the command is written or refused.
    pub(super) fn hold(&mut self, command: CommandId, user: UserId, source: Option<Source>) {
        self.holds.0.insert((command, user), Hold { source, ours: true, until: None });
        self.sync_permit(user);
        self.hub.ports.bus.publish(self.lesson, Content::Shut { command, user, source });
    }

    /// Another node ordered it.
    pub(super) fn hold_for_another(&mut self, command: CommandId, user: UserId, source: Option<Source>) {
        if self.is_known(command) || self.holds.0.len() >= FOREIGN {
            return;
        }
        let until = Some(Instant::now() + LASTS);
        self.holds.0.insert((command, user), Hold { source, ours: false, until });
        self.sync_permit(user);
    }

    /// The order may come behind its own event.
    fn is_known(&self, command: CommandId) -> bool {
        self.ring.iter().rev().any(|(logged, _)| logged.command == command)
    }

    /// Ours are told again as long as the log has not confirmed them and their sender tries; those of others end.
    pub(super) fn renew_holds(&mut self, now: Instant) {
        if self.holds.0.is_empty() {
            return;
        }
        for ((command, user), hold) in self.holds.0.iter().filter(|(_, hold)| hold.ours) {
            let content = Content::Shut { command: *command, user: *user, source: hold.source };
            self.hub.ports.bus.publish(self.lesson, content);
        }
        self.holds.0.retain(|_, hold| hold.until.is_none_or(|until| until > now));
        self.sync_permits();
    }
}
