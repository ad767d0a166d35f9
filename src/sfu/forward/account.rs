//! What a connection costs its peer: every byte on the air is paid for, headers included.

/// Counts the datagrams of one connection, both directions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    bytes: u64,
    datagrams: u64,
}

impl Account {
    /// One datagram of so many bytes.
    pub fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.datagrams += 1;
    }

    /// Bytes since this was last asked, with `header` bytes of IP and UDP for each datagram.
    pub fn take(&mut self, header: u64) -> u64 {
        let Self { bytes, datagrams } = std::mem::take(self);
        bytes + datagrams * header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_count_and_nothing_counts_twice() {
        let mut account = Account::default();
        [100, 60].into_iter().for_each(|bytes| account.count(bytes));
        assert_eq!(account.take(28), 216);
        assert_eq!(account.take(28), 0);
    }
}
