import { effect } from '@preact/signals';
import { LessonSession } from '../lesson/session.ts';
import { tabMemory } from '../signal/memory.ts';
import { comeIn } from './approach.ts';
import { rememberedBudget } from './budget.ts';
import type { Wish } from './check.ts';
import { chosenDevices } from './devices.ts';
import { rememberedReceiveMode } from './receive.ts';

const memory = 'qism.inside';
const phoneCameras = 2;
const laptopCameras = 6;

/** Enters a lesson and, for who teaches it, starts with what was wished for. After a reload the log itself says what was on. */
export async function enterLesson(lesson: string, wish: Wish): Promise<LessonSession> {
  const cameraSlots = matchMedia('(max-width: 899px), (max-height: 500px)').matches ? phoneCameras : laptopCameras;
  const { session: id, way } = await comeIn(lesson);
  const wanted = { receiveMode: rememberedReceiveMode(), cameraSlots, budget: rememberedBudget(), uplink: wish.uplink };
  const session = new LessonSession(lesson, id, wanted, way);
  session.media.own.chosen = chosenDevices.value;
  if (chosenDevices.value.speaker) session.media.useSpeaker(chosenDevices.value.speaker);
  if (!isInside(lesson)) startOnWelcome(session, wish);
  setInside(lesson);
  session.enter();
  return session;
}

/** True after a reload in the middle of this lesson. */
export function isInside(lesson: string): boolean {
  return tabMemory.recall(memory) === lesson;
}

/** Out on purpose, or put out: coming back is a new entry. */
export function setOutside(): void {
  tabMemory.remember(memory, null);
}

function setInside(lesson: string): void {
  tabMemory.remember(memory, lesson);
}

function startOnWelcome(session: LessonSession, wish: Wish): void {
  const stop = effect(() => {
    const role = session.self.value?.role;
    if (!role || !session.state.value) return;
    queueMicrotask(() => stop());
    if (role !== 'teacher') return;
    queueMicrotask(() => void start(session, wish));
  });
}

async function start(session: LessonSession, wish: Wish): Promise<void> {
  if (wish.microphone) await session.media.own.setMicrophone(true).catch(() => undefined);
  if (wish.camera) await session.media.own.setCamera(true).catch(() => undefined);
}
