import { createContext } from 'preact';
import { useContext, useEffect, useRef } from 'preact/hooks';
import type { WantedVideo } from '../../../protocol/generated.ts';

/** Gathers which cameras are on screen and how large, and tells the lesson when that changes. */
export class CameraDemand {
  /** By place on the screen: while a face moves from the stage to the row, its old place goes after the new one came. */
  readonly #places = new Map<object, WantedVideo>();
  readonly #tell: (cameras: readonly WantedVideo[]) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(tell: (cameras: readonly WantedVideo[]) => void) {
    this.#tell = tell;
    document.addEventListener('visibilitychange', this.#soon);
  }

  set(place: object, camera: WantedVideo) {
    this.#places.set(place, camera);
    this.#soon();
  }

  drop(place: object) {
    this.#places.delete(place);
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

  /** Each camera once, in its largest place. */
  #wanted(): WantedVideo[] {
    const smallestFirst = [...this.#places.values()].sort((a, b) => a.width - b.width);
    return [...new Map(smallestFirst.map((camera) => [camera.user, camera])).values()];
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
      const [width, height] = [target.clientWidth, target.clientHeight].map((side) => Math.round(side * scale));
      demand.set(target, { user, width: width ?? 0, height: height ?? 0 });
    });
    observer.observe(target);
    return () => {
      observer.disconnect();
      demand.drop(target);
    };
  }, [user, wanted, demand]);
  return element;
}
