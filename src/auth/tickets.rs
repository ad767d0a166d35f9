//! Tickets: signed, for one lesson, 30 seconds. That each is used once is the log's doing: its id is the command id of
//! the `attached` event.

use hmac::{Hmac, KeyInit as _, Mac as _};
use qism_signaling::{
    hub::Entry,
    protocol::{CommandId, LessonId, Role, SessionId, UserId, limits},
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use super::token::{hex, unhex};

const SIGNATURE_BYTES: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    #[error("not one of our tickets")]
    Foreign,
    #[error("the ticket is too old")]
    Expired,
}

/// Issues and verifies. The key of a server that is alone lives as long as the process: so do tickets.
pub struct Tickets {
    key: [u8; 32],
}

/// What is signed.
#[derive(Serialize, Deserialize)]
struct Claims {
    user: UserId,
    role: Role,
    visit: bool,
    lesson: LessonId,
    session: SessionId,
    id: CommandId,
    expires_at: u64,
}

/// A ticket of ours that is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub entry: Entry,
    pub expires_at: u64,
}

impl Tickets {
    pub fn random() -> Self {
        Self { key: rand::random() }
    }

    /// With a key that other servers have too.
    pub fn with_key(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A ticket with a new id; `entry.ticket` is not read.
    pub fn issue(&self, entry: Entry, now: u64) -> String {
        let claims = Claims {
            user: entry.user,
            role: entry.role,
            visit: entry.visit,
            lesson: entry.lesson,
            session: entry.session,
            id: CommandId(Uuid::now_v7()),
            expires_at: now + limits::TICKET.as_millis() as u64,
        };
        // Invariant: claims are plain data.
        let body = serde_json::to_vec(&claims).expect("claims are JSON");
        format!("{}.{}", hex(&body), hex(&self.mac(&body).finalize().into_bytes()))
    }

    /// The entry that a ticket stands for.
    pub fn verify(&self, ticket: &str, now: u64) -> Result<Verified, TicketError> {
        let (body, signature) = ticket.split_once('.').ok_or(TicketError::Foreign)?;
        let (body, signature) = unhex(body).zip(unhex(signature)).ok_or(TicketError::Foreign)?;
        if signature.len() != SIGNATURE_BYTES {
            return Err(TicketError::Foreign);
        }
        self.mac(&body).verify_slice(&signature).map_err(|_| TicketError::Foreign)?;
        let claims: Claims = serde_json::from_slice(&body).map_err(|_| TicketError::Foreign)?;
        if claims.expires_at <= now {
            return Err(TicketError::Expired);
        }
        let entry = Entry {
            user: claims.user,
            role: claims.role,
            visit: claims.visit,
            lesson: claims.lesson,
            session: claims.session,
            ticket: claims.id,
        };
        Ok(Verified { entry, expires_at: claims.expires_at })
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        // Invariant: HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("any length");
        mac.update(body);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let id = Uuid::now_v7;
        Entry {
            user: UserId(id()),
            role: Role::Student,
            visit: false,
            lesson: LessonId(id()),
            session: SessionId(id()),
            ticket: CommandId(Uuid::nil()),
        }
    }

    #[test]
    fn a_ticket_says_what_was_put_into_it_for_thirty_seconds() {
        let (tickets, entry) = (Tickets::random(), entry());
        let ticket = tickets.issue(entry, 1_000);
        let back = tickets.verify(&ticket, 30_999).expect("valid").entry;
        assert_eq!(Entry { ticket: entry.ticket, ..back }, entry);
        assert_ne!(back.ticket, entry.ticket, "each has an id of its own");
        assert_eq!(tickets.verify(&ticket, 31_000), Err(TicketError::Expired));
    }

    #[test]
    fn a_changed_ticket_and_one_of_another_server_are_foreign() {
        let (tickets, other) = (Tickets::random(), Tickets::random());
        let ticket = tickets.issue(entry(), 0);
        assert_eq!(other.verify(&ticket, 0), Err(TicketError::Foreign));
        for at in 0..ticket.len() {
            let mut bytes = ticket.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(tickets.verify(&changed, 0), Err(TicketError::Foreign), "byte {at}");
        }
        for odd in ["", ".", "a.b", "é.é", &ticket[..ticket.len() - 2]] {
            assert_eq!(tickets.verify(odd, 0), Err(TicketError::Foreign), "{odd}");
        }
    }
}
