//! A publisher leg's side of the room: which stream of it is which layer of which track.

use std::{collections::HashMap, time::Instant};

use super::TrackIndex;
use crate::sfu::{
    forward::{arrivals::Arrivals, extensions::Token, packet::Codec, rtp::Header},
    sdp::{PublisherTerms, Upstream},
};

/// Streams learned per leg: 4 sources, 3 layers, media and RTX, and a few restarts.
const STREAMS: usize = 64;

/// What one SSRC is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Index of the section in the terms.
    pub upstream: usize,
    pub layer: usize,
    /// Retransmissions of that layer.
    pub is_repair: bool,
}

/// The demultiplexer of one publisher.
pub struct Uplink {
    pub terms: PublisherTerms,
    /// The track of each section.
    pub tracks: Vec<TrackIndex>,
    streams: HashMap<u32, Stream>,
    /// For transport-wide feedback.
    pub arrivals: Arrivals,
    /// Our clock minus the publisher's, of the quickest sender report.
    pub clock_offset: Option<i64>,
}

impl Uplink {
    pub fn new(terms: PublisherTerms, tracks: Vec<TrackIndex>, now: Instant) -> Self {
        let arrivals = Arrivals::new(now);
        Self { terms, tracks, streams: HashMap::new(), arrivals, clock_offset: None }
    }

    /// Takes a sender report's clock: the smallest difference is the report that traveled fastest. It is let grow
    /// slowly, since clocks drift.
    pub fn learn_clock(&mut self, difference: i64) -> i64 {
        /// A thousandth of a second, in 32.32 fixed point.
        const DRIFT: i64 = (1 << 32) / 1_000;
        let offset = self.clock_offset.map_or(difference, |known| difference.min(known + DRIFT));
        self.clock_offset = Some(offset);
        offset
    }

    /// What a packet is: known by its SSRC, else learned from what it says of itself. `None` when nothing tells, or
    /// when its codec is not an agreed one.
    pub fn route(&mut self, header: &Header) -> Option<(Stream, Codec)> {
        let known = self.streams.get(&header.ssrc).copied();
        let stream = match known {
            Some(stream) => stream,
            None => self.learn(header)?,
        };
        let upstream = self.terms.upstreams.get(stream.upstream)?;
        let codec = upstream.codec_of(header.payload_type, stream.is_repair)?;
        Some((stream, codec))
    }

    fn learn(&mut self, header: &Header) -> Option<Stream> {
        if self.streams.len() == STREAMS {
            return None;
        }
        let stream = self.identify(header)?;
        self.streams.insert(header.ssrc, stream);
        Some(stream)
    }

    fn identify(&self, header: &Header) -> Option<Stream> {
        let upstreams = || self.terms.upstreams.iter().enumerate();
        if let Some(mid) = header.extensions.mid {
            let (index, upstream) = upstreams().find(|(_, it)| Token::new(it.mid.as_bytes()) == mid)?;
            return within(index, upstream, header);
        }
        upstreams()
            .find_map(|(index, upstream)| told(index, upstream, header.ssrc))
            .or_else(|| upstreams().find_map(|(index, upstream)| by_rid(index, upstream, header)))
            .or_else(|| self.by_payload_type(header))
    }

    /// The only section with this payload type.
    fn by_payload_type(&self, header: &Header) -> Option<Stream> {
        let mut fitting = self.terms.upstreams.iter().enumerate().filter(|(_, upstream)| {
            upstream.rids.is_empty() && upstream.codec_of(header.payload_type, false).is_some()
        });
        let (upstream, _) = fitting.next()?;
        fitting.next().is_none().then_some(Stream { upstream, layer: 0, is_repair: false })
    }

    /// What an SSRC was learned to be.
    pub fn stream(&self, ssrc: u32) -> Option<Stream> {
        self.streams.get(&ssrc).copied()
    }
}

/// A stream of a known section.
fn within(index: usize, upstream: &Upstream, header: &Header) -> Option<Stream> {
    if upstream.rids.is_empty() {
        let is_repair = upstream.codec_of(header.payload_type, true).is_some();
        return Some(Stream { upstream: index, layer: 0, is_repair });
    }
    by_rid(index, upstream, header)
}

fn by_rid(index: usize, upstream: &Upstream, header: &Header) -> Option<Stream> {
    let place = |wanted: Token| upstream.rids.iter().position(|rid| Token::new(rid.as_bytes()) == wanted);
    let (layer, is_repair) = match (header.extensions.rid, header.extensions.repaired_rid) {
        (_, Some(repaired)) => (place(repaired)?, true),
        (Some(rid), None) => (place(rid)?, false),
        (None, None) => return None,
    };
    Some(Stream { upstream: index, layer, is_repair })
}

/// A stream that the offer told by number.
fn told(index: usize, upstream: &Upstream, ssrc: u32) -> Option<Stream> {
    if !upstream.rids.is_empty() {
        return None;
    }
    let is_repair = upstream.repairs.iter().any(|(_, repair)| *repair == ssrc);
    (is_repair || upstream.ssrcs.contains(&ssrc)).then_some(Stream { upstream: index, layer: 0, is_repair })
}

#[cfg(test)]
mod tests {
    use qism_signaling::protocol::Source;

    use super::*;
    use crate::sfu::{forward::extensions::Values, sdp::answer::Format};

    fn uplink() -> Uplink {
        let camera = Upstream {
            mid: "1".into(),
            source: Source::Camera,
            formats: vec![
                Format { codec: Codec::Vp8, payload_type: 96, retransmission: Some(97) },
                Format { codec: Codec::H264, payload_type: 102, retransmission: Some(103) },
            ],
            rids: vec!["l".into(), "h".into()],
            ssrcs: vec![],
            repairs: vec![],
        };
        let screen = Upstream {
            mid: "2".into(),
            source: Source::Screen,
            rids: vec![],
            ssrcs: vec![5, 6],
            repairs: vec![(5, 6)],
            ..camera.clone()
        };
        let terms = PublisherTerms { upstreams: vec![camera, screen], ..PublisherTerms::default() };
        Uplink::new(terms, vec![0, 1], Instant::now())
    }

    fn header(ssrc: u32, payload_type: u8, extensions: Values) -> Header {
        Header {
            marker: false,
            payload_type,
            sequence: 1,
            timestamp: 0,
            ssrc,
            extensions,
            payload_start: 0,
            payload_end: 0,
        }
    }

    fn token(text: &str) -> Option<Token> {
        Some(Token::new(text.as_bytes()))
    }

    #[test]
    fn layers_are_learned_by_rid_and_remembered_by_ssrc() {
        let mut uplink = uplink();
        let said = Values { mid: token("1"), rid: token("h"), ..Values::default() };
        let stream = Stream { upstream: 0, layer: 1, is_repair: false };
        let expected = Some((stream, Codec::Vp8));
        assert_eq!(uplink.route(&header(77, 96, said)), expected);
        assert_eq!(uplink.route(&header(77, 96, Values::default())), expected);
        assert_eq!(uplink.stream(77), Some(stream));
        let switched = header(77, 102, Values::default());
        assert_eq!(
            uplink.route(&switched),
            Some((stream, Codec::H264)),
            "the codec is told packet by packet"
        );
        let repair = Values { mid: token("1"), repaired_rid: token("h"), ..Values::default() };
        let expected = Some((Stream { upstream: 0, layer: 1, is_repair: true }, Codec::Vp8));
        assert_eq!(uplink.route(&header(78, 97, repair)), expected);
    }

    #[test]
    fn a_stream_told_in_the_offer_needs_no_extension() {
        let mut uplink = uplink();
        let (media, repair) = (header(5, 96, Values::default()), header(6, 97, Values::default()));
        let expected = |is_repair| Some((Stream { upstream: 1, layer: 0, is_repair }, Codec::Vp8));
        assert_eq!(uplink.route(&media), expected(false));
        assert_eq!(uplink.route(&repair), expected(true));
    }

    #[test]
    fn strangers_and_other_codecs_are_not_routed() {
        let mut uplink = uplink();
        let unknown = Values { mid: token("9"), ..Values::default() };
        assert_eq!(uplink.route(&header(1, 96, unknown)), None);
        assert_eq!(uplink.route(&header(5, 100, Values::default())), None);
    }
}
