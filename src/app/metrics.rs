//! What a running server tells Prometheus.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use qism_signaling::{
    hub::{Hub, ports::Bus as _},
    protocol::IncarnationId,
};

use super::condition;
use crate::{
    cluster::{Board, RedisBus, Steering},
    http::connections::Connections,
    sfu::{LinkNow, Sfu, Tally},
    storage::Store,
    telemetry::{
        metrics::{Sample, Value, page},
        process,
    },
};

/// Where the numbers are.
pub struct Sources {
    pub connections: Arc<Connections>,
    pub hub: Arc<Hub>,
    pub sfu: Arc<Sfu>,
    pub board: Arc<Board>,
    pub bus: Option<Arc<RedisBus>>,
    pub steering: Option<Arc<Steering>>,
    pub own: IncarnationId,
    pub store: Store,
}

impl Sources {
    pub fn page(&self) -> String {
        let mut samples = self.lessons();
        samples.extend(self.media());
        samples.extend(self.relays());
        samples.extend(self.links());
        samples.extend(self.bus());
        samples.extend(self.placement());
        samples.extend(self.store.log_samples());
        samples.extend(process::samples());
        page(&samples)
    }

    fn lessons(&self) -> Vec<Sample> {
        let lessons = self.hub.open_lessons();
        let students: u32 = lessons.iter().map(|lesson| lesson.students_present).sum();
        let age = self.board.age().map_or(f64::INFINITY, |age| age.as_secs_f64());
        vec![
            Sample::gauge(
                "qism_connections",
                "Open HTTP and WebSocket connections.",
                self.connections.open() as f64,
            ),
            Sample::gauge("qism_lessons", "Lessons open on this server.", lessons.len() as f64),
            Sample::gauge("qism_students", "Students present in them, on any server.", students.into()),
            Sample::gauge(
                "qism_nodes",
                "Servers that beat, this one among them.",
                self.board.alive().len() as f64,
            ),
            Sample::gauge(
                "qism_waiting_connections",
                "WebSocket connections that something waits for, since their readers are slow.",
                self.hub.waiting_connections().into(),
            ),
            Sample::gauge("qism_beat_age_seconds", "Time since the last beat that the database took.", age),
            Sample::counter(
                "qism_unknown_events_total",
                "Events of newer servers that this version skipped.",
                self.hub.unknown_events() as f64,
            ),
        ]
    }

    fn media(&self) -> Vec<Sample> {
        let totals = self.sfu.counters();
        let counters = Sample::counters([
            ("qism_media_received_packets_total", "Datagrams received.", totals.packets_in),
            ("qism_media_sent_packets_total", "Datagrams sent.", totals.packets_out),
            ("qism_media_sent_bytes_total", "Bytes sent, without IP and UDP headers.", totals.bytes_out),
            (
                "qism_media_refused_packets_total",
                "Datagrams the kernel did not take.",
                totals.packets_refused,
            ),
            ("qism_media_stranger_packets_total", "Datagrams that failed authentication.", totals.strangers),
            (
                "qism_media_unpermitted_packets_total",
                "Packets of sources that may not be published.",
                totals.packets_unpermitted,
            ),
            ("qism_media_repeated_packets_total", "Packets sent again.", totals.retransmissions),
            ("qism_media_opened_legs_total", "WebRTC connections made.", totals.legs_opened),
            ("qism_media_closed_legs_total", "WebRTC connections ended.", totals.legs_closed),
        ]);
        counters.into()
    }

    /// Media between servers; nothing of it on one that is alone.
    fn relays(&self) -> Vec<Sample> {
        if self.bus.is_none() {
            return Vec::new();
        }
        let totals = self.sfu.counters();
        let open = totals.relays_opened.saturating_sub(totals.relays_closed);
        let told = "Relays to media threads of other servers that are open.";
        let mut samples = vec![Sample::gauge("qism_relays", told, open as f64)];
        samples.extend(Sample::counters([
            ("qism_relay_opened_total", "Relays opened.", totals.relays_opened),
            ("qism_relay_failures_total", "Handshakes of relays that failed.", totals.relay_failures),
            (
                "qism_relay_sent_bytes_total",
                "Bytes sent to other servers, without IP and UDP headers.",
                totals.relay_bytes_out,
            ),
            (
                "qism_relay_received_bytes_total",
                "Bytes of other servers, without IP and UDP headers.",
                totals.relay_bytes_in,
            ),
            (
                "qism_relay_sent_packets_total",
                "Media packets sent to other servers.",
                totals.relay_packets_out,
            ),
            (
                "qism_relay_left_out_packets_total",
                "Packets of pictures not sent to other servers since the link had no room.",
                totals.relay_packets_left_out,
            ),
            ("qism_relay_received_packets_total", "Media packets of other servers.", totals.relay_packets_in),
            (
                "qism_relay_repeated_packets_total",
                "Media packets sent to other servers again.",
                totals.relay_packets_repeated,
            ),
        ]));
        samples
    }

    /// Each link to another server, as this end sees it; nothing of it while there is none.
    fn links(&self) -> Vec<Sample> {
        let links = condition::named_links(&self.sfu, &self.board);
        if links.is_empty() {
            return Vec::new();
        }
        let all = |number: &dyn Fn(&LinkNow) -> Option<f64>| {
            links.iter().filter_map(|(name, link)| Some((name.clone(), number(link)?))).collect()
        };
        let counter = |name, help, count: fn(&Tally) -> u64| Sample {
            name,
            help,
            value: Value::Counters("peer", all(&|link| Some(count(&link.tally) as f64))),
        };
        let gauge = |name, help, number: fn(&LinkNow) -> Option<f64>| Sample {
            name,
            help,
            value: Value::Gauges("peer", all(&number)),
        };
        vec![
            gauge("qism_link_up", "1 while the other server is heard over all relays to it.", |link| {
                Some(f64::from(u8::from(link.is_live)))
            }),
            counter("qism_link_sent_bytes_total", "Bytes sent, without IP and UDP headers.", |it| {
                it.bytes_out
            }),
            counter("qism_link_received_bytes_total", "Bytes received, without IP and UDP headers.", |it| {
                it.bytes_in
            }),
            counter(
                "qism_link_told_packets_total",
                "Packets of which the other server told whether they arrived.",
                |it| it.told,
            ),
            counter("qism_link_lost_packets_total", "Of them, those that did not.", |it| it.lost),
            counter(
                "qism_link_left_out_packets_total",
                "Packets of pictures not sent since the link had no room.",
                |it| it.left_out,
            ),
            gauge(
                "qism_link_estimate_bytes_per_second",
                "Bytes a second that the link is said to bear.",
                |link| Some(f64::from(link.estimate?) / 8.0),
            ),
            gauge("qism_link_round_trip_seconds", "To the other server and back.", |link| {
                Some(link.round_trip?.as_secs_f64())
            }),
        ]
    }

    /// Where lessons were sent; nothing of it on a server that is alone.
    fn placement(&self) -> Vec<Sample> {
        let Some(placed) = self.steering.as_ref().map(|steering| steering.placed()) else {
            return Vec::new();
        };
        let own = self.board.alive().into_iter().find(|node| node.incarnation == self.own);
        let load = own.map(|node| node.load).unwrap_or_default();
        let mut samples = vec![
            Sample::gauge(
                "qism_node_capacity",
                "Connections that this server may have.",
                load.capacity.into(),
            ),
            Sample::gauge(
                "qism_node_promised",
                "Connections kept free for lessons placed here whose people are not there yet.",
                load.promised.into(),
            ),
            Sample::gauge(
                "qism_node_busy_ratio",
                "Share of its processors' time that this server has used of late.",
                f64::from(load.busy) / 1_000.0,
            ),
        ];
        samples.extend(Sample::counters([
            (
                "qism_placement_ahead_lessons_total",
                "Lessons placed before they began, for all servers.",
                read(&placed.ahead),
            ),
            (
                "qism_placement_ticket_lessons_total",
                "Lessons placed by their first ticket.",
                read(&placed.at_ticket),
            ),
            (
                "qism_placement_moved_lessons_total",
                "Lessons moved from a server that is gone.",
                read(&placed.moved),
            ),
            (
                "qism_placement_spilled_tickets_total",
                "Tickets to another server than the lesson's, where there was no room.",
                read(&placed.spilled),
            ),
        ]));
        samples
    }

    fn bus(&self) -> Vec<Sample> {
        let Some(bus) = &self.bus else { return Vec::new() };
        let counters = bus.counters();
        let up = f64::from(u8::from(bus.is_up()));
        let mut samples = vec![Sample::gauge("qism_bus_up", "1 while the bus carries.", up)];
        samples.extend(Sample::counters([
            ("qism_bus_connections_total", "Connections to Redis made.", read(&counters.connected)),
            ("qism_bus_published_letters_total", "Letters published.", read(&counters.published)),
            ("qism_bus_received_letters_total", "Letters of other servers.", read(&counters.received)),
            (
                "qism_bus_forged_letters_total",
                "Letters not sealed by our key, or sent again.",
                read(&counters.forged),
            ),
            (
                "qism_bus_unreadable_letters_total",
                "Letters sealed by our key and not understood.",
                read(&counters.unreadable),
            ),
            (
                "qism_bus_dropped_letters_total",
                "Letters dropped by full queues, or while the bus was away.",
                read(&counters.dropped),
            ),
        ]));
        samples
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
