//! Every limit of the wire, named. Each has a test that hits it.

use std::time::Duration;

/// Largest WebSocket message from a client. SDP offers of four tracks are about 6 KiB.
pub const CLIENT_MESSAGE_BYTES: usize = 16 * 1024;
/// Sustained frames per second from one connection.
pub const FRAMES_PER_SECOND: u32 = 20;
/// Frames that may come at once.
pub const FRAME_BURST: u32 = 40;
/// Chat lines per second from one person.
pub const CHAT_LINES_PER_SECOND: u32 = 5;
/// Characters (not bytes) of one chat line.
pub const CHAT_TEXT_CHARS: usize = 1_000;
/// Characters of a report or of a removal's note.
pub const NOTE_CHARS: usize = 500;
/// Longest slow mode: one line per five minutes.
pub const SLOW_MODE_MAX_S: u16 = 300;
/// Bytes waiting for one reader before it is closed with `SlowReader`.
pub const OUTBOX_BYTES: usize = 256 * 1024;
/// Time between two writes to everybody in a busy lesson: so much per connection, and never more than the second.
pub const FAN_OUT_GAP_PER_SEAT: Duration = Duration::from_micros(25);
pub const FAN_OUT_GAP: Duration = Duration::from_millis(50);
/// Largest page of pulled history, and of the people of a large lesson.
pub const PAGE_BYTES: usize = 64 * 1024;
/// People and participants of one frame. Beside 500 raised hands, a first frame stays below [`PAGE_BYTES`] with as many.
pub const ROSTER_BYTES: usize = 40 * 1024;
/// Bytes of missed events that are sent one by one on resume; with more the client is reset. [`RESUME_EVENTS`] of the usual length
/// fit in, and beside them the names of a welcome and what comes meanwhile into [`OUTBOX_BYTES`].
pub const RESUME_BYTES: usize = 176 * 1024;
/// Lines of one chat page.
pub const CHAT_PAGE_LINES: usize = 50;
/// Missing events sent one by one on resume; with more the client is reset.
pub const RESUME_EVENTS: usize = 500;
/// Up to this many people everybody gets the whole roster; above, students get counts.
pub const FULL_ROSTER_PEOPLE: usize = 100;
/// Raised hands kept in the queue.
pub const HANDS: usize = 500;
/// Students who may hold the floor at once.
pub const FLOOR_HOLDERS: usize = 10;
/// Cameras on screen that one receiver may ask for.
pub const WANTED_VIDEOS: usize = 6;
/// What a budget may be: less than the voice of a few minutes, or more than any lesson costs, is a mistake.
pub const BUDGET_BYTES: std::ops::RangeInclusive<u64> = 1_000_000..=10_000_000_000;
/// More than a page can have been told that one lesson cost it: 2 Gbit/s for an hour.
pub const MOST_USED: u64 = 1_000_000_000_000;
/// Bits per second of a microphone: of good speech, and of plain speech while a listener saves data. With the latter an hour costs
/// 11 MB in all; with 16,000 it was 11.2 in Chromium.
pub const VOICE_BITRATE: u32 = 24_000;
pub const SAVER_VOICE_BITRATE: u32 = 15_000;
/// What was used is told at most this often, and only when it grew by so much: telling costs data, too.
pub const DATA_USED_INTERVAL: Duration = Duration::from_secs(10);
pub const DATA_USED_STEP: u64 = 100_000;
/// From here on whole megabytes are shown, and told.
pub const DATA_USED_WHOLE: u64 = 10_000_000;
pub const DATA_USED_WHOLE_STEP: u64 = 1_000_000;
/// Commands waiting for the log per lesson; more are answered `busy`.
pub const APPEND_QUEUE: usize = 1_024;
/// SDP bytes and lines of an offer or answer.
pub const SDP_BYTES: usize = 14 * 1024;
pub const SDP_LINES: usize = 400;
/// A connection that was cut keeps its place this long before `left` is written.
pub const CUT_GRACE: Duration = Duration::from_secs(5);
/// A server that goes down sends the people of a lesson to another one over this time: speakers first, listeners one by one.
pub const MOVE_SPREAD: Duration = Duration::from_secs(2);
/// Who was told to move and has not within this is closed with `Draining`.
pub const MOVE_WITHIN: Duration = Duration::from_secs(5);
/// Without an adult for this long, students' publishing stops and chat pauses.
pub const NO_ADULT_PAUSE: Duration = Duration::from_secs(60);
/// Without an adult for this long, the lesson closes.
pub const NO_ADULT_CLOSE: Duration = Duration::from_secs(600);
/// A lesson may run over its scheduled end by this.
pub const OVERRUN: Duration = Duration::from_secs(3_600);
/// A ticket lives this long, for one use.
pub const TICKET: Duration = Duration::from_secs(30);
/// The first frame must come within this.
pub const HELLO: Duration = Duration::from_secs(10);
/// Clients ping this often; nothing for three times this closes the connection.
pub const PING_INTERVAL: Duration = Duration::from_secs(10);
