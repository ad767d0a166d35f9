//! One WebRTC connection on the `webrtc` crate: a single UDP socket on the address that faces the server, no mDNS.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use rtc::{
    interceptor::Registry,
    peer_connection::{
        configuration::{
            RTCConfigurationBuilder,
            interceptor_registry::register_default_interceptors,
            media_engine::{MIME_TYPE_OPUS, MIME_TYPE_VP8, MediaEngine},
            setting_engine::SettingEngineBuilder,
        },
        sdp::RTCSessionDescription,
    },
    rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpHeaderExtensionCapability, RtpCodecKind},
};
use tokio::net::UdpSocket;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCStatsReportEntry, StatsSelector,
};

use super::{Address, ProbeError};

/// How loud each packet of sound is (RFC 6464).
pub(super) const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

pub(super) type Connection = Arc<dyn PeerConnection>;

pub(super) fn failed(error: impl std::fmt::Display) -> ProbeError {
    ProbeError::Media(error.to_string())
}

/// A new connection from this machine's address towards `server`.
pub(super) async fn connection(
    server: &Address,
    handler: Arc<dyn PeerConnectionEventHandler>,
) -> Result<Connection, ProbeError> {
    let mut engine = MediaEngine::default();
    engine.register_default_codecs().map_err(failed)?;
    let level = RTCRtpHeaderExtensionCapability { uri: AUDIO_LEVEL.to_owned() };
    engine.register_header_extension(level, RtpCodecKind::Audio, None).map_err(failed)?;
    let registry = register_default_interceptors(Registry::new(), &mut engine).map_err(failed)?;
    let settings = SettingEngineBuilder::new()
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
        .build();
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::default().build())
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings)
        .with_handler(handler)
        .with_udp_addrs(vec![SocketAddr::new(facing(server).await?, 0)])
        .build()
        .await
        .map_err(failed)?;
    Ok(Arc::new(connection))
}

/// The address of this machine that the system would use towards the server. Nothing is sent.
async fn facing(server: &Address) -> Result<IpAddr, ProbeError> {
    let failed = |error| ProbeError::Connect { address: server.origin(), error };
    let mut found = tokio::net::lookup_host((server.host.as_str(), server.port)).await.map_err(failed)?;
    let remote = found.next().unwrap_or(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), server.port));
    let any: SocketAddr = if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await.map_err(failed)?;
    socket.connect(remote).await.map_err(failed)?;
    Ok(socket.local_addr().map_err(failed)?.ip())
}

pub(super) fn codec(kind: RtpCodecKind) -> RTCRtpCodec {
    let (mime, clock_rate, channels) = match kind {
        RtpCodecKind::Audio => (MIME_TYPE_OPUS, 48_000, 2),
        _ => (MIME_TYPE_VP8, 90_000, 0),
    };
    RTCRtpCodec { mime_type: mime.to_owned(), clock_rate, channels, ..Default::default() }
}

/// Takes the server's offer; gives our answer.
pub(super) async fn answer(connection: &Connection, offer: String) -> Result<String, ProbeError> {
    let offer = RTCSessionDescription::offer(offer).map_err(failed)?;
    connection.set_remote_description(offer).await.map_err(failed)?;
    let answer = connection.create_answer(None).await.map_err(failed)?;
    connection.set_local_description(answer.clone()).await.map_err(failed)?;
    Ok(answer.sdp)
}

/// The latest round trip of a STUN check, in milliseconds.
pub(super) async fn round_trip_ms(connection: &Connection) -> Option<f64> {
    let report = connection.get_stats(Instant::now(), StatsSelector::None).await;
    let pairs = report.iter().filter_map(|entry| match entry {
        RTCStatsReportEntry::IceCandidatePair(pair) => Some(pair.current_round_trip_time * 1_000.0),
        _ => None,
    });
    pairs.filter(|trip| *trip > 0.0).min_by(f64::total_cmp)
}
