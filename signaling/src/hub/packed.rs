//! Descriptions in an eighth of their length: every section of an offer says nearly the same. On a slow network a long one costs a
//! round trip, since TCP sends but ten segments at once, and every join costs its reader bytes.

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, write::ZlibEncoder};

/// Packs a description: `deflate` (RFC 1950), which browsers unpack by themselves, in base64.
pub fn pack(text: &str) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Memory takes all that is written to it.
    let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default();
    BASE64_STANDARD.encode(packed)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::ZlibDecoder;

    use super::*;

    #[test]
    fn what_repeats_itself_gets_short_and_comes_back_as_it_was() {
        let text = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=rtcp-mux\r\n".repeat(12);
        let packed = pack(&text);
        assert!(packed.len() * 5 < text.len(), "{} of {}", packed.len(), text.len());
        let packed = BASE64_STANDARD.decode(packed).expect("base64");
        let mut back = String::new();
        ZlibDecoder::new(&packed[..]).read_to_string(&mut back).expect("deflate");
        assert_eq!(back, text);
    }
}
