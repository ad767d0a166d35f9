import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Recipients } from '../../../protocol/generated.ts';
import { formatNumber, t } from '../../i18n/index.ts';
import { announceNow } from '../../kit/announce.ts';
import { Icon } from '../../kit/Icon.tsx';
import { IconButton } from '../../kit/IconButton.tsx';
import { useNow } from '../../kit/useNow.ts';
import { draft, ownDraft, recipients } from './draft.ts';
import type { LessonActions, LessonView } from './view.ts';
import './ChatComposer.css';

interface Props {
  view: LessonView;
  actions: LessonActions;
}

const maxCharacters = 1_000;

/** Spaces, and marks of direction that keyboards leave behind. */
const nothingToSee = /^[\s\p{Cf}]*$/u;

/** The line being written, and who will read it. */
export function ChatComposer({ view, actions }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [fileRefused, setFileRefused] = useState(false);
  ownDraft(view);
  const closed = closedNote(view);
  const length = [...draft.value].length;
  const questionsOnly = view.chatMode === 'questions' && !view.rights.leads;
  const to: Recipients = questionsOnly ? 'teachers' : view.rights.leads ? 'everyone' : recipients.value;
  const now = useNow(view.slowModeS > 0 ? 1_000 : 60_000, view.clockOffsetMs);
  const wait = secondsToWait(view, now);
  useLayoutEffect(() => growToContent(area.current), [draft.value]);

  const send = () => {
    const text = draft.value.trim();
    if (nothingToSee.test(text) || length > maxCharacters || wait > 0) return;
    actions.say(text, to);
    draft.value = '';
    area.current?.focus();
  };
  const onSubmit = (event: Event) => {
    event.preventDefault();
    send();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };

  const onPaste = (event: ClipboardEvent) => {
    if (!event.clipboardData?.files.length || event.clipboardData.getData('text')) return;
    setFileRefused(true);
    announceNow(t('chat.textOnly'));
  };

  if (closed) return <p class="composer-closed">{closed}</p>;
  return (
    <form class="composer" onSubmit={onSubmit}>
      <div class="composer-notes">
        {questionsOnly && <span>{t('chat.questionsNote')}</span>}
        {view.chatMode === 'open' && !view.rights.leads && <RecipientSwitch />}
        {view.slowModeS > 0 && !view.rights.leads && (
          <span>
            {wait > 0 ? t('chat.slowWait', { seconds: wait }) : t('chat.slowNote', { seconds: view.slowModeS })}
          </span>
        )}
        {fileRefused && <span class="composer-refused">{t('chat.textOnly')}</span>}
        {length > maxCharacters && (
          <span class="composer-refused">
            {t('chat.tooLong', { count: formatNumber(length), max: formatNumber(maxCharacters) })}
          </span>
        )}
      </div>
      <div class={to === 'teachers' ? 'composer-box composer-private' : 'composer-box'}>
        <textarea
          ref={area}
          id="chat-input"
          dir={draft.value ? 'auto' : undefined}
          rows={1}
          enterkeyhint="send"
          aria-label={t('chat.input')}
          placeholder={t(to === 'teachers' ? 'chat.placeholderQuestion' : 'chat.placeholder')}
          value={draft.value}
          onInput={(event) => {
            draft.value = event.currentTarget.value;
            setFileRefused(false);
          }}
          onKeyDown={onKeyDown}
          onPaste={onPaste}
        />
        <IconButton
          type="submit"
          icon="send"
          tone="primary"
          label={t('chat.send')}
          disabled={length > maxCharacters || wait > 0}
        />
      </div>
    </form>
  );
}

/** In slow mode the line waits in its box, rather than being sent, refused and marked as a failure. */
function secondsToWait(view: LessonView, now: number): number {
  if (view.slowModeS === 0 || view.rights.leads) return 0;
  const last = view.chat.items.findLast((item) => item.mine && item.state !== 'failed');
  if (!last) return 0;
  const left = Math.ceil((last.at - now) / 1_000) + view.slowModeS;
  return Math.min(Math.max(0, left), view.slowModeS);
}

/** In an open chat a student may still ask the teacher alone: a box that is ticked or not, nobody takes the one for the other. */
function RecipientSwitch() {
  const toTeacher = recipients.value === 'teachers';
  return (
    <button
      type="button"
      role="checkbox"
      class="composer-to"
      aria-checked={toTeacher}
      onClick={() => {
        recipients.value = toTeacher ? 'everyone' : 'teachers';
      }}
    >
      <span class="composer-tick">{toTeacher && <Icon name="check" size="small" />}</span>
      {t('chat.toTeacher')}
    </button>
  );
}

function closedNote(view: LessonView): string | undefined {
  if (!view.rights.writes) return t('chat.readOnlyNote');
  if (view.rights.leads) return undefined;
  if (view.phase === 'paused') return t('chat.pausedNote');
  if (view.phase === 'waiting') return t('chat.waitingNote');
  return view.chatMode === 'closed' ? t('chat.closedNote') : undefined;
}

function growToContent(area: HTMLTextAreaElement | null) {
  if (!area) return;
  area.style.setProperty('block-size', 'auto');
  area.style.setProperty('block-size', `${Math.min(area.scrollHeight, 120)}px`);
}
