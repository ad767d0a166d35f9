//! The bus of a single node: everybody who could listen has heard it from the room itself.

use qism_signaling::{
    hub::{envelope::Content, ports::Bus},
    protocol::LessonId,
};

/// Carries nothing anywhere.
#[derive(Debug, Default)]
pub struct MemoryBus;

impl Bus for MemoryBus {
    fn publish(&self, _: LessonId, _: Content) {}

    fn listen(&self, _: LessonId, _: bool) {}

    fn is_up(&self) -> bool {
        true
    }
}
