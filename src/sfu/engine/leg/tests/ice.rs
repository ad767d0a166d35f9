use rtc::crypto::{RTCCryptoProvider, providers::RingProvider};
use rtc::stun::{
    attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME, RawAttribute},
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, Message, Setter, TransactionId},
    textattrs::TextAttribute,
};

use super::*;

fn credentials(salt: &str) -> Credentials {
    Credentials { ufrag: format!("ufrag{salt}"), password: format!("passwordpasswordpassword{salt}") }
}

fn path(port: u16) -> Path {
    Path { socket: 0, peer: ([192, 0, 2, 1], port).into(), local: None }
}

fn request(credentials: &Credentials, nominates: bool) -> Request {
    let provider = RingProvider::new();
    let mut message = Message::new();
    let username = TextAttribute::new(ATTR_USERNAME, format!("{}:peer", credentials.ufrag));
    let integrity = MessageIntegrity::new_short_term_integrity_with_provider(
        credentials.password.clone(),
        provider.crypto(),
    );
    let mut setters: Vec<Box<dyn Setter + '_>> =
        vec![Box::new(TransactionId::default()), Box::new(BINDING_REQUEST), Box::new(username)];
    if nominates {
        let attribute = RawAttribute { typ: ATTR_USE_CANDIDATE, length: 0, value: Vec::new() };
        setters.push(Box::new(attribute));
    }
    setters.push(Box::new(integrity));
    setters.push(Box::new(FINGERPRINT));
    message.build(&setters).expect("well formed");
    Request::parse(&message.raw).expect("a binding request")
}

fn check(ice: &mut IceLite, mut request: Request, from: Path, now: Instant) -> bool {
    ice.check(&mut request, from, now, RingProvider::new().crypto()).is_some()
}

#[test]
fn only_an_authentic_check_binds_an_address() {
    let (now, ours) = (Instant::now(), credentials("a"));
    let mut ice = IceLite::new(ours.clone(), now);
    let forged = Credentials { password: "wrongwrongwrongwrongwrong".into(), ..ours.clone() };
    assert!(!check(&mut ice, request(&forged, true), path(1), now));
    assert_eq!((ice.path(), ice.bound().len()), (None, 0));
    assert!(check(&mut ice, request(&ours, true), path(2), now));
    assert_eq!(ice.path(), Some(path(2)));
}

#[test]
fn the_latest_nomination_wins() {
    let (now, ours) = (Instant::now(), credentials("a"));
    let mut ice = IceLite::new(ours.clone(), now);
    assert!(check(&mut ice, request(&ours, true), path(1), now));
    assert!(check(&mut ice, request(&ours, false), path(2), now));
    assert_eq!(ice.path(), Some(path(1)), "a check without nomination moves nothing");
    assert!(check(&mut ice, request(&ours, true), path(2), now));
    assert_eq!(ice.path(), Some(path(2)));
}

#[test]
fn a_restart_keeps_the_old_credentials_until_the_new_are_nominated() {
    let (now, old, new) = (Instant::now(), credentials("a"), credentials("b"));
    let mut ice = IceLite::new(old.clone(), now);
    assert!(check(&mut ice, request(&old, true), path(1), now));
    ice.restart(new.clone());
    assert!(check(&mut ice, request(&old, true), path(1), now), "still valid");
    assert!(check(&mut ice, request(&new, false), path(2), now));
    assert_eq!(ice.path(), Some(path(1)));
    assert!(check(&mut ice, request(&new, true), path(2), now));
    assert_eq!(ice.path(), Some(path(2)));
    assert!(!check(&mut ice, request(&old, true), path(1), now), "void after the nomination");
}

#[test]
fn consent_runs_out_and_comes_back() {
    let (start, ours) = (Instant::now(), credentials("a"));
    let mut ice = IceLite::new(ours.clone(), start);
    assert!(check(&mut ice, request(&ours, true), path(1), start));
    assert!(ice.live_path(start + CONSENT - Duration::from_millis(1)).is_some());
    assert!(ice.live_path(start + CONSENT).is_none());
    assert!(check(&mut ice, request(&ours, true), path(1), start + CONSENT));
    assert!(ice.live_path(start + CONSENT).is_some());
    assert!(ice.is_lost(start + CONSENT + LOST));
}

#[test]
fn addresses_of_one_leg_are_bounded() {
    let (now, ours) = (Instant::now(), credentials("a"));
    let mut ice = IceLite::new(ours.clone(), now);
    for port in 1..100 {
        assert!(check(&mut ice, request(&ours, false), path(port), now));
    }
    assert_eq!(ice.bound().len(), ADDRESSES);
}
