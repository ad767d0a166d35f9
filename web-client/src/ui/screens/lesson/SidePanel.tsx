import { t } from '../../i18n/index.ts';
import { Tabs } from '../../kit/Tabs.tsx';
import { ChatPanel } from './ChatPanel.tsx';
import { HandQueue } from './HandQueue.tsx';
import type { LessonDialog } from './LessonDialogs.tsx';
import { PeoplePanel } from './PeoplePanel.tsx';
import type { LessonActions, LessonView } from './view.ts';

export type PanelPage = 'people' | 'chat';

interface Props {
  view: LessonView;
  actions: LessonActions;
  page: PanelPage;
  onPage: (page: PanelPage) => void;
  openDialog: (dialog: LessonDialog) => void;
}

/** Hands on top where somebody leads, then people or chat. It covers nothing. */
export function SidePanel({ view, actions, page, onPage, openDialog }: Props) {
  const present = view.wholeRoster
    ? view.people.filter((person) => person.presence === 'present').length
    : view.studentsPresent;
  return (
    <aside class="lesson-panel" aria-label={t('lesson.panel')} tabIndex={-1} data-region="panel">
      {view.rights.leads && <HandQueue view={view} actions={actions} />}
      <Tabs
        label={t('lesson.panel')}
        class="lesson-tabs"
        tabs={[
          { key: 'people', label: `${t('bar.people')} (${present})`, icon: 'people' },
          {
            key: 'chat',
            label: t('bar.chat'),
            icon: 'chat',
            count: page === 'chat' ? 0 : view.chat.unread,
            countLabel: t('bar.chatUnread', { count: view.chat.unread }),
          },
        ]}
        chosen={page}
        onChoose={onPage}
      >
        {page === 'people' ? (
          <PeoplePanel view={view} actions={actions} openDialog={openDialog} />
        ) : (
          <ChatPanel view={view} actions={actions} />
        )}
      </Tabs>
    </aside>
  );
}
