//! What a packet that crosses costs; without the kernel.

use super::*;
use crate::sfu::engine::fanout::tests::{forwarding, thread_cpu};

impl World {
    /// Takes from a node what it has for the other and gives it there at once; CPU time that takes there.
    fn hand_over(&mut self, from: usize) -> Duration {
        let to = 1 - from;
        let datagrams = self.nodes[from].batch.take();
        let before = thread_cpu();
        for (path, bytes) in datagrams.iter().filter(|(path, _)| path.peer == door(to)) {
            let datagram = Datagram { bytes, peer: door(from), local: path.local };
            self.nodes[to].receive(0, datagram, self.now);
        }
        thread_cpu() - before
    }
}

/// Its output is in docs/packet-cost.md.
#[test]
#[ignore = "prints figures, asserts none: cargo test --release --lib relay_costs -- --ignored --nocapture"]
fn relay_costs() {
    const ROUNDS: u32 = 3_000;
    let mut world = World::new(30);
    world.parts = 4;
    world.run(Duration::from_secs(3));
    let before = world.nodes[0].counters.totals().relay_packets_out;
    let (mut sending, mut receiving, mut feedback) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS {
        world.now += PACKET;
        let now = world.now;
        world.take_from_teacher();
        world.sent += 1;
        let began = thread_cpu();
        world.nodes[0].fan_out(now);
        sending += thread_cpu() - began;
        receiving += world.hand_over(0);
        world.nodes[1].fan_out(now);
        for node in 0..2 {
            for leg in world.nodes[node].legs.indices() {
                world.nodes[node].legs.get_mut(leg).expect("stands").transport.ice.hear(now);
            }
            world.nodes[node].tick(now);
        }
        feedback += world.hand_over(0) + world.hand_over(1);
    }
    let packets = world.nodes[0].counters.totals().relay_packets_out - before;
    let each = |spent: Duration| spent.as_nanos() as f64 / packets as f64;
    let (sending, receiving, feedback) = (each(sending), each(receiving), each(feedback));
    let forwarded = forwarding(50);
    println!(
        "{packets} packets: sending {sending:.0}, receiving {receiving:.0}, feedback {feedback:.0} ns of CPU by packet"
    );
    println!(
        "one forwarded to one of 50 subscribers: {forwarded:.0}, ratio {:.2}",
        (sending + receiving + feedback) / forwarded
    );
}
