//! Handshakes between two of our own ends over a link in virtual time: a client and a server, as with a peer that
//! answers `setup:passive`.

use super::*;
use crate::allocations;

/// The grain in which the engine looks at its timers.
const STEP: Duration = Duration::from_millis(100);
/// One way.
const TRAVEL: Duration = Duration::from_millis(40);
const PATIENCE: Duration = Duration::from_secs(15);

/// Two ends and what is between them.
struct Pair {
    ends: [Dtls; 2],
    keys: [Option<Keys>; 2],
    /// (arrival, to which end, datagram), in order.
    traveling: std::collections::VecDeque<(Instant, usize, BytesMut)>,
    /// Lost datagrams in a thousand.
    lost: u32,
    random: u64,
}

impl Pair {
    fn new(seed: u64, lost: u32) -> Self {
        let identities = [(); 2].map(|()| Arc::new(Identity::generate().expect("a certificate")));
        let print = |end: usize| PeerFingerprint(identities[end].fingerprint().to_owned());
        let client = Dtls::new(identities[0].clone(), print(1), true);
        let server = Dtls::new(identities[1].clone(), print(0), false);
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { ends: [client, server], keys: [None, None], traveling: Default::default(), lost, random }
    }

    /// xorshift64: the same losses for the same seed.
    fn is_lost(&mut self) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 20) % 1_000 < u64::from(self.lost)
    }

    fn transmit(&mut self, from: usize, now: Instant) {
        while let Some(datagram) = self.ends[from].poll_transmit() {
            if !self.is_lost() {
                self.traveling.push_back((now + TRAVEL, 1 - from, datagram));
            }
        }
    }

    fn deliver(&mut self, until: Instant) {
        while self.traveling.front().is_some_and(|(arrival, ..)| *arrival <= until) {
            let Some((now, to, datagram)) = self.traveling.pop_front() else { return };
            if let Some(keys) = self.ends[to].read(&datagram, now).expect("no error") {
                self.keys[to] = Some(keys);
            }
            self.transmit(to, now);
        }
    }

    /// Runs until both ends have their keys; how long it took.
    fn run(&mut self) -> Option<Duration> {
        let start = Instant::now();
        let mut now = start;
        while now < start + PATIENCE {
            for end in 0..2 {
                self.ends[end].handle_timeout(now).expect("not given up");
                self.transmit(end, now);
            }
            self.deliver(now + STEP);
            now += STEP;
            if self.keys.iter().all(Option::is_some) {
                return Some(now - start);
            }
        }
        None
    }
}

/// Each subscriber has one for the whole lesson.
#[test]
fn a_server_keeps_little_of_a_handshake() {
    let mut pair = Pair::new(1, 0);
    pair.run().expect("done");
    let mut now = Instant::now() + PATIENCE;
    // The last flight is not repeated any more.
    for _ in 0..100 {
        now += STEP;
        pair.ends[1].handle_timeout(now).expect("not given up");
        while pair.ends[1].poll_transmit().is_some() {}
    }
    let [_client, server] = pair.ends;
    let flat = size_of::<Dtls>();
    let ((), held) = allocations::held_by(|| drop(server));
    println!("{} bytes, and {flat} in the leg", -held);
    assert!(-held <= 20_000, "{} bytes", -held);
}

#[test]
fn two_ends_agree_on_keys_with_gcm() {
    let mut pair = Pair::new(1, 0);
    assert!(pair.run().is_some());
    let [Some(client), Some(server)] = &pair.keys else { panic!("both have keys") };
    assert!(matches!(client.profile, ProtectionProfile::AeadAes128Gcm));
    assert_eq!(client.session.local_master_key, server.session.remote_master_key);
    assert_eq!(client.session.remote_master_salt, server.session.local_master_salt);
}

#[test]
fn a_peer_that_knows_only_aes_cm_gets_it() {
    let (mut pair, now) = (Pair::new(2, 0), Instant::now());
    let config = pair.ends[0].config(&[CM_PROFILE]).expect("well formed");
    let mut endpoint = Endpoint::new(PEER, TransportProtocol::UDP, None);
    endpoint.connect(now, PEER, config, None).expect("begins");
    pair.ends[0].endpoint = Some(endpoint);
    pair.ends[0].collect(now);
    assert!(pair.run().is_some());
    for keys in &pair.keys {
        let profile = keys.as_ref().map(|keys| keys.profile);
        assert!(matches!(profile, Some(ProtectionProfile::Aes128CmHmacSha1_80)));
    }
}

#[test]
fn forty_joins_at_thirty_percent_loss_all_succeed_within_four_seconds() {
    let mut times: Vec<Duration> =
        (0..40).map(|seed| Pair::new(seed, 300).run().expect("every handshake ends")).collect();
    times.sort();
    println!(
        "handshake at 30 % loss, virtual time: p50 {:?}, p95 {:?}, worst {:?}",
        times[20], times[38], times[39]
    );
    assert!(times[38] <= Duration::from_secs(2), "{times:?}");
    assert!(times[39] <= Duration::from_secs(4), "{times:?}");
}

#[test]
fn a_peer_with_another_certificate_gets_no_keys() {
    let mut pair = Pair::new(3, 0);
    pair.ends[1].peer = PeerFingerprint("AA".into());
    let start = Instant::now();
    pair.ends[0].handle_timeout(start).expect("begins");
    pair.transmit(0, start);
    let mut refused = false;
    while let Some((now, to, datagram)) = pair.traveling.pop_front() {
        match pair.ends[to].read(&datagram, now) {
            Ok(keys) => assert!(keys.is_none()),
            Err(_) => refused = true,
        }
        pair.transmit(to, now);
    }
    assert!(refused);
}

/// A browser says hello again, in a record of a new number, while our answer is on its way or lost. rtc then waits for
/// ever: its timer is stopped by any handshake message, and started by none that brings nothing new.
#[test]
fn a_hello_that_is_repeated_does_not_silence_us() {
    let (mut pair, start) = (Pair::new(4, 0), Instant::now());
    pair.ends[0].handle_timeout(start).expect("begins");
    pair.transmit(0, start);
    let mut hello = BytesMut::new();
    // Hello, verify request, hello with cookie; the answer to that one is lost.
    for _ in 0..3 {
        let (now, to, datagram) = pair.traveling.pop_front().expect("on its way");
        assert!(pair.ends[to].read(&datagram, now).expect("no error").is_none());
        hello = datagram;
        pair.transmit(to, now);
    }
    assert!(!pair.traveling.is_empty(), "the answer");
    // Bytes 5 to 10 are the number of the record.
    hello[10] += 40;
    pair.ends[1].read(&hello, start + TRAVEL).expect("no error");
    while pair.ends[1].poll_transmit().is_some() {}
    let mut repeats = 0;
    for tenth in 5..60 {
        pair.ends[1].handle_timeout(start + STEP * tenth).expect("not given up");
        repeats += std::iter::from_fn(|| pair.ends[1].poll_transmit()).count();
    }
    assert!(repeats >= 5, "{repeats}");
}

/// The server's last flight is lost while it still repeats the one before, in records of new numbers, as browsers do. Twins of
/// ours say nothing to it; it answers a record that it did not see.
#[test]
fn a_server_whose_last_answer_is_lost_is_asked_in_a_new_record() {
    let (mut pair, start) = (Pair::new(5, 0), Instant::now());
    pair.ends[0].handle_timeout(start).expect("begins");
    pair.transmit(0, start);
    let (mut newest, mut lost) = ([const { Vec::new() }; 2], 0);
    while let Some((now, to, datagram)) = pair.traveling.pop_front() {
        let is_last = to == 0 && datagram[0] == 20;
        if is_last {
            lost += 1;
            continue;
        }
        newest[to] = datagram.to_vec();
        let keys = pair.ends[to].read(&datagram, now).expect("no error");
        assert!(to == 1 || keys.is_none());
        pair.transmit(to, now);
    }
    assert!(lost > 0, "an answer");
    let mut repeat = newest[0].clone();
    repeat[10] += 40;
    assert!(pair.ends[0].read(&repeat, start + TRAVEL).expect("no error").is_none());
    let mut now = start + TRAVEL;
    while pair.keys[0].is_none() && now < start + Duration::from_secs(4) {
        now += STEP;
        pair.ends[0].handle_timeout(now).expect("not given up");
        pair.transmit(0, now);
        pair.deliver(now + STEP);
    }
    assert!(pair.keys[0].is_some());
}
