// Generated from the Rust types in signaling/src/protocol by `cargo test -p qism-signaling --test typescript`.
// Do not edit: QISM_REGENERATE=1 writes it anew.

export const VERSION = 1;

/** What each WebSocket close code means. */
export const CLOSE_CODES: Record<number, CloseCode> = {
  4400: "malformed",
  4401: "ticket",
  4403: "not_admitted",
  4404: "removed",
  4405: "kept_out",
  4406: "locked",
  4407: "withdrawn",
  4409: "replaced",
  4410: "ended",
  4411: "left",
  4426: "version",
  4500: "slow_reader",
  4501: "flood",
  4502: "draining",
  4503: "unavailable",
  4504: "idle",
};

export type UserId = string;
export type LessonId = string;
export type SessionId = string;
export type CommandId = string;
export type IncarnationId = string;
export type Attach = number;
export type Position = { number: number, chain: string, };
export type Source = "microphone" | "camera" | "screen" | "screen_audio";
export type Publication = { user: UserId, source: Source, };
export type LegKind = "publisher" | "subscriber";
export type Slot = number;
export type SlotKind = "teacher_audio" | "speaker_audio" | "screen" | "screen_audio" | "camera";
export type ReceiveMode = "voice" | "voice_and_screen" | "low_video" | "everything";
export type Pictures = "full" | "spared" | "screen" | "none";
export type VideoCodec = "vp8" | "h264";
export type WantedVideo = { user: UserId, 
/**
 * Device pixels; chooses the simulcast layer.
 */
width: number, height: number, };
export type OfferedTrack = { 
/**
 * The `mid` in the offer.
 */
mid: string, source: Source, };
export type Role = "teacher" | "student" | "director" | "supervisor" | "inspector";
export type Spelling = { given: string, family: string, };
export type Name = { arabic: Spelling | null, latin: Spelling | null, };
export type Person = { user: UserId, role: Role, name: Name, };
export type Localized = { ar: string, fr: string, en: string, };
export type LessonInfo = { lesson: LessonId, 
/**
 * The subject in the three interface languages: `ar`, `fr`, `en`.
 */
subject: Localized, 
/**
 * The group's name, e.g. "2APIC-1".
 */
group: string, teacher: UserId, 
/**
 * Milliseconds since the Unix epoch.
 */
starts_at: number, ends_at: number, };
export type Phase = "waiting" | "open" | "paused" | "ended";
export type PublishedTrack = { source: Source, muted: boolean, };
export type Participant = { user: UserId, role: Role, visit: boolean, 
/**
 * False while the connection is cut.
 */
present: boolean, floor: boolean, 
/**
 * Set while a student may use the camera.
 */
camera: Recipients | null, published: Array<PublishedTrack>, };
export type Snapshot = { position: Position, phase: Phase, locked: boolean, chat: ChatMode, slow_mode_s: number, 
/**
 * Above [`super::limits::FULL_ROSTER_PEOPLE`] people a student gets only staff, self, hands and speakers here.
 * Of more than fit into one frame the others follow by `people`.
 */
participants: Array<Participant>, 
/**
 * Raised hands, first come first.
 */
hands: Array<UserId>, 
/**
 * Kept out by name; staff only, empty for students.
 */
kept_out: Array<UserId>, 
/**
 * Students connected now.
 */
students_present: number, };
export type Recipients = "everyone" | "teachers";
export type ChatMode = "open" | "questions" | "closed";
export type RemovalReason = "disturbing" | "insulting" | "wrong_class" | "impersonation" | "other" | "withdrawn";
export type Command = { "type": "say", text: string, to: Recipients, } | { "type": "delete_line", number: number, } | { "type": "set_chat", mode: ChatMode, slow_mode_s: number, } | { "type": "raise_hand", } | { "type": "lower_hand", user: UserId, } | { "type": "lower_all_hands", } | { "type": "give_floor", user: UserId, } | { "type": "take_floor", user: UserId, } | { "type": "grant_camera", user: UserId, to: Recipients, } | { "type": "revoke_camera", user: UserId, } | { "type": "publish", source: Source, muted: boolean, } | { "type": "unpublish", source: Source, } | { "type": "set_muted", source: Source, muted: boolean, } | { "type": "mute", user: UserId, } | { "type": "mute_all", } | { "type": "stop_source", user: UserId, source: Source, } | { "type": "remove", user: UserId, reason: RemovalReason, note: string, keep_out: boolean, } | { "type": "readmit", user: UserId, } | { "type": "set_locked", locked: boolean, } | { "type": "report", note: string, } | { "type": "leave", } | { "type": "end", };
export type LeftReason = "chosen" | "cut" | "replaced" | "ended";
export type PauseReason = "no_adult";
export type EndReason = "chosen" | "no_adult" | "time_over";
export type Event = { "type": "attached", user: UserId, role: Role, visit: boolean, session: SessionId, attach: Attach, incarnation: IncarnationId, } | { "type": "left", user: UserId, session: SessionId, attach: Attach, reason: LeftReason, } | { "type": "opened", by: UserId, } | { "type": "paused", reason: PauseReason, } | { "type": "resumed", } | { "type": "ended", by: UserId | null, reason: EndReason, } | { "type": "said", user: UserId, to: Recipients, text: string | null, } | { "type": "line_deleted", number: number, by: UserId, } | { "type": "chat_set", mode: ChatMode, slow_mode_s: number, by: UserId, } | { "type": "hand_raised", user: UserId, } | { "type": "hand_lowered", user: UserId, by: UserId, } | { "type": "all_hands_lowered", by: UserId, } | { "type": "floor_given", user: UserId, by: UserId, } | { "type": "floor_taken", user: UserId, by: UserId, } | { "type": "camera_granted", user: UserId, to: Recipients, by: UserId, } | { "type": "camera_revoked", user: UserId, by: UserId, } | { "type": "published", user: UserId, source: Source, muted: boolean, } | { "type": "unpublished", user: UserId, source: Source, by: UserId, } | { "type": "muted_set", user: UserId, source: Source, muted: boolean, by: UserId, } | { "type": "all_muted", by: UserId, } | { "type": "removed", user: UserId, by: UserId, reason: RemovalReason, note: string | null, keep_out: boolean, } | { "type": "readmitted", user: UserId, by: UserId, } | { "type": "locked_set", locked: boolean, by: UserId, } | { "type": "reported", by: UserId, note: string | null, } | { "type": "erased", user: UserId, } | { "type": "withheld", };
export type Logged = { 
/**
 * 1, 2, 3… per lesson, without gaps.
 */
number: number, chain: string, 
/**
 * Milliseconds since the Unix epoch by the database's clock; never goes back within a lesson.
 */
at: number, 
/**
 * Who asked for it; absent for the server's own (times up, cut line).
 */
sender: UserId | null, 
/**
 * The command it answers; several events of one command share it. The sender pairs pending lines by it.
 */
command: CommandId, event: Event, };
export type ErrorCode = "malformed" | "invalid" | "not_allowed" | "needs_floor" | "needs_camera_grant" | "no_such_participant" | "no_such_line" | "chat_closed" | "slow_mode" | "paused" | "not_open" | "ended" | "too_fast" | "busy" | "unavailable" | "bad_media" | "superseded" | "not_yet";
export type CloseCode = "malformed" | "ticket" | "not_admitted" | "removed" | "kept_out" | "locked" | "withdrawn" | "replaced" | "ended" | "left" | "version" | "slow_reader" | "flood" | "draining" | "unavailable" | "idle";
export type Pull = { "type": "chat", before: number | null, };
export type ClientFrame = { "type": "hello", version: number, ticket: string, 
/**
 * Absent on a first entry; then the server sends a snapshot.
 */
position?: Position, } | { "type": "command", id: CommandId, command: Command, } | { "type": "pull", request: number, pull: Pull, } | { "type": "publisher_offer", sdp: string, tracks: Array<OfferedTrack>, } | { "type": "open_subscriber", cameras: number, packed?: boolean, } | { "type": "subscriber_answer", sdp: string, } | { "type": "restart_subscriber", } | { "type": "receive", mode: ReceiveMode, cameras: Array<WantedVideo>, } | { "type": "set_budget", bytes: number | null, 
/**
 * What the last `data_used` said it had cost, at most [`super::limits::MOST_USED`]: the server that counted may have died.
 */
used?: number, } | { "type": "ping", nonce: number, };
export type Welcome = { version: number, user: UserId, role: Role, session: SessionId, attach: Attach, lesson: LessonInfo, 
/**
 * The admission list for staff; for students the staff, themselves and, up to the roster limit, classmates. Who matters
 * most comes first; of a large lesson the others follow by `people`.
 */
people: Array<Person>, 
/**
 * Present on a first entry and where the position is not known any more; absent when the missing events follow.
 */
snapshot?: Snapshot, 
/**
 * Milliseconds since the Unix epoch, for drawing clocks.
 */
server_time: number, };
export type ServerFrame = { "type": "welcome" } & Welcome | { "type": "event" } & Logged | { "type": "accepted", id: CommandId, number: number, } | { "type": "refused", id: CommandId, error: ErrorCode, retry_after_ms?: number, } | { "type": "reset", snapshot: Snapshot, people: Array<Person>, } | { "type": "chat_page", request: number, lines: Array<Logged>, more: boolean, } | { "type": "people", people: Array<Person>, participants?: Array<Participant>, } | { "type": "counts", students_present: number, } | { "type": "publisher_answer", sdp: string, } | { "type": "subscriber_offer", sdp: string, } | { "type": "packed_offer", packed: string, } | { "type": "slot_assigned", slot: Slot, publication: Publication | null, } | { "type": "speaking", users: Array<UserId>, } | { "type": "layers_wanted", layers: Array<boolean>, } | { "type": "pictures_stopped", stopped: boolean, } | { "type": "data_used", bytes: number, budget: number | null, pictures: Pictures, } | { "type": "voice_rate", bitrate: number, } | { "type": "screen_rate", bitrate: number | null, } | { "type": "codecs_decoded", codecs: Array<VideoCodec>, } | { "type": "move", within_ms: number, } | { "type": "leg_lost", leg: LegKind, } | { "type": "error", error: ErrorCode, } | { "type": "pong", nonce: number, server_time: number, };
