//! Raised hands, the floor, camera grants.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::{ErrorCode, Event, LeftReason, Recipients, UserId, limits};

/// Who asks to speak, who may, and whose camera may be on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Floor {
    /// First come first.
    hands: Vec<UserId>,
    holders: BTreeSet<UserId>,
    cameras: BTreeMap<UserId, Recipients>,
}

impl Floor {
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::HandRaised { user } => self.hands.push(*user),
            Event::HandLowered { user, .. } => self.drop_hand(*user),
            Event::AllHandsLowered { .. } => self.hands.clear(),
            Event::FloorGiven { user, .. } => {
                self.drop_hand(*user);
                self.holders.insert(*user);
            }
            Event::FloorTaken { user, .. } => self.withdraw(*user),
            Event::CameraGranted { user, to, .. } => {
                self.cameras.insert(*user, *to);
            }
            Event::CameraRevoked { user, .. } => {
                self.cameras.remove(user);
            }
            Event::Removed { user, .. } | Event::Left { user, reason: LeftReason::Chosen, .. } => {
                self.drop_hand(*user);
                self.withdraw(*user);
            }
            Event::Ended { .. } => *self = Self::default(),
            _ => {}
        }
    }

    fn drop_hand(&mut self, user: UserId) {
        self.hands.retain(|hand| *hand != user);
    }

    fn withdraw(&mut self, user: UserId) {
        self.holders.remove(&user);
        self.cameras.remove(&user);
    }

    /// Raised hands, first come first.
    pub fn hands(&self) -> &[UserId] {
        &self.hands
    }

    pub fn holds(&self, user: UserId) -> bool {
        self.holders.contains(&user)
    }

    /// Who receives this student's camera, while it is granted.
    pub fn camera_of(&self, user: UserId) -> Option<Recipients> {
        self.cameras.get(&user).copied()
    }

    pub(super) fn raise(&self, user: UserId) -> Result<Vec<Event>, ErrorCode> {
        if self.hands.contains(&user) || self.holds(user) {
            return Ok(Vec::new());
        }
        if self.hands.len() >= limits::HANDS {
            return Err(ErrorCode::Busy);
        }
        Ok(vec![Event::HandRaised { user }])
    }

    pub(super) fn lower(&self, user: UserId, by: UserId) -> Vec<Event> {
        if self.hands.contains(&user) { vec![Event::HandLowered { user, by }] } else { Vec::new() }
    }

    pub(super) fn lower_all(&self, by: UserId) -> Vec<Event> {
        if self.hands.is_empty() { Vec::new() } else { vec![Event::AllHandsLowered { by }] }
    }

    pub(super) fn give(&self, user: UserId, by: UserId) -> Result<Vec<Event>, ErrorCode> {
        if self.holds(user) {
            return Ok(Vec::new());
        }
        if self.holders.len() >= limits::FLOOR_HOLDERS {
            return Err(ErrorCode::Invalid);
        }
        Ok(vec![Event::FloorGiven { user, by }])
    }

    pub(super) fn take(&self, user: UserId, by: UserId) -> Vec<Event> {
        if self.holds(user) { vec![Event::FloorTaken { user, by }] } else { Vec::new() }
    }

    pub(super) fn grant_camera(
        &self,
        user: UserId,
        to: Recipients,
        by: UserId,
    ) -> Result<Vec<Event>, ErrorCode> {
        if self.camera_of(user) == Some(to) {
            return Ok(Vec::new());
        }
        let mut events = self.give(user, by)?;
        events.push(Event::CameraGranted { user, to, by });
        Ok(events)
    }

    pub(super) fn revoke_camera(&self, user: UserId, by: UserId) -> Vec<Event> {
        if self.cameras.contains_key(&user) { vec![Event::CameraRevoked { user, by }] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_queue_of_hands_is_full_at_its_limit_and_has_a_place_when_one_is_lowered() {
        let user = |number: usize| UserId(Uuid::from_u128(number as u128));
        let mut floor = Floor::default();
        for number in 0..limits::HANDS {
            for event in floor.raise(user(number)).expect("a place") {
                floor.apply(&event);
            }
        }
        assert_eq!(floor.hands().len(), limits::HANDS);
        assert_eq!(floor.raise(user(limits::HANDS)), Err(ErrorCode::Busy));
        assert_eq!(floor.raise(user(3)), Ok(Vec::new()), "it is up already");
        floor.apply(&Event::HandLowered { user: user(3), by: user(3) });
        assert!(floor.raise(user(limits::HANDS)).is_ok());
    }
}
