//! Somebody who signs in, takes a ticket, enters a lesson by a WebSocket and talks there: what the load generator, the program
//! that breaks clusters and the integration tests have in common. What a browser does beside that (outboxes, policies, moves) is theirs.

mod person;
mod school;
mod socket;

pub use person::{Door, Person, Ticket};
pub use school::SmallSchool;
pub use socket::{Socket, command, converse, message, wait};
