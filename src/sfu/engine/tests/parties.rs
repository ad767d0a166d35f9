//! Publishers and subscribers whose handshakes are done, for tests of engine threads.

use std::{net::SocketAddr, time::Instant};

use qism_signaling::{
    hub::ports::Leg,
    protocol::{LessonId, Publication},
};
use rtc::srtp::{config::SessionKeys, protection_profile::ProtectionProfile};

use super::{
    leg::{Path, Transport, dtls::Keys, ice::IceLite, inbound::STREAMS, srtp::Srtp},
    legs::{LegState, Role, credentials},
    room::{TrackIndex, downlink::Downlink},
    worker::Worker,
};
use crate::sfu::{
    forward::packet::Codec,
    sdp::{SubscriberTerms, Upstream, answer::Format},
};

/// A track that no leg sends, with these simulcast layers; a lone encoding without any.
pub fn publish(
    worker: &mut Worker,
    lesson: LessonId,
    publication: Publication,
    rids: &[&str],
    now: Instant,
) -> TrackIndex {
    let source = publication.source;
    let codec = if source.is_audio() { Codec::Opus } else { Codec::Vp8 };
    let upstream = Upstream {
        mid: String::new(),
        source,
        formats: vec![Format { codec, payload_type: 96, retransmission: None }],
        rids: rids.iter().map(|&rid| rid.to_owned()).collect(),
        ssrcs: vec![],
        repairs: vec![],
    };
    let room = worker.room(lesson);
    let track = room.track(publication);
    room.tracks[track].publish(usize::MAX, &upstream, now);
    track
}

/// A subscriber who is connected from there.
pub fn subscribe(worker: &mut Worker, name: Leg, peer: SocketAddr, now: Instant) {
    let session = SessionKeys {
        local_master_key: vec![1; 16],
        local_master_salt: vec![2; 12],
        remote_master_key: vec![3; 16],
        remote_master_salt: vec![4; 12],
    };
    let keys = Keys { profile: ProtectionProfile::AeadAes128Gcm, session };
    let mut ice = IceLite::new(credentials(0, 0), now);
    ice.select(Path { socket: 0, peer, local: None });
    let mut transport = Transport::new(ice, worker.identity.clone());
    transport.srtp = Some(Srtp::new(&keys, STREAMS, &worker.identity).expect("keys"));
    let role = Role::Subscriber(downlink());
    worker.legs.insert(LegState { name, transport, role, is_up: true, carried: 0 });
}

/// Of a subscriber with two cameras.
pub fn downlink() -> Box<Downlink> {
    Box::new(Downlink::new(SubscriberTerms::new(2), || 1))
}
