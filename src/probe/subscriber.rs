//! The subscriber leg: answers the server's offer, counts and reads what arrives in each slot.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use qism_signaling::protocol::Slot;
use rtc::{peer_connection::state::RTCPeerConnectionState, rtp};
use webrtc::{
    media_stream::track_remote::{TrackRemote, TrackRemoteEvent},
    peer_connection::PeerConnectionEventHandler,
};

use super::{
    Address, ProbeError,
    leg::{self, Connection},
    media,
};

/// What came in one slot.
#[derive(Clone, Debug, Default)]
pub struct SlotReception {
    pub packets: u64,
    pub bytes: u64,
    /// Opus frames of one or two bytes carry silence.
    pub with_sound: u64,
    pub key_frames: u64,
    /// Size told by the latest key frame.
    pub size: Option<(u16, u16)>,
    /// Interarrival jitter in RTP clock ticks (RFC 3550 section 6.4.1).
    jitter: f64,
    pub first: Option<Instant>,
    pub latest: Option<Instant>,
    /// Extended sequence numbers: the first and the highest.
    range: Option<(u64, u64)>,
    /// Arrival and RTP time of the packet before, for the jitter.
    before: Option<(Instant, u32)>,
}

impl SlotReception {
    /// Packets that should have come and did not (repaired ones did).
    pub fn lost(&self) -> u64 {
        self.range.map_or(0, |(first, highest)| (highest - first + 1).saturating_sub(self.packets))
    }

    /// The RTP time of the packet that came last, and when it came.
    pub fn latest_time(&self) -> Option<(Instant, u32)> {
        self.before
    }

    pub fn jitter_ms(&self, is_audio: bool) -> f64 {
        self.jitter * 1_000.0 / clock_rate(is_audio)
    }

    fn take(&mut self, packet: &rtp::Packet, is_audio: bool, now: Instant) {
        self.packets += 1;
        self.bytes += packet.payload.len() as u64;
        self.first.get_or_insert(now);
        self.latest = Some(now);
        self.extend(packet.header.sequence_number);
        self.measure(packet.header.timestamp, is_audio, now);
        if is_audio {
            self.with_sound += u64::from(packet.payload.len() > 2);
        } else if let Some(size) = media::key_frame_size(&packet.payload) {
            self.key_frames += 1;
            self.size = Some(size);
        }
    }

    fn extend(&mut self, sequence: u16) {
        let (first, highest) = self.range.unwrap_or_else(|| {
            // A margin below the first, so that a late earlier one does not go negative.
            let start = (1 << 16) + u64::from(sequence);
            (start, start)
        });
        let ahead = sequence.wrapping_sub(highest as u16) as i16;
        let extended = highest.saturating_add_signed(i64::from(ahead));
        self.range = Some((first.min(extended), highest.max(extended)));
    }

    fn measure(&mut self, timestamp: u32, is_audio: bool, now: Instant) {
        if let Some((then, earlier)) = self.before.replace((now, timestamp)) {
            let ticks = now.duration_since(then).as_secs_f64() * clock_rate(is_audio);
            let deviation = (ticks - f64::from(timestamp.wrapping_sub(earlier) as i32)).abs();
            self.jitter += (deviation - self.jitter) / 16.0;
        }
    }
}

fn clock_rate(is_audio: bool) -> f64 {
    if is_audio { 48_000.0 } else { 90_000.0 }
}

#[derive(Default)]
struct Heard {
    up: Option<Instant>,
    lost: bool,
    slots: BTreeMap<u8, SlotReception>,
}

/// What came on the whole leg; grows while the leg lives.
#[derive(Clone, Default)]
pub struct Reception {
    heard: Arc<Mutex<Heard>>,
    /// Which slot an SSRC belongs to, as the offer says.
    slots: Arc<HashMap<u32, (Slot, bool)>>,
}

impl Reception {
    fn of_offer(offer: &str) -> Self {
        Self { heard: Arc::default(), slots: Arc::new(slots_of(offer)) }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When ICE and DTLS were done.
    pub fn up(&self) -> Option<Instant> {
        self.heard().up
    }

    /// True once the connection failed or closed.
    pub fn is_lost(&self) -> bool {
        self.heard().lost
    }

    pub fn slot(&self, slot: Slot) -> SlotReception {
        self.heard().slots.get(&slot.0).cloned().unwrap_or_default()
    }

    /// Slots in which anything came.
    pub fn all(&self) -> Vec<(Slot, SlotReception)> {
        self.heard().slots.iter().map(|(slot, reception)| (Slot(*slot), reception.clone())).collect()
    }

    fn take(&self, packet: &rtp::Packet) {
        let Some((slot, is_audio)) = self.slots.get(&packet.header.ssrc) else { return };
        let now = Instant::now();
        self.heard().slots.entry(slot.0).or_default().take(packet, *is_audio, now);
    }
}

/// Media SSRCs of the offer; those of retransmissions (second in an FID group) stay out.
fn slots_of(offer: &str) -> HashMap<u32, (Slot, bool)> {
    let (mut slots, mut is_audio, mut slot, mut repairs) = (HashMap::new(), false, None, None);
    for line in offer.lines() {
        if let Some(kind) = line.strip_prefix("m=") {
            (is_audio, slot, repairs) = (kind.starts_with("audio"), None, None);
        } else if let Some(mid) = line.strip_prefix("a=mid:") {
            slot = mid.trim().parse().ok().map(Slot);
        } else if let Some(group) = line.strip_prefix("a=ssrc-group:FID ") {
            repairs = group.split_whitespace().nth(1).and_then(|ssrc| ssrc.parse::<u32>().ok());
        } else if let Some(rest) = line.strip_prefix("a=ssrc:") {
            let ssrc = rest.split_whitespace().next().and_then(|ssrc| ssrc.parse::<u32>().ok());
            if let (Some(ssrc), Some(slot)) = (ssrc.filter(|ssrc| Some(*ssrc) != repairs), slot) {
                slots.insert(ssrc, (slot, is_audio));
            }
        }
    }
    slots
}

struct Listener(Reception);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Listener {
    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        use RTCPeerConnectionState::{Closed, Connected, Failed};
        let mut heard = self.0.heard();
        match state {
            Connected => _ = heard.up.get_or_insert_with(Instant::now),
            Closed | Failed => heard.lost = true,
            _ => {}
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let reception = self.0.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    reception.take(&packet);
                }
            }
        });
    }
}

/// An open subscriber leg.
pub(super) struct Subscriber {
    pub reception: Reception,
    pub connection: Connection,
}

impl Subscriber {
    /// The leg and the answer to send.
    pub async fn open(server: &Address, offer: String) -> Result<(Self, String), ProbeError> {
        let reception = Reception::of_offer(&offer);
        let connection = leg::connection(server, Arc::new(Listener(reception.clone()))).await?;
        let answer = leg::answer(&connection, offer).await?;
        Ok((Self { reception, connection }, answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offer_tells_which_slot_an_ssrc_fills() {
        let offer = "m=audio 9 X 111\r\na=mid:0\r\na=ssrc:10000 cname:l\r\n\
                     m=video 9 X 96 97\r\na=mid:4\r\na=ssrc-group:FID 10004 20004\r\na=ssrc:10004 cname:l\r\n\
                     a=ssrc:20004 cname:l\r\n";
        let slots = slots_of(offer);
        assert_eq!(slots.len(), 2);
        assert_eq!((slots[&10_000], slots[&10_004]), ((Slot(0), true), (Slot(4), false)));
    }

    #[test]
    fn loss_is_counted_over_the_wrap_and_late_packets_are_not_lost() {
        let mut reception = SlotReception::default();
        let now = Instant::now();
        for sequence in [65_533u16, 65_534, 0, 65_535, 1, 4] {
            let header = rtp::Header { sequence_number: sequence, ..Default::default() };
            reception.take(&rtp::Packet { header, payload: vec![1, 2, 3].into() }, true, now);
        }
        assert_eq!((reception.packets, reception.lost(), reception.with_sound), (6, 2, 6));
    }
}
