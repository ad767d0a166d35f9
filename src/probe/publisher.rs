//! The publisher leg: offers a microphone, a camera and a screen at once, and feeds those that it is told to.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use qism_signaling::protocol::{Source, media::OfferedTrack};
use rtc::{
    media_stream::MediaStreamTrack,
    peer_connection::sdp::RTCSessionDescription,
    peer_connection::state::RTCPeerConnectionState,
    rtp::extension::{HeaderExtension, audio_level_extension::AudioLevelExtension},
    rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind},
};
use tokio::{sync::watch, task::JoinHandle, time::MissedTickBehavior};
use webrtc::{
    media_stream::track_local::static_rtp::TrackLocalStaticRTP, peer_connection::PeerConnectionEventHandler,
};

use super::{
    Address, ProbeError,
    leg::{self, Connection, failed},
    media::Loop,
};

/// In the order of the media sections.
const OFFERED: [Source; 3] = [Source::Microphone, Source::Camera, Source::Screen];
/// What the tone measures, in −dBov.
const TONE_LEVEL: u8 = 20;

struct State(watch::Sender<bool>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for State {
    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            self.0.send_replace(true);
        }
    }
}

struct Track {
    local: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    feeding: Option<JoinHandle<()>>,
    sent: Arc<AtomicU64>,
}

/// A publisher leg, open once the server's answer is accepted.
pub(super) struct Publisher {
    pub connection: Connection,
    tracks: BTreeMap<Source, Track>,
    up: watch::Receiver<bool>,
}

impl Publisher {
    /// The leg and the offer to send.
    pub async fn offer(server: &Address) -> Result<(Self, String, Vec<OfferedTrack>), ProbeError> {
        let (state, up) = watch::channel(false);
        let connection = leg::connection(server, Arc::new(State(state))).await?;
        let base: u32 = rand::random_range(1..u32::MAX - 8);
        let mut tracks = BTreeMap::new();
        for (index, source) in OFFERED.into_iter().enumerate() {
            let ssrc = base + index as u32;
            let local = Arc::new(TrackLocalStaticRTP::new(track(source, ssrc)));
            connection.add_track(local.clone()).await.map_err(failed)?;
            tracks.insert(source, Track { local, ssrc, feeding: None, sent: Arc::default() });
        }
        let offer = connection.create_offer(None).await.map_err(failed)?;
        connection.set_local_description(offer.clone()).await.map_err(failed)?;
        let offered = offered(&offer.sdp, &tracks);
        Ok((Self { connection, tracks, up }, offer.sdp, offered))
    }

    pub async fn accept(&self, answer: String) -> Result<(), ProbeError> {
        let answer = RTCSessionDescription::answer(answer).map_err(failed)?;
        self.connection.set_remote_description(answer).await.map_err(failed)
    }

    /// Waits for ICE and DTLS.
    pub async fn is_up(&mut self, within: Duration) -> Result<(), ProbeError> {
        let up = tokio::time::timeout(within, self.up.wait_for(|up| *up)).await;
        up.map(|_| ()).map_err(|_| ProbeError::TimedOut("the publisher leg", within))
    }

    /// Sends on a track, permitted or not, until [`Self::rest`].
    pub fn feed(&mut self, source: Source) -> Result<(), ProbeError> {
        self.feed_with(source, if source.is_audio() { Loop::tone() } else { Loop::color() })
    }

    /// The same with pictures of so many full packets each.
    pub fn feed_large(&mut self, source: Source, packets: u32) -> Result<(), ProbeError> {
        self.feed_with(source, Loop::large(packets))
    }

    fn feed_with(&mut self, source: Source, stream: Loop) -> Result<(), ProbeError> {
        let track = self.tracks.get_mut(&source);
        let track = track.ok_or(ProbeError::Media(format!("the probe has no {source:?} to publish")))?;
        if track.feeding.is_none() {
            let feeding = feed(track.local.clone(), track.ssrc, stream, track.sent.clone());
            track.feeding = Some(tokio::spawn(feeding));
        }
        Ok(())
    }

    /// Sends no more on a track.
    pub fn rest(&mut self, source: Source) {
        let feeding = self.tracks.get_mut(&source).and_then(|track| track.feeding.take());
        feeding.inspect(JoinHandle::abort);
    }

    /// Packets sent on a track.
    pub fn sent(&self, source: Source) -> u64 {
        self.tracks.get(&source).map_or(0, |track| track.sent.load(Ordering::Relaxed))
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        OFFERED.into_iter().for_each(|source| self.rest(source));
    }
}

async fn feed(track: Arc<TrackLocalStaticRTP>, ssrc: u32, stream: Loop, sent: Arc<AtomicU64>) {
    let mut timer = tokio::time::interval(Duration::from_secs(1) / stream.rate());
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Each start goes on with the numbers of the one before.
    for count in sent.load(Ordering::Relaxed) as u32 / stream.parts().. {
        timer.tick().await;
        let level = AudioLevelExtension { level: TONE_LEVEL, voice: true };
        let level = HeaderExtension::AudioLevel(level);
        for part in 0..stream.parts() {
            // Before the leg is up there is nowhere to send to.
            let packet = stream.packet(count, part, ssrc);
            let _ = track.write_rtp_with_extensions(packet, std::slice::from_ref(&level)).await;
        }
        sent.fetch_add(stream.parts().into(), Ordering::Relaxed);
    }
}

fn track(source: Source, ssrc: u32) -> MediaStreamTrack {
    let kind = if source.is_audio() { RtpCodecKind::Audio } else { RtpCodecKind::Video };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        codec: leg::codec(kind),
        ..Default::default()
    };
    let name = format!("{source:?}");
    MediaStreamTrack::new(name.clone(), format!("{name}-{ssrc}"), name, kind, vec![encoding])
}

/// Which mid carries what: sections are told apart by the SSRC they name.
fn offered(sdp: &str, tracks: &BTreeMap<Source, Track>) -> Vec<OfferedTrack> {
    let sections = sdp.split("\nm=").skip(1);
    let offered = sections.filter_map(|section| {
        let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:"))?.trim().to_owned();
        let names = |ssrc: u32| section.contains(&format!("a=ssrc:{ssrc} "));
        let source = tracks.iter().find(|(_, track)| names(track.ssrc))?.0;
        Some(OfferedTrack { mid, source: *source })
    });
    offered.collect()
}
