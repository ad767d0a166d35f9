import { createContext } from 'preact';
import { useContext, useEffect, useRef } from 'preact/hooks';
import type { WantedVideo } from '../../../protocol/generated.ts';

/** Gathers which cameras are on screen and how large, and tells the lesson when that changes. */
export class CameraDemand {
  readonly #sizes = new Map<string, { width: number; height: number }>();
  readonly #tell: (cameras: readonly WantedVideo[]) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(tell: (cameras: readonly WantedVideo[]) => void) {
    this.#tell = tell;
    document.addEventListener('visibilitychange', this.#soon);
  }

  set(user: string, width: number, height: number) {
    this.#sizes.set(user, { width, height });
    this.#soon();
  }

  drop(user: string) {
    this.#sizes.delete(user);
    this.#soon();
  }

  stop() {
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.#soon);
  }

  /** Waits for the drawing to settle; a hidden page asks for no picture, its sound goes on. */
  readonly #soon = () => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(document.hidden ? [] : this.#wanted()), 200);
  };

  #wanted(): WantedVideo[] {
    return [...this.#sizes].map(([user, size]) => ({ user, ...size }));
  }
}

/** The lesson's gatherer. */
export const CameraDemandContext = createContext<CameraDemand | undefined>(undefined);

/** While `wanted`, asks for this person's camera in the size of the element. */
export function useCameraDemand<Element extends HTMLElement>(user: string, wanted: boolean) {
  const demand = useContext(CameraDemandContext);
  const element = useRef<Element>(null);
  useEffect(() => {
    const target = element.current;
    if (!wanted || !demand || !target) return;
    const observer = new ResizeObserver(() => {
      const scale = window.devicePixelRatio || 1;
      demand.set(user, Math.round(target.clientWidth * scale), Math.round(target.clientHeight * scale));
    });
    observer.observe(target);
    return () => {
      observer.disconnect();
      demand.drop(user);
    };
  }, [user, wanted, demand]);
  return element;
}
