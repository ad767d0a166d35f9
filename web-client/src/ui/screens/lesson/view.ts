import type { ReadonlySignal } from '@preact/signals';
import type { DataUsed } from '../../../lesson/data.ts';
import type {
  ChatMode,
  ErrorCode,
  LessonInfo,
  Name,
  Phase,
  ReceiveMode,
  Recipients,
  RemovalReason,
  Role,
  Source,
  WantedVideo,
} from '../../../protocol/generated.ts';
import type { BannerTone } from '../../kit/Banner.tsx';
import type { IconName } from '../../kit/iconPaths.ts';

/** Somebody of the lesson as the screen shows them. */
export interface LessonPerson {
  user: string;
  role: Role;
  name: Name | undefined;
  me: boolean;
  /** `cut`: the connection broke a moment ago; `gone`: long ago; `expected`: on the list, not here yet. */
  presence: 'present' | 'cut' | 'gone' | 'expected';
  visit: boolean;
  floor: boolean;
  /** Who may see the camera, where it is allowed at all. */
  cameraGrant: Recipients | null;
  microphone: 'none' | 'muted' | 'on';
  camera: boolean;
  screen: boolean;
}

/** A hand in the queue, first come first. */
export interface RaisedHand {
  person: LessonPerson;
  /** Milliseconds since the epoch; unknown for hands older than this page. */
  since: number | undefined;
}

/** One line of the chat. */
export interface ChatItem {
  key: string;
  /** Absent until it is in the log. */
  number: number | undefined;
  author: Pick<LessonPerson, 'user' | 'role' | 'name'> | undefined;
  mine: boolean;
  toTeachers: boolean;
  /** `null` once deleted. */
  text: string | null;
  at: number;
  state: 'sent' | 'pending' | 'failed';
  failure?: ErrorCode | undefined;
}

/** What stands on the stage. */
export type StageView =
  | { kind: 'waiting' }
  | { kind: 'paused' }
  | { kind: 'own_screen' }
  | { kind: 'screen'; of: LessonPerson }
  | { kind: 'screen_off'; of: LessonPerson }
  | { kind: 'person'; of: LessonPerson }
  | { kind: 'alone' }
  | { kind: 'teacher_away' };

/** State of an own track. */
export type OwnTrack = 'off' | 'starting' | 'on' | 'muted';

/** A line at the top of the lesson. */
export interface Notice {
  key: string;
  tone: BannerTone;
  icon?: IconName;
  text: string;
  /** True for what the reader may put away. */
  closable: boolean;
}

/** What this person may do; from the server's table of rights, here only to draw the right controls. */
export interface Rights {
  /** Gives the floor, mutes, locks, rules the chat, ends. */
  leads: boolean;
  /** May put people out. */
  removes: boolean;
  ends: boolean;
  /** May send at all: visitors only watch. */
  speaks: boolean;
  writes: boolean;
}

/** Everything the lesson screen draws. */
export interface LessonView {
  info: LessonInfo;
  phase: Phase;
  /** Its hour has come. */
  begun: boolean;
  locked: boolean;
  chatMode: ChatMode;
  slowModeS: number;
  me: LessonPerson;
  rights: Rights;
  people: readonly LessonPerson[];
  /** False above a hundred people: students get counts. */
  wholeRoster: boolean;
  studentsPresent: number;
  keptOut: readonly LessonPerson[];
  hands: readonly RaisedHand[];
  /** Own place in the queue, from 1. */
  handPlace: number | undefined;
  stage: StageView;
  /** The small pictures beside the stage, in an order that does not change by itself. */
  tiles: readonly LessonPerson[];
  speaking: ReadonlySignal<ReadonlySet<string>>;
  videoOf: (user: string, source: Source) => MediaStream | undefined;
  microphone: OwnTrack;
  cameraTrack: OwnTrack;
  screenTrack: OwnTrack;
  /** The own camera is stopped for the sake of the voice, and comes back by itself. */
  cameraRests: boolean;
  canShareScreen: boolean;
  receiveMode: ReceiveMode;
  /** False where the receive mode leaves pictures out. */
  showsVideo: boolean;
  /** Why the server sends no pictures now; `undefined` while it does. */
  picturesRest: 'budget' | 'weak' | undefined;
  /** What the lesson has cost, and may cost. */
  data: ReadonlySignal<DataUsed>;
  chat: { items: readonly ChatItem[]; more: boolean; loadingOlder: boolean; unread: number };
  notices: readonly Notice[];
  /** Set where the browser waits for a tap before it plays sound. */
  soundLocked: boolean;
  /** Server time minus this machine's. */
  clockOffsetMs: number;
}

/** What the lesson screen can ask for. */
export interface LessonActions {
  setMicrophone(on: boolean): void;
  setCamera(on: boolean): void;
  setScreen(on: boolean): void;
  setHand(up: boolean): void;
  lowerHand(user: string): void;
  lowerAllHands(): void;
  giveFloor(user: string): void;
  takeFloor(user: string): void;
  grantCamera(user: string, to: Recipients): void;
  revokeCamera(user: string): void;
  mute(user: string): void;
  muteAll(): void;
  stopSource(user: string, source: Source): void;
  remove(user: string, reason: RemovalReason, note: string, keepOut: boolean): void;
  readmit(user: string): void;
  setLocked(locked: boolean): void;
  setChat(mode: ChatMode, slowModeS: number): void;
  say(text: string, to: Recipients): void;
  retryLine(key: string): void;
  discardLine(key: string): void;
  deleteLine(number: number): void;
  loadOlder(): void;
  readChat(visible: boolean): void;
  report(note: string): void;
  setReceiveMode(mode: ReceiveMode): void;
  /** Bytes that this lesson may cost; `null` = any number. */
  setBudget(bytes: number | null): void;
  showCameras(cameras: readonly WantedVideo[]): void;
  unlockSound(): void;
  closeNotice(key: string): void;
  openSettings(): void;
  leave(): void;
  end(): void;
}
