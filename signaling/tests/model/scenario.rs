//! Who is in the lesson, what they do, what may go wrong, and which flaw is built in.

use qism_signaling::protocol::{ChatMode, Command, Recipients, RemovalReason, Role, SessionId, UserId};
use uuid::Uuid;

/// How often each thing may go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// Envelopes that the bus loses.
    pub losses: u8,
    /// Envelopes that it delivers and keeps.
    pub duplicates: u8,
    /// Sockets that break.
    pub cuts: u8,
    /// Answers of the database that are lost.
    pub lost_outcomes: u8,
    /// Nodes that die with all they know, their append perhaps still on its way, and start again.
    pub crashes: u8,
    /// Asynchronous standbys promoted without the last event.
    pub promotions: u8,
    /// Connections cut while their commit waits for the standby: the primary shows it, the standby may not have it.
    pub cut_waits: u8,
    /// Primaries that die; the standby that commits wait for takes their place, with all that it has.
    pub failovers: u8,
}

/// What could be built wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    AcknowledgedBeforeTheCommit,
    /// The database numbers what comes, whatever it was decided on.
    NumbersAreNoLock,
    /// No unique index on sender and command.
    IdsAreForgotten,
    /// A command is decided again although the log has it.
    KnownLinesAreRefused,
    OldEnvelopesAreFolded,
    /// What is read is told although letters brought it meanwhile.
    AnswersAreToldTwice,
    FormerConnectionsAct,
    /// Histories are compared by number, not by chain.
    HeadsAreNumbersOnly,
    /// A command that the primary knows is acknowledged without a later commit.
    KnownIsSafe,
    /// What was read is answered from without a later commit.
    ReadIsSafe,
}

/// One device of one person.
#[derive(Clone, Debug)]
pub struct Device {
    pub user: UserId,
    pub role: Role,
    pub session: SessionId,
    /// The node it asks first.
    pub home: usize,
    pub commands: Vec<Command>,
}

/// A model to check.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub devices: Vec<Device>,
    pub faults: Faults,
    pub flaw: Option<Flaw>,
    pub opening: Opening,
}

/// How far things are when the exploration begins; faults come after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// So many devices, from the first on, are in the lesson.
    Seated(usize),
    /// And the teacher's commands are done.
    TeacherIsDone,
}

const NODES: usize = 2;

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn device(number: u128, role: Role, home: usize, commands: Vec<Command>) -> Device {
    Device { user: user(number), role, session: SessionId(Uuid::from_u128(100 + number)), home, commands }
}

fn say(text: &str) -> Command {
    Command::Say { text: text.into(), to: Recipients::Everyone }
}

impl Scenario {
    pub const NODES: usize = NODES;

    fn new(devices: Vec<Device>, faults: Faults) -> Self {
        let opening = Opening::Seated(devices.len());
        Self { devices, faults, flaw: None, opening }
    }

    /// The teacher on one node writes two lines, a student on the other one.
    pub fn two_speak(faults: Faults) -> Self {
        let teacher = device(1, Role::Teacher, 0, vec![say("a"), say("b")]);
        let student = device(2, Role::Student, 1, vec![say("c")]);
        Self::new(vec![teacher, student], faults)
    }

    /// A student's line counts against the pace of the slow mode when it is sent a second time, too.
    pub fn slow_mode(faults: Faults) -> Self {
        let slow = Command::SetChat { mode: ChatMode::Open, slow_mode_s: 30 };
        let teacher = device(1, Role::Teacher, 0, vec![slow]);
        let student = device(2, Role::Student, 1, vec![say("c")]);
        Self { opening: Opening::TeacherIsDone, ..Self::new(vec![teacher, student], faults) }
    }

    /// Connections one device may need.
    pub fn tickets(&self) -> u8 {
        let Faults { cuts, crashes, lost_outcomes, promotions, cut_waits, failovers, .. } = self.faults;
        1 + cuts + crashes + lost_outcomes + cut_waits + 2 * (promotions + failovers)
    }

    /// The teacher removes a student who is about to write.
    pub fn removal(faults: Faults) -> Self {
        let remove = Command::Remove {
            user: user(2),
            reason: RemovalReason::Disturbing,
            note: String::new(),
            keep_out: true,
        };
        let teacher = device(1, Role::Teacher, 0, vec![remove]);
        let student = device(2, Role::Student, 1, vec![say("c"), say("d")]);
        Self::new(vec![teacher, student], faults)
    }

    /// A student comes with a second device, on another node, while the first writes.
    pub fn two_devices(faults: Faults) -> Self {
        let first = device(2, Role::Student, 0, vec![say("c")]);
        let second = Device {
            session: SessionId(Uuid::from_u128(300)),
            home: 1,
            commands: vec![say("d")],
            ..first.clone()
        };
        let teacher = device(1, Role::Teacher, 0, vec![]);
        Self { opening: Opening::Seated(2), ..Self::new(vec![teacher, first, second], faults) }
    }

    /// Two lines, and a standby without the last event becomes the database.
    pub fn lost_tail(faults: Faults) -> Self {
        let teacher = device(1, Role::Teacher, 0, vec![say("a")]);
        let student = device(2, Role::Student, 1, vec![say("c")]);
        Self::new(vec![teacher, student], faults)
    }
}
