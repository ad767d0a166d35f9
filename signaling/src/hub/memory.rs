//! Memory twins of the ports: for tests, here and in other crates.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::protocol::{Chain, Event, LessonId, Logged, Person, Position, UserId};

use super::{
    envelope::Content,
    ports::{
        Admissions, AppendError, Batch, Bus, Clock, Journal, MediaError, MediaOrder, MediaPlane, Roll,
        Unavailable,
    },
};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A journal that forgets with the process. Can be told to be down, or to answer late.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    logs: Mutex<HashMap<LessonId, Vec<Logged>>>,
    down: AtomicBool,
    delay_ms: AtomicU64,
    read_delay_ms: AtomicU64,
    reads: AtomicU64,
    confirmations: AtomicU64,
}

impl MemoryJournal {
    /// From now on every call fails, or works again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// From now on every append takes this long.
    pub fn set_delay_ms(&self, ms: u64) {
        self.delay_ms.store(ms, Ordering::SeqCst);
    }

    /// From now on the answer of every read, as it is at once, is on its way for this long.
    pub fn set_read_delay_ms(&self, ms: u64) {
        self.read_delay_ms.store(ms, Ordering::SeqCst);
    }

    /// A copy of a lesson's log.
    pub fn log(&self, lesson: LessonId) -> Vec<Logged> {
        lock(&self.logs).get(&lesson).cloned().unwrap_or_default()
    }

    /// Replaces a log behind the hub's back: a restored backup.
    pub fn replace(&self, lesson: LessonId, log: Vec<Logged>) {
        lock(&self.logs).insert(lesson, log);
    }

    /// Reads answered so far.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// Heads confirmed so far.
    pub fn confirmations(&self) -> u64 {
        self.confirmations.load(Ordering::SeqCst)
    }

    fn check(&self) -> Result<(), Unavailable> {
        if self.down.load(Ordering::SeqCst) { Err(Unavailable("told to be down".into())) } else { Ok(()) }
    }
}

async fn take_so_long(ms: &AtomicU64) {
    let ms = ms.load(Ordering::SeqCst);
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, batch: Batch) -> Result<(), AppendError> {
        take_so_long(&self.delay_ms).await;
        self.check()?;
        let mut logs = lock(&self.logs);
        let log = logs.entry(batch.lesson).or_default();
        for new in &batch.events {
            let known = log.iter().rev().find(|old| old.sender == new.sender && old.command == new.command);
            if let (Some(old), Some(sender)) = (known, new.sender) {
                return Err(AppendError::Known { sender, command: new.command, number: old.number });
            }
        }
        let head = batch.head;
        let is_there = head.number == 0 || log.last().is_some_and(|last| last.chain == head.chain);
        if log.len() as u64 > head.number {
            let since = log.iter().skip((head.number as usize).saturating_sub(1)).cloned().collect();
            return Err(AppendError::Overtaken { since });
        }
        if (log.len() as u64) < head.number || !is_there {
            return Err(AppendError::Conflict);
        }
        log.extend(batch.events);
        for erase in batch.erase {
            log.iter_mut().for_each(|logged| erase.strike(logged));
        }
        Ok(())
    }

    async fn confirm(&self, lesson: LessonId, head: Position) -> Result<(), AppendError> {
        self.check()?;
        self.confirmations.fetch_add(1, Ordering::SeqCst);
        let is_there = |old: &Logged| (old.number, old.chain) == (head.number, head.chain);
        let found = head.number == 0 || self.log(lesson).iter().any(is_there);
        if found { Ok(()) } else { Err(AppendError::Conflict) }
    }

    async fn read(&self, lesson: LessonId, after: u64, limit: usize) -> Result<Vec<Logged>, Unavailable> {
        self.check()?;
        self.reads.fetch_add(1, Ordering::SeqCst);
        let events = self.log(lesson).into_iter().skip(after as usize).take(limit).collect();
        take_so_long(&self.read_delay_ms).await;
        self.check()?;
        Ok(events)
    }

    async fn heads(&self, lessons: &[LessonId]) -> Result<Vec<(LessonId, Position)>, Unavailable> {
        self.check()?;
        let head = |lesson: &LessonId| {
            let last = self.log(*lesson).pop()?;
            Some((*lesson, Position { number: last.number, chain: last.chain }))
        };
        Ok(lessons.iter().filter_map(head).collect())
    }

    async fn chat(
        &self,
        lesson: LessonId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Logged>, Unavailable> {
        self.check()?;
        let mut lines = self.log(lesson);
        lines.retain(|l| {
            matches!(l.event, Event::Said { .. }) && before.is_none_or(|before| l.number < before)
        });
        Ok(lines.split_off(lines.len().saturating_sub(limit)))
    }

    async fn origin(&self, _: LessonId) -> Result<Chain, Unavailable> {
        self.check()?;
        Ok(Chain(7))
    }
}

/// The bus of a single node: nobody else listens.
#[derive(Debug, Default)]
pub struct NullBus;

impl Bus for NullBus {
    fn publish(&self, _: LessonId, _: Content) {}

    fn listen(&self, _: LessonId, _: bool) {}

    fn is_up(&self) -> bool {
        true
    }
}

/// A school of fixed lists.
#[derive(Debug, Default)]
pub struct MemoryAdmissions {
    rolls: Mutex<HashMap<LessonId, Roll>>,
    visitors: Mutex<HashMap<UserId, Person>>,
    hangs: watch::Sender<bool>,
    notices: Mutex<Vec<(LessonId, Logged, Vec<Logged>)>>,
}

impl MemoryAdmissions {
    pub fn set_roll(&self, roll: Roll) {
        lock(&self.rolls).insert(roll.info.lesson, roll);
    }

    pub fn add_visitor(&self, person: Person) {
        lock(&self.visitors).insert(person.user, person);
    }

    /// From now on nobody is told who a visitor is, until it goes on.
    pub fn set_hanging(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }

    /// What the director was told.
    pub fn notices(&self) -> Vec<(LessonId, Logged, Vec<Logged>)> {
        lock(&self.notices).clone()
    }
}

#[async_trait]
impl Admissions for MemoryAdmissions {
    async fn roll(&self, lesson: LessonId) -> Result<Option<Roll>, Unavailable> {
        Ok(lock(&self.rolls).get(&lesson).cloned())
    }

    async fn person(&self, _: LessonId, user: UserId) -> Result<Option<Person>, Unavailable> {
        // Invariant: the sender is this one's own.
        let _ = self.hangs.subscribe().wait_for(|hangs| !hangs).await;
        Ok(lock(&self.visitors).get(&user).cloned())
    }

    async fn notify_director(&self, lesson: LessonId, cause: Logged, recent: Vec<Logged>) {
        lock(&self.notices).push((lesson, cause, recent));
    }
}

/// A clock that follows tokio's (virtual) time from a fixed start.
#[derive(Debug)]
pub struct ManualClock {
    start_ms: u64,
    origin: tokio::time::Instant,
}

impl ManualClock {
    pub fn starting_at(start_ms: u64) -> Self {
        Self { start_ms, origin: tokio::time::Instant::now() }
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.start_ms + u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A media plane that carries nothing: it answers descriptions and remembers its orders.
#[derive(Debug, Default)]
pub struct RecordingMedia {
    orders: Mutex<Vec<String>>,
}

impl RecordingMedia {
    /// The orders since the last call, one line each.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.orders))
    }
}

impl MediaPlane for RecordingMedia {
    fn order(&self, order: MediaOrder) {
        let line = format!("{order:?}");
        lock(&self.orders).push(line.split(", reply").next().unwrap_or_default().to_owned());
        let sdp = |text: &str| Ok::<_, MediaError>(text.to_owned());
        match order {
            MediaOrder::Publish { reply, .. } => drop(reply.send(sdp("answer"))),
            MediaOrder::Subscribe { reply, .. } | MediaOrder::RestartSubscriber { reply, .. } => {
                drop(reply.send(sdp("offer")));
            }
            MediaOrder::SubscriberAnswer { reply, .. } => drop(reply.send(Ok(()))),
            _ => {}
        }
    }
}
