import { useEffect } from 'preact/hooks';
import { t } from '../i18n/index.ts';

/** Names the page in the browser's tab, in the language of the page. */
export function useTitle(what?: string): void {
  const title = what ? `${what} · ${t('app.name')}` : t('app.name');
  useEffect(() => {
    document.title = title;
  }, [title]);
}
