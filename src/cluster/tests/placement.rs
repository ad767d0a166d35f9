//! Placement under changing nodes: who comes, who goes, who fills up.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const CAPACITY: u32 = 1_000;

fn node(n: usize) -> Node {
    let name = format!("node{n}");
    Node { name, draining: false, capacity: CAPACITY, people: 0, promised: 0, busy: 0, seats: None }
}

fn lesson(n: u128) -> Lesson<'static> {
    Lesson { id: LessonId(Uuid::from_u128(n)), expected: 40, home: Home::default(), placed: None }
}

fn any_node() -> impl Strategy<Value = Node> {
    let load = (0_u32..1_100, 0_u32..400, 0_u16..1_000);
    let places = (any::<bool>(), 100_u32..2_000, proptest::option::of(0_u32..50));
    (places, load).prop_map(|((draining, capacity, seats), (people, promised, busy))| Node {
        draining,
        capacity,
        people: people * capacity / CAPACITY,
        promised: promised * capacity / CAPACITY,
        busy,
        seats,
        ..node(0)
    })
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let numbered = |list: Vec<Node>| {
        let named = list.into_iter().enumerate();
        named.map(|(n, one)| Node { name: node(n).name, ..one }).collect()
    };
    proptest::collection::vec(any_node(), 0..8).prop_map(numbered)
}

/// The same nodes, and nothing of the lesson on any.
fn strange(nodes: Vec<Node>) -> Vec<Node> {
    nodes.into_iter().map(|node| Node { seats: None, ..node }).collect()
}

fn names(order: &[&Node]) -> Vec<String> {
    order.iter().map(|node| node.name.clone()).collect()
}

fn first<'n>(lesson: &Lesson<'_>, nodes: &'n [Node]) -> Option<&'n Node> {
    order(lesson, nodes).first().copied()
}

proptest! {
    #[test]
    fn whoever_stays_is_in_the_order_and_nobody_else(nodes in nodes(), n: u128) {
        let order = order(&lesson(n), &nodes);
        prop_assert_eq!(order.len(), nodes.iter().filter(|node| !node.draining).count());
        prop_assert!(order.iter().all(|node| !node.draining));
    }

    #[test]
    fn the_order_in_which_nodes_are_told_does_not_matter(nodes in nodes(), n: u128) {
        let mut turned = nodes.clone();
        turned.reverse();
        prop_assert_eq!(names(&order(&lesson(n), &nodes)), names(&order(&lesson(n), &turned)));
    }

    #[test]
    fn who_goes_takes_only_the_own_lessons_along(nodes in nodes(), n: u128, gone: prop::sample::Index) {
        prop_assume!(!nodes.is_empty());
        let mut left = nodes.clone();
        let gone = left.remove(gone.index(nodes.len())).name;
        let mut before = names(&order(&lesson(n), &nodes));
        before.retain(|name| *name != gone);
        prop_assert_eq!(names(&order(&lesson(n), &left)), before, "the others are in the order they were in");
    }

    #[test]
    fn nobody_goes_to_a_full_node_while_another_has_room(nodes in nodes(), n: u128, placed: prop::sample::Index) {
        let placed = (!nodes.is_empty()).then(|| nodes[placed.index(nodes.len())].name.clone());
        let lesson = Lesson { placed: placed.as_deref(), ..lesson(n) };
        let takes = |node: &Node| room(&lesson, node) > Room::None;
        if nodes.iter().any(|node| !node.draining && takes(node)) {
            let chosen = first(&lesson, &nodes).expect("one has room");
            prop_assert!(takes(chosen) || takes_its_own(chosen), "{chosen:?}");
            prop_assert!(chosen.people < chosen.capacity && chosen.busy < BUSY_FULL);
        }
    }

    #[test]
    fn a_class_goes_where_the_whole_of_it_has_room(nodes in nodes(), n: u128) {
        let (lesson, nodes) = (lesson(n), strange(nodes));
        let fits = |node: &Node| room(&lesson, node) == Room::Class;
        if nodes.iter().any(|node| !node.draining && fits(node)) {
            prop_assert!(first(&lesson, &nodes).is_some_and(fits));
        }
    }

    #[test]
    fn an_open_lesson_stays_where_most_of_its_people_are(nodes in nodes(), n: u128) {
        let usable = |node: &&Node| !node.draining && takes_its_own(node);
        let most = nodes.iter().filter(usable).filter_map(|node| node.seats).max();
        if let Some(most) = most {
            prop_assert_eq!(first(&lesson(n), &nodes).and_then(|node| node.seats), Some(most));
        }
    }

    #[test]
    fn a_lesson_does_not_wander_when_loads_change(
        before in nodes(), loads in proptest::collection::vec((0_u32..1_100, 0_u32..400, 0_u16..1_000), 8), n: u128,
    ) {
        let before = strange(before);
        let Some(chosen) = first(&lesson(n), &before).map(|node| node.name.clone()) else { return Ok(()) };
        let placed = Lesson { placed: Some(&chosen), ..lesson(n) };
        let changed: Vec<Node> = before.iter().zip(loads).map(|(node, (people, promised, busy))| {
            let people = people * node.capacity / CAPACITY;
            Node { people, promised, busy, ..node.clone() }
        }).collect();
        let its_own = changed.iter().find(|node| node.name == chosen).expect("it is still there");
        if takes_its_own(its_own) {
            prop_assert_eq!(&first(&placed, &changed).expect("one stays").name, &chosen);
        }
    }

    #[test]
    fn a_school_stays_at_home_while_its_class_has_room_there(nodes in nodes(), n: u128) {
        let nodes = strange(nodes);
        let own = ["node0".to_owned(), "node2".to_owned()];
        let lesson = Lesson { home: Home::new(&own), ..lesson(n) };
        let has_room = |node: &&Node| {
            !node.draining && lesson.home.is(&node.name) && room(&lesson, node) == Room::Class
        };
        if nodes.iter().any(|node| has_room(&node)) {
            prop_assert!(first(&lesson, &nodes).is_some_and(|node| has_room(&node)));
        }
    }

    #[test]
    fn lessons_that_begin_together_never_overfill_a_node_that_another_could_spare(
        nodes in nodes(), sizes in proptest::collection::vec(1_u32..60, 0..60),
    ) {
        let nodes = strange(nodes);
        let lessons: Vec<Lesson<'_>> =
            sizes.iter().zip(1..).map(|(&expected, n)| Lesson { expected, ..lesson(n) }).collect();
        let mut after = nodes.clone();
        for ((id, name), lesson) in plan(&lessons, &nodes).into_iter().zip(&lessons) {
            prop_assert_eq!(id, lesson.id);
            let fits: Vec<bool> = after.iter().map(|node| !node.draining && room(lesson, node) == Room::Class).collect();
            let at = after.iter().position(|node| node.name == name).expect("one of them");
            prop_assert!(fits[at] || !fits.contains(&true));
            after[at].promised += lesson.expected;
        }
    }
}

/// How many of so many lessons each node gets.
fn shares(nodes: &[Node], count: u128) -> Vec<u32> {
    let mut shares = vec![0; nodes.len()];
    for n in 0..count {
        let chosen = first(&lesson(n), nodes).expect("one of them");
        shares[nodes.iter().position(|node| node == chosen).expect("one of them")] += 1;
    }
    shares
}

#[test]
fn lessons_spread_in_proportion_to_what_is_free() {
    let half_full = Node { people: 500, ..node(2) };
    let half_busy = Node { busy: 500, ..node(3) };
    let twice_as_large = Node { capacity: 2 * CAPACITY, ..node(4) };
    // Weights 2, 1, 1 and 4.
    let shares = shares(&[node(1), half_full, half_busy, twice_as_large], 8_000);
    for (share, expected) in shares.iter().zip([2_000_u32, 1_000, 1_000, 4_000]) {
        // Five standard deviations of a share of 8,000 draws.
        assert!(share.abs_diff(expected) < 230, "{shares:?}");
    }
}

#[test]
fn a_hundred_classes_at_the_bell_do_not_pile_onto_the_node_that_was_idle_before_it() {
    // At 7:59 two nodes are in use, and one has just been started.
    let in_use = |n| Node { people: 1_500, busy: 300, capacity: 4_000, ..node(n) };
    let nodes = [in_use(1), in_use(2), Node { capacity: 4_000, ..node(3) }];
    let lessons: Vec<Lesson<'_>> = (0..100).map(lesson).collect();
    let mut promised = [0_u32; 3];
    for (_, name) in plan(&lessons, &nodes) {
        promised[nodes.iter().position(|node| node.name == name).expect("one of them")] += 40;
    }
    let filled: Vec<u32> =
        nodes.iter().zip(promised).map(|(node, promised)| node.people + promised).collect();
    assert_eq!(promised.iter().sum::<u32>(), 4_000);
    assert!(
        filled.iter().all(|&people| people <= 3_400),
        "nobody above what is open to new lessons: {filled:?}"
    );
    assert!(promised.iter().all(|&promised| promised >= 400), "everybody takes a share: {promised:?}");
}

#[test]
fn who_has_come_is_not_waited_for_and_who_was_not_expected_takes_nobodys_place() {
    assert_eq!(promised([(40, 10), (30, 31), (20, 0)].into_iter()), 50);
}

#[test]
fn a_placed_lesson_whose_people_were_sent_elsewhere_follows_them() {
    let nodes = [node(1), Node { seats: Some(3), ..node(2) }];
    let placed = Lesson { placed: Some("node1"), ..lesson(1) };
    assert_eq!(first(&placed, &nodes).map(|node| node.name.as_str()), Some("node2"));
    let full = [node(1), Node { seats: Some(3), people: 990, ..node(2) }];
    assert_eq!(first(&placed, &full).map(|node| node.name.as_str()), Some("node1"));
}
