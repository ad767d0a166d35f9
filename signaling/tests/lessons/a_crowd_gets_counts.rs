//! Above a hundred people students get numbers; teachers the whole roster.

use qism_signaling::protocol::{Event, ServerFrame};

use crate::class::{Class, wait};

#[tokio::test(start_paused = true)]
async fn students_of_a_crowd_see_counts_and_the_few_who_matter() {
    let class = Class::of(120);
    let (mut teacher, mut students) = class.full().await;
    let last = students.pop().expect("the last one in");
    assert_eq!(last.snapshot().participants.len(), 2, "the teacher and oneself");
    assert_eq!(last.snapshot().students_present, 120);
    let known = last.welcome.as_ref().map(|welcome| welcome.people.len());
    assert_eq!(known, Some(2));
    let (entry, position) = (last.entry, last.position);
    last.attached.disconnected().await;
    let mut last =
        class.try_enter(entry.user, entry.session.0.as_u128(), Some(position)).await.expect("admitted");
    let told = last.now().await;
    assert!(
        told.iter().any(|f| matches!(f, ServerFrame::Counts { students_present: 120 })),
        "also who missed no change"
    );
    let visitor = class.enter(class.director).await;
    assert_eq!(visitor.snapshot().participants.len(), 122);
    wait(1).await;
    let told = students[0].now().await;
    let names = told
        .iter()
        .filter(|f| matches!(f, ServerFrame::Event(l) if matches!(l.event, Event::Attached { .. })));
    assert!(names.count() < 102, "the later ones are withheld");
    assert!(told.iter().any(|f| matches!(f, ServerFrame::Counts { students_present: 120 })));
    let whole = teacher.now().await;
    assert!(!whole.iter().any(|f| matches!(f, ServerFrame::Event(l) if l.event == Event::Withheld {})));
    students[5].say("hello from the crowd").await.expect("said");
    let heard = last.now().await;
    let name = heard.iter().position(|f| matches!(f, ServerFrame::People { .. }));
    let line = heard
        .iter()
        .position(|f| matches!(f, ServerFrame::Event(l) if matches!(l.event, Event::Said { .. })));
    assert!(name.is_some() && name < line, "the name of the speaker comes first");
}

#[tokio::test(start_paused = true)]
async fn a_reset_tells_a_student_of_a_crowd_no_more_names_than_a_welcome() {
    let class = Class::of(120);
    let mut teacher = class.enter(class.teacher).await;
    let mut student = class.enter(class.students[0]).await;
    teacher.say("one").await.expect("said");
    student.now().await;
    let mut log = class.journal.log(class.lesson);
    log.pop();
    class.journal.replace(class.lesson, log);
    wait(2).await;
    let told = student.now().await;
    let names = told.iter().find_map(|frame| match frame {
        ServerFrame::Reset { people, .. } => Some(people.iter().map(|p| p.user).collect::<Vec<_>>()),
        _ => None,
    });
    let mut names = names.expect("a reset");
    names.sort();
    assert_eq!(names, [class.teacher, class.students[0]]);
}
