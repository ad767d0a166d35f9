import { useEffect, useRef } from 'preact/hooks';
import { t } from '../../i18n/index.ts';
import { announceNow } from '../../kit/announce.ts';
import { Banner } from '../../kit/Banner.tsx';
import { IconButton } from '../../kit/IconButton.tsx';
import type { LessonActions, Notice } from './view.ts';

interface Props {
  notices: readonly Notice[];
  actions: LessonActions;
}

/** Lines at the top: the connection, a visit, what the teacher changed. Each new one is said aloud once. */
export function Notices({ notices, actions }: Props) {
  const said = useRef(new Set<string>());
  useEffect(() => {
    for (const notice of notices) if (!said.current.has(notice.key)) announceNow(notice.text);
    said.current = new Set(notices.map((notice) => notice.key));
  });
  if (notices.length === 0) return null;
  return (
    <section class="lesson-notices" aria-label={t('lesson.notices')}>
      {notices.map((notice) => (
        <Banner
          key={notice.key}
          tone={notice.tone}
          icon={notice.icon}
          action={
            notice.closable && (
              <IconButton icon="close" label={t('common.close')} onClick={() => actions.closeNotice(notice.key)} />
            )
          }
        >
          {notice.text}
        </Banner>
      ))}
    </section>
  );
}
