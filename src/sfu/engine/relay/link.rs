//! One relay: who is at the other end, how far the handshake is, and what its SSRCs are.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use qism_signaling::protocol::{LessonId, Publication};

use super::{
    congestion::Congestion,
    knock::{Far, Knock},
    letter::{Letter, LetterBox},
    round_trip::RoundTrip,
};
use crate::sfu::{
    engine::{
        identity::Identity,
        leg::{
            Path,
            dtls::{Dtls, DtlsError, Keys, PeerFingerprint},
            srtp::Srtp,
        },
    },
    links::LinkNow,
    sdp::answer::LAYERS,
};

/// Knocks of a relay that lives, and of one that was not heard for long.
const CALM: Duration = Duration::from_millis(500);
/// Knocks of one that was not heard for a moment.
const EAGER: Duration = Duration::from_millis(100);
/// Not heard for so long: nothing is sent but knocks.
const SILENT: Duration = Duration::from_secs(2);
/// Then, knocks become seldom again.
const LONG: Duration = Duration::from_secs(10);
/// A handshake takes this long at most; then it is begun anew.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// The wait before the next handshake after one that failed; doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Streams of a far end: some for each track of all lessons that it ever sent us.
const STREAMS: usize = usize::MAX;
/// SSRCs kept for one publication: at least one for each layer.
pub const SSRCS: u32 = 4;
const _: () = assert!(LAYERS < SSRCS as usize);

/// What an SSRC stands for.
pub type Streams = HashMap<u32, (LessonId, Publication)>;

/// One end of a relay.
pub struct Relay {
    own: Far,
    pub far: Far,
    pub path: Path,
    fingerprint: String,
    /// Our present attempt, and the far end's as last heard; 0 before.
    attempt: u32,
    known: u32,
    dtls: Option<Dtls>,
    srtp: Option<Srtp>,
    /// When the present handshake began.
    began: Instant,
    failures: u32,
    /// No handshake before.
    again: Instant,
    heard: Option<Instant>,
    knocked: Option<Instant>,
    opened: Instant,
    /// Somebody asked for something over it.
    pub used: Instant,
    /// Where authentic knocks came from.
    bound: Vec<(u8, SocketAddr)>,
    letters: LetterBox,
    /// Full packets of letters that wait to be sealed. Bounded by what one turn of the thread tells.
    waiting: Vec<Vec<u8>>,
    /// What the link bears.
    pub congestion: Congestion,
    pub round_trip: RoundTrip,
    /// By the SSRC of layer 0: what comes, and what goes.
    pub inward: Streams,
    pub outward: Streams,
}

impl Relay {
    /// `ends`: own, far.
    pub fn new(ends: (Far, Far), path: Path, fingerprint: String, attempt: u32, now: Instant) -> Self {
        Self {
            own: ends.0,
            far: ends.1,
            path,
            fingerprint,
            attempt,
            known: 0,
            dtls: None,
            srtp: None,
            began: now,
            failures: 0,
            again: now,
            heard: None,
            knocked: None,
            opened: now,
            used: now,
            bound: Vec::new(),
            letters: LetterBox::default(),
            waiting: Vec::new(),
            congestion: Congestion::new(now),
            round_trip: RoundTrip::default(),
            inward: Streams::new(),
            outward: Streams::new(),
        }
    }

    /// Keys stand.
    pub fn is_up(&self) -> bool {
        self.srtp.is_some()
    }

    /// Which keys: another number for each handshake of this relay.
    pub fn association(&self) -> u64 {
        u64::from(self.attempt) << 32 | u64::from(self.known)
    }

    /// Up, and the far end was heard lately.
    pub fn is_live(&self, now: Instant) -> bool {
        self.is_up() && self.heard.is_some_and(|heard| now < heard + SILENT)
    }

    /// Begins anew; the wait after failures grows.
    pub fn restart(&mut self, attempt: u32, failed: bool, now: Instant) {
        self.attempt = attempt;
        self.forget_keys(now);
        self.knocked = None;
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        if failed {
            let wait = FIRST_WAIT * (1 << self.failures.min(5)) / 2;
            self.again = now + wait.min(LONGEST_WAIT);
        }
    }

    fn forget_keys(&mut self, now: Instant) {
        (self.dtls, self.srtp) = (None, None);
        self.congestion.restart(now);
        self.round_trip = RoundTrip::default();
        self.inward.clear();
        self.outward.clear();
    }

    /// The far end knocked. A knock of a former attempt of it is an old one; one of a new attempt ends what stood, which is
    /// told by true.
    pub fn take_knock(&mut self, knock: &Knock, identity: &Arc<Identity>, now: Instant) -> bool {
        if knock.attempt < self.known {
            return false;
        }
        let was_up = self.is_up();
        if knock.attempt > self.known {
            self.known = knock.attempt;
            self.forget_keys(now);
            self.knocked = None;
        } else if knock.known != self.attempt {
            self.knocked = None;
        }
        self.heard = Some(now);
        if knock.known == self.attempt && self.dtls.is_none() && now >= self.again {
            let fingerprint = PeerFingerprint::told(self.fingerprint.clone());
            self.dtls = Some(Dtls::new(identity.clone(), fingerprint, self.own < self.far));
            self.began = now;
            // So that the far end is ready before our hello comes.
            self.knocked = None;
        }
        was_up && !self.is_up()
    }

    /// Notes where a knock came from; the address that is not one of ours any more.
    pub fn bind(&mut self, address: (u8, SocketAddr)) -> Option<(u8, SocketAddr)> {
        if self.bound.contains(&address) {
            return None;
        }
        self.bound.push(address);
        (self.bound.len() > 2).then(|| self.bound.remove(0))
    }

    /// The knock that is due.
    pub fn poll_knock(&mut self, now: Instant) -> Option<Knock> {
        let silence = now.saturating_duration_since(self.heard.unwrap_or(self.opened));
        let is_calm = silence >= LONG || (self.is_up() && silence < CALM * 2);
        let interval = if is_calm { CALM } else { EAGER };
        if self.knocked.is_some_and(|knocked| now < knocked + interval) {
            return None;
        }
        self.knocked = Some(now);
        Some(Knock { to: self.far, from: self.own, attempt: self.attempt, known: self.known })
    }

    /// Takes a DTLS datagram; true when the keys stand because of it.
    pub fn handle_dtls(
        &mut self,
        datagram: &[u8],
        identity: &Identity,
        now: Instant,
    ) -> Result<bool, DtlsError> {
        let Some(dtls) = &mut self.dtls else { return Ok(false) };
        match dtls.read(datagram, now) {
            Ok(Some(keys)) => {
                self.take_keys(&keys, identity)?;
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) if self.srtp.is_none() || error.is_goodbye() => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// The handshake ended well.
    pub fn take_keys(&mut self, keys: &Keys, identity: &Identity) -> Result<(), DtlsError> {
        self.srtp = Some(Srtp::new(keys, STREAMS, identity)?);
        self.failures = 0;
        Ok(())
    }

    /// Something authentic came.
    pub fn hear(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// Begins the handshake where we are the client, repeats lost flights; an error when it takes too long.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        let Some(dtls) = &mut self.dtls else { return Ok(()) };
        if self.srtp.is_none() && now >= self.began + HANDSHAKE {
            return Err(DtlsError(rtc::shared::error::Error::ErrTimeout));
        }
        dtls.handle_timeout(now)
    }

    /// The next DTLS datagram to send.
    pub fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.dtls.as_mut()?.poll_transmit()
    }

    /// Says goodbye.
    pub fn close(&mut self, now: Instant) {
        if let Some(dtls) = &mut self.dtls {
            dtls.close(now);
        }
    }

    /// Opens a media packet.
    pub fn open_rtp(&mut self, datagram: &[u8], now: Instant) -> Option<Bytes> {
        let opened = self.srtp.as_mut()?.open_rtp(datagram)?;
        self.congestion.tally.bytes_in += datagram.len() as u64;
        self.hear(now);
        Some(opened.freeze())
    }

    /// Opens a control packet.
    pub fn open_rtcp(&mut self, datagram: &[u8], now: Instant) -> Option<Bytes> {
        let mut opened = Vec::new();
        self.srtp.as_mut()?.open_rtcp(datagram, &mut opened)?;
        self.congestion.tally.bytes_in += datagram.len() as u64;
        self.hear(now);
        Some(opened.into())
    }

    /// Seals a control packet.
    pub fn seal_rtcp(&mut self, packet: &[u8]) -> Option<BytesMut> {
        let sealed = self.srtp.as_mut()?.seal_rtcp(packet)?;
        self.congestion.tally.bytes_out += sealed.len() as u64;
        Some(sealed)
    }

    /// How it stands, for whoever watches.
    pub fn now(&self, now: Instant) -> LinkNow {
        LinkNow {
            node: self.far.node,
            is_live: self.is_live(now),
            tally: self.congestion.tally,
            estimate: self.congestion.estimate(),
            round_trip: self.round_trip.last(),
        }
    }

    /// For media that goes out now.
    pub fn outgoing(&mut self, now: Instant) -> Option<Outgoing<'_>> {
        if !self.is_live(now) {
            return None;
        }
        let (srtp, path, congestion) = (self.srtp.as_mut()?, self.path, &mut self.congestion);
        Some(Outgoing { srtp, path, congestion })
    }

    /// Adds a letter to what goes out with the end of this turn; false while nothing gets through.
    pub fn write(&mut self, letter: &Letter, now: Instant) -> bool {
        if letter.word.is_need() {
            self.used = now;
        }
        if !self.is_live(now) {
            return false;
        }
        let full = self.letters.add(letter);
        self.waiting.extend(full);
        true
    }

    /// The next packet of letters, sealed.
    pub fn poll_letters(&mut self) -> Option<BytesMut> {
        let packet = match self.waiting.is_empty() {
            true => self.letters.take()?,
            false => self.waiting.remove(0),
        };
        self.seal_rtcp(&packet)
    }
}

/// What it takes to send media.
pub struct Outgoing<'a> {
    pub srtp: &'a mut Srtp,
    pub path: Path,
    pub congestion: &'a mut Congestion,
}

/// What a stream of this SSRC is, and which layer.
pub fn find(streams: &Streams, ssrc: u32) -> Option<(LessonId, Publication, usize)> {
    let layer = ssrc % SSRCS;
    let &(lesson, publication) = streams.get(&(ssrc - layer))?;
    Some((lesson, publication, layer as usize))
}
