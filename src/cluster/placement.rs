//! Which node a lesson's people are sent to. Pure: the same answer on every node that sees the same.
//!
//! A lesson that is open somewhere stays there while there is room; a new one goes where rendezvous hashing says, weighted by
//! what is free. When a node comes or goes, only its own share of the lessons moves.

use qism_signaling::protocol::LessonId;
use sha2::{Digest as _, Sha256};

/// Per mille of its connections above which a node is full.
const FULL: u16 = 900;
/// What is free counts in steps of so much: two nodes that read the load at different moments still agree.
const STEP: u16 = 250;

/// A node that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub name: String,
    pub draining: bool,
    /// Per mille of its connections.
    pub load: u16,
    /// People of this lesson on it; `None`: the lesson is not open there.
    pub people: Option<u32>,
}

/// The node for a lesson; none when there are no nodes.
pub fn place(lesson: LessonId, nodes: &[Candidate]) -> Option<&Candidate> {
    let staying = nodes.iter().filter(|node| !node.draining);
    let free: Vec<&Candidate> = staying.clone().filter(|node| node.load < FULL).collect();
    let choice = if free.is_empty() { staying.collect() } else { free };
    let open = choice.iter().filter(|node| node.people.is_some());
    let open =
        open.max_by(|a, b| a.people.cmp(&b.people).then(score(lesson, a).total_cmp(&score(lesson, b))));
    let any = || choice.iter().max_by(|a, b| score(lesson, a).total_cmp(&score(lesson, b)));
    open.or_else(any).copied()
}

/// Weighted rendezvous hashing: -w / ln(u) is largest for a node with probability in proportion to its w.
fn score(lesson: LessonId, node: &Candidate) -> f64 {
    let hash = Sha256::new().chain_update(node.name.as_bytes()).chain_update(lesson.0.as_bytes()).finalize();
    let bits = u64::from_be_bytes(std::array::from_fn(|at| hash[at]));
    // 53 bits: in (0, 1), never 0 or 1.
    let unit = ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -f64::from(weight(node)) / unit.ln()
}

fn weight(node: &Candidate) -> u16 {
    1_000_u16.saturating_sub(node.load) / STEP + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn node(n: usize) -> Candidate {
        Candidate { name: format!("node{n}"), draining: false, load: 0, people: None }
    }

    fn lesson(n: u128) -> LessonId {
        LessonId(Uuid::from_u128(n))
    }

    fn nodes() -> impl Strategy<Value = Vec<Candidate>> {
        let node = (any::<bool>(), 0_u16..1_100, proptest::option::of(0_u32..50));
        proptest::collection::vec(node, 0..8).prop_map(|list| {
            let numbered = list.into_iter().enumerate();
            let named = numbered.map(|(n, (draining, load, people))| Candidate {
                draining,
                load,
                people,
                ..node_named(n)
            });
            named.collect()
        })
    }

    fn node_named(n: usize) -> Candidate {
        node(n)
    }

    proptest! {
        #[test]
        fn somebody_is_chosen_unless_all_are_going(nodes in nodes(), n: u128) {
            let chosen = place(lesson(n), &nodes);
            prop_assert_eq!(chosen.is_some(), nodes.iter().any(|node| !node.draining));
            prop_assert!(chosen.is_none_or(|node| !node.draining));
        }

        #[test]
        fn a_full_node_is_chosen_only_when_all_are(nodes in nodes(), n: u128) {
            let free = nodes.iter().any(|node| !node.draining && node.load < FULL);
            let chosen = place(lesson(n), &nodes);
            prop_assert!(!free || chosen.is_some_and(|node| node.load < FULL));
        }

        #[test]
        fn the_order_in_which_nodes_are_told_does_not_matter(nodes in nodes(), n: u128) {
            let mut turned = nodes.clone();
            turned.reverse();
            prop_assert_eq!(place(lesson(n), &nodes), place(lesson(n), &turned));
        }

        #[test]
        fn an_open_lesson_stays_where_most_of_its_people_are(nodes in nodes(), n: u128) {
            let usable = |node: &&Candidate| !node.draining && node.load < FULL;
            let most = nodes.iter().filter(usable).filter_map(|node| node.people).max();
            if let (Some(most), Some(chosen)) = (most, place(lesson(n), &nodes)) {
                prop_assert_eq!(chosen.people, Some(most));
            }
        }

        #[test]
        fn who_goes_takes_only_the_own_lessons_along(nodes in nodes(), n: u128, gone: prop::sample::Index) {
            prop_assume!(nodes.len() > 1);
            let gone = gone.index(nodes.len());
            let chosen = place(lesson(n), &nodes).cloned();
            let mut left = nodes.clone();
            let lost = left.remove(gone);
            if chosen.as_ref() != Some(&lost) {
                prop_assert_eq!(place(lesson(n), &left).cloned(), chosen);
            }
        }
    }

    #[test]
    fn lessons_spread_in_proportion_to_what_is_free() {
        let nodes = [node(1), node(2), Candidate { load: 700, ..node(3) }];
        let mut shares = [0_u32; 3];
        for n in 0..6_000 {
            let chosen = place(lesson(n), &nodes).expect("one of three");
            shares[nodes.iter().position(|node| node == chosen).expect("one of them")] += 1;
        }
        // Weights 5, 5 and 2.
        assert!(shares[0].abs_diff(2_500) < 250 && shares[1].abs_diff(2_500) < 250, "{shares:?}");
        assert!(shares[2].abs_diff(1_000) < 200, "{shares:?}");
    }
}
