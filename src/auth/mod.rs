//! Proofs of who somebody is: passwords, browser tokens, lesson tickets, and the back-off against guessing.
//!
//! Not here: who belongs to which lesson (`school`), where it is kept (`storage`).

mod attempts;
mod devices;
mod entries;
mod network;
mod password;
mod tickets;
mod token;
mod turn;

pub use attempts::{Attempts, Keys, MINUTE, Origin};
pub use devices::Marks;
pub use entries::EntryPace;
pub use network::network;
pub use password::{PasswordError, Passwords, hash_now};
pub use tickets::{TicketError, Tickets, Verified};
pub use token::Token;
pub use turn::{IceServer, Turn};
