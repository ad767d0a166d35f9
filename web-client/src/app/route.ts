import { signal } from '@preact/signals';

/** The app's addresses: home, and one per lesson. */
export type Route = { kind: 'home' } | { kind: 'lesson'; lesson: string };

const lessonPath = /^\/lesson\/([0-9a-f-]{36})\/?$/i;

export const route = signal<Route>(routeOf(location.pathname));

/** Follows the browser's back button. Called once at the start. */
export function followRoute(): void {
  addEventListener('popstate', () => {
    route.value = routeOf(location.pathname);
  });
}

export function goHome(): void {
  go('/');
}

export function goToLesson(lesson: string): void {
  go(`/lesson/${lesson}`);
}

function go(path: string): void {
  if (location.pathname !== path) history.pushState(null, '', path);
  route.value = routeOf(path);
}

function routeOf(path: string): Route {
  const lesson = lessonPath.exec(path)?.[1];
  return lesson ? { kind: 'lesson', lesson } : { kind: 'home' };
}
