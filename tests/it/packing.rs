//! Old lessons become one row each, and nobody notices: on both engines.

use std::time::Duration;

use qism::{config::Databases, storage::Store};
use qism_backing::Postgres;
use qism_client::SmallSchool;
use qism_signaling::{
    hub::ports::{AppendError, Batch, Erase},
    protocol::{
        Chain, ClientFrame, Command, Event, LessonId, Logged, Position, Pull, Recipients, ServerFrame,
        UserId, event::EndReason,
    },
};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    academies::databases,
    journal::{batch, chain, lesson, said},
    server::{Person, Server, eventually},
};

/// A store of one kind.
struct Engine {
    databases: Databases,
    /// Where the lessons' log is.
    log: String,
    store: Store,
    /// Whose lessons they are; of none where the log is one.
    school: Option<SmallSchool>,
    folder: TempDir,
    _postgres: Option<Postgres>,
}

impl Engine {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        let (databases, log) = (Databases::from(file("qism.db")), file("qism-log.db"));
        let store = Store::open(&databases).await.expect("opened");
        Self { databases, log, store, school: None, folder, _postgres: None }
    }

    /// SQLite, and where it is installed PostgreSQL, with everything in one database and with lessons in another one.
    async fn all() -> Vec<Self> {
        let mut all = vec![Self::sqlite().await];
        if let Some(postgres) = Postgres::start().await {
            let (log, folder) = (postgres.url(), tempfile::tempdir().expect("a folder"));
            let databases = Databases::from(&log);
            let store = Store::open(&databases).await.expect("opened");
            all.push(Self { databases, log, store, school: None, folder, _postgres: Some(postgres) });
        }
        if let Some(postgres) = Postgres::start().await {
            let (log, folder) = (postgres.database("academy").await, tempfile::tempdir().expect("a folder"));
            let databases = databases(&[("default", &postgres.url()), ("01", &log)]);
            let store = Store::open(&databases).await.expect("opened");
            let school = Some(SmallSchool::add(&store, "01000A").await.expect("added"));
            all.push(Self { databases, log, store, school, folder, _postgres: Some(postgres) });
        }
        all
    }

    fn is_sqlite(&self) -> bool {
        self.databases.is_file()
    }

    async fn lesson(&self) -> LessonId {
        match &self.school {
            Some(school) => school.lesson(&self.store).await.expect("planned"),
            None => lesson(),
        }
    }

    /// The log, as the operator sees it.
    async fn log(&self) -> AnyConnection {
        AnyConnection::connect(&self.log).await.expect("connected")
    }

    async fn number(&self, sql: &str) -> i64 {
        let found = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.log().await).await;
        found.and_then(|row| row.try_get(0)).expect(sql)
    }

    async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.log().await).await.expect(sql);
    }

    async fn rows(&self, lesson: LessonId) -> i64 {
        self.number(&format!("SELECT COUNT(*) FROM event WHERE lesson = '{lesson}'")).await
    }

    /// Everything whose last event is of before this moment.
    async fn pack(&self) -> usize {
        let now = self.store.database_now().await.expect("the time");
        self.store.pack(now, Duration::ZERO).await.expect("packed")
    }

    fn metric(&self, name: &str) -> f64 {
        let samples = self.store.log_samples();
        let sample = samples.iter().find(|sample| sample.name == name).expect("it is told");
        match sample.value {
            qism::telemetry::metrics::Value::Counter(value) => value,
            _ => panic!("{name} is no counter"),
        }
    }
}

fn user() -> UserId {
    UserId(Uuid::from_u128(7))
}

fn ended(number: u64) -> Logged {
    Logged { event: Event::Ended { by: None, reason: EndReason::Chosen }, ..said(number, user(), "") }
}

/// Some lines, some with two events of one command, and the end.
async fn teach(engine: &Engine, lines: u64) -> (LessonId, Vec<Logged>) {
    let (journal, lesson) = (engine.store.journal(), engine.lesson().await);
    let mut events: Vec<Logged> =
        (1..=lines).map(|number| said(number, user(), &format!("السطر {number}"))).collect();
    events.push(ended(lines + 1));
    for event in &events {
        journal.append(batch(lesson, vec![event.clone()])).await.expect("appended");
    }
    (lesson, events)
}

/// All that a reader can ask.
async fn seen(store: &Store, lesson: LessonId) -> impl PartialEq + use<> {
    let journal = store.journal();
    (
        journal.read(lesson, 0, 1_000).await.expect("read"),
        journal.read(lesson, 2, 2).await.expect("read"),
        journal.heads(&[lesson]).await.expect("heads"),
        journal.chat(lesson, None, 3).await.expect("chat"),
        journal.chat(lesson, Some(4), 2).await.expect("chat"),
        journal.origin(lesson).await.expect("origin"),
        store.ended(&[lesson]).await.expect("ended"),
    )
}

#[tokio::test]
async fn a_packed_lesson_is_read_as_before_and_a_young_one_is_left_alone() {
    for engine in &Engine::all().await {
        let journal = engine.store.journal();
        let (old, _) = teach(engine, 6).await;
        let young = engine.lesson().await;
        let later = engine.store.database_now().await.expect("the time") + 3_600_000;
        let line = Logged { at: later, ..said(1, user(), "now") };
        journal.append(batch(young, vec![line])).await.expect("appended");
        let before = (seen(&engine.store, old).await, seen(&engine.store, young).await);
        assert_eq!(engine.pack().await, 1);
        assert_eq!((engine.rows(old).await, engine.rows(young).await), (0, 1));
        assert!((seen(&engine.store, old).await, seen(&engine.store, young).await) == before);
        assert_eq!(engine.metric("qism_packed_events_total"), 7.0);
        assert_eq!(engine.pack().await, 0, "nothing is left to do");
    }
}

#[tokio::test]
async fn a_packed_lesson_goes_on_where_it_was() {
    for engine in &Engine::all().await {
        let journal = engine.store.journal();
        let (lesson, mut events) = teach(engine, 4).await;
        for round in 0..2 {
            assert_eq!(engine.pack().await, 1, "round {round}");
            let number = events.len() as u64 + 1;
            let known = AppendError::Known { sender: user(), command: events[1].command, number: 2 };
            let again = Logged { number, ..events[1].clone() };
            assert_eq!(journal.append(batch(lesson, vec![again])).await, Err(known));
            let other = Position { number: number - 1, chain: Chain(9) };
            let of_another = Batch { head: other, ..batch(lesson, vec![said(number, user(), "x")]) };
            assert_eq!(journal.append(of_another).await, Err(AppendError::Conflict));
            let head = Position { number: number - 1, chain: chain(number - 1) };
            assert_eq!(journal.confirm(lesson, head).await, Ok(()));
            for number in [number, number + 1] {
                let line = said(number, user(), "weiter");
                journal.append(batch(lesson, vec![line.clone()])).await.expect("behind it");
                events.push(line);
                // What is packed is known behind rows, too.
                let known = AppendError::Known { sender: user(), command: events[1].command, number: 2 };
                let again = Logged { number: number + 1, ..events[1].clone() };
                assert_eq!(journal.append(batch(lesson, vec![again])).await, Err(known));
            }
            assert_eq!(journal.read(lesson, 0, 100).await.expect("read"), events);
            assert_eq!(journal.read(lesson, 3, 3).await.expect("read"), events[3..6]);
            let lines: Vec<u64> =
                journal.chat(lesson, None, 4).await.expect("chat").iter().map(|line| line.number).collect();
            let expected = if round == 0 { [3, 4, 6, 7] } else { [6, 7, 8, 9] };
            assert_eq!(lines, expected, "across the border");
            let last = events.last().expect("many");
            let head = Position { number: last.number, chain: last.chain };
            assert_eq!(journal.heads(&[lesson]).await.expect("heads"), [(lesson, head)]);
        }
    }
}

#[tokio::test]
async fn a_text_that_is_erased_is_gone_from_the_packed_lesson_too() {
    for engine in &Engine::all().await {
        let journal = engine.store.journal();
        let (lesson, events) = teach(engine, 5).await;
        assert_eq!(engine.pack().await, 1);
        let body = async || -> Vec<u8> {
            let sql = AssertSqlSafe(format!("SELECT body FROM packed WHERE lesson = '{lesson}'"));
            let found = sqlx::query(sql).fetch_one(&mut engine.log().await).await.expect("packed");
            found.try_get(0).expect("bytes")
        };
        let before = body().await;
        let strike = Logged { event: Event::LineDeleted { number: 2, by: user() }, ..said(7, user(), "") };
        journal
            .append(Batch { erase: vec![Erase::Line(2)], ..batch(lesson, vec![strike]) })
            .await
            .expect("struck out");
        let is_erased = async || {
            let read = journal.read(lesson, 0, 100).await.expect("read");
            assert!(matches!(read[1].event, Event::Said { text: None, .. }), "{:?}", read[1]);
            assert_eq!((&read[0], &read[2..6]), (&events[0], &events[2..6]), "the others are as they were");
        };
        is_erased().await;
        assert_ne!(body().await, before);
        if engine.is_sqlite() {
            let trace = &before[before.len() / 2..];
            let is_in = |file: &str| {
                let bytes = std::fs::read(engine.folder.path().join(file)).expect("the file");
                bytes.windows(trace.len()).any(|window| window == trace)
            };
            eventually(async || (!is_in("qism-log.db-wal")).then_some(())).await;
            assert!(!is_in("qism-log.db"));
        }
        assert_eq!(engine.pack().await, 1, "with the deletion");
        is_erased().await;
    }
}

/// What makes a packing fail in its middle, or spoils what it wrote: for SQLite, for PostgreSQL, and back.
const FAULTS: [(&str, &str, &str); 2] = [
    (
        "CREATE TRIGGER fault BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'crashed'); END",
        "CREATE FUNCTION fault() RETURNS trigger AS $$ BEGIN RAISE 'crashed'; END $$ LANGUAGE plpgsql; \
         CREATE TRIGGER fault BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION fault()",
        "event",
    ),
    (
        "CREATE TRIGGER fault AFTER INSERT ON packed BEGIN UPDATE packed SET body = x'00' WHERE lesson = NEW.lesson; END",
        "CREATE FUNCTION fault() RETURNS trigger AS $$ BEGIN NEW.body = '\\x00'; RETURN NEW; END $$ LANGUAGE plpgsql; \
         CREATE TRIGGER fault BEFORE INSERT ON packed FOR EACH ROW EXECUTE FUNCTION fault()",
        "packed",
    ),
];

#[tokio::test]
async fn a_packing_that_fails_between_its_steps_leaves_the_lesson_as_it_was() {
    for engine in &Engine::all().await {
        let (lesson, _) = teach(engine, 5).await;
        let before = seen(&engine.store, lesson).await;
        for (failures, (sqlite, postgres, table)) in FAULTS.into_iter().enumerate() {
            engine.execute(if engine.is_sqlite() { sqlite } else { postgres }).await;
            assert_eq!(engine.pack().await, 0);
            assert_eq!(engine.metric("qism_packing_failures_total"), failures as f64 + 1.0);
            assert_eq!(engine.rows(lesson).await, 6);
            assert_eq!(engine.number("SELECT COUNT(*) FROM packed").await, 0);
            assert!(seen(&engine.store, lesson).await == before);
            let sweep = match engine.is_sqlite() {
                true => "DROP TRIGGER fault".to_owned(),
                false => format!("DROP TRIGGER fault ON {table}; DROP FUNCTION fault()"),
            };
            engine.execute(&sweep).await;
        }
        assert_eq!(engine.pack().await, 1);
        assert!(seen(&engine.store, lesson).await == before);
        // What the disk spoils later is told, not served.
        engine.execute("UPDATE packed SET digest = 'ab'").await;
        assert!(engine.store.journal().read(lesson, 0, 9).await.is_err());
    }
}

/// Writes and erases while several servers pack.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_and_erased_during_a_packing_is_neither_lost_nor_undone() {
    for engine in &Engine::all().await {
        let other = Store::open_beside(&engine.databases).await.expect("opened");
        let mut lessons = Vec::new();
        for _ in 0..12 {
            lessons.push(teach(engine, 20).await.0);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for lesson in lessons.clone() {
            let journal = engine.store.journal();
            tasks.spawn(async move {
                for number in 22..=31 {
                    let strike = Event::LineDeleted { number: number - 20, by: user() };
                    let strike = Logged { event: strike, ..said(number, user(), "") };
                    let batch =
                        Batch { erase: vec![Erase::Line(number - 20)], ..batch(lesson, vec![strike]) };
                    // An erasure and a packing of the same lesson: one of them comes again.
                    while let Err(error) = journal.append(batch.clone()).await {
                        match error {
                            AppendError::Unavailable(_) => {}
                            AppendError::Known { number: known, .. } if known == number => break,
                            other => panic!("{other}"),
                        }
                    }
                }
            });
        }
        let packing = async {
            for _ in 0..8 {
                let now = engine.store.database_now().await.expect("the time");
                let (one, two) =
                    tokio::join!(engine.store.pack(now, Duration::ZERO), other.pack(now, Duration::ZERO));
                one.expect("packed");
                two.expect("packed");
            }
        };
        packing.await;
        while let Some(done) = tasks.join_next().await {
            done.expect("no panic");
        }
        engine.pack().await;
        for lesson in lessons {
            let read = engine.store.journal().read(lesson, 0, 100).await.expect("read");
            let numbers: Vec<u64> = read.iter().map(|logged| logged.number).collect();
            assert_eq!(numbers, (1..=31).collect::<Vec<u64>>());
            for logged in &read[..20] {
                let Event::Said { text, .. } = &logged.event else { panic!("{logged:?}") };
                assert_eq!(text.is_none(), (2..=11).contains(&logged.number), "{logged:?}");
            }
            assert_eq!(engine.rows(lesson).await, 0);
        }
    }
}

#[tokio::test]
async fn a_copy_of_packed_lessons_is_put_into_either_engine() {
    let engines = Engine::all().await;
    for from in &engines {
        let (packed, _) = teach(from, 5).await;
        assert_eq!(from.pack().await, 1);
        let (open, _) = teach(from, 3).await;
        let before = (seen(&from.store, packed).await, seen(&from.store, open).await);
        let copy = from.folder.path().join("copy");
        Store::backup(&from.databases, &copy).await.expect("copied");
        let file = format!("sqlite://{}", from.folder.path().join("again/qism.db").display());
        let mut targets = vec![(file, None)];
        if let Some(postgres) = Postgres::start().await {
            targets.push((postgres.url(), Some(postgres)));
        }
        for (url, _postgres) in targets {
            Store::restore(&url, &copy).await.expect("restored");
            let store = Store::open(&url).await.expect("opened");
            assert!((seen(&store, packed).await, seen(&store, open).await) == before, "{url}");
            let line = said(7, user(), "danach");
            store.journal().append(batch(packed, vec![line])).await.expect("it goes on");
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_day_of_postgresql_is_dropped_when_all_of_it_is_packed() {
    let Some(engine) = Engine::all().await.into_iter().find(|engine| !engine.is_sqlite()) else {
        return crate::postgres::skipped();
    };
    let (lesson, mut events) = teach(&engine, 5).await;
    let now = engine.store.database_now().await.expect("the time");
    let today = now / 86_400_000;
    let has = async |day: u64| {
        engine.number(&format!("SELECT COUNT(*) FROM pg_class WHERE relname = 'event_{day}'")).await == 1
    };
    assert!(has(today).await && has(today + 1).await);
    assert_eq!(engine.number(&format!("SELECT COUNT(*) FROM event_{today}")).await, 6);
    let in_three_days = now + 3 * 86_400_000;
    assert_eq!(engine.store.pack(in_three_days, Duration::from_secs(86_400)).await.expect("packed"), 1);
    assert!(!has(today).await && !has(today + 1).await);
    assert!(has(today + 3).await && has(today + 4).await);
    // The lesson of that day goes on all the same.
    let line = said(7, user(), "spät");
    engine.store.journal().append(batch(lesson, vec![line.clone()])).await.expect("appended");
    events.push(line);
    assert_eq!(engine.number("SELECT COUNT(*) FROM event_rest").await, 1);
    assert_eq!(engine.store.journal().read(lesson, 0, 99).await.expect("read"), events);
    assert_eq!(engine.pack().await, 1);
    assert_eq!(engine.number("SELECT COUNT(*) FROM event_rest").await, 0);
    assert_eq!(engine.store.journal().read(lesson, 0, 99).await.expect("read"), events);
}

/// A store as the first release left it.
const FIRST_RELEASE: &str = include_str!("../../src/storage/migrations/log/001_log.sql");

#[tokio::test]
async fn a_log_of_the_first_release_is_taken_over_with_all_that_is_in_it() {
    let first = |engine: &Engine| engine.school.is_none();
    for mut engine in Engine::all().await.into_iter().filter(first) {
        let (old, _) = teach(&engine, 5).await;
        let before = seen(&engine.store, old).await;
        engine.store.close().await;
        // Lets go of the file.
        engine.store = Store::open("sqlite::memory:").await.expect("opened");
        let to_the_first = "CREATE TABLE kept AS SELECT * FROM event; CREATE TABLE seeds AS SELECT * FROM origin; \
             DROP TABLE event; DROP TABLE origin; DROP TABLE packed; DROP TABLE log_mark; DROP TABLE copied";
        let back = "INSERT INTO event SELECT lesson, number, chain, at, sender, command, part, kind, body, text FROM kept; \
             INSERT INTO origin SELECT lesson, chain FROM seeds; DROP TABLE kept; DROP TABLE seeds; \
             UPDATE schema_step SET step = 1 WHERE part = 'log'";
        for sql in [to_the_first, FIRST_RELEASE, back] {
            engine.execute(sql).await;
        }
        let refused = Store::open_beside(&engine.databases).await.err().expect("refused").to_string();
        assert!(refused.contains("older version"), "{refused}");
        let store = Store::open(&engine.databases).await.expect("taken over");
        assert!(seen(&store, old).await == before);
        // 1970, as its events say.
        let day = engine.number(&format!("SELECT day FROM origin WHERE lesson = '{old}'")).await;
        assert_eq!(day, 0);
        let line = said(7, user(), "neu");
        store.journal().append(batch(old, vec![line])).await.expect("it goes on");
        let now = store.database_now().await.expect("the time");
        assert_eq!(store.pack(now, Duration::ZERO).await.expect("packed"), 1);
        assert_eq!(store.journal().read(old, 0, 99).await.expect("read").len(), 7);
        store.close().await;
    }
}

fn say(text: &str) -> Command {
    Command::Say { text: text.into(), to: Recipients::Everyone }
}

#[tokio::test]
async fn nobody_in_a_lesson_notices_its_packing_and_nobody_enters_one_that_ended() {
    let server = Server::demo().await;
    let (person, mut teacher) = server.enter("teacher1").await;
    let id = teacher.command(say("قبل")).await;
    teacher.accepted(id).await;
    let url = format!("sqlite://{}", server.data().join("qism.db").display());
    let beside = Store::open_beside(&url).await.expect("opened");
    let tomorrow = beside.database_now().await.expect("the time") + 86_400_000;
    assert_eq!(beside.pack(tomorrow, Duration::ZERO).await.expect("packed"), 1);
    let id = teacher.command(say("بعد")).await;
    let number = teacher.accepted(id).await;
    let (_, mut student) = server.enter("student1").await;
    student.socket.send(&ClientFrame::Pull { request: 1, pull: Pull::Chat { before: None } }).await;
    let page = |frame: &ServerFrame| match frame {
        ServerFrame::ChatPage { lines, .. } => Some(lines.iter().map(|line| line.number).collect::<Vec<_>>()),
        _ => None,
    };
    let lines = student.socket.find(page).await;
    assert!(lines.len() == 2 && lines[1] == number, "{lines:?}");
    let id = teacher.command(Command::End {}).await;
    teacher.accepted(id).await;
    let lesson = teacher.lesson;
    let wish = serde_json::json!({ "session": Uuid::now_v7() });
    let ticket = format!("/api/lessons/{lesson}/ticket");
    let refused = person.post(&ticket, &wish).await.status();
    assert!(refused.is_client_error(), "{refused}");
    drop((student, teacher));
    // Who leaves is written behind the end.
    eventually(async || (beside.pack(tomorrow, Duration::ZERO).await.ok() == Some(0)).then_some(())).await;
    beside.close().await;
    let server = server.restart().await;
    let again = Person::sign_in(&server.running.url(), "teacher1").await;
    assert_eq!(again.post(&ticket, &wish).await.status(), refused);
}
