//! The log of all lessons: in one database, or in several that share out the lessons by their schools' codes.
//!
//! Whoever reads or writes names the lesson; which database that is, is decided here and nowhere else. A lesson belongs to one
//! school for ever, so it is asked once. Each database has its own connections, writers and troubles: one that is away keeps nobody
//! waiting but its own lessons. Connections do not leave this module, and none of the school's gets in. Not here: rules.

mod append;
mod copies;
mod copying;
mod days;
mod erasing;
mod heads;
mod journal;
mod log;
mod meter;
mod moving;
mod packed;
mod packing;
mod row;
mod standby;
mod writer;

use std::{collections::HashMap, sync::Arc, time::Duration};

use dashmap::DashMap;
use futures_util::future::{join_all, try_join_all};
use qism_signaling::protocol::LessonId;

use super::{
    StorageError,
    open::Use,
    shares::{LessonSchools, Shares},
};
use crate::{
    config::{ByCode, Databases},
    telemetry::metrics::Sample,
};

pub use erasing::forget_erased;
use log::Log;
use meter::LogMeter;
pub use moving::{Ahead, Leftovers};
pub use standby::{Shortfall, StandbyRule};

/// Lessons whose database is kept in memory. Full: emptied, and asked again.
const LESSONS_KEPT: usize = 50_000;

/// All databases of the log.
pub struct Logs {
    /// The first one keeps the lessons that no beginning names.
    all: Vec<Arc<Log>>,
    /// Places in `all`.
    by_code: ByCode<usize>,
    schools: LessonSchools,
    /// Places in `all`; never changes for a lesson.
    kept: DashMap<LessonId, usize>,
    meter: Arc<LogMeter>,
}

/// How one database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHealth {
    /// Beginnings of the codes of its schools; none: the schools of no other.
    pub beginnings: Vec<String>,
    pub answers: bool,
    /// Why what it acknowledges could be lost, in one line.
    pub shortfall: Option<String>,
}

/// What is known of the ends of some lessons.
#[derive(Debug, Default)]
pub struct Ends {
    pub ended: Vec<LessonId>,
    /// Their database does not answer.
    pub unknown: Vec<LessonId>,
    /// Why.
    pub problem: Option<StorageError>,
}

/// Which URL keeps whose lessons. The same one at several beginnings is one database.
struct Layout {
    /// With the beginnings of codes.
    urls: Vec<(String, Vec<String>)>,
    by_code: ByCode<usize>,
}

impl Layout {
    fn of(databases: &Databases) -> Self {
        let mut urls = vec![(databases.default_url().to_owned(), Vec::new())];
        let mut by_code = Vec::new();
        for (beginning, url) in databases.by_code() {
            let at = urls.iter().position(|(known, _)| known == url).unwrap_or_else(|| {
                urls.push((url.to_owned(), Vec::new()));
                urls.len() - 1
            });
            urls[at].1.push(beginning.to_owned());
            by_code.push((beginning.to_owned(), at));
        }
        Self { urls, by_code: by_code.into_iter().collect() }
    }
}

impl Logs {
    /// Opens all of them, making or upgrading tables where a server does it, and makes sure that each has the lessons that it should
    /// have. One that is away is opened later ([`watch`](Self::watch)), but for the first.
    pub async fn open(
        databases: &Databases,
        purpose: Use,
        schools: LessonSchools,
    ) -> Result<Self, StorageError> {
        let logs = Self::made(databases, purpose, schools).await?;
        logs.schools.expect(&logs.shares()?, purpose).await?;
        Ok(logs)
    }

    /// Whether each still has the lessons that it should have.
    pub async fn expect_shared_out(&self) -> Result<(), StorageError> {
        self.schools.expect(&self.shares()?, Use::Command).await
    }

    /// The same, whatever lessons each has.
    pub async fn made(
        databases: &Databases,
        purpose: Use,
        schools: LessonSchools,
    ) -> Result<Self, StorageError> {
        let Layout { urls, by_code } = Layout::of(databases);
        let meter = Arc::new(LogMeter::default());
        let open = |(url, beginnings)| Log::open(url, beginnings, purpose, meter.clone());
        let all = try_join_all(urls.into_iter().map(open)).await?;
        let logs = Self { all, by_code, schools, kept: DashMap::new(), meter };
        logs.prepare().await?;
        Ok(logs)
    }

    /// Makes each ready to be used, together.
    async fn prepare(&self) -> Result<(), StorageError> {
        let known = self.schools.shares().await?;
        let prepared = join_all(self.all.iter().map(|log| log.prepare())).await;
        for (log, prepared) in self.all.iter().zip(prepared) {
            let Err(problem) = prepared else { continue };
            let mark = log.beginnings().first().and_then(|beginning| known.get(beginning));
            match mark {
                Some(mark) if log::is_away(&problem) => log.expect_later(mark.clone(), &problem),
                _ => return Err(problem),
            }
        }
        Ok(())
    }

    /// Whose lessons are where. Two addresses of one database would be two logs to us, and are refused.
    fn shares(&self) -> Result<Shares, StorageError> {
        let mut shares = Shares::new();
        for (at, log) in self.all.iter().enumerate() {
            let mark = log.mark().unwrap_or_default();
            let same = self.all[..at].iter().find(|other| other.mark() == Some(mark) && !mark.is_empty());
            if let Some(same) = same {
                return Err(StorageError::OneDatabase { one: same.name(), other: log.name() });
            }
            shares.extend(log.beginnings().iter().map(|beginning| (beginning.clone(), mark.to_owned())));
        }
        Ok(shares)
    }

    fn is_one(&self) -> bool {
        self.all.len() == 1
    }

    /// That of a lesson.
    async fn of(&self, lesson: LessonId) -> Result<&Log, StorageError> {
        let at = match self.known(lesson) {
            Some(at) => at,
            None => self.ask(&[lesson]).await?.first().map_or(0, |(_, at)| *at),
        };
        Ok(&self.all[at])
    }

    /// Lessons by their database, asked for together.
    async fn spread(&self, lessons: &[LessonId]) -> Result<Vec<(&Log, Vec<LessonId>)>, StorageError> {
        let place = |lesson: &LessonId| Some((*lesson, self.known(*lesson)?));
        let mut places: HashMap<LessonId, usize> = lessons.iter().filter_map(place).collect();
        let unknown: Vec<LessonId> =
            lessons.iter().copied().filter(|lesson| !places.contains_key(lesson)).collect();
        if !unknown.is_empty() {
            places.extend(self.ask(&unknown).await?);
        }
        let mut spread: Vec<(&Log, Vec<LessonId>)> =
            self.all.iter().map(|log| (&**log, Vec::new())).collect();
        for lesson in lessons {
            spread[places.get(lesson).copied().unwrap_or(0)].1.push(*lesson);
        }
        spread.retain(|(_, lessons)| !lessons.is_empty());
        Ok(spread)
    }

    /// Where the lessons of the school with this code are.
    fn of_school(&self, code: &str) -> usize {
        self.by_code.of(code).copied().unwrap_or(0)
    }

    /// Without asking.
    fn known(&self, lesson: LessonId) -> Option<usize> {
        if self.is_one() {
            return Some(0);
        }
        self.kept.get(&lesson).map(|at| *at)
    }

    /// Those of no school are absent: a lesson that nobody planned yet.
    async fn ask(&self, lessons: &[LessonId]) -> Result<Vec<(LessonId, usize)>, StorageError> {
        let codes = self.schools.codes(lessons).await?;
        if self.kept.len() + codes.len() > LESSONS_KEPT {
            self.kept.clear();
        }
        let place = |(lesson, code): (LessonId, String)| (lesson, self.of_school(&code));
        let places: Vec<(LessonId, usize)> = codes.into_iter().map(place).collect();
        for (lesson, at) in &places {
            self.kept.insert(*lesson, *at);
        }
        Ok(places)
    }

    /// Which of these lessons have an `ended` event.
    pub async fn ends(&self, lessons: &[LessonId]) -> Result<Ends, StorageError> {
        let spread = self.spread(lessons).await?;
        let asked = spread.iter().map(|(log, lessons)| self.answer(log, log.ended(lessons)));
        let mut ends = Ends::default();
        for (answer, (_, lessons)) in join_all(asked).await.into_iter().zip(&spread) {
            match answer {
                Ok(ended) => ends.ended.extend(ended),
                Err(problem) => {
                    ends.unknown.extend(lessons);
                    ends.problem = Some(problem);
                }
            }
        }
        Ok(ends)
    }

    /// Packs in all of them; what stands in the way of one is told after the others were tried.
    pub async fn pack(&self, now: u64, after: Duration) -> Result<usize, StorageError> {
        let packed = join_all(self.all.iter().map(|log| log.pack(now, after))).await;
        packed.into_iter().try_fold(0, |sum, packed| Ok(sum + packed?))
    }

    /// Refuses those that would lose what they acknowledge.
    pub async fn expect_safe(&self, rule: StandbyRule) -> Result<(), StorageError> {
        let looked = join_all(self.all.iter().map(|log| log.expect_safe(rule))).await;
        looked.into_iter().collect()
    }

    /// Looks every second how each is, and opens those that were away. Until it is aborted.
    pub async fn watch(&self, rule: StandbyRule) {
        join_all(self.all.iter().map(|log| log.watch(rule))).await;
    }

    /// As last looked at; the first one first.
    pub fn health(&self) -> Vec<LogHealth> {
        self.all.iter().map(|log| log.health()).collect()
    }

    /// Old lessons that were to be packed at the last look, or are left since they could not be.
    pub fn packing_due(&self) -> u64 {
        self.all.iter().map(|log| log.count_left()).sum()
    }

    /// Batches of events that a database did not take, since the start.
    pub fn refused_batches(&self) -> u64 {
        self.meter.failures()
    }

    pub fn samples(&self) -> Vec<Sample> {
        let by_place = |value: fn(&Log) -> f64| {
            self.all.iter().enumerate().map(|(at, log)| (at.to_string(), value(log))).collect()
        };
        let mut samples = self.meter.samples();
        samples.push(Sample::gauge(
            "qism_packing_due_lessons",
            "Old lessons that were to be packed at the last look, or are left since they could not be.",
            self.packing_due() as f64,
        ));
        samples.push(Sample::gauges(
            "qism_log_answers",
            "1 while this database of the log answers; 0 is the default one, the others follow as in storage.url.",
            ("database", by_place(|log| f64::from(u8::from(log.health().answers)))),
        ));
        samples.push(Sample::gauges(
            "qism_log_connections",
            "Connections to this database of the log.",
            ("database", by_place(|log| f64::from(log.connections()))),
        ));
        samples
    }

    pub async fn close(&self) {
        join_all(self.all.iter().map(|log| log.close())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_database_at_several_beginnings_is_one() {
        let text = "[storage.url]\ndefault = \"postgres://a/\"\n\"01\" = \"postgres://b/\"\n\"012\" = \"postgres://a/\"\n\"02\" = \"postgres://b/\"\n";
        let databases = crate::config::Config::parse("qism.toml", text).expect("valid").storage.url;
        let Layout { urls, by_code } = Layout::of(&databases);
        let of = |beginnings: &[&str]| beginnings.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            urls,
            [("postgres://a/".into(), of(&["012"])), ("postgres://b/".into(), of(&["01", "02"]))]
        );
        assert_eq!(
            ["01X", "012X", "02X", "9"].map(|code| by_code.of(code).copied()),
            [Some(1), Some(0), Some(1), None]
        );
    }
}
