//! What the lesson costs each of its people in data, and the budgets they set. Kept by person while the room is open: a
//! reload, a new leg or another device goes on with the same account, and on another node too, to which the node before tells it. What
//! a node knew that died the page claims that it was told.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    hub::{
        envelope::Content,
        ports::{DataLeft, DataPlan, MediaOrder},
        render,
        seats::{Seat, SeatId},
    },
    protocol::{ErrorCode, LegKind, ReceiveMode, ServerFrame, UserId, limits, media::Pictures},
    room::roster::Presence,
};

use super::RoomTask;

/// With less than so many bytes a second left, voices come joined too: that is twice what one costs as it is.
const TIGHT: u64 = 12_000;
/// A lesson that runs over its end goes on for at least this, as far as budgets are concerned.
const LEAST_TIME: Duration = Duration::from_secs(300);

/// One person's account.
#[derive(Debug, Default)]
pub(super) struct DataUse {
    /// Bytes of all connections to this node, both directions, headers included, since they were last told to another one.
    counted: u64,
    /// What other nodes had counted.
    arrived: u64,
    /// What other nodes had counted as the page was told, which a node that died tells nobody else.
    claimed: u64,
    budget: Option<u64>,
    /// What the budget leaves, as the SFU says.
    pictures: Pictures,
    /// What was last told, and when; `None`: nothing yet, or it is out of date.
    told: Option<(u64, Instant)>,
}

impl DataUse {
    /// All bytes of the lesson.
    fn used(&self) -> u64 {
        self.counted + self.arrived.max(self.claimed)
    }

    /// A page was told of so many bytes; what was counted here is among them.
    fn claim(&mut self, bytes: u64) {
        self.claimed = self.claimed.max(bytes.saturating_sub(self.counted));
    }

    /// What the next node is to know. A claim is not for us to tell: that of a node which still lives, and told nobody yet, would count twice.
    fn take(&mut self) -> u64 {
        std::mem::take(&mut self.counted) + std::mem::take(&mut self.arrived)
    }

    fn frame(&self) -> ServerFrame {
        ServerFrame::DataUsed { bytes: self.used(), budget: self.budget, pictures: self.pictures }
    }

    /// True when there is something new to tell, and enough of it.
    fn is_due(&self, now: Instant) -> bool {
        self.told.is_none_or(|(bytes, at)| {
            let is_whole = bytes >= limits::DATA_USED_WHOLE;
            let step = if is_whole { limits::DATA_USED_WHOLE_STEP } else { limits::DATA_USED_STEP };
            self.used() >= bytes + step && now >= at + limits::DATA_USED_INTERVAL
        })
    }
}

impl RoomTask {
    pub(super) fn carried(&mut self, user: UserId, bytes: u64) {
        self.data.entry(user).or_default().counted += bytes;
    }

    /// What was used here by people whose line another node holds now is told there: once, and what their legs here still carry after it.
    pub(super) fn send_accounts_after(&mut self) {
        let own = self.own();
        for (user, data) in self.data.iter_mut().filter(|(_, data)| data.counted + data.arrived > 0) {
            let member = self.room.roster.member(*user).filter(|member| member.presence == Presence::Here);
            if member.is_some_and(|member| member.last.incarnation != own) {
                let bytes = data.take();
                data.told = None;
                self.hub.ports.bus.publish(self.lesson, Content::Account { user: *user, bytes });
            }
        }
    }

    /// Another node tells what somebody used there who is here now.
    pub(super) fn account_arrived(&mut self, user: UserId, bytes: u64) {
        if self.seats.of(user).is_some() {
            self.data.entry(user).or_default().arrived += bytes;
            self.order_plan_of(user);
        }
    }

    /// The SFU has counted; budgets shrink by it.
    pub(super) fn legs_carried(&mut self, bytes: Vec<(UserId, u64)>) {
        for (user, bytes) in bytes {
            self.carried(user, bytes);
            self.order_plan_of(user);
        }
    }

    /// What is left of a budget has changed.
    fn order_plan_of(&self, user: UserId) {
        if self.data.get(&user).is_some_and(|data| data.budget.is_some())
            && let Some(id) = self.seats.id_of(user)
        {
            self.order_plan(id);
        }
    }

    pub(super) fn pictures_spared(&mut self, user: UserId, pictures: Pictures) {
        self.untold_account(user).pictures = pictures;
    }

    /// The account of somebody who is told of it at the next tick.
    fn untold_account(&mut self, user: UserId) -> &mut DataUse {
        self.untold = true;
        let data = self.data.entry(user).or_default();
        data.told = None;
        data
    }

    pub(super) fn set_budget(&mut self, id: SeatId, bytes: Option<u64>, used: u64) {
        let Some(seat) = self.seats.get(id) else { return };
        if used > limits::MOST_USED || bytes.is_some_and(|bytes| !limits::BUDGET_BYTES.contains(&bytes)) {
            seat.outbox.send(&ServerFrame::Error { error: ErrorCode::Invalid });
            return;
        }
        let user = seat.user;
        let data = self.untold_account(user);
        data.budget = bytes;
        data.claim(used);
        if bytes.is_none() {
            data.pictures = Pictures::Full;
        }
        self.order_plan(id);
    }

    /// Tells the SFU what this receiver may cost.
    pub(super) fn order_plan(&self, id: SeatId) {
        let Some(seat) = self.seats.get(id).filter(|seat| seat.reception.camera_slots.is_some()) else {
            return;
        };
        let (leg, plan) = (seat.leg(self.lesson, LegKind::Subscriber), self.plan(seat));
        self.hub.ports.media.order(MediaOrder::Spare { leg, plan });
    }

    fn plan(&self, seat: &Seat) -> DataPlan {
        let budget = self.data.get(&seat.user).and_then(|data| Some((data.budget?, data.used())));
        let left = budget.map(|(budget, used)| DataLeft {
            bytes: budget.saturating_sub(used),
            time: self.time_left().max(LEAST_TIME),
        });
        let is_tight = left.is_some_and(|left| left.bytes < TIGHT * left.time.as_secs());
        DataPlan { saver: is_tight || seat.reception.mode == ReceiveMode::Voice, left }
    }

    /// Microphones are encoded with fewer bits while anybody who is here saves data.
    pub(super) fn tell_voice_rate(&mut self) {
        let receives = |seat: &Seat| seat.reception.camera_slots.is_some();
        let saves = self.seats.iter().any(|(_, seat)| receives(seat) && self.plan(seat).saver);
        let bitrate = if saves { limits::SAVER_VOICE_BITRATE } else { limits::VOICE_BITRATE };
        if bitrate != std::mem::replace(&mut self.voice_rate, bitrate) {
            self.broadcast(&render::frame(&ServerFrame::VoiceRate { bitrate }));
        }
    }

    fn time_left(&self) -> Duration {
        Duration::from_millis(self.roll.info.ends_at.saturating_sub(self.hub.ports.clock.now_ms()))
    }

    /// Somebody who just came in is told, of the account at the next occasion.
    pub(super) fn begin_account(&mut self, seat: &Seat) {
        self.untold_account(seat.user);
        seat.outbox.send(&ServerFrame::VoiceRate { bitrate: self.voice_rate });
    }

    /// Takes what the sockets carried, and tells whoever has used noticeably more.
    pub(super) fn tell_data_used(&mut self, now: Instant) {
        self.untold = false;
        for (_, seat) in self.seats.iter() {
            let data = self.data.entry(seat.user).or_default();
            data.counted += seat.outbox.take_carried();
            if data.is_due(now) {
                data.told = Some((data.used(), now));
                seat.outbox.send(&data.frame());
            }
        }
    }
}
