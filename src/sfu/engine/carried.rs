//! What legs cost their people: counted all the time, told to the hub now and then, charged to budgets at once.

use std::{collections::HashMap, time::Instant};

use qism_signaling::{
    hub::ports::{DataPlan, Leg, MediaEvent},
    protocol::{LessonId, UserId, media::Pictures},
};

use super::{
    legs::{LegState, Role},
    room::LegIndex,
    worker::Worker,
};
use crate::sfu::forward::budget::DataBudget;

impl Worker {
    /// Charges what a leg carried lately to its budget, where there is one.
    pub(super) fn charge_budget(&mut self, index: LegIndex, now: Instant) {
        if let Some(state) = self.legs.get_mut(index)
            && matches!(&state.role, Role::Subscriber(downlink) if downlink.budget.is_some())
        {
            count_carried(state, now);
        }
    }

    /// Tells the hub, one event a lesson.
    pub(super) fn tell_carried(&mut self, now: Instant) {
        let mut lessons: HashMap<LessonId, Vec<(UserId, u64)>> = HashMap::new();
        for index in self.legs.places() {
            let Some(state) = self.legs.get_mut(index) else { continue };
            count_carried(state, now);
            let (name, bytes) = (state.name, std::mem::take(&mut state.carried));
            if bytes > 0 {
                lessons.entry(name.lesson).or_default().push((name.user, bytes));
            }
        }
        for (lesson, bytes) in lessons {
            self.tell(MediaEvent::Carried { lesson, bytes });
        }
    }

    /// The last account of a leg that ends.
    pub(super) fn tell_last_carried(&mut self, state: &mut LegState) {
        let bytes = state.carried + state.transport.take_carried();
        if bytes > 0 {
            let Leg { lesson, user, .. } = state.name;
            self.tell(MediaEvent::Carried { lesson, bytes: vec![(user, bytes)] });
        }
    }

    /// What a subscriber may cost from now on.
    pub(super) fn spare(&mut self, leg: Leg, plan: DataPlan, now: Instant) {
        let Some(index) = self.legs.find(&leg) else { return };
        let Some(LegState { role: Role::Subscriber(downlink), .. }) = self.legs.get_mut(index) else {
            return;
        };
        match (plan.left, &mut downlink.budget) {
            (Some(left), Some(budget)) => budget.set(left.bytes, left.time, plan.saver, now),
            (Some(left), none) => *none = Some(DataBudget::new(left.bytes, left.time, plan.saver, now)),
            (None, budget) => *budget = None,
        }
        // Nothing is sent only to measure the link of who pays for every byte.
        downlink.may_probe = !plan.saver && plan.left.is_none();
        let was_saver = std::mem::replace(&mut downlink.saver, plan.saver);
        self.share_link(index, now);
        if was_saver != plan.saver {
            let tracks = self.rooms.get(&leg.lesson).map_or(0, |room| room.tracks.len());
            (0..tracks).for_each(|track| self.choose_layers(leg.lesson, track, now));
        }
    }

    /// Sends joined voices whose last frames wait for no more.
    pub(super) fn send_joined(&mut self, now: Instant) {
        let mut lessons = Vec::new();
        for room in self.rooms.values_mut() {
            let mut due = 0;
            for track in &mut room.tracks {
                due += usize::from(track.joined.poll(now));
                self.timers.expects(track.joined.is_waiting());
            }
            if due > 0 {
                lessons.push(room.lesson);
            }
        }
        if !lessons.is_empty() {
            self.touched.extend(lessons);
            self.fan_out(now);
        }
    }

    /// Tells how much of its pictures a subscriber's budget leaves, when that changed.
    pub(super) fn tell_spared(&mut self, leg: Leg, spared: Option<Pictures>) {
        if let Some(pictures) = spared {
            self.tell(MediaEvent::PicturesSpared { leg, pictures });
        }
    }
}

/// Counts what a leg carried since the last time.
fn count_carried(state: &mut LegState, now: Instant) {
    let fresh = state.transport.take_carried();
    state.carried += fresh;
    if let Role::Subscriber(downlink) = &mut state.role
        && let Some(budget) = &mut downlink.budget
    {
        budget.spent(fresh, downlink.voice.bitrate(now), now);
    }
}
