//! What a thread other than the publisher's, of this node or another, must know of a publication besides its packets.

use serde::{Deserialize, Serialize};

use crate::sfu::sdp::answer::LAYERS;

/// The streams of a publication at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Packets of another generation have nothing to do with those of this.
    pub generation: u32,
    pub layers: u8,
    /// Sizes of the layers, known even of one that nobody receives now.
    pub sizes: [Option<(u16, u16)>; LAYERS],
    /// Our clock minus the publisher's (NTP, 32.32 fixed point).
    pub clock_offset: Option<i64>,
}
