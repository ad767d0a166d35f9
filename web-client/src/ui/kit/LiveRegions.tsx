import { politeSayings, urgentSayings } from './announce.ts';

/**
 * The page's two live regions; they stay in the page so that readers know them before anything is said. Each sentence is
 * a line of its own and read once, also where several come in the same moment.
 */
export function LiveRegions() {
  return (
    <>
      <div class="sr-only" role="status" aria-live="polite" aria-atomic="false">
        {politeSayings.value.map(({ key, text }) => (
          <p key={key}>{text}</p>
        ))}
      </div>
      <div class="sr-only" role="alert" aria-live="assertive" aria-atomic="false">
        {urgentSayings.value.map(({ key, text }) => (
          <p key={key}>{text}</p>
        ))}
      </div>
    </>
  );
}
