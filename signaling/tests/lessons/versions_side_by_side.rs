//! Servers of two versions teach one lesson: what one of them does not know breaks nothing.

use qism_signaling::{
    hub::{
        fleet::Fleet,
        ports::{Batch, Journal as _},
    },
    protocol::{
        Chain, ClientFrame, Command, CommandId, EVENT_FORMAT, ErrorCode, Event, Logged, Position, Pull,
        ServerFrame,
    },
    room::chain,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::class::{Class, incarnation, wait};

/// What every server reads, by our beat: this one, and one of a version that is older by so many formats.
fn beat(class: &Class, older_by: u32) {
    let fleet = Fleet::seen(vec![incarnation(1), incarnation(2)], Vec::new(), Instant::now());
    class.hub.see(fleet.reading(EVENT_FORMAT).reading(EVENT_FORMAT - older_by));
}

/// A newer server writes this behind the last event.
async fn written_elsewhere(class: &Class, event: &str) -> Logged {
    let event: Event = serde_json::from_str(event).expect("an event");
    let last = class.journal.log(class.lesson).pop().expect("events");
    let head = Position { number: last.number, chain: last.chain };
    let logged = chain::log(head, last.at, None, CommandId(Uuid::now_v7()), event);
    let batch = Batch { lesson: class.lesson, head, events: vec![logged.clone()], erase: Vec::new() };
    class.journal.append(batch).await.expect("appended");
    // Heads are compared.
    wait(1).await;
    logged
}

#[tokio::test(start_paused = true)]
async fn what_a_living_server_would_not_understand_waits_until_it_is_gone() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    let before = class.log();
    beat(&class, EVENT_FORMAT);
    assert_eq!(students[0].ask(Command::RaiseHand {}).await, Err(ErrorCode::NotYet));
    assert_eq!(teacher.say("too early").await, Err(ErrorCode::NotYet));
    assert_eq!(class.log(), before, "nothing was written");
    // What leads to no event needs nobody's understanding.
    teacher.ask(Command::LowerAllHands {}).await.expect("there are none");
    beat(&class, 0);
    students[0].ask(Command::RaiseHand {}).await.expect("everybody understands");
    teacher.until(|event| matches!(event, Event::HandRaised { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_newer_server_keeps_its_place_and_is_shown_to_nobody() {
    let class = Class::of(2);
    let (mut teacher, mut students) = class.full().await;
    let late = class.enter(class.director).await;
    let left_at = late.position;
    drop(late.attached);
    let poll = r#"{"type":"poll_opened","question":"2+2?","options":[3,4],"by":null}"#;
    let logged = written_elsewhere(&class, poll).await;
    for seat in students.iter_mut().chain([&mut teacher]) {
        let told = seat.until(|event| *event == Event::Withheld {}).await;
        assert_eq!((told.number, told.chain), (logged.number, logged.chain));
    }
    assert_eq!(class.hub.unknown_events(), 1, "counted");
    let number = teacher.say("the lesson goes on").await.expect("said");
    assert_eq!(number, logged.number + 1);
    // Who comes back from before it, and who comes anew.
    let mut back = class.try_enter(class.director, late.entry.session.0.as_u128(), Some(left_at)).await;
    let back = back.as_mut().expect("admitted");
    back.until(|event| matches!(event, Event::Said { .. })).await;
    let stored = serde_json::to_value(&class.journal.log(class.lesson)[logged.number as usize - 1].event);
    assert_eq!(stored.expect("JSON"), serde_json::from_str::<serde_json::Value>(poll).expect("JSON"));
}

#[tokio::test(start_paused = true)]
async fn a_room_is_folded_anew_over_what_it_does_not_know() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    students[0].ask(Command::RaiseHand {}).await.expect("raised");
    // A kind that is known, with a value that is not: for an audience of which nothing is known here.
    let line = r#"{"type":"said","user":"00000000-0000-0000-0000-000000000064","to":"guardians","text":"for them alone"}"#;
    let logged = written_elsewhere(&class, line).await;
    teacher.say("for all").await.expect("said");
    let other = Class::with(1, class.journal.clone());
    let mut fresh = other.enter(other.teacher).await;
    assert_eq!(fresh.snapshot().hands, [class.students[0]], "the fold has what was known");
    assert!(fresh.position.number > logged.number && fresh.position.chain != Chain(0));
    fresh.attached.receive(ClientFrame::Pull { request: 1, pull: Pull::Chat { before: None } }).await;
    let page = loop {
        if let ServerFrame::ChatPage { lines, .. } = fresh.frame().await.expect("open") {
            break lines;
        }
    };
    assert!(
        matches!(&page[..], [Logged { event: Event::Said { text: Some(text), .. }, .. }] if text == "for all"),
        "{page:?}"
    );
}
