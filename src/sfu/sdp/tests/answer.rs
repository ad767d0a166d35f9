use super::{super::Candidates, *};

fn local() -> Local {
    Local {
        ufrag: "ufrag".into(),
        password: "password".into(),
        fingerprint: "AA".into(),
        setup: "passive",
        candidates: Candidates {
            udp: vec!["192.0.2.7:5000".parse().expect("an address")],
            tcp: vec!["192.0.2.7:443".parse().expect("an address")],
        },
    }
}

fn track(mid: &str, source: Source) -> OfferedTrack {
    OfferedTrack { mid: mid.into(), source }
}

fn offer(sections: &str) -> Description {
    let fingerprint = ["0A"; 32].join(":");
    let head = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\n";
    Description::parse(&format!("{head}a=fingerprint:sha-256 {fingerprint}\r\n{sections}"))
        .expect("well formed")
}

const CAMERA: &str = "m=video 9 UDP/TLS/RTP/SAVPF 45 96 97\r\na=mid:1\r\na=sendonly\r\n\
    a=rtpmap:45 AV1/90000\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:99 nack\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
    a=extmap:9/sendonly urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
    a=extmap:10/sendonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
    a=extmap:13 urn:3gpp:video-orientation\r\n\
    a=rid:l send\r\na=rid:h send\r\na=simulcast:send l;h\r\n";

#[test]
fn a_camera_is_accepted_with_its_layers_and_without_firefox_directions() {
    let (text, terms) = answer(&offer(CAMERA), &[track("1", Source::Camera)], &local()).expect("acceptable");
    assert!(text.contains("m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"));
    assert!(text.contains("a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"));
    assert!(!text.contains("video-orientation") && !text.contains("sendonly"));
    assert!(text.contains("a=rid:l recv\r\na=rid:h recv\r\na=simulcast:recv l;h\r\n"));
    assert!(text.contains("a=candidate:1 1 udp 2130706431 192.0.2.7 5000 typ host\r\n"));
    assert!(text.contains("a=candidate:2 1 tcp 1526726399 192.0.2.7 443 typ host tcptype passive\r\n"));
    let upstream = &terms.upstreams[0];
    assert_eq!((upstream.formats[0].payload_type, upstream.formats[0].retransmission), (96, Some(97)));
    assert_eq!(upstream.formats.len(), 1, "no H.264 was offered");
    assert_eq!(upstream.rids, ["l", "h"]);
}

#[test]
fn what_is_not_ours_is_rejected_without_breaking_the_bundle() {
    let rest = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:2\r\na=rtpmap:0 PCMU/8000\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:3\r\n";
    let tracks = [track("1", Source::Camera), track("2", Source::Microphone)];
    let (text, terms) = answer(&offer(&format!("{CAMERA}{rest}")), &tracks, &local()).expect("acceptable");
    assert!(text.contains("a=group:BUNDLE 1\r\n"));
    assert!(text.contains("m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n"));
    assert!(text.contains("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
    assert_eq!(terms.upstreams.len(), 1);
}

#[test]
fn a_section_offered_inside_the_bundle_only_is_accepted() {
    let microphone = "m=audio 9 UDP/TLS/RTP/SAVPF 109\r\na=mid:0\r\na=rtpmap:109 opus/48000/2\r\n";
    let camera = CAMERA.replace("m=video 9", "m=video 0");
    let tracks = [track("0", Source::Microphone), track("1", Source::Camera)];
    let bundled = camera.replace("a=mid:1", "a=bundle-only\r\na=mid:1");
    let (text, terms) =
        answer(&offer(&format!("{microphone}{bundled}")), &tracks, &local()).expect("acceptable");
    assert!(text.contains("a=group:BUNDLE 0 1\r\n"));
    assert_eq!(terms.upstreams.len(), 2);
    let (text, terms) =
        answer(&offer(&format!("{microphone}{camera}")), &tracks, &local()).expect("acceptable");
    assert!(text.contains("a=group:BUNDLE 0\r\n"), "without the word, port 0 stays a refusal");
    assert_eq!(terms.upstreams.len(), 1);
}

#[test]
fn a_microphone_on_a_video_section_is_an_error_that_names_it() {
    let refused = answer(&offer(CAMERA), &[track("1", Source::Microphone)], &local());
    let expected = SdpError::Section { mid: "1".into(), reason: "its kind does not fit its source" };
    assert_eq!(refused.map(|_| ()), Err(expected));
}

#[test]
fn nothing_acceptable_is_an_error() {
    assert!(answer(&offer(CAMERA), &[], &local()).is_err());
    let twice = format!("{CAMERA}{CAMERA}");
    assert!(answer(&offer(&twice), &[track("1", Source::Camera)], &local()).is_err());
}

/// As Chromium writes it: three profiles, two ways of packetization.
const MANY_CODECS: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 106 107 39 40\r\na=mid:1\r\na=sendonly\r\n\
    a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
    a=rtpmap:102 H264/90000\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r\n\
    a=rtpmap:106 H264/90000\r\na=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42E01F\r\n\
    a=rtpmap:107 rtx/90000\r\na=fmtp:107 apt=106\r\n\
    a=rtpmap:39 H264/90000\r\na=fmtp:39 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f\r\n";

#[test]
fn a_camera_may_come_in_constrained_baseline_beside_vp8() {
    let (text, terms) =
        answer(&offer(MANY_CODECS), &[track("1", Source::Camera)], &local()).expect("acceptable");
    assert!(text.contains("m=video 9 UDP/TLS/RTP/SAVPF 96 97 106 107\r\n"), "VP8 first: {text}");
    assert!(
        text.contains(
            "a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
        )
    );
    let upstream = &terms.upstreams[0];
    assert_eq!(upstream.codec_of(106, false), Some(Codec::H264));
    assert_eq!(upstream.codec_of(107, true), Some(Codec::H264));
    assert_eq!(upstream.codec_of(102, false), None, "one packet a frame is not enough for a picture");
}

#[test]
fn a_screen_comes_in_vp8_only() {
    let (text, _) = answer(&offer(MANY_CODECS), &[track("1", Source::Screen)], &local()).expect("acceptable");
    assert!(text.contains("m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"));
}
