//! Redundant audio (RFC 2198): a packet that carries earlier frames of the voice beside its own, so that a receiver who
//! lost those packets still hears them.

/// Earlier frames a packet carries: with two, a frame is lost only when three packets in a row are.
pub const EARLIER: usize = 2;
/// Field widths of a block's header: 14 bits of timestamp offset, 10 bits of length.
const LONGEST_OFFSET: u32 = (1 << 14) - 1;
const LONGEST_BLOCK: usize = (1 << 10) - 1;

/// An earlier frame.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// How much earlier than the packet's own frame, in units of the media clock.
    pub offset: u32,
    pub frame: &'a [u8],
}

impl Block<'_> {
    /// False for what the header has no room for: a frame from before a silence, or an oversized one.
    pub fn fits(&self) -> bool {
        (1..=LONGEST_OFFSET).contains(&self.offset) && (1..=LONGEST_BLOCK).contains(&self.frame.len())
    }
}

/// Appends the payload: block headers, oldest first, earlier frames, own frame. `payload_type` is that of the frames.
/// Blocks must fit.
pub fn write<'a>(
    payload_type: u8,
    blocks: impl Iterator<Item = &'a Block<'a>> + Clone,
    own: &[u8],
    out: &mut Vec<u8>,
) {
    for block in blocks.clone() {
        out.push(0x80 | payload_type);
        let fields = block.offset << 10 | block.frame.len() as u32;
        out.extend_from_slice(&fields.to_be_bytes()[1..]);
    }
    out.push(payload_type);
    blocks.for_each(|block| out.extend_from_slice(block.frame));
    out.extend_from_slice(own);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_written_as_the_rfc_draws_them() {
        let blocks = [Block { offset: 1_920, frame: b"first" }, Block { offset: 960, frame: b"second" }];
        assert!(blocks.iter().all(Block::fits));
        let mut out = Vec::new();
        write(111, blocks.iter(), b"own", &mut out);
        // 1920 = 0b00011110000000, then 5 in ten bits; 960 and 6 likewise.
        assert_eq!(out[..9], [0x80 | 111, 0x1e, 0x00, 5, 0x80 | 111, 0x0f, 0x00, 6, 111]);
        assert_eq!(&out[9..], b"firstsecondown");
    }

    #[test]
    fn what_has_no_room_in_the_header_does_not_fit() {
        let fits = |offset, length| Block { offset, frame: &[0; 1_024][..length] }.fits();
        assert!(fits(16_383, 1_023));
        assert!(!fits(16_384, 10) && !fits(0, 10) && !fits(960, 1_024) && !fits(960, 0));
    }
}
