//! The range map: how incoming numbers become outgoing ones. out = in + offset, where the offset belongs to the range
//! of incoming numbers a packet falls in, so a late packet gets the number that was left free for it. A new range
//! starts at each switch of layer and after each packet that is dropped on purpose.

use std::collections::VecDeque;

/// Ranges remembered: at 15 dropped frames a second this is over two seconds of late packets.
const REMEMBERED: usize = 48;

/// Packets of one picture, at most. Numbers of pictures come again; those of another layer are no near ones.
const PICTURE: u64 = 512;

/// What is added to the numbers of incoming packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    pub sequence: i64,
    pub timestamp: u32,
    /// VP8 picture number, modulo 2^15.
    pub picture: u16,
    pub tl0: u8,
    /// Modulo 2^5.
    pub key_index: u8,
}

/// Incoming numbers `start..end` of one layer.
#[derive(Clone, Copy, Debug)]
struct Range {
    layer: usize,
    start: u64,
    end: u64,
    /// The first number after the switch.
    entry: u64,
    offsets: Offsets,
}

impl Range {
    fn contains(&self, layer: usize, sequence: u64) -> bool {
        self.layer == layer && (self.start..self.end).contains(&sequence)
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// The ranges of one outgoing stream, oldest first; the last one is open-ended.
#[derive(Debug, Default)]
pub struct RangeMap {
    ranges: VecDeque<Range>,
    /// Pictures that were left out, each with the number of a packet of it, the newest first.
    left_out: VecDeque<(u16, u64)>,
}

impl RangeMap {
    /// Ends the open range at `newest` (the last incoming number it served) and opens another.
    pub fn switch(&mut self, newest: Option<u64>, layer: usize, start: u64, offsets: Offsets) {
        if let (Some(open), Some(newest)) = (self.ranges.back_mut(), newest) {
            open.end = newest + 1;
        }
        self.push(Range { layer, start, end: u64::MAX, entry: start, offsets });
    }

    /// Leaves out the incoming number `sequence` (newer than all before): later ones close up.
    /// `picture` is its number when a whole picture is left out with it.
    pub fn skip(&mut self, sequence: u64, picture: Option<u16>) {
        let Some(open) = self.ranges.back_mut() else { return };
        let mut next = Range { start: sequence + 1, ..*open };
        next.offsets.sequence -= 1;
        if let Some(picture) = picture {
            self.left_out.truncate(REMEMBERED - 1);
            self.left_out.push_front((picture, sequence));
            next.offsets.picture = next.offsets.picture.wrapping_sub(1);
        }
        open.end = sequence;
        if open.is_empty() {
            self.ranges.pop_back();
        }
        self.push(next);
    }

    /// True when this picture, of which a packet has this incoming number, was left out.
    pub fn leaves_out(&self, picture: u16, sequence: u64) -> bool {
        self.left_out.iter().any(|(left_out, at)| *left_out == picture && at.abs_diff(sequence) < PICTURE)
    }

    fn push(&mut self, range: Range) {
        if self.ranges.len() == REMEMBERED {
            self.ranges.pop_front();
        }
        self.ranges.push_back(range);
    }

    /// The offsets for an incoming packet, and whether a switch began with it; `None` when it was dropped or is out of every
    /// range.
    pub fn find(&self, layer: usize, sequence: u64) -> Option<(Offsets, bool)> {
        let found = self.ranges.iter().rev().find(|range| range.contains(layer, sequence))?;
        Some((found.offsets, found.entry == sequence))
    }

    /// The layer and incoming number that went out as `out`.
    pub fn origin(&self, out: u64) -> Option<(usize, u64)> {
        self.ranges.iter().rev().find_map(|range| {
            let sequence = out.checked_add_signed(-range.offsets.sequence)?;
            range.contains(range.layer, sequence).then_some((range.layer, sequence))
        })
    }

    /// The range that is open; for fetching it only.
    pub fn newest(&self) -> Option<&impl Sized> {
        self.ranges.back()
    }

    /// Forgets everything: the source is another one now.
    pub fn clear(&mut self) {
        self.ranges.clear();
        self.left_out.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(sequence: i64) -> Offsets {
        Offsets { sequence, ..Offsets::default() }
    }

    #[test]
    fn numbers_close_up_over_skipped_packets_and_late_ones_keep_their_gap() {
        let mut map = RangeMap::default();
        map.switch(None, 0, 100, offsets(-90));
        map.skip(103, Some(7));
        map.skip(104, None);
        let out = |sequence| map.find(0, sequence).map(|(o, _)| sequence as i64 + o.sequence);
        assert_eq!((out(102), out(103), out(104), out(105)), (Some(12), None, None, Some(13)));
        assert_eq!(map.find(0, 105).map(|(o, _)| o.picture), Some(u16::MAX));
        assert_eq!((map.origin(12), map.origin(13)), (Some((0, 102)), Some((0, 105))));
    }

    #[test]
    fn a_switch_serves_late_packets_of_the_old_layer_only_where_a_gap_was_kept() {
        let mut map = RangeMap::default();
        map.switch(None, 0, 10, offsets(0));
        map.switch(Some(20), 2, 500, offsets(-479));
        assert!(map.find(0, 19).is_some(), "missing when the switch came");
        assert!(map.find(0, 21).is_none(), "newer than the switch");
        assert!(map.find(2, 499).is_none(), "before the key frame");
        assert_eq!(map.origin(21), Some((2, 500)));
    }
}
