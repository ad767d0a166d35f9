//! The engine threads of one node, in virtual time: the publishers are on the first, subscribers on any.

use super::*;
use crate::sfu::engine::{bridge::Bridge, inbox::Inbox, leg::Path};

pub struct Threads {
    pub workers: Vec<Worker>,
    pub events: mpsc::Receiver<MediaEvent>,
}

impl Threads {
    /// So many, of which each but the first is a guest in the lesson.
    pub fn new(identity: &Arc<Identity>, count: u8, lesson: LessonId, now: Instant) -> Self {
        let (sender, events) = mpsc::channel(1_024);
        let mut workers: Vec<Worker> = (0..count)
            .map(|number| {
                let (identity, sender) = (identity.clone(), sender.clone());
                let counters = Arc::default();
                let mut worker =
                    Worker::new(identity, number, Vec::new(), Candidates::default(), sender, counters);
                // There is no socket that a full batch could go to.
                worker.batch = Batch::kept();
                worker
            })
            .collect();
        let inboxes: Vec<Arc<Inbox>> =
            (0..count).map(|_| Arc::new(Inbox::new().expect("an eventfd"))).collect();
        for guest in 1..count {
            let place = usize::from(guest);
            let (here, there) = Bridge::pair(inboxes[0].clone(), inboxes[place].clone());
            workers[0].obey(Order::Bridge { to: guest, bridge: here }, now);
            workers[place].obey(Order::Bridge { to: 0, bridge: there }, now);
            workers[place].obey(Order::Host { lesson, home: 0 }, now);
        }
        Self { workers, events }
    }

    pub fn home(&mut self) -> &mut Worker {
        &mut self.workers[0]
    }

    /// The thread of the subscriber.
    pub fn last(&mut self) -> &mut Worker {
        self.workers.last_mut().expect("one at least")
    }

    /// Opens the gate on every thread.
    pub fn permit(&mut self, lesson: LessonId, user: UserId, sources: &[Source], now: Instant) {
        for worker in &mut self.workers {
            let sources = sources.to_vec();
            worker.obey(Order::Hub(MediaOrder::Permit { lesson, user, sources }), now);
        }
    }

    /// Each passes on what came.
    pub fn fan_out(&mut self, now: Instant) {
        for worker in &mut self.workers {
            worker.receive_crossings(now);
            worker.fan_out(now);
        }
    }

    pub fn tick(&mut self, now: Instant) {
        self.workers.iter_mut().for_each(|worker| worker.tick(now));
    }

    /// What all of them want sent.
    pub fn take(&mut self) -> Vec<(Path, Vec<u8>)> {
        self.workers.iter_mut().flat_map(|worker| worker.batch.take()).collect()
    }
}
