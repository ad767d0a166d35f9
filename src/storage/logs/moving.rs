//! Lessons move into the databases where they are looked for, after the configuration shared them out anew: in two steps, so that servers
//! are away only for the second.
//!
//! Ahead, while servers run, lessons that are over are copied to where they will be looked for, and marked there as [`copies`]. Then, while
//! none does, what is left follows, and what changed since is copied anew; each lesson there is from then on the one that counts, and that
//! of before is the copy. Copies are deleted at the end, while servers run again. Whether a lesson
//! changed since it was copied is seen at its ends, of a thousand at once, unless somebody was erased since then: texts go without a trace there.
//!
//! Two databases have no transaction in common: a lesson first counts in the one, too, and then no more in the other. Whatever ends this in
//! between, the next time goes on: a lesson that counts in both, and is the same, counts where it is to be.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use qism_signaling::protocol::LessonId;

use super::{
    Logs,
    copies::{self, Begun, Look},
    days,
    log::Log,
};
use crate::storage::{
    StorageError,
    open::{Part, Pools, Use},
    schema,
    transfer::{ONE_MOMENT, Table, copy, tables},
};

/// What the first step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Lessons copied now.
    pub copied: u64,
    /// Lessons that are not over: the second step moves them.
    pub left: u64,
}

/// Databases in which copies are left, when all lessons are where they are looked for.
pub struct Leftovers {
    logs: Vec<Arc<Log>>,
    tables: Vec<Table>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It began `at` that time.
    Ahead { at: u64 },
    /// Texts were last `erased` then.
    Final { erased: i64 },
}

impl Logs {
    /// The first step; deletes what an earlier transfer left. `others`: databases that are named no more.
    pub async fn copy_ahead(&self, others: &[String]) -> Result<Ahead, StorageError> {
        let step = Step::Ahead { at: self.schools.now().await? };
        let (sources, tables) = (self.sources(others, step).await?, described().await?);
        let mut done = Ahead::default();
        for (at, source) in sources.iter().enumerate() {
            self.delete_where(source, &tables, |place| place != at).await?;
            let more = self.go_through(at, source, &tables, step).await?;
            done = Ahead { copied: done.copied + more.copied, left: done.left + more.left };
        }
        Ok(done)
    }

    /// The second step: moves what is not in its place out of these databases, and out of others. Tells how many lessons that were.
    pub async fn put_in_place(&self, others: &[String]) -> Result<(u64, Leftovers), StorageError> {
        let step = Step::Final { erased: self.schools.last_erasure().await? };
        let sources = self.sources(others, step).await?;
        self.expect_all_of_before(&sources).await?;
        let shares = self.shares()?;
        self.schools.begin_moving(sources.iter().filter_map(|source| source.mark())).await?;
        let tables = described().await?;
        let mut moved = 0;
        for (at, source) in sources.iter().enumerate() {
            moved += self.go_through(at, source, &tables, step).await?.copied;
        }
        for (at, log) in self.all.iter().enumerate() {
            // Of lessons that have gone since they were copied ahead: the store went back to an older state.
            self.delete_where(log, &tables, |place| place == at).await?;
        }
        self.schools.set(&shares).await?;
        Ok((moved, Leftovers { logs: sources, tables }))
    }

    /// All databases that may have lessons: those of now come first.
    async fn sources(&self, others: &[String], step: Step) -> Result<Vec<Arc<Log>>, StorageError> {
        for log in &self.all {
            log.open_one()?;
        }
        let mut sources = self.all.clone();
        for url in others {
            // A server may have the file.
            let purpose =
                if step.is_ahead() && url.starts_with("sqlite:") { Use::Command } else { Use::Alone };
            let other = Log::open(url.clone(), Vec::new(), purpose, self.meter.clone()).await?;
            other.prepare().await?;
            if sources.iter().all(|known| known.mark() != other.mark()) {
                sources.push(other);
            }
        }
        Ok(sources)
    }

    /// What was shared out before, or is half moved, must be at hand.
    async fn expect_all_of_before(&self, sources: &[Arc<Log>]) -> Result<(), StorageError> {
        for (name, mark) in self.schools.shares().await? {
            if !mark.is_empty() && sources.iter().all(|source| source.mark() != Some(&mark)) {
                return Err(StorageError::LeftBehind { name });
            }
        }
        Ok(())
    }

    /// The lessons that count in one database.
    async fn go_through(
        &self,
        at: usize,
        source: &Log,
        tables: &[Table],
        step: Step,
    ) -> Result<Ahead, StorageError> {
        let (mut done, mut last) = (Ahead::default(), String::new());
        loop {
            let began = Instant::now();
            let mut page = source.counting(&last, step.is_ahead()).await?;
            let Some(((end, _), _)) = page.last() else { return Ok(done) };
            last = end.to_string();
            let places = self.places_of(page.iter().map(|((lesson, _), _)| *lesson)).await?;
            page.retain(|((lesson, _), _)| places[lesson] != at);
            let mut away: BTreeMap<usize, Vec<Begun>> = BTreeMap::new();
            for (begun, is_over) in page {
                match step {
                    Step::Ahead { .. } if !is_over => done.left += 1,
                    _ => away.entry(places[&begun.0]).or_default().push(begun),
                }
            }
            step.rest(began.elapsed()).await;
            for (place, mut lessons) in away {
                if let Step::Final { erased } = step {
                    done.copied += turn_over(source, &self.all[place], &mut lessons, erased).await?;
                }
                for some in lessons.chunks(copies::AT_ONCE) {
                    let began = Instant::now();
                    done.copied += carry(source, &self.all[place], some, tables, step).await?;
                    step.rest(began.elapsed()).await;
                }
            }
        }
    }

    /// Deletes the copies whose lessons have such places.
    async fn delete_where(
        &self,
        log: &Log,
        tables: &[Table],
        is_meant: impl Fn(usize) -> bool,
    ) -> Result<(), StorageError> {
        let mut last = String::new();
        loop {
            let mut page = log.copies(&last, copies::PAGE).await?;
            let Some((end, _)) = page.last() else { return Ok(()) };
            last = end.to_string();
            let places = self.places_of(page.iter().map(|(lesson, _)| *lesson)).await?;
            page.retain(|(lesson, _)| is_meant(places[lesson]));
            for some in page.chunks(copies::AT_ONCE) {
                log.delete_copies(some, tables).await?;
            }
        }
    }

    async fn places_of(
        &self,
        lessons: impl Iterator<Item = LessonId>,
    ) -> Result<BTreeMap<LessonId, usize>, StorageError> {
        let lessons: Vec<LessonId> = lessons.collect();
        let mut places: BTreeMap<LessonId, usize> = lessons.iter().map(|lesson| (*lesson, 0)).collect();
        places.extend(self.ask(&lessons).await?);
        Ok(places)
    }
}

impl Step {
    fn is_ahead(self) -> bool {
        matches!(self, Self::Ahead { .. })
    }

    /// Those who write into the logs come first.
    async fn rest(self, after: Duration) {
        if self.is_ahead() {
            tokio::time::sleep(after).await;
        }
    }
}

impl Leftovers {
    /// Deletes them; servers may run.
    pub async fn delete(&self) -> Result<u64, StorageError> {
        let mut deleted = 0;
        for log in &self.logs {
            loop {
                let began = Instant::now();
                let page = log.copies("", copies::AT_ONCE).await?;
                if page.is_empty() {
                    break;
                }
                log.delete_copies(&page, &self.tables).await?;
                deleted += page.len() as u64;
                // Servers may run.
                tokio::time::sleep(began.elapsed()).await;
            }
        }
        Ok(deleted)
    }
}

/// The log's tables with their columns.
async fn described() -> Result<Vec<Table>, StorageError> {
    let memory = Pools::open("sqlite::memory:", Part::Log, Use::Alone).await?;
    schema::upgrade(&memory, Part::Log).await?;
    let described = tables(&mut *memory.read.acquire().await?).await;
    memory.close().await;
    described
}

/// Has those of these lessons count in the target that did not change since they were copied to it; the others are left in the list.
async fn turn_over(
    source: &Log,
    target: &Log,
    lessons: &mut Vec<Begun>,
    erased: i64,
) -> Result<u64, StorageError> {
    let (mut from, mut to) = (source.pools.write.begin().await?, target.pools.write.begin().await?);
    let fresh = copies::marked(&mut to, lessons, erased).await?;
    let copied: Vec<Begun> = lessons.iter().filter(|(lesson, _)| fresh.contains(lesson)).copied().collect();
    let there = copies::prints(&mut to, &copied, Look::Ends).await?;
    let here = copies::prints(&mut from, &copied, Look::Ends).await?;
    let is_same = |(lesson, _): &Begun| {
        let print = there.get(lesson);
        print.is_some() && print == here.get(lesson)
    };
    let (same, others): (Vec<Begun>, Vec<Begun>) = lessons.drain(..).partition(is_same);
    *lessons = others;
    if same.is_empty() {
        return Ok(0);
    }
    copies::unmark(&mut to, &same).await?;
    to.commit().await?;
    copies::mark(&mut from, &same, 0).await?;
    from.commit().await?;
    Ok(same.len() as u64)
}

/// Tells how many lessons were not there yet, or (ahead) not as they are.
async fn carry(
    source: &Log,
    target: &Log,
    lessons: &[Begun],
    tables: &[Table],
    step: Step,
) -> Result<u64, StorageError> {
    let (mut from, mut to) = (step.begin(&source.pools).await?, target.pools.write.begin().await?);
    let there = copies::prints(&mut to, lessons, Look::Rows).await?;
    let here = copies::prints(&mut from, lessons, Look::Rows).await?;
    let marked = copies::marked(&mut to, lessons, -1).await?;
    let (mut new, mut stale, mut same) = (Vec::new(), Vec::new(), Vec::new());
    for begun in lessons {
        let lesson = &begun.0;
        match there.get(lesson) {
            None => new.push(*begun),
            copy if copy == here.get(lesson) => same.push(*begun),
            Some(_) if marked.contains(lesson) => stale.push(*begun),
            Some(_) if step.is_ahead() => {}
            Some(_) => return Err(StorageError::TwoHistories { lesson: lesson.to_string() }),
        }
    }
    copies::delete(&mut to, target.pools.sqlite, &stale, tables).await?;
    new.append(&mut stale);
    if !target.pools.sqlite {
        for (_, day) in &new {
            days::make_day(&mut to, *day).await?;
        }
    }
    if !new.is_empty() {
        for table in tables {
            copy(&mut from, table, &copies::condition(table, &new), &mut [&mut to], &|_| Some(0)).await?;
        }
    }
    for begun in &new {
        if copies::whole(&mut to, *begun).await? != copies::whole(&mut from, *begun).await? {
            return Err(StorageError::Corrupt {
                what: "moved lesson, read back",
                value: begun.0.to_string(),
            });
        }
    }
    match step {
        Step::Ahead { at } => {
            // What counts in both is no copy.
            same.retain(|(lesson, _)| marked.contains(lesson));
            copies::mark(&mut to, &[&*new, &*same].concat(), at).await?;
            to.commit().await?;
            Ok(new.len() as u64)
        }
        Step::Final { .. } => {
            copies::unmark(&mut to, lessons).await?;
            to.commit().await?;
            copies::mark(&mut from, lessons, 0).await?;
            from.commit().await?;
            Ok(lessons.len() as u64)
        }
    }
}

impl Step {
    /// Ahead: as it is at one moment. (SQLite shows nothing else.)
    async fn begin(self, pools: &Pools) -> Result<sqlx::Transaction<'static, sqlx::Any>, StorageError> {
        let pool = if self.is_ahead() { &pools.read } else { &pools.write };
        let mut transaction = pool.begin().await?;
        if self.is_ahead() && !pools.sqlite {
            sqlx::raw_sql(ONE_MOMENT).execute(&mut *transaction).await?;
        }
        Ok(transaction)
    }
}
