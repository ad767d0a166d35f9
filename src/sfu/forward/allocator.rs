//! Who gets the bits of a receiver's link when there are too few: voice is never touched, then every picture gets its
//! smallest form in order of priority, then the first in line grow. Going down is immediate, going up needs headroom.

use std::time::Duration;

use super::{forwarder::EVERY_FRAME, layers::LayerFacts};

/// One form of a publication: a layer, with all or some of its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub layer: usize,
    /// Highest temporal layer sent.
    pub temporal: u8,
    /// Bits per second.
    pub bitrate: u32,
}

/// What one slot would take, and what it gets now.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Lower is served first.
    pub priority: u8,
    /// Smallest first; the last is what the slot's size asks for.
    pub steps: Vec<Step>,
    /// Bits per second of the step that flows.
    pub flowing: u32,
    /// The smallest form is never stopped: a screen that is late is better than none.
    pub is_kept: bool,
    /// Bits per second of what the slot's size asks for.
    pub wanted: u32,
}

/// What the link bears.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bits per second for pictures.
    pub bitrate: u32,
    /// Bits per second that are never exceeded, not even by the estimates' roughness: what is paid for.
    pub hard: u32,
    /// Long enough since the last fall to try more.
    pub may_rise: bool,
}

/// A picture that flows is stopped only when the link is clearly too narrow for its smallest form, since estimates are
/// rough: it may take this share (in hundredths) and so much more.
const GRACE_SHARE: u64 = 110;
const GRACE: u32 = 10_000;
/// No frames are left out by this when fewer than one in this time would be seen: of a screen that changes seldom each counts, and
/// whether the link takes it is told by what waits, not by an estimate.
const SLOWEST: Duration = Duration::from_millis(500);
/// Share of the estimate (in hundredths) that may be filled by going up.
const HEADROOM: u64 = 85;

/// The step of each demand, in their order; `None` stops the picture.
pub fn allocate(budget: Budget, demands: &[Demand]) -> Vec<Option<Step>> {
    let mut order: Vec<usize> = (0..demands.len()).collect();
    order.sort_by_key(|&index| demands[index].priority);
    let mut given = vec![None; demands.len()];
    let mut spent = 0u32;
    for &index in &order {
        let Some(&smallest) = demands[index].steps.first() else { continue };
        let sum = spent.saturating_add(smallest.bitrate);
        let is_kept = demands[index].is_kept && smallest.bitrate <= budget.hard;
        let room = budget.room_for_smallest(demands[index].flowing > 0).min(budget.hard);
        if is_kept || sum <= room {
            given[index] = Some(0);
            spent = sum;
        }
    }
    for &index in &order {
        if let Some(start) = given[index] {
            let reached = grow(&demands[index], start, budget, &mut spent);
            given[index] = Some(reached);
        }
    }
    given.iter().zip(demands).map(|(step, demand)| step.map(|step| demand.steps[step])).collect()
}

impl Budget {
    fn share(self, hundredths: u64) -> u32 {
        (u64::from(self.bitrate) * hundredths / 100) as u32
    }

    fn room_for_smallest(self, flows: bool) -> u32 {
        match (flows, self.may_rise) {
            (true, _) => self.share(GRACE_SHARE).saturating_add(GRACE),
            (false, true) => self.share(HEADROOM).saturating_add(GRACE),
            (false, false) => 0,
        }
    }
}

/// What the link would have to bear, in bits per second, for the first picture that is not there to come, or the first that
/// gets less than it wants to grow by a step; `None` when all have what they want.
pub fn blocked(demands: &[Demand], given: &[Option<Step>]) -> Option<u32> {
    let sum = given.iter().flatten().fold(0, |sum: u32, step| sum.saturating_add(step.bitrate));
    let next = |(demand, given): (&Demand, &Option<Step>)| {
        let place = given.map_or(Some(0), |given| {
            demand.steps.iter().position(|step| *step == given).map(|place| place + 1)
        });
        let next = demand.steps.get(place?)?;
        let more = next.bitrate.saturating_sub(given.map_or(0, |given| given.bitrate));
        Some(((given.is_some(), demand.priority), more))
    };
    let (_, more) = demands.iter().zip(given).filter_map(next).min_by_key(|(turn, _)| *turn)?;
    Some(headroom(sum.saturating_add(more)))
}

/// What a link must bear, in bits per second, so that pictures of so many may grow to it.
pub fn headroom(bitrate: u32) -> u32 {
    u32::try_from(u64::from(bitrate) * 100 / HEADROOM + 1).unwrap_or(u32::MAX)
}

/// Raises one demand as far as the budget goes.
fn grow(demand: &Demand, mut step: usize, budget: Budget, spent: &mut u32) -> usize {
    while let Some(next) = demand.steps.get(step + 1) {
        let sum = (*spent - demand.steps[step].bitrate).saturating_add(next.bitrate);
        let allowed = match next.bitrate <= demand.flowing {
            true => budget.bitrate,
            false if budget.may_rise => budget.share(HEADROOM),
            false => 0,
        };
        if sum > allowed.min(budget.hard) {
            break;
        }
        *spent = sum;
        step += 1;
    }
    step
}

/// The forms of a publication up to `wanted`: its smaller layers; or, of a lone encoding with temporal layers, fewer
/// of its frames.
pub fn steps(layers: &[LayerFacts], wanted: usize, has_temporal_layers: bool) -> Vec<Step> {
    let Some(facts) = layers.get(wanted) else { return Vec::new() };
    if layers.len() == 1 && has_temporal_layers {
        // The base has a frame in four, with the next layer it is one in two.
        let parts = [(4, 0, 5), (2, 1, 7), (1, EVERY_FRAME, 10)];
        let is_smooth = |every: u32| every == 1 || facts.interval * every <= SLOWEST;
        let parts = parts.into_iter().filter(|(every, ..)| is_smooth(*every));
        let part = |(_, temporal, tenths): (u32, u8, u64)| Step {
            layer: wanted,
            temporal,
            bitrate: (u64::from(facts.bitrate) * tenths / 10) as u32,
        };
        return parts.map(part).collect();
    }
    let mut steps: Vec<Step> = layers
        .iter()
        .enumerate()
        .filter(|(_, layer)| layer.alive && layer.size.is_some() && layer.size <= facts.size)
        .map(|(layer, facts)| Step { layer, temporal: EVERY_FRAME, bitrate: facts.bitrate })
        .collect();
    steps.sort_by_key(|step| layers[step.layer].size);
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn demand(priority: u8, bitrates: &[u32], flowing: u32) -> Demand {
        let steps = bitrates.iter().enumerate().map(|(layer, &bitrate)| Step {
            layer,
            temporal: EVERY_FRAME,
            bitrate,
        });
        let wanted = bitrates.last().copied().unwrap_or(0);
        Demand { priority, steps: steps.collect(), flowing, is_kept: false, wanted }
    }

    fn layers(budget: u32, may_rise: bool, demands: &[Demand]) -> Vec<Option<usize>> {
        let given = allocate(Budget { bitrate: budget, hard: u32::MAX, may_rise }, demands);
        given.iter().map(|step| step.map(|step| step.layer)).collect()
    }

    const CAMERA: [u32; 3] = [120_000, 400_000, 1_200_000];

    #[test]
    fn everybody_gets_a_small_picture_before_the_first_grows() {
        let demands = [demand(1, &CAMERA, 0), demand(2, &CAMERA, 0)];
        assert_eq!(layers(10_000_000, true, &demands), [Some(2), Some(2)]);
        assert_eq!(layers(1_000_000, true, &demands), [Some(1), Some(1)]);
        assert_eq!(layers(700_000, true, &demands), [Some(1), Some(0)]);
        assert_eq!(layers(280_000, true, &demands), [Some(0), Some(0)]);
        assert_eq!(layers(140_000, true, &demands), [Some(0), None]);
        assert_eq!(layers(100_000, true, &demands), [None, None]);
    }

    #[test]
    fn a_small_picture_that_flows_is_not_stopped_by_a_rough_estimate() {
        assert_eq!(layers(105_000, false, &[demand(1, &CAMERA, 120_000)]), [Some(0)]);
        assert_eq!(layers(90_000, false, &[demand(1, &CAMERA, 120_000)]), [None]);
        let screen = Demand { is_kept: true, ..demand(0, &[300_000], 0) };
        assert_eq!(layers(50_000, false, &[screen]), [Some(0)], "fewer frames, but a screen");
    }

    #[test]
    fn what_is_blocked_tells_what_it_needs() {
        let demands = [demand(1, &CAMERA, 120_000), demand(2, &CAMERA, 120_000)];
        let needs = |bitrate| {
            let given = allocate(Budget { bitrate, hard: u32::MAX, may_rise: true }, &demands);
            blocked(&demands, &given)
        };
        assert_eq!(needs(300_000), Some(520_000 * 100 / 85 + 1), "the first grows first");
        assert_eq!(needs(130_000), Some(240_000 * 100 / 85 + 1), "the second is not there at all");
        assert_eq!(needs(10_000_000), None);
        let needed = needs(300_000).expect("blocked");
        assert_eq!(layers(needed, true, &demands), [Some(1), Some(0)]);
    }

    #[test]
    fn what_flows_stays_on_a_tight_link_but_nothing_rises_on_it() {
        assert_eq!(layers(420_000, true, &[demand(1, &CAMERA, 400_000)]), [Some(1)]);
        assert_eq!(layers(420_000, true, &[demand(1, &CAMERA, 120_000)]), [Some(0)], "no headroom");
        assert_eq!(layers(900_000, false, &[demand(1, &CAMERA, 120_000)]), [Some(0)], "fell just now");
    }

    #[test]
    fn what_is_paid_for_has_no_grace() {
        let demands = [demand(1, &CAMERA, 400_000)];
        let hard = |hard| {
            let given = allocate(Budget { bitrate: 5_000_000, hard, may_rise: true }, &demands);
            given[0].map(|step| step.layer)
        };
        assert_eq!((hard(399_999), hard(120_000), hard(119_999)), (Some(0), Some(0), None));
    }

    #[test]
    fn a_lone_encoding_loses_frames_before_it_stops() {
        let facts = [screen(Duration::from_millis(125))];
        let temporal: Vec<(u8, u32)> =
            steps(&facts, 0, true).iter().map(|step| (step.temporal, step.bitrate)).collect();
        assert_eq!(temporal, [(0, 500_000), (1, 700_000), (EVERY_FRAME, 1_000_000)]);
        assert_eq!(steps(&facts, 0, false).len(), 1);
    }

    fn screen(interval: Duration) -> LayerFacts {
        LayerFacts { size: Some((1280, 720)), alive: true, bitrate: 1_000_000, interval }
    }

    #[test]
    fn of_a_screen_that_seldom_changes_no_frame_is_left_out_by_an_estimate() {
        let temporal = |interval_ms| -> Vec<u8> {
            let facts = [screen(Duration::from_millis(interval_ms))];
            steps(&facts, 0, true).iter().map(|step| step.temporal).collect()
        };
        assert_eq!(temporal(125), [0, 1, EVERY_FRAME]);
        assert_eq!(temporal(200), [1, EVERY_FRAME]);
        assert_eq!(temporal(251), [EVERY_FRAME]);
    }

    proptest! {
        /// The sum never exceeds the budget by more than the grace.
        #[test]
        fn the_budget_holds(
            budget in 0u32..3_000_000,
            rates in proptest::collection::vec((1u32..2_000_000, 1u32..2_000_000), 0..6),
        ) {
            let demands: Vec<Demand> = rates
                .iter()
                .map(|&(one, two)| demand(1, &[one.min(two), one.max(two)], two))
                .collect();
            let given = allocate(Budget { bitrate: budget, hard: u32::MAX, may_rise: true }, &demands);
            let sum: u64 = given.iter().flatten().map(|step| u64::from(step.bitrate)).sum();
            prop_assert!(sum <= u64::from(budget) * GRACE_SHARE / 100 + u64::from(GRACE));
        }
    }
}
