//! 16-bit sequence numbers made comparable: the number that wraps becomes one that only grows.

/// Unwraps the 16-bit numbers of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwrapper {
    highest: Option<u64>,
}

impl Unwrapper {
    /// The full number of `wrapped`, nearest to the highest seen. The first is put one turn above zero, so that
    /// packets sent before it and arriving after it keep their order.
    pub fn unwrap(&mut self, wrapped: u16) -> u64 {
        let full = match self.highest {
            None => u64::from(wrapped) + (1 << 16),
            Some(highest) => nearest(highest, wrapped),
        };
        self.highest = Some(self.highest.map_or(full, |highest| highest.max(full)));
        full
    }

    /// The highest number seen.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}

/// The full number whose low 16 bits are `wrapped` and that lies nearest to `reference`.
pub fn nearest(reference: u64, wrapped: u16) -> u64 {
    let step = wrapped.wrapping_sub(reference as u16) as i16;
    reference.saturating_add_signed(i64::from(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_over_the_wrap() {
        let mut unwrapper = Unwrapper::default();
        let first = unwrapper.unwrap(65_534);
        assert_eq!(unwrapper.unwrap(65_535), first + 1);
        assert_eq!(unwrapper.unwrap(1), first + 3);
        assert_eq!(unwrapper.unwrap(0), first + 2, "a late packet keeps its place");
        assert_eq!(unwrapper.highest(), Some(first + 3));
    }

    #[test]
    fn a_packet_sent_before_the_first_seen_is_lower() {
        let mut unwrapper = Unwrapper::default();
        let first = unwrapper.unwrap(0);
        assert_eq!(unwrapper.unwrap(65_535), first - 1);
    }
}
