import { politeText, urgentText } from './announce.ts';

/** The page's two live regions; they stay in the page so that readers know them before anything is said. */
export function LiveRegions() {
  return (
    <>
      <div class="sr-only" role="status" aria-live="polite">
        {politeText.value}
      </div>
      <div class="sr-only" role="alert" aria-live="assertive">
        {urgentText.value}
      </div>
    </>
  );
}
