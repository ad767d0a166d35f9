//! May a camera come in H.264? Only while everybody present decodes it. The publisher is told, and switches by itself; a
//! receiver who does not decode it gets nothing until then, never a black picture.

use std::time::{Duration, Instant};

use qism_signaling::protocol::{Publication, VideoCodec};

use super::Room;

/// So long everybody must have been able to before H.264 is offered: people come and go.
const CALM: Duration = Duration::from_secs(5);

/// What the publisher of a camera was told.
#[derive(Clone, Copy, Debug)]
pub struct Agreement {
    /// When somebody was last present who does not decode H.264, or the camera began.
    prevented: Instant,
    allowed: bool,
}

impl Agreement {
    /// H.264 waits for calm.
    pub fn new(now: Instant) -> Self {
        Self { prevented: now, allowed: false }
    }

    /// What to tell, if it is something new.
    fn poll(&mut self, everybody: bool, now: Instant) -> Option<bool> {
        if !everybody {
            self.prevented = now;
        }
        let allowed = everybody && now >= self.prevented + CALM;
        let is_new = std::mem::replace(&mut self.allowed, allowed) != allowed;
        is_new.then_some(allowed)
    }
}

/// What changed since it was last told: the codecs that everybody decodes.
pub fn changes(room: &mut Room, now: Instant) -> Vec<(Publication, Vec<VideoCodec>)> {
    let elsewhere = room.tracks.iter().flat_map(|track| &track.exports);
    let everybody = room.without_h264 == 0 && elsewhere.into_iter().all(|it| it.demand.without_h264 == 0);
    let told = room.tracks.iter_mut().filter_map(|track| {
        let codecs = match track.h264.as_mut()?.poll(everybody, now)? {
            true => vec![VideoCodec::Vp8, VideoCodec::H264],
            false => vec![VideoCodec::Vp8],
        };
        Some((track.publication, codecs))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h264_is_withdrawn_at_once_and_offered_again_after_calm() {
        let start = Instant::now();
        let mut agreement = Agreement::new(start);
        assert_eq!(agreement.poll(true, start), None, "VP8 to begin with");
        assert_eq!(agreement.poll(true, start + CALM), Some(true));
        assert_eq!(agreement.poll(true, start + CALM), None, "told once");
        let joined = start + CALM * 2;
        assert_eq!(agreement.poll(false, joined), Some(false));
        assert_eq!(agreement.poll(true, joined + CALM / 2), None);
        assert_eq!(agreement.poll(true, joined + CALM), Some(true));
    }
}
