//! One lesson on several nodes: the same for everybody, whatever the bus loses and whichever node dies.

use std::{sync::Arc, time::Duration};

use qism_signaling::{
    hub::{
        envelope::{Content, Envelope},
        fleet::Fleet,
        memory_bus::Wire,
        ports::{MediaEvent, Voices},
    },
    protocol::{
        Chain, ClientFrame, CloseCode, Command, CommandId, ErrorCode, Event, LeftReason, Logged, Recipients,
        ServerFrame, Source, UserId,
    },
    room::voice_seats::SEATS,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::class::{Class, Seated, incarnation, settle, stay, wait};

/// The teacher on the first node, one student on each.
async fn spread(nodes: u128) -> (Vec<Class>, Arc<Wire>, Seated, Vec<Seated>) {
    let (classes, wire) = Class::on_nodes(nodes, nodes);
    beat(&classes, &[]);
    let teacher = classes[0].enter(classes[0].teacher).await;
    let mut students = Vec::new();
    for (class, student) in classes.iter().zip(&classes[0].students) {
        students.push(class.enter(*student).await);
    }
    (classes, wire, teacher, students)
}

/// Everybody alive but these, by everybody's beat.
fn beat(classes: &[Class], dead: &[usize]) {
    let id = |at: usize| incarnation(at as u128 + 1);
    let alive = (0..classes.len()).filter(|at| !dead.contains(at)).map(id).collect::<Vec<_>>();
    let stale = dead.iter().map(|at| id(*at)).collect::<Vec<_>>();
    for (_, class) in classes.iter().enumerate().filter(|(at, _)| !dead.contains(at)) {
        class.hub.see(Fleet::seen(alive.clone(), stale.clone(), Instant::now()));
    }
}

#[tokio::test(start_paused = true)]
async fn everybody_reads_the_same_lines_in_the_same_order() {
    let (classes, _wire, mut teacher, mut students) = spread(3).await;
    for round in 0..20 {
        let (first, rest) = students.split_at_mut(1);
        let (second, third) = rest.split_at_mut(1);
        let texts: Vec<String> = (0..4).map(|n| format!("{round}-{n}")).collect();
        let (a, b, c, d) = tokio::join!(
            teacher.say(&texts[0]),
            first[0].say(&texts[1]),
            second[0].say(&texts[2]),
            third[0].say(&texts[3]),
        );
        assert!([a, b, c, d].iter().all(Result::is_ok));
        wait(1).await;
    }
    let log: Vec<u64> = classes[0].journal.log(classes[0].lesson).iter().map(|l| l.number).collect();
    assert_eq!(log, (1..=log.len() as u64).collect::<Vec<_>>());
    settle().await;
    // `Seated` asserts that every number comes once and in order; here: everybody came to the same end.
    for seat in students.iter_mut().chain([&mut teacher]) {
        seat.now().await;
        assert_eq!(seat.position.number, log.len() as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_from_another_node_comes_at_once_and_without_a_read() {
    let (classes, _wire, mut teacher, mut students) = spread(2).await;
    students[1].now().await;
    let reads = classes[0].journal.reads();
    let sent = Instant::now();
    teacher.say("مرحبا").await.expect("said");
    students[1].until(|event| matches!(event, Event::Said { .. })).await;
    assert!(sent.elapsed() < Duration::from_millis(50));
    assert_eq!(classes[0].journal.reads(), reads);
}

#[tokio::test(start_paused = true)]
async fn a_lost_letter_is_read_once_after_a_moment() {
    let (classes, wire, mut teacher, mut students) = spread(2).await;
    students[1].now().await;
    wire.lose(1);
    teacher.say("lost").await.expect("said");
    let reads = classes[0].journal.reads();
    let sent = Instant::now();
    teacher.say("not lost").await.expect("said");
    students[1].until(|event| matches!(event, Event::Said { .. })).await;
    let took = sent.elapsed();
    assert!(took >= Duration::from_millis(30) && took < Duration::from_millis(60), "{took:?}");
    assert_eq!(students[1].lines().await, ["not lost"]);
    assert_eq!(classes[0].journal.reads(), reads + 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_only_read_is_confirmed_before_anybody_is_answered_by_it() {
    let (classes, wire, mut teacher, mut students) = spread(2).await;
    let journal = &classes[0].journal;
    let nothing = Command::LowerAllHands {};
    teacher.ask(nothing.clone()).await.expect("there are none");
    assert_eq!(journal.confirmations(), 0, "this node wrote last");
    wire.lose(1);
    students[1].say("lost on the way").await.expect("said");
    wait(1).await;
    assert_eq!(teacher.lines().await, ["lost on the way"], "read by comparing heads");
    teacher.ask(nothing.clone()).await.expect("there are none");
    assert_eq!(journal.confirmations(), 1, "by a later commit");
    teacher.ask(nothing.clone()).await.expect("there are none");
    assert_eq!(journal.confirmations(), 1, "once");
    wire.lose(1);
    students[1].say("lost again").await.expect("said");
    wait(1).await;
    journal.set_down(true);
    assert_eq!(teacher.ask(nothing).await, Err(ErrorCode::Unavailable), "not by what was read alone");
}

/// Of seven lines two are too fast. Another node writes first, so that the five are decided again, behind those that wait to be sent again.
#[tokio::test(start_paused = true)]
async fn lines_that_another_node_overtook_stay_before_those_that_were_too_fast() {
    let (classes, _wire, mut teacher, mut students) = spread(2).await;
    classes[0].journal.set_delay_ms(1_000);
    let command = |text: &str| {
        let command = Command::Say { text: text.into(), to: Recipients::Everyone };
        ClientFrame::Command { id: CommandId(Uuid::now_v7()), command }
    };
    let pupil = &mut students[1];
    let lines: Vec<ClientFrame> = (0..7).map(|n| command(&n.to_string())).collect();
    teacher.attached.receive(command("before")).await;
    wait_ms(100).await;
    for line in &lines {
        pupil.attached.receive(line.clone()).await;
        wait_ms(1).await;
    }
    // The first of them is being written, and overtaken; the others join it.
    wait_ms(850).await;
    teacher.attached.receive(command("between")).await;
    wait_ms(3_000).await;
    classes[0].journal.set_delay_ms(0);
    let frames = pupil.now().await;
    let refused = frames.iter().filter(|frame| matches!(frame, ServerFrame::Refused { .. })).count();
    assert_eq!(refused, 2, "{frames:?}");
    for line in &lines[5..] {
        pupil.attached.receive(line.clone()).await;
    }
    settle().await;
    let said = teacher.lines().await;
    assert_eq!(said, ["before", "between", "0", "1", "2", "3", "4", "5", "6"]);
}

async fn wait_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn letters_that_overtake_each_other_wait_for_the_one_between() {
    let (classes, wire, mut teacher, mut students) = spread(2).await;
    students[1].now().await;
    wire.lose(2);
    teacher.say("1").await.expect("said");
    teacher.say("2").await.expect("said");
    let reads = classes[0].journal.reads();
    let log = classes[0].journal.log(classes[0].lesson);
    let letter = |logged: &Logged| Envelope {
        from: incarnation(1),
        lesson: classes[0].lesson,
        content: Content::Events { events: vec![logged.clone()] },
    };
    wire.inject(letter(&log[log.len() - 1]));
    wire.inject(letter(&log[log.len() - 2]));
    wire.inject(letter(&log[log.len() - 2]));
    assert_eq!(students[1].lines().await, ["1", "2"]);
    assert_eq!(classes[0].journal.reads(), reads);
}

#[tokio::test(start_paused = true)]
async fn without_a_bus_nobody_is_late_by_more_than_the_comparison() {
    let (_classes, wire, mut teacher, mut students) = spread(2).await;
    students[1].now().await;
    wire.set_cut(true);
    wait(1).await;
    for _ in 0..5 {
        let sent = Instant::now();
        teacher.say("still here").await.expect("said");
        students[1].until(|event| matches!(event, Event::Said { .. })).await;
        assert!(sent.elapsed() <= Duration::from_millis(300), "{:?}", sent.elapsed());
        tokio::time::sleep(Duration::from_millis(170)).await;
    }
    teacher.say("just before it is back").await.expect("said");
    let back = Instant::now();
    wire.set_cut(false);
    students[1].until(|event| matches!(event, Event::Said { .. })).await;
    assert!(back.elapsed() < Duration::from_millis(20), "heads are compared at once");
}

#[tokio::test(start_paused = true)]
async fn a_letter_of_another_history_changes_nothing() {
    let (classes, wire, mut teacher, mut students) = spread(2).await;
    students[1].now().await;
    let mut forged = classes[0].journal.log(classes[0].lesson).pop().expect("a log");
    forged.number += 1;
    forged.chain = Chain(1);
    forged.event = Event::Ended { by: None, reason: qism_signaling::protocol::event::EndReason::Chosen };
    wire.inject(Envelope {
        from: incarnation(1),
        lesson: classes[0].lesson,
        content: Content::Events { events: vec![forged] },
    });
    assert_eq!(students[1].now().await.len(), 0);
    teacher.say("on").await.expect("said");
    assert_eq!(students[1].lines().await, ["on"]);
}

#[tokio::test(start_paused = true)]
async fn commands_work_from_every_node_and_the_floor_is_given_once() {
    let (classes, _wire, mut teacher, mut students) = spread(3).await;
    for student in &mut students {
        student.ask(Command::RaiseHand {}).await.expect("raised");
    }
    settle().await;
    let user = classes[0].students[2];
    teacher.ask(Command::GiveFloor { user }).await.expect("given");
    settle().await;
    students[2].ask(Command::Publish { source: Source::Microphone, muted: false }).await.expect("published");
    let refused = students[1].ask(Command::Publish { source: Source::Microphone, muted: false }).await;
    assert!(refused.is_err());
    let fresh = classes[1].try_enter(classes[1].director, 77, None).await.expect("a visitor");
    let snapshot = fresh.snapshot();
    assert_eq!(snapshot.hands, classes[0].students[..2]);
    assert!(snapshot.participants.iter().any(|p| p.user == user && p.floor && p.published.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn whoever_enters_on_another_node_is_replaced_here() {
    let (classes, _wire, _teacher, mut students) = spread(2).await;
    let student = classes[0].students[0];
    let _moved = classes[1].try_enter(student, 555, None).await.expect("elsewhere");
    assert_eq!(students[0].closed().await, CloseCode::Replaced);
    let here =
        classes[0].log().into_iter().filter(|e| matches!(e, Event::Left { reason: LeftReason::Cut, .. }));
    assert_eq!(here.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_people_of_a_dead_node_are_cut_off_once_and_come_back_on_another() {
    let (classes, _wire, mut teacher, students) = spread(3).await;
    wait(2).await;
    let dead = classes[2].students[2];
    // Its process is gone: nothing more comes from it, and its beat stops.
    let position = students[2].position;
    beat(&classes, &[2]);
    let noticed = Instant::now();
    let left = teacher.until(|event| matches!(event, Event::Left { .. })).await;
    assert!(matches!(left.event, Event::Left { user, reason: LeftReason::Cut, .. } if user == dead));
    assert!(noticed.elapsed() <= Duration::from_millis(3_100), "{:?}", noticed.elapsed());
    for _ in 0..5 {
        beat(&classes, &[2]);
        wait(1).await;
    }
    let cuts = || {
        let cut = |event: &Event| matches!(event, Event::Left { reason: LeftReason::Cut, .. });
        classes[0].log().into_iter().filter(cut).count()
    };
    assert_eq!(cuts(), 1, "both survivors saw it, one wrote it");
    let back = classes[1].try_enter(dead, dead.0.as_u128(), Some(position)).await.expect("back");
    assert!(back.welcome.as_ref().is_some_and(|welcome| welcome.snapshot.is_none() && welcome.attach.0 == 2));
    wait(10).await;
    assert_eq!(cuts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_node_is_written_down_in_the_moment_in_which_it_is_known() {
    let (classes, _wire, mut teacher, _students) = spread(3).await;
    wait(2).await;
    let known = Instant::now();
    beat(&classes, &[2]);
    classes[..2].iter().for_each(|class| class.hub.adopt(class.lesson));
    teacher.until(|event| matches!(event, Event::Left { reason: LeftReason::Cut, .. })).await;
    assert!(known.elapsed() < Duration::from_millis(10), "{:?}", known.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_came_back_in_time_is_not_cut_off() {
    let (classes, _wire, _teacher, students) = spread(3).await;
    let user = classes[2].students[2];
    let position = students[2].position;
    let _back = classes[1].try_enter(user, user.0.as_u128(), Some(position)).await.expect("back");
    for _ in 0..8 {
        beat(&classes, &[2]);
        wait(1).await;
    }
    assert!(!classes[0].log().iter().any(|e| matches!(e, Event::Left { reason: LeftReason::Cut, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_beat_itself_declares_nobody_dead() {
    let (classes, _wire, _teacher, _students) = spread(2).await;
    wait(20).await;
    assert!(!classes[0].log().iter().any(|e| matches!(e, Event::Left { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_taken_for_dead_has_its_people_attach_again() {
    let (classes, _wire, _teacher, mut students) = spread(2).await;
    beat(&classes, &[1]);
    assert_eq!(students[1].closed().await, CloseCode::Unavailable);
    let user = classes[1].students[1];
    let back = classes[1].try_enter(user, user.0.as_u128(), Some(students[1].position)).await.expect("back");
    assert_eq!(back.welcome.map(|welcome| welcome.attach.0), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_mute_shuts_the_gate_on_the_other_node_before_it_is_written() {
    let (classes, _wire, mut teacher, mut students) = spread(2).await;
    let user = classes[1].students[1];
    teacher.ask(Command::GiveFloor { user }).await.expect("given");
    settle().await;
    students[1].ask(Command::Publish { source: Source::Microphone, muted: false }).await.expect("published");
    settle().await;
    classes[1].media.take();
    classes[0].journal.set_delay_ms(1_000);
    let mute = Command::Mute { user };
    let id = CommandId(Uuid::now_v7());
    teacher.attached.receive(qism_signaling::protocol::ClientFrame::Command { id, command: mute }).await;
    settle().await;
    let shut = |orders: &[String]| orders.iter().any(|o| o.contains("Permit") && !o.contains("Microphone"));
    assert!(shut(&classes[1].media.take()), "the gate is on the other node");
    wait(3).await;
    assert!(matches!(classes[1].log().last(), Some(Event::MutedSet { .. })));
    // The store is down: the order holds as long as it is renewed, and no longer.
    classes[0].journal.set_delay_ms(0);
    students[1].ask(Command::SetMuted { source: Source::Microphone, muted: false }).await.expect("again");
    settle().await;
    classes[0].journal.set_down(true);
    classes[1].media.take();
    let id = CommandId(Uuid::now_v7());
    let remove = Command::TakeFloor { user };
    teacher.attached.receive(qism_signaling::protocol::ClientFrame::Command { id, command: remove }).await;
    settle().await;
    assert!(shut(&classes[1].media.take()));
    let opened = |orders: &[String]| orders.iter().any(|o| o.contains("Permit") && o.contains("Microphone"));
    wait(4).await;
    assert!(!opened(&classes[1].media.take()), "its sender may try again");
    wait(6).await;
    assert!(opened(&classes[1].media.take()), "nobody tried: not renewed, opened again");
}

#[tokio::test(start_paused = true)]
async fn who_speaks_on_another_node_is_told_here_and_forgotten_when_it_falls_silent() {
    let (classes, wire, mut teacher, students) = spread(2).await;
    let speaker = students[1].entry.user;
    teacher.now().await;
    let speaks = MediaEvent::Speaking { lesson: classes[1].lesson, users: vec![speaker] };
    classes[1].media_events.send(speaks).await.expect("the hub listens");
    let told = |frames: &[ServerFrame]| {
        let users = |frame: &ServerFrame| match frame {
            ServerFrame::Speaking { users } => Some(users.clone()),
            _ => None,
        };
        frames.iter().filter_map(users).collect::<Vec<_>>()
    };
    assert_eq!(told(&teacher.now().await), [vec![speaker]]);
    wait(8).await;
    assert_eq!(told(&teacher.now().await), Vec::<Vec<_>>::new(), "renewed while it goes on");
    wire.set_cut(true);
    wait(6).await;
    assert_eq!(told(&teacher.now().await), [vec![]]);
}

/// Ten open microphones on two nodes, and a listener on each.
#[tokio::test(start_paused = true)]
async fn a_voice_that_begins_on_any_node_has_its_seat_at_once_on_all_and_no_more_than_three_have_one() {
    let (classes, _wire) = Class::on_nodes(2, 12);
    beat(&classes, &[]);
    let mut teacher = classes[0].enter(classes[0].teacher).await;
    let (mut everybody, mut listeners) = (Vec::new(), Vec::new());
    for (number, student) in classes[0].students.iter().enumerate() {
        let mut seated = classes[number % 2].enter(*student).await;
        if number >= 10 {
            seated.attached.receive(ClientFrame::OpenSubscriber { cameras: 2, packed: false }).await;
            listeners.push((seated, [None; SEATS]));
            continue;
        }
        teacher.ask(Command::GiveFloor { user: *student }).await.expect("given");
        settle().await;
        seated.ask(Command::Publish { source: Source::Microphone, muted: false }).await.expect("published");
        everybody.push(seated);
    }
    let look = async |listeners: &mut Vec<(Seated, [Option<UserId>; SEATS])>| {
        let mut heard = Vec::new();
        for (listener, slots) in listeners {
            for frame in listener.now().await {
                if let ServerFrame::SlotAssigned { slot, publication } = frame
                    && let Some(place) = usize::from(slot.0).checked_sub(1).filter(|place| *place < SEATS)
                {
                    slots[place] = publication.map(|it| it.user);
                }
            }
            let mut users: Vec<UserId> = slots.iter().flatten().copied().collect();
            users.sort_unstable();
            heard.push(users);
        }
        heard
    };
    for turn in 0..30 {
        let number = turn * 7 % 10;
        let (lesson, user) = (classes[0].lesson, classes[0].students[number]);
        let node = &classes[number % 2];
        let began = Instant::now();
        let begins = MediaEvent::VoiceBegins { lesson, user };
        node.media_events.send(begins).await.expect("the hub listens");
        let heard = look(&mut listeners).await;
        assert!(began.elapsed() <= Duration::from_millis(40), "{:?}", began.elapsed());
        assert!(heard.iter().all(|users| users.contains(&user)), "turn {turn}: {heard:?}");
        assert!(
            heard.iter().all(|users| users.len() <= SEATS) && heard[0] == heard[1],
            "turn {turn}: {heard:?}"
        );
        let speaks = MediaEvent::Speaking { lesson, users: vec![user] };
        node.media_events.send(speaks).await.expect("the hub listens");
        let here: Vec<&Seated> =
            everybody.iter().chain(listeners.iter().map(|(seated, _)| seated)).chain([&teacher]).collect();
        stay(&here, 2).await;
        let silent = MediaEvent::Speaking { lesson, users: Vec::new() };
        node.media_events.send(silent).await.expect("the hub listens");
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_bus_is_away_voices_are_told_by_the_media_plane() {
    let (classes, wire, mut teacher, students) = spread(2).await;
    let (lesson, speaker) = (classes[1].lesson, students[1].entry.user);
    wire.set_cut(true);
    teacher.now().await;
    classes[1].media.take();
    let speaks = MediaEvent::Speaking { lesson, users: vec![speaker] };
    classes[1].media_events.send(speaks).await.expect("the hub listens");
    settle().await;
    let told = |orders: &[String]| orders.iter().filter(|order| order.starts_with("Heard")).count();
    assert_eq!(told(&classes[1].media.take()), 1);
    wait(5).await;
    assert_eq!(told(&classes[1].media.take()), 2, "renewed while it goes on");
    // What the relay brings.
    let node = incarnation(2);
    let heard = |voices| MediaEvent::HeardElsewhere { lesson, node, voices };
    let speaking = async |users: Vec<UserId>, teacher: &mut Seated| {
        classes[0].media_events.send(heard(Voices::Speaking(users))).await.expect("the hub listens");
        settle().await;
        let lists = teacher.now().await.into_iter().filter_map(|frame| match frame {
            ServerFrame::Speaking { users } => Some(users),
            _ => None,
        });
        lists.collect::<Vec<_>>()
    };
    assert_eq!(speaking(vec![speaker], &mut teacher).await, [vec![speaker]]);
    assert_eq!(speaking(vec![], &mut teacher).await, [vec![]]);
    wire.set_cut(false);
    wait(3).await;
    assert_eq!(told(&classes[1].media.take()), 0, "by the bus again");
}

#[tokio::test(start_paused = true)]
async fn a_history_that_lost_its_tail_is_taken_up_by_all() {
    let (classes, _wire, mut teacher, mut students) = spread(2).await;
    for text in ["one", "two", "three"] {
        teacher.ask(Command::Say { text: text.into(), to: Recipients::Everyone }).await.expect("said");
    }
    settle().await;
    students[1].now().await;
    let mut log = classes[0].journal.log(classes[0].lesson);
    log.truncate(log.len() - 2);
    let number = log.len() as u64;
    classes[0].journal.replace(classes[0].lesson, log);
    wait(1).await;
    let frames = students[1].now().await;
    let reset = |frame: &ServerFrame| match frame {
        ServerFrame::Reset { snapshot, .. } => Some(snapshot.position.number),
        _ => None,
    };
    assert_eq!(frames.iter().find_map(reset), Some(number));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_hears_nobody_stops_media_and_sends_its_people_elsewhere() {
    let (classes, wire, _teacher, mut students) = spread(2).await;
    let user = students[1].entry.user;
    wire.set_cut(true);
    classes[1].media.take();
    classes[1].hub.isolate(true).await;
    assert_eq!(students[1].closed().await, CloseCode::Unavailable);
    settle().await;
    assert!(classes[1].media.take().iter().any(|order| order.contains("CloseLesson")));
    let refused = classes[1].try_enter(user, user.0.as_u128(), None).await.err();
    assert_eq!(refused, Some(CloseCode::Unavailable));
    let position = Some(students[1].position);
    let elsewhere = classes[0].try_enter(user, user.0.as_u128(), position).await.expect("back");
    assert_eq!(elsewhere.welcome.map(|welcome| welcome.attach.0), Some(2));
    classes[1].hub.isolate(false).await;
    classes[1].try_enter(user, user.0.as_u128(), None).await.expect("and here again");
}

#[tokio::test(start_paused = true)]
async fn the_media_plane_is_told_on_which_node_a_publisher_is_and_when_that_changes() {
    let (classes, _wire, mut teacher, mut students) = spread(2).await;
    let user = classes[1].students[1];
    let origins = |class: &Class| {
        let orders = class.media.take().into_iter().filter(|order| order.starts_with("Origin"));
        orders.filter(|order| order.contains(&format!("{user:?}"))).collect::<Vec<_>>()
    };
    teacher.ask(Command::GiveFloor { user }).await.expect("given");
    settle().await;
    students[1].ask(Command::Publish { source: Source::Microphone, muted: false }).await.expect("published");
    settle().await;
    let told = origins(&classes[0]);
    assert_eq!(told.len(), 1, "once: {told:?}");
    assert!(told[0].contains(&format!("{:?}", Some(incarnation(2)))), "{told:?}");
    assert!(origins(&classes[1]).is_empty(), "where the publisher is, nothing comes from elsewhere");
    // The line moves to the first node.
    let position = Some(students[1].position);
    classes[0].try_enter(user, user.0.as_u128(), position).await.expect("moved");
    settle().await;
    assert!(origins(&classes[0])[0].contains("node: None"));
    assert!(origins(&classes[1])[0].contains(&format!("{:?}", Some(incarnation(1)))));
}

#[tokio::test(start_paused = true)]
async fn the_first_syllable_on_another_node_has_its_seat_here() {
    let (classes, _wire) = Class::on_nodes(2, 6);
    beat(&classes, &[]);
    let mut teacher = classes[0].enter(classes[0].teacher).await;
    let listener = classes[0].enter(classes[0].students[5]).await;
    let mut speakers = Vec::new();
    for student in &classes[0].students[..5] {
        let mut speaker = classes[1].enter(*student).await;
        settle().await;
        teacher.ask(Command::GiveFloor { user: *student }).await.expect("given");
        settle().await;
        speaker.ask(Command::Publish { source: Source::Microphone, muted: false }).await.expect("published");
        speakers.push(speaker);
    }
    settle().await;
    listener.attached.receive(ClientFrame::OpenSubscriber { cameras: 2, packed: false }).await;
    settle().await;
    classes[0].media.take();
    let user = classes[1].students[4];
    let begins = MediaEvent::VoiceBegins { lesson: classes[1].lesson, user };
    classes[1].media_events.send(begins).await.expect("the hub listens");
    settle().await;
    let orders = classes[0].media.take();
    let seated = |order: &String| order.starts_with("Assign") && order.contains(&format!("{user:?}"));
    assert!(orders.iter().any(seated), "{orders:?}");
}
