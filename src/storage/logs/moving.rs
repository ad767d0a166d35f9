//! Lessons move into the databases where they are looked for, after the configuration shared them out anew: in two steps, so that servers
//! are away only for the second.
//!
//! Ahead, while servers run, lessons that are over are copied to where they will be looked for, and marked there as [`copies`]. Then, while
//! none does, what is left follows, and what changed since is copied anew; each lesson there is from then on the one that counts, and that
//! of before is the copy. Copies are deleted at the end, while servers run again.
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
    copies::{self, Begun},
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
    Ahead,
    Final,
}

impl Logs {
    /// The first step; deletes what an earlier transfer left. `others`: databases that are named no more.
    pub async fn copy_ahead(&self, others: &[String]) -> Result<Ahead, StorageError> {
        let (sources, tables) = (self.sources(others, Step::Ahead).await?, described().await?);
        let mut done = Ahead::default();
        for (at, source) in sources.iter().enumerate() {
            self.delete_where(source, &tables, |place| place != at).await?;
            let step = self.go_through(at, source, &tables, Step::Ahead).await?;
            done = Ahead { copied: done.copied + step.copied, left: done.left + step.left };
        }
        Ok(done)
    }

    /// The second step: moves what is not in its place out of these databases, and out of others. Tells how many lessons that were.
    pub async fn put_in_place(&self, others: &[String]) -> Result<(u64, Leftovers), StorageError> {
        let sources = self.sources(others, Step::Final).await?;
        self.expect_all_of_before(&sources).await?;
        let shares = self.shares()?;
        self.schools.begin_moving(sources.iter().filter_map(|source| source.mark())).await?;
        let tables = described().await?;
        let mut moved = 0;
        for (at, source) in sources.iter().enumerate() {
            moved += self.go_through(at, source, &tables, Step::Final).await?.copied;
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
                if step == Step::Ahead && url.starts_with("sqlite:") { Use::Command } else { Use::Alone };
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
            let mut page = source.counting(&last, step == Step::Ahead).await?;
            let Some(((end, _), _)) = page.last() else { return Ok(done) };
            last = end.to_string();
            let places = self.places_of(page.iter().map(|((lesson, _), _)| *lesson)).await?;
            page.retain(|((lesson, _), _)| places[lesson] != at);
            let mut away: BTreeMap<usize, Vec<Begun>> = BTreeMap::new();
            for (begun, is_over) in page {
                match step {
                    Step::Ahead if !is_over => done.left += 1,
                    _ => away.entry(places[&begun.0]).or_default().push(begun),
                }
            }
            step.rest(began.elapsed()).await;
            for (place, lessons) in away {
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
            let mut page = log.copies(&last).await?;
            let Some((end, _)) = page.last() else { return Ok(()) };
            last = end.to_string();
            let places = self.places_of(page.iter().map(|(lesson, _)| *lesson)).await?;
            page.retain(|(lesson, _)| is_meant(places[lesson]));
            if !page.is_empty() {
                log.delete_copies(&page, tables).await?;
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
    /// Those who write into the logs come first.
    async fn rest(self, after: Duration) {
        if self == Self::Ahead {
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
                let page = log.copies("").await?;
                if page.is_empty() {
                    break;
                }
                log.delete_copies(&page, &self.tables).await?;
                deleted += page.len() as u64;
                Step::Ahead.rest(began.elapsed()).await;
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

/// Tells how many lessons were not there yet, or (ahead) not as they are.
async fn carry(
    source: &Log,
    target: &Log,
    lessons: &[Begun],
    tables: &[Table],
    step: Step,
) -> Result<u64, StorageError> {
    let (mut from, mut to) = (step.begin(&source.pools).await?, target.pools.write.begin().await?);
    let (there, here) = (copies::prints(&mut to, lessons).await?, copies::prints(&mut from, lessons).await?);
    let marked = copies::marked(&mut to, lessons).await?;
    let (mut new, mut stale) = (Vec::new(), Vec::new());
    for begun in lessons {
        let lesson = &begun.0;
        match there.get(lesson) {
            None => new.push(*begun),
            copy if copy == here.get(lesson) => {}
            Some(_) if marked.contains(lesson) => stale.push(*begun),
            Some(_) if step == Step::Ahead => {}
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
        Step::Ahead => {
            copies::mark(&mut to, &new).await?;
            to.commit().await?;
            Ok(new.len() as u64)
        }
        Step::Final => {
            copies::unmark(&mut to, lessons).await?;
            to.commit().await?;
            copies::mark(&mut from, lessons).await?;
            from.commit().await?;
            Ok(lessons.len() as u64)
        }
    }
}

impl Step {
    /// Ahead: as it is at one moment. (SQLite shows nothing else.)
    async fn begin(self, pools: &Pools) -> Result<sqlx::Transaction<'static, sqlx::Any>, StorageError> {
        let pool = if self == Self::Ahead { &pools.read } else { &pools.write };
        let mut transaction = pool.begin().await?;
        if self == Self::Ahead && !pools.sqlite {
            sqlx::raw_sql(ONE_MOMENT).execute(&mut *transaction).await?;
        }
        Ok(transaction)
    }
}
