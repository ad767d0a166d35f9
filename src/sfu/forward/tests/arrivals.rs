//! What we write is read back by rtc's own parser.

use bytes::Bytes;
use proptest::prelude::*;
use rtc::{
    interceptor::convert_twcc, rtcp::packet::unmarshal,
    rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc,
};

use super::*;

/// (number, arrival) of each packet that the feedback tells of; `None` for lost ones.
fn read(feedback: &[u8]) -> Vec<(u16, Option<Duration>)> {
    let packets = unmarshal(&mut Bytes::copy_from_slice(feedback)).expect("well formed");
    let feedback = packets[0].as_any().downcast_ref::<TransportLayerCc>().expect("a feedback");
    // rtc also yields the filling symbols of the last chunk.
    convert_twcc(feedback)
        .iter()
        .take(usize::from(feedback.packet_status_count))
        .map(|it| (it.sequence_number, it.arrived.then_some(it.arrival.unwrap_or_default())))
        .collect()
}

#[test]
fn losses_before_and_between_are_told() {
    let start = Instant::now();
    let mut arrivals = Arrivals::new(start);
    let at = |millis| start + Duration::from_millis(millis);
    arrivals.received(65_534, 7, at(1_000));
    let first = arrivals.poll_feedback(1).expect("something came");
    assert_eq!(read(&first).len(), 1);
    assert_eq!(arrivals.poll_feedback(1), None);
    arrivals.received(0, 7, at(1_020));
    arrivals.received(2, 7, at(1_031));
    let told = read(&arrivals.poll_feedback(1).expect("something came"));
    let came: Vec<(u16, bool)> = told.iter().map(|(number, arrival)| (*number, arrival.is_some())).collect();
    assert_eq!(came, [(65_535, false), (0, true), (1, false), (2, true)]);
    let step = told[3].1.expect("came") - told[1].1.expect("came");
    assert_eq!(step, Duration::from_millis(11));
}

proptest! {
    /// Any pattern of losses and delays is read back within the grain of a delta.
    #[test]
    fn any_pattern_survives(packets in proptest::collection::vec((0u8..5, 0u64..90_000), 1..300)) {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        let (mut micros, mut expected) = (0, Vec::new());
        for (number, (lost, delay)) in packets.iter().enumerate() {
            micros += delay;
            if *lost != 0 {
                arrivals.received(number as u16, 7, start + Duration::from_micros(micros));
                expected.push((number as u16, micros));
            }
        }
        let Some(feedback) = arrivals.poll_feedback(1) else { return Ok(()) };
        let told = read(&feedback);
        let came: Vec<_> = told.iter().filter_map(|(number, arrival)| Some((*number, (*arrival)?))).collect();
        prop_assert_eq!(came.len(), expected.len());
        for ((told, arrival), (number, micros)) in came.iter().zip(&expected) {
            prop_assert_eq!(told, number);
            let error = arrival.as_micros() as i64 - *micros as i64;
            prop_assert!(error.abs() <= 250, "{}", error);
        }
    }
}
