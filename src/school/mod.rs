//! Use cases of the school: opening it, signing in, accounts, timetable, today's lessons, admission to a lesson, reports, the demonstration.
//!
//! Not here: HTTP, SQL, what happens inside a lesson.

mod accounts;
mod admission;
mod attempts;
pub mod demo;
mod erasing;
mod fleet;
mod new_account;
mod opening;
mod planning;
mod reports;
mod sheet;
mod sign_in;
mod subjects;
mod today;
mod troubles;
mod week;

use std::sync::Arc;

use qism_signaling::hub::ports::Clock;

use crate::{
    auth::{Attempts, EntryPace, PasswordError, Passwords, Tickets},
    storage::{StorageError, Store},
};

pub use crate::storage::{Account, ListedAccount, SchoolRole};
pub use accounts::AccountError;
pub use admission::{EntryRefusal, TicketRefusal};
pub use erasing::{EraseError, People, PersonRow};
pub use fleet::{FleetView, ServerState, ServerView};
pub use new_account::{NewAccountError, Wanted};
pub use opening::{Enrolled, OpeningError, Slip};
pub use planning::Planned;
pub use reports::{ReportKind, ReportView};
pub use sign_in::{Me, SignInRefusal, SignedIn};
pub use today::{LessonRow, Roster, StartRefusal, Today};

/// Lessons are given by this zone's clock, whose offset changes around Ramadan.
const ZONE: &str = "Africa/Casablanca";

/// All use cases; cheap to share.
pub struct School {
    store: Store,
    clock: Arc<dyn Clock>,
    passwords: Passwords,
    attempts: Attempts,
    entries: EntryPace,
    tickets: Tickets,
}

/// Something broke that is nobody's fault who asks; logged where it is turned into an answer.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Password(#[from] PasswordError),
}

impl School {
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Result<Self, Broken> {
        Ok(Self {
            store,
            clock,
            passwords: Passwords::new()?,
            attempts: Attempts::default(),
            entries: EntryPace::default(),
            tickets: Tickets::random(),
        })
    }

    /// Tickets of every server that has the same key are good here.
    pub fn with_ticket_key(mut self, key: [u8; 32]) -> Self {
        self.tickets = Tickets::with_key(key);
        self
    }

    /// Milliseconds since the epoch.
    pub fn now(&self) -> u64 {
        self.clock.now_ms()
    }
}
