import { followLevel } from './level.ts';

/** As loud as somebody who speaks to the device, not as a room. */
const LOUD = 0.5;
/** So many of the last looks, ten a second, make it talk; a cough is none. */
const LOOKS = 20;
const LOUD_LOOKS = 12;

/** Tells talk from noise by loudness alone. */
export class Talk {
  #looks: boolean[] = [];
  #told = false;

  /** True once, when somebody talks. */
  hear(level: number): boolean {
    this.#looks = [...this.#looks.slice(1 - LOOKS), level >= LOUD];
    if (this.#told || this.#looks.filter(Boolean).length < LOUD_LOOKS) return false;
    this.#told = true;
    return true;
  }
}

/** Listens to a muted track, here alone, and tells once when somebody talks into it; returns how to stop. */
export function whenTalkedTo(track: MediaStreamTrack, onTalk: () => void): () => void {
  const ear = track.clone();
  ear.enabled = true;
  const talk = new Talk();
  const deafen = followLevel(ear, (level) => talk.hear(level) && onTalk());
  return () => {
    deafen();
    ear.stop();
  };
}
