//! Which engine thread serves which leg. A lesson's publishers, and its first subscribers, are on its home thread; the
//! subscribers of a larger lesson spread over the threads after it, as many as it takes.

use std::collections::{HashMap, HashSet};

use qism_signaling::{
    hub::ports::{Leg, MediaOrder},
    protocol::{LegKind, LessonId, Source, UserId},
};

use super::engine::{inbox::Order, relay};

/// What is to be done for one order of the hub, in this sequence.
#[derive(Debug)]
pub enum Placed {
    /// The two threads have something to tell each other for the first time: lay a bridge.
    Bridge {
        home: usize,
        guest: usize,
    },
    Order {
        thread: usize,
        order: Order,
    },
}

/// Remembers where everything went.
pub struct Placement {
    threads: usize,
    /// Subscribers of one lesson on a thread before another is opened for it.
    share: usize,
    lessons: HashMap<LessonId, Spread>,
    bridged: HashSet<(usize, usize)>,
}

/// One lesson.
#[derive(Default)]
struct Spread {
    /// Its threads, home first, with the number of subscribers on each.
    threads: Vec<(usize, usize)>,
    subscribers: HashMap<Leg, usize>,
    /// Told to each thread that joins: every one has gates of its own.
    permits: HashMap<UserId, Vec<Source>>,
}

impl Placement {
    /// For so many threads, at least 1; a lesson gets one more for each `share` subscribers, at least 1.
    pub fn new(threads: usize, share: usize) -> Self {
        let (threads, share) = (threads.max(1), share.max(1));
        Self { threads, share, lessons: HashMap::new(), bridged: HashSet::new() }
    }

    /// Where an order goes.
    pub fn place(&mut self, order: MediaOrder) -> Vec<Placed> {
        match order {
            MediaOrder::Subscribe { leg, .. } => self.subscribe(leg, order),
            MediaOrder::Permit { lesson, user, sources } => self.permit(lesson, user, sources),
            MediaOrder::Origin { lesson, .. } | MediaOrder::Heard { lesson, .. } => {
                vec![at(self.home(lesson), order)]
            }
            MediaOrder::Close { leg } => {
                let thread = self.thread_of(&leg);
                self.forget(&leg);
                vec![at(thread, order)]
            }
            MediaOrder::CloseLesson { lesson } => {
                let threads = self.threads_of(lesson);
                self.lessons.remove(&lesson);
                let close = |thread| at(thread, MediaOrder::CloseLesson { lesson });
                threads.into_iter().map(close).collect()
            }
            MediaOrder::Publish { leg, .. }
            | MediaOrder::SubscriberAnswer { leg, .. }
            | MediaOrder::RestartSubscriber { leg, .. }
            | MediaOrder::Assign { leg, .. }
            | MediaOrder::Spare { leg, .. } => vec![at(self.thread_of(&leg), order)],
        }
    }

    fn subscribe(&mut self, leg: Leg, order: MediaOrder) -> Vec<Placed> {
        let mut placed = Vec::new();
        let thread = match self.lesson(leg.lesson).subscribers.get(&leg) {
            Some(&standing) => standing,
            None => self.choose(leg, &mut placed),
        };
        placed.push(at(thread, order));
        placed
    }

    /// The thread for a new subscriber: the first with room, else the emptiest.
    fn choose(&mut self, leg: Leg, placed: &mut Vec<Placed>) -> usize {
        let (share, all) = (self.share, self.threads);
        let home = self.home(leg.lesson);
        let spread = self.lesson(leg.lesson);
        let is_full = spread.threads.iter().all(|(_, count)| *count >= share);
        if is_full && spread.threads.len() < all {
            let guest = (home + spread.threads.len()) % all;
            self.open(leg.lesson, guest, placed);
        }
        let spread = self.lesson(leg.lesson);
        let with_room = spread.threads.iter().position(|(_, count)| *count < share);
        let emptiest = || spread.threads.iter().enumerate().min_by_key(|(_, (_, count))| *count);
        let place = with_room.or_else(|| Some(emptiest()?.0)).unwrap_or(0);
        let (thread, count) = &mut spread.threads[place];
        *count += 1;
        let thread = *thread;
        spread.subscribers.insert(leg, thread);
        thread
    }

    /// Another thread takes part in a lesson.
    fn open(&mut self, lesson: LessonId, guest: usize, placed: &mut Vec<Placed>) {
        let home = self.home(lesson);
        if self.bridged.insert((home.min(guest), home.max(guest))) {
            placed.push(Placed::Bridge { home, guest });
        }
        placed.push(Placed::Order { thread: guest, order: Order::Host { lesson, home: home as u8 } });
        let spread = self.lesson(lesson);
        spread.threads.push((guest, 0));
        for (&user, sources) in &spread.permits {
            placed.push(at(guest, MediaOrder::Permit { lesson, user, sources: sources.clone() }));
        }
    }

    fn permit(&mut self, lesson: LessonId, user: UserId, sources: Vec<Source>) -> Vec<Placed> {
        self.lesson(lesson).permits.insert(user, sources.clone());
        let permit = |thread| at(thread, MediaOrder::Permit { lesson, user, sources: sources.clone() });
        self.threads_of(lesson).into_iter().map(permit).collect()
    }

    fn forget(&mut self, leg: &Leg) {
        let Some(spread) = self.lessons.get_mut(&leg.lesson) else { return };
        let Some(thread) = spread.subscribers.remove(leg) else { return };
        if let Some((_, count)) = spread.threads.iter_mut().find(|(it, _)| *it == thread) {
            *count -= 1;
        }
    }

    fn lesson(&mut self, lesson: LessonId) -> &mut Spread {
        let home = self.home(lesson);
        let new = || Spread { threads: vec![(home, 0)], ..Spread::default() };
        self.lessons.entry(lesson).or_insert_with(new)
    }

    fn threads_of(&self, lesson: LessonId) -> Vec<usize> {
        match self.lessons.get(&lesson) {
            Some(spread) => spread.threads.iter().map(|(thread, _)| *thread).collect(),
            None => vec![self.home(lesson)],
        }
    }

    fn thread_of(&self, leg: &Leg) -> usize {
        let subscriber = || self.lessons.get(&leg.lesson)?.subscribers.get(leg).copied();
        match leg.kind {
            LegKind::Publisher => self.home(leg.lesson),
            LegKind::Subscriber => subscriber().unwrap_or_else(|| self.home(leg.lesson)),
        }
    }

    /// Always the same for a lesson, and known to other nodes.
    fn home(&self, lesson: LessonId) -> usize {
        relay::home(lesson, self.threads)
    }
}

fn at(thread: usize, order: MediaOrder) -> Placed {
    Placed::Order { thread, order: Order::Hub(order) }
}

#[cfg(test)]
mod tests {
    use qism_signaling::protocol::SessionId;
    use tokio::sync::oneshot;
    use uuid::Uuid;

    use super::*;

    fn leg(lesson: LessonId, kind: LegKind) -> Leg {
        Leg { lesson, user: UserId(Uuid::new_v4()), session: SessionId(Uuid::new_v4()), kind }
    }

    fn subscribe(placement: &mut Placement, leg: Leg) -> Vec<Placed> {
        placement.place(MediaOrder::Subscribe { leg, cameras: 2, reply: oneshot::channel().0 })
    }

    /// The thread of the last order.
    fn thread(placed: &[Placed]) -> usize {
        match placed.last() {
            Some(Placed::Order { thread, .. }) => *thread,
            other => panic!("{other:?}"),
        }
    }

    fn threads(placed: &[Placed]) -> Vec<usize> {
        placed.iter().map(|one| thread(std::slice::from_ref(one))).collect()
    }

    #[test]
    fn a_small_lesson_stays_whole_and_a_large_one_takes_one_thread_more_per_share() {
        let (mut placement, lesson) = (Placement::new(4, 10), LessonId(Uuid::new_v4()));
        let home = placement.home(lesson);
        let mut on = [0; 4];
        for count in 0..60 {
            let place = thread(&subscribe(&mut placement, leg(lesson, LegKind::Subscriber)));
            on[(place + 4 - home) % 4] += 1;
            if count == 9 {
                assert_eq!(on, [10, 0, 0, 0]);
            }
            if count == 24 {
                assert_eq!(on, [10, 10, 5, 0]);
            }
        }
        assert_eq!(on, [15; 4]);
        let publisher = leg(lesson, LegKind::Publisher);
        let publish = MediaOrder::Publish {
            leg: publisher,
            offer: String::new(),
            tracks: vec![],
            reply: oneshot::channel().0,
        };
        assert_eq!(thread(&placement.place(publish)), home);
    }

    #[test]
    fn a_leg_is_found_where_it_was_put_until_it_is_closed() {
        let (mut placement, lesson) = (Placement::new(2, 1), LessonId(Uuid::new_v4()));
        let (first, second) = (leg(lesson, LegKind::Subscriber), leg(lesson, LegKind::Subscriber));
        let home = thread(&subscribe(&mut placement, first));
        let guest = thread(&subscribe(&mut placement, second));
        assert_eq!(guest, 1 - home);
        assert_eq!(thread(&subscribe(&mut placement, second)), guest, "a page that was loaded again");
        let restart = MediaOrder::RestartSubscriber { leg: second, reply: oneshot::channel().0 };
        assert_eq!(thread(&placement.place(restart)), guest);
        assert_eq!(thread(&placement.place(MediaOrder::Close { leg: first })), home);
        let third = thread(&subscribe(&mut placement, leg(lesson, LegKind::Subscriber)));
        assert_eq!(third, home, "the place that became free");
    }

    #[test]
    fn a_thread_that_joins_learns_home_and_gates_first_and_every_later_one_too() {
        let (mut placement, lesson) = (Placement::new(2, 1), LessonId(Uuid::new_v4()));
        let user = UserId(Uuid::new_v4());
        let permit = |sources: &[Source]| MediaOrder::Permit { lesson, user, sources: sources.to_vec() };
        let home = placement.home(lesson);
        assert_eq!(threads(&placement.place(permit(&[Source::Camera]))), [home]);
        subscribe(&mut placement, leg(lesson, LegKind::Subscriber));
        let placed = subscribe(&mut placement, leg(lesson, LegKind::Subscriber));
        assert!(matches!(placed[0], Placed::Bridge { .. }));
        assert!(matches!(placed[1], Placed::Order { order: Order::Host { .. }, .. }));
        let gate = &placed[2];
        assert!(
            matches!(gate, Placed::Order { thread, order: Order::Hub(MediaOrder::Permit { sources, .. }) }
            if *thread == 1 - home && sources == &[Source::Camera])
        );
        assert_eq!(placed.len(), 4);
        assert_eq!(threads(&placement.place(permit(&[]))), [home, 1 - home]);
        assert_eq!(threads(&placement.place(MediaOrder::CloseLesson { lesson })), [home, 1 - home]);
        assert_eq!(threads(&placement.place(permit(&[]))), [home], "closed and forgotten");
        subscribe(&mut placement, leg(lesson, LegKind::Subscriber));
        let placed = subscribe(&mut placement, leg(lesson, LegKind::Subscriber));
        assert!(!matches!(placed[0], Placed::Bridge { .. }), "the bridge stands");
    }
}
