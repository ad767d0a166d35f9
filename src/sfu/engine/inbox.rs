//! Orders on their way to an engine thread.

use std::{
    collections::VecDeque,
    io,
    os::fd::RawFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use qism_signaling::{
    hub::ports::{MediaError, MediaOrder},
    protocol::LessonId,
};

use super::{
    bridge::Bridge,
    net::{streams::StreamEvent, wake::Wake},
    relay::Neighbor,
};

/// Orders waiting for one thread. A full inbox refuses what asks for a new leg (the client is told to come later);
/// what takes a right away or closes is always taken, since there is at most one such order per person and slot.
const ORDERS: usize = 4_096;

/// Frames from connections waiting for one thread.
const FRAMES: usize = 8_192;

/// What a thread is told to do.
#[derive(Debug)]
pub enum Order {
    Hub(MediaOrder),
    /// The way to another thread.
    Bridge {
        to: u8,
        bridge: Bridge,
    },
    /// This thread takes part in a lesson whose home is another.
    Host {
        lesson: LessonId,
        home: u8,
    },
    /// The nodes that live beside this one.
    Meet(Arc<[Neighbor]>),
}

/// Filled by the hub, emptied by the thread.
pub struct Inbox {
    orders: Mutex<VecDeque<Order>>,
    streams: Mutex<VecDeque<StreamEvent>>,
    stopped: AtomicBool,
    /// The thread was woken and has not looked yet: no system call for what comes meanwhile.
    is_ringing: AtomicBool,
    wake: Wake,
}

impl Inbox {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            orders: Mutex::default(),
            streams: Mutex::default(),
            stopped: AtomicBool::new(false),
            is_ringing: AtomicBool::new(false),
            wake: Wake::new()?,
        })
    }

    /// Hands over an order; never blocks on the network.
    pub fn push(&self, order: Order) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        match orders.len() < ORDERS {
            true => orders.push_back(order),
            false => orders.extend(refuse(order)),
        }
        drop(orders);
        self.ring();
    }

    /// Wakes the thread, once until it looks.
    pub fn ring(&self) {
        if !self.is_ringing.swap(true, Ordering::AcqRel) {
            self.wake.wake();
        }
    }

    /// Before the thread looks at what is here, when [`Self::fd`] is readable: whoever comes later rings again.
    pub fn answer(&self) {
        self.wake.reset();
        self.is_ringing.swap(false, Ordering::AcqRel);
    }

    /// Takes everything.
    pub fn drain(&self) -> VecDeque<Order> {
        std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hands over what came on a connection; beyond the bound it is lost like a datagram, but not the end of one.
    pub fn tell(&self, event: StreamEvent) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() < FRAMES || matches!(event, StreamEvent::Closed { .. }) {
            streams.push_back(event);
        }
        drop(streams);
        self.ring();
    }

    /// Takes everything that came on connections.
    pub fn drain_streams(&self) -> VecDeque<StreamEvent> {
        std::mem::take(&mut *self.streams.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.ring();
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    pub fn fd(&self) -> RawFd {
        self.wake.fd()
    }
}

/// Refuses what makes legs; gives back what must not be lost.
fn refuse(order: Order) -> Option<Order> {
    match order {
        Order::Hub(
            MediaOrder::Publish { reply, .. }
            | MediaOrder::Subscribe { reply, .. }
            | MediaOrder::RestartSubscriber { reply, .. },
        ) => {
            let _ = reply.send(Err(MediaError::Full));
            None
        }
        Order::Hub(MediaOrder::SubscriberAnswer { reply, .. }) => {
            let _ = reply.send(Err(MediaError::Full));
            None
        }
        kept => Some(kept),
    }
}
