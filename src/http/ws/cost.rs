//! What a message on the socket costs its reader's data plan: TLS and TCP/IP around it, and the acknowledgment.

/// IPv4, TCP with timestamps.
const SEGMENT: u64 = 52;
/// Payload of a segment on most networks.
const SEGMENT_PAYLOAD: u64 = 1_380;
/// Header and tag of a TLS 1.3 record, one a write.
const RECORD: u64 = 22;

/// Bytes on the air for one write of so many bytes: each segment, and one acknowledgment for every second.
pub fn on_the_air(bytes: usize) -> u64 {
    let bytes = bytes as u64 + RECORD;
    let segments = bytes.div_ceil(SEGMENT_PAYLOAD);
    bytes + (segments + segments.div_ceil(2)) * SEGMENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_message_costs_mostly_headers_and_a_long_one_little() {
        assert_eq!(on_the_air(40), 40 + 22 + 2 * 52);
        assert!((64_000..68_500).contains(&on_the_air(64_000)));
    }
}
