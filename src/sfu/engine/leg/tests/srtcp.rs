use proptest::prelude::*;
use rtc::srtp::{context::Context, protection_profile::ProtectionProfile};

use super::*;
use crate::sfu::engine::identity::Identity;

const KEY: [u8; 16] = [1; 16];
const MASTER_SALT: [u8; 12] = [3; 12];

/// What rtc seals, and what we open.
fn pair() -> (Context, Opener) {
    let identity = Identity::generate().expect("a certificate");
    let (profile, crypto) = (ProtectionProfile::AeadAes128Gcm, identity.crypto());
    let theirs = Context::new(&KEY, &MASTER_SALT, profile, None, None, crypto).expect("keys");
    (theirs, Opener::new(&KEY, &MASTER_SALT, crypto).expect("keys"))
}

/// A receiver report of nothing.
fn report(ssrc: u32) -> Vec<u8> {
    [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes()].concat()
}

fn open(ours: &mut Opener, sealed: &[u8]) -> Option<Vec<u8>> {
    let mut opened = vec![9; 3];
    ours.open(sealed, &mut opened).map(|()| opened)
}

#[test]
fn what_rtc_seals_is_opened_once_in_any_order() {
    let (mut theirs, mut ours) = pair();
    let feedback = [&[0x8f, 205, 0, 3][..], &[7; 12]].concat();
    let sealed: Vec<_> = (0..100).map(|_| theirs.encrypt_rtcp(&feedback).expect("sealed")).collect();
    assert_eq!(open(&mut ours, &sealed[40]).as_ref(), Some(&feedback));
    assert_eq!(open(&mut ours, &sealed[40]), None, "a replay");
    assert_eq!(open(&mut ours, &sealed[10]).as_ref(), Some(&feedback), "late");
    assert_eq!(open(&mut ours, &sealed[10]), None, "a replay");
    assert_eq!(open(&mut ours, &sealed[99]).as_ref(), Some(&feedback));
    assert_eq!(open(&mut ours, &sealed[35]), None, "too late to know");
    assert_eq!(open(&mut ours, &sealed[36]).as_ref(), Some(&feedback), "just known");
}

#[test]
fn what_is_forged_keeps_nothing_and_changes_nothing() {
    let (mut theirs, mut ours) = pair();
    let sealed = theirs.encrypt_rtcp(&report(5)).expect("sealed");
    for place in 0..sealed.len() {
        let mut forged = sealed.to_vec();
        forged[place] ^= 1 << (place % 8);
        assert_eq!(open(&mut ours, &forged), None, "{place}");
    }
    assert!(ours.senders.is_empty());
    assert_eq!(open(&mut ours, &sealed), Some(report(5)));
}

#[test]
fn a_peer_is_so_many_senders_and_no_more() {
    let (mut theirs, mut ours) = pair();
    let mut seal = |ssrc| theirs.encrypt_rtcp(&report(ssrc)).expect("sealed");
    for ssrc in 0..SENDERS as u32 {
        assert!(open(&mut ours, &seal(ssrc)).is_some());
    }
    assert_eq!(open(&mut ours, &seal(SENDERS as u32)), None);
    assert!(open(&mut ours, &seal(0)).is_some(), "the first goes on");
}

proptest! {
    #[test]
    fn anything_is_survived(packet in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(open(&mut pair().1, &packet), None);
    }

    /// The window tells what a list of all that came would, as far back as it reaches.
    #[test]
    fn the_window_is_a_list_of_what_came(numbers in proptest::collection::vec(0u32..200, 1..100)) {
        let (mut window, mut came) = (Window::default(), Vec::new());
        for number in numbers {
            let newest = came.iter().copied().max().unwrap_or(0);
            let is_fresh = !came.contains(&number) && number + u64::BITS > newest;
            prop_assert_eq!(window.is_fresh(number), is_fresh);
            if is_fresh {
                window.take(number);
                came.push(number);
            }
        }
    }
}
