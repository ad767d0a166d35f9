//! What holds for every lesson, however people behave: random wishes of a small class.

use std::collections::HashSet;

use proptest::{collection::vec, prelude::*, sample::select};
use uuid::Uuid;

use super::{Context, Room, chain, roster::Arrival, seating};
use crate::protocol::{
    Chain, ChatMode, Command, CommandId, Event, IncarnationId, Logged, Phase, Publication, ReceiveMode,
    Recipients, RemovalReason, Role, SessionId, Source, UserId, WantedVideo, event::EndReason,
};

/// One thing that somebody, or the server, wants.
#[derive(Clone, Debug)]
enum Step {
    Arrive { who: usize, session: u128 },
    Cut { who: usize },
    PutOut { who: usize },
    Ask { who: usize, command: Command },
    Pause,
    TimeOver,
}

const ROLES: [Role; 6] =
    [Role::Teacher, Role::Student, Role::Student, Role::Student, Role::Director, Role::Inspector];

fn user(who: usize) -> UserId {
    UserId(Uuid::from_u128(who as u128 + 1))
}

fn anybody() -> impl Strategy<Value = UserId> {
    (0..ROLES.len()).prop_map(user)
}

fn source() -> impl Strategy<Value = Source> {
    select(vec![Source::Microphone, Source::Camera, Source::Screen, Source::ScreenAudio])
}

fn recipients() -> impl Strategy<Value = Recipients> {
    select(vec![Recipients::Everyone, Recipients::Teachers])
}

fn command() -> impl Strategy<Value = Command> {
    use Command as C;
    let mode = select(vec![ChatMode::Open, ChatMode::Questions, ChatMode::Closed]);
    prop_oneof![
        recipients().prop_map(|to| C::Say { text: "سؤال".into(), to }),
        (mode, 0..400u16).prop_map(|(mode, slow_mode_s)| C::SetChat { mode, slow_mode_s }),
        Just(C::RaiseHand {}),
        anybody().prop_map(|user| C::LowerHand { user }),
        Just(C::LowerAllHands {}),
        anybody().prop_map(|user| C::GiveFloor { user }),
        anybody().prop_map(|user| C::TakeFloor { user }),
        (anybody(), recipients()).prop_map(|(user, to)| C::GrantCamera { user, to }),
        anybody().prop_map(|user| C::RevokeCamera { user }),
        (source(), any::<bool>()).prop_map(|(source, muted)| C::Publish { source, muted }),
        source().prop_map(|source| C::Unpublish { source }),
        (source(), any::<bool>()).prop_map(|(source, muted)| C::SetMuted { source, muted }),
        anybody().prop_map(|user| C::Mute { user }),
        Just(C::MuteAll {}),
        (anybody(), source()).prop_map(|(user, source)| C::StopSource { user, source }),
        (anybody(), any::<bool>()).prop_map(|(user, keep_out)| {
            C::Remove { user, reason: RemovalReason::Disturbing, note: String::new(), keep_out }
        }),
        anybody().prop_map(|user| C::Readmit { user }),
        any::<bool>().prop_map(|locked| C::SetLocked { locked }),
        Just(C::Report { note: "look".into() }),
        Just(C::Leave {}),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..ROLES.len();
    prop_oneof![
        10 => (who.clone(), 1..4u128).prop_map(|(who, session)| Step::Arrive { who, session }),
        3 => who.clone().prop_map(|who| Step::Cut { who }),
        1 => who.clone().prop_map(|who| Step::PutOut { who }),
        80 => (who, command()).prop_map(|(who, command)| Step::Ask { who, command }),
        1 => Just(Step::Pause),
        1 => Just(Step::TimeOver),
    ]
}

/// Everybody comes, then anything happens.
fn lesson() -> impl Strategy<Value = Vec<Step>> {
    let arrivals = (0..ROLES.len()).map(|who| Step::Arrive { who, session: 1 });
    let arrivals: Vec<Step> = arrivals.collect();
    vec(step(), 0..150).prop_map(move |steps| arrivals.iter().cloned().chain(steps).collect())
}

/// What the room makes of it; a refusal is no event.
fn decide(room: &Room, step: &Step) -> Vec<Event> {
    match step {
        Step::Arrive { who, session } => {
            let role = ROLES[*who];
            let arrival = Arrival {
                user: user(*who),
                role,
                visit: matches!(role, Role::Director | Role::Inspector),
                session: SessionId(Uuid::from_u128(*session)),
                incarnation: IncarnationId(Uuid::from_u128(1)),
            };
            room.decide_arrival(&arrival).unwrap_or_default()
        }
        Step::Cut { who } => room.roster.member(user(*who)).map_or_else(Vec::new, |member| {
            room.decide_cut(user(*who), member.last.session, member.last.attach)
        }),
        Step::PutOut { who } => room.decide_put_out(user(*who)),
        Step::Ask { who, command } => {
            room.decide(user(*who), command, &Context::default()).unwrap_or_default()
        }
        Step::Pause => room.decide_pause(),
        Step::TimeOver => room.decide_end(EndReason::TimeOver),
    }
}

/// Plays a lesson: the state after each step, and the log.
fn play(steps: &[Step], mut look: impl FnMut(&Room, &Step, &[Event])) -> (Room, Vec<Logged>) {
    let mut room = Room::new(Chain(7));
    let mut log = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let events = decide(&room, step);
        let before = room.clone();
        assert_eq!(decide(&before, step), events, "deciding is a function of the state");
        for event in &events {
            let command = CommandId(Uuid::from_u128(index as u128));
            let logged = chain::log(room.head, index as u64, None, command, event.clone());
            room.apply(&logged);
            log.push(logged);
        }
        look(&room, step, &events);
    }
    (room, log)
}

proptest! {
    /// Any node that reads the log is where the others are.
    #[test]
    fn the_log_alone_leads_to_the_state(steps in lesson()) {
        let (room, log) = play(&steps, |_, _, _| {});
        let mut other = Room::new(Chain(7));
        let json = serde_json::to_string(&log).expect("events are JSON");
        let read: Vec<Logged> = serde_json::from_str(&json).expect("and back");
        read.iter().for_each(|logged| other.apply(logged));
        prop_assert_eq!(room, other);
    }

    /// A packet of a student without the floor never leaves the SFU, and nobody's does who is not here.
    #[test]
    fn the_gates_are_shut_without_the_floor(steps in lesson()) {
        play(&steps, |room, _, _| {
            for (who, role) in ROLES.iter().enumerate() {
                let permitted = room.permits(user(who));
                let here = room.roster.role_of_present(user(who)).is_some();
                assert!(permitted.is_empty() || (here && room.course.phase != Phase::Ended));
                if *role == Role::Student && !permitted.is_empty() {
                    assert!(room.floor.holds(user(who)) && room.course.phase == Phase::Open);
                    let camera = permitted.contains(&Source::Camera);
                    assert!(!camera || room.floor.camera_of(user(who)).is_some());
                }
                assert!(permitted.is_empty() || matches!(role, Role::Teacher | Role::Student));
            }
        });
    }

    /// Who was kept out comes back only after being let in again.
    #[test]
    fn kept_out_is_out(steps in lesson()) {
        play(&steps, |room, _, _| {
            for who in 0..ROLES.len() {
                let kept_out = room.roster.kept_out().contains(&user(who));
                assert!(!kept_out || room.roster.role_of_present(user(who)).is_none());
            }
        });
    }

    /// One place in the queue each; who has the floor does not wait for it; the counts are right.
    #[test]
    fn queue_and_counts_are_right(steps in lesson()) {
        play(&steps, |room, _, _| {
            let mut hands = room.floor.hands().to_vec();
            let waiting = hands.len();
            hands.sort_unstable();
            hands.dedup();
            assert_eq!(hands.len(), waiting);
            assert!(hands.iter().all(|hand| !room.floor.holds(*hand)));
            let here = |(_, member): &(UserId, &super::roster::Member)| {
                member.role == Role::Student && member.presence == super::roster::Presence::Here
            };
            assert_eq!(room.roster.students_present() as usize, room.roster.members().filter(here).count());
        });
    }

    /// Nothing happens after the end but that people are gone.
    #[test]
    fn the_end_is_the_end(steps in lesson()) {
        let mut ended = false;
        play(&steps, |room, step, events| {
            if ended {
                let gone = |event: &Event| matches!(event, Event::Left { .. } | Event::Removed { .. });
                assert!(events.iter().all(gone), "{step:?} led to {events:?}");
            }
            ended = room.course.phase == Phase::Ended;
        });
    }

    /// No two slots carry the same track, only what is published has a slot, and who sits stays seated.
    #[test]
    fn slots_are_stable(steps in lesson(), cameras in vec(0..ROLES.len(), 0..8)) {
        let wanted = |who| WantedVideo { user: user(who), width: 640, height: 360 };
        let demand = seating::Demand {
            user: user(1),
            role: Role::Student,
            mode: ReceiveMode::Everything,
            cameras: cameras.into_iter().map(wanted).collect(),
            camera_slots: 2,
        };
        let mut table = Vec::new();
        play(&steps, |room, _, _| {
            let next = seating::seat(room, &demand, user(0), &[], &table);
            let seated: Vec<_> = next.iter().filter_map(|seat| seat.publication).collect();
            let distinct: HashSet<_> = seated.iter().collect();
            assert_eq!(distinct.len(), seated.len(), "{seated:?}");
            let published = |p: &Publication| room.stage.track(p.user, p.source).is_some();
            assert!(seated.iter().all(|p| p.user != demand.user && published(p)));
            assert_eq!(seating::seat(room, &demand, user(0), &[], &next), next, "seated once, seated");
            table = next;
        });
    }
}
