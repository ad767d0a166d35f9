//! What two nodes tell each other about publications beside the packets: an RTCP packet of the application-defined kind
//! (RFC 3550 section 6.7), sealed like all RTCP. A letter may be lost; each is told again until its effect shows.
//!
//! Nodes of two versions serve one lesson while they are renewed. postcard tells neither names nor lengths, so **a letter never
//! changes**: no field is added, removed or given another type, no word is put before another. What is new is a new [`Word`] at the end,
//! which [`Word::is_late`] tells: such letters stand last in their packet, since a reader stops at what it does not know.

use qism_signaling::{
    hub::ports::Voices,
    protocol::{LessonId, Publication, Source, UserId},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::sfu::{
    engine::room::{export::Demand, shape::Shape},
    forward::ceiling::Takes,
};

/// Payload type of application-defined RTCP.
const APP: u8 = 204;
/// The form of what follows; another one is of another version, and dropped.
const VERSION: u8 = 1;
const NAME: [u8; 4] = *b"QISM";
/// Fixed header, name, length of the letters.
const HEAD: usize = 14;
/// Letters of one packet take at most so many bytes.
const LONGEST: usize = 1_100;
/// Voices that one letter tells: more than are ever seated.
const VOICES: usize = 16;
/// Listeners whose losses one letter tells.
pub const LISTENERS: usize = 256;

/// One letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    pub lesson: LessonId,
    pub publication: Publication,
    pub word: Word,
}

/// Away from the publisher's node: `Shape`, `Heard`, `Stopped`. Towards it: the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Word {
    /// The streams of the publication, told until a demand confirms it.
    Shape {
        /// The SSRC of layer 0; the others follow.
        ssrc: u32,
        /// Grows with each change; `Demand::seen` confirms it.
        version: u32,
        /// The sender's clock (NTP, 32.32 fixed point).
        clock: u64,
        shape: Shape,
    },
    /// Somebody on that node receives the publication. Not told again for a while: nobody does any more.
    Demand(Demand),
    Leave,
    KeyFrame {
        layer: u8,
    },
    /// Share that each listener lost, in 256ths.
    Losses(Vec<u8>),
    /// Who is heard on that node.
    Heard(Voices),
    /// The link has no room for a layer: another one should be shown.
    Stopped {
        layer: u8,
    },
    /// What the widest link of that node's receivers takes of a screen.
    Takes(Takes),
}

impl Word {
    /// A node of the version before may not know it.
    fn is_late(&self) -> bool {
        matches!(self, Self::Heard(_) | Self::Stopped { .. } | Self::Takes(_))
    }

    /// Somebody on the other node needs something: the relay stays open for it.
    pub fn is_need(&self) -> bool {
        !matches!(self, Self::Leave | Self::Heard(_) | Self::Stopped { .. } | Self::Takes(_))
    }
}

impl Letter {
    /// Who is heard. The publication is the first voice's; nobody's where all are silent.
    pub fn heard(lesson: LessonId, voices: &Voices) -> Self {
        let (user, voices) = match voices {
            Voices::Begins(user) => (*user, voices.clone()),
            Voices::Speaking(users) => {
                let told: Vec<UserId> = users.iter().take(VOICES).copied().collect();
                (told.first().copied().unwrap_or(UserId(Uuid::nil())), Voices::Speaking(told))
            }
        };
        let publication = Publication { user, source: Source::Microphone };
        Self { lesson, publication, word: Word::Heard(voices) }
    }
}

/// Letters that wait to be sent together.
#[derive(Debug, Default)]
pub struct LetterBox {
    bytes: Vec<u8>,
    /// Behind those.
    late: Vec<u8>,
}

impl LetterBox {
    /// Adds a letter; yields the packet that is full because of it.
    pub fn add(&mut self, letter: &Letter) -> Option<Vec<u8>> {
        let written = postcard::to_stdvec(letter).ok()?;
        let waiting = self.bytes.len() + self.late.len();
        let full = (waiting + written.len() > LONGEST).then(|| self.take()).flatten();
        if letter.word.is_late() { &mut self.late } else { &mut self.bytes }.extend(written);
        full
    }

    /// The packet with everything that waits.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let mut letters = std::mem::take(&mut self.bytes);
        letters.append(&mut self.late);
        if letters.is_empty() {
            return None;
        }
        let words = (HEAD + letters.len()).div_ceil(4);
        let mut packet = vec![0x80 | VERSION, APP];
        packet.extend((words as u16 - 1).to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(NAME);
        packet.extend((letters.len() as u16).to_be_bytes());
        packet.extend(letters);
        packet.resize(words * 4, 0);
        Some(packet)
    }
}

/// True when a decrypted packet is of this kind, readable or not.
pub fn is_letters(packet: &[u8]) -> bool {
    packet.get(1) == Some(&APP)
}

/// The letters of a decrypted packet, up to the first that is not understood.
pub fn read(packet: &[u8]) -> Vec<Letter> {
    let Some((head, rest)) = packet.split_first_chunk::<HEAD>() else { return Vec::new() };
    let length = usize::from(u16::from_be_bytes([head[12], head[13]]));
    if head[0] != 0x80 | VERSION || head[1] != APP || head[8..12] != NAME {
        return Vec::new();
    }
    let mut rest = rest.get(..length).unwrap_or_default();
    let mut letters = Vec::new();
    while let Ok((letter, left)) = postcard::take_from_bytes::<Letter>(rest) {
        letters.push(letter);
        rest = left;
    }
    letters
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letter(word: Word) -> Letter {
        let publication = Publication { user: UserId(Uuid::from_u128(2)), source: Source::Camera };
        Letter { lesson: LessonId(Uuid::from_u128(1)), publication, word }
    }

    fn all() -> Vec<Letter> {
        let shape = Shape {
            generation: 3,
            layers: 2,
            sizes: [Some((320, 180)), Some((640, 360)), None],
            clock_offset: Some(-5),
        };
        let demand = Demand { layers: Some(0b11), without_h264: 1, seen: 7 };
        [
            Word::Shape { ssrc: 4_000, version: 8, clock: 1 << 40, shape },
            Word::Demand(demand),
            Word::Leave,
            Word::KeyFrame { layer: 1 },
            Word::Losses(vec![0, 200]),
            Word::Heard(Voices::Speaking(vec![UserId(Uuid::from_u128(2))])),
            Word::Stopped { layer: 1 },
            Word::Takes(Takes::UpTo(100_000)),
        ]
        .map(letter)
        .to_vec()
    }

    #[test]
    fn letters_of_one_packet_are_read_as_they_were_written() {
        let mut waiting = LetterBox::default();
        assert!(all().iter().all(|letter| waiting.add(letter).is_none()));
        let packet = waiting.take().expect("something waits");
        assert!(is_letters(&packet) && packet.len().is_multiple_of(4));
        assert_eq!(read(&packet), all());
        assert_eq!(waiting.take(), None);
    }

    /// As the first version that crossed nodes wrote them.
    #[test]
    fn letters_are_written_as_the_version_before_reads_them() {
        let head = "1000000000000000000000000000000001\
                    1000000000000000000000000000000002\
                    01";
        let words =
            ["00a01f08808080808020030201c002b401018005e802000109", "0101030107", "02", "0301", "040200c8"];
        for (letter, word) in all().iter().zip(words) {
            let written = postcard::to_stdvec(letter).expect("plain data");
            let text: String = written.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(text, format!("{head}{word}"), "{letter:?}");
        }
    }

    #[test]
    fn a_reader_that_does_not_know_a_late_word_reads_all_the_others() {
        let mut waiting = LetterBox::default();
        let (late, known): (Vec<_>, Vec<_>) = all().into_iter().partition(|letter| letter.word.is_late());
        late.iter().chain(&known).for_each(|letter| assert!(waiting.add(letter).is_none()));
        // As a version that has no such word would meet it.
        let after: usize =
            waiting.late.iter().rposition(|byte| *byte == 5).expect("the number of the word `Heard`");
        waiting.late[after] = 99;
        let packet = waiting.take().expect("something waits");
        assert_eq!(read(&packet), known);
    }

    #[test]
    fn more_than_a_packet_holds_goes_in_several() {
        let mut waiting = LetterBox::default();
        let mut packets: Vec<Vec<u8>> = (0..100).filter_map(|_| waiting.add(&all()[0])).collect();
        packets.extend(waiting.take());
        assert!(packets.len() > 1 && packets.iter().all(|packet| packet.len() <= HEAD + LONGEST + 4));
        assert_eq!(packets.iter().map(|packet| read(packet).len()).sum::<usize>(), 100);
    }

    #[test]
    fn what_another_version_wrote_is_dropped() {
        let mut waiting = LetterBox::default();
        waiting.add(&all()[1]);
        let mut packet = waiting.take().expect("something waits");
        packet[0] += 1;
        assert!(read(&packet).is_empty() && is_letters(&packet));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut packet = vec![0x80 | VERSION, APP, 0, 0, 0, 0, 0, 0];
            packet.extend(NAME);
            packet.extend((bytes.len() as u16).to_be_bytes());
            packet.extend(bytes);
            read(&packet);
        }
    }
}
