//! Reads the SRTP profiles a DTLS client lists, before the handshake starts: rtc's server takes the client's order,
//! in which browsers put the slow AES-CM before AES-GCM. Works on fragmented ClientHello messages too.

/// Largest ClientHello put together; with post-quantum key shares they are about 1.8 kB.
const LONGEST: usize = 8 * 1024;
/// Datagrams kept while it is incomplete.
const DATAGRAMS: usize = 8;

const RECORD_HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const USE_SRTP: u16 = 14;

/// SRTP profile number of AEAD_AES_128_GCM.
pub const GCM: u16 = 7;

/// Collects fragments until the ClientHello is whole.
#[derive(Debug, Default)]
pub struct ClientHello {
    body: Vec<u8>,
    /// Which bytes of `body` have come.
    covered: Vec<(usize, usize)>,
    datagrams: Vec<Vec<u8>>,
}

impl ClientHello {
    /// Takes a datagram; the profiles once the message is whole (empty when it lists none).
    pub fn read(&mut self, datagram: &[u8]) -> Option<Vec<u16>> {
        if self.datagrams.len() == DATAGRAMS {
            *self = Self::default();
        }
        self.datagrams.push(datagram.to_vec());
        let mut rest = datagram;
        while let Some((record, next)) = split_record(rest) {
            self.read_record(record);
            rest = next;
        }
        self.is_whole().then(|| profiles(&self.body).unwrap_or_default())
    }

    /// The datagrams taken, for the handshake itself.
    pub fn into_datagrams(self) -> Vec<Vec<u8>> {
        self.datagrams
    }

    fn read_record(&mut self, record: &[u8]) -> Option<()> {
        let header: &[u8; HANDSHAKE_HEADER] = record.first_chunk()?;
        let (length, offset) = (number(&header[1..4]), number(&header[6..9]));
        let fragment = record.get(HANDSHAKE_HEADER..HANDSHAKE_HEADER + number(&header[9..12]))?;
        if header[0] != CLIENT_HELLO || length > LONGEST || offset + fragment.len() > length {
            return None;
        }
        if self.body.len() != length {
            self.body = vec![0; length];
            self.covered.clear();
        }
        self.body[offset..offset + fragment.len()].copy_from_slice(fragment);
        self.covered.push((offset, offset + fragment.len()));
        Some(())
    }

    fn is_whole(&self) -> bool {
        let mut covered = self.covered.clone();
        covered.sort_unstable();
        let reached = covered.iter().fold(0, |reached, &(start, end)| match start <= reached {
            true => reached.max(end),
            false => reached,
        });
        !self.body.is_empty() && reached == self.body.len()
    }
}

/// The payload of the first handshake record and what follows it.
fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let header: &[u8; RECORD_HEADER] = bytes.first_chunk()?;
    let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
    let record = bytes.get(RECORD_HEADER..RECORD_HEADER + length)?;
    (header[0] == HANDSHAKE).then_some((record, &bytes[RECORD_HEADER + length..]))
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte))
}

/// The profiles of the use_srtp extension.
fn profiles(body: &[u8]) -> Option<Vec<u16>> {
    let rest = body.get(34..)?; // version, random
    let rest = skip(rest, 1)?; // session id
    let rest = skip(rest, 1)?; // cookie
    let rest = skip(rest, 2)?; // cipher suites
    let rest = skip(rest, 1)?; // compression methods
    let mut extensions = rest.get(2..)?;
    while let Some(head) = extensions.first_chunk::<4>() {
        let length = number(&head[2..4]);
        let value = extensions.get(4..4 + length)?;
        if u16::from_be_bytes([head[0], head[1]]) == USE_SRTP {
            let list = value.get(2..2 + number(value.get(..2)?))?;
            return Some(list.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect());
        }
        extensions = &extensions[4 + length..];
    }
    None
}

/// Skips a vector whose length takes `width` bytes.
fn skip(bytes: &[u8], width: usize) -> Option<&[u8]> {
    bytes.get(width + number(bytes.get(..width)?)..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body() -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend([7; 32]);
        body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
        let extensions = [0, 23, 0, 0, 0, 14, 0, 7, 0, 4, 0, 1, 0, 7, 0];
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        body
    }

    fn datagram(body: &[u8], from: usize, to: usize) -> Vec<u8> {
        let mut record = vec![CLIENT_HELLO];
        record.extend(&(body.len() as u32).to_be_bytes()[1..]);
        record.extend([0, 0]);
        record.extend(&(from as u32).to_be_bytes()[1..]);
        record.extend(&((to - from) as u32).to_be_bytes()[1..]);
        record.extend(&body[from..to]);
        let mut datagram = vec![HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
        datagram.extend((record.len() as u16).to_be_bytes());
        datagram.extend(record);
        datagram
    }

    #[test]
    fn profiles_are_read_from_one_datagram() {
        let body = body();
        assert_eq!(ClientHello::default().read(&datagram(&body, 0, body.len())), Some(vec![1, GCM]));
    }

    #[test]
    fn and_from_fragments_in_any_order() {
        let (body, mut hello) = (body(), ClientHello::default());
        assert_eq!(hello.read(&datagram(&body, 20, body.len())), None);
        assert_eq!(hello.read(&datagram(&body, 0, 20)), Some(vec![1, GCM]));
        assert_eq!(hello.into_datagrams().len(), 2);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(first) = bytes.first_mut() {
                *first = HANDSHAKE;
            }
            let _ = ClientHello::default().read(&bytes);
            let _ = profiles(&bytes);
        }
    }
}
