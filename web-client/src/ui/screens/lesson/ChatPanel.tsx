import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { EmptyState } from '../../kit/EmptyState.tsx';
import { ChatComposer } from './ChatComposer.tsx';
import { ChatLine } from './ChatLine.tsx';
import { useLatestLines } from './useLatestLines.ts';
import type { ChatItem, LessonActions, LessonView } from './view.ts';
import './Chat.css';

interface Props {
  view: LessonView;
  actions: LessonActions;
}

const nearEndPx = 80;
const followsMs = 120_000;

/** The chat: kept at its end while the reader is there, left alone while the reader is further up. */
export function ChatPanel({ view, actions }: Props) {
  const log = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const heightBefore = useRef(0);
  const [newBelow, setNewBelow] = useState(false);
  const { items } = view.chat;
  const { lines, hidden, showOlder } = useLatestLines(items, () => atEnd.current);
  const first = lines[0]?.key;
  const last = items.at(-1)?.key;

  useLayoutEffect(() => {
    const element = log.current;
    if (element && !atEnd.current) element.scrollTop += element.scrollHeight - heightBefore.current;
  }, [first]);
  useLayoutEffect(() => {
    const element = log.current;
    if (!element) return;
    const own = items.at(-1)?.mine;
    if (atEnd.current || own) element.scrollTop = element.scrollHeight;
    else setNewBelow(items.length > 0);
  }, [last]);
  useLayoutEffect(() => {
    heightBefore.current = log.current?.scrollHeight ?? 0;
  });
  // An opening keyboard makes the list short: who read its end still does.
  useEffect(() => {
    const element = log.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    actions.readChat(true);
    return () => actions.readChat(false);
  }, []);

  const onScroll = () => {
    const element = log.current;
    if (!element) return;
    atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < nearEndPx;
    if (atEnd.current) setNewBelow(false);
  };
  const onOlder = () => {
    atEnd.current = false;
    if (hidden === 0) actions.loadOlder();
    showOlder();
  };
  const toEnd = () => log.current?.scrollTo({ top: log.current.scrollHeight });

  return (
    <div class="chat">
      <div
        ref={log}
        class="chat-log"
        role="log"
        aria-label={t('chat.log')}
        tabIndex={0}
        onScroll={onScroll}
        data-scroll
      >
        {(hidden > 0 || view.chat.more) && (
          <Button kind="quiet" busy={view.chat.loadingOlder} onClick={onOlder}>
            {t(view.chat.loadingOlder ? 'chat.loadingOlder' : 'chat.older')}
          </Button>
        )}
        {items.length === 0 && <EmptyState icon="chat" title={t('chat.empty')} hint={t('chat.emptyHint')} />}
        {lines.map((item, index) => (
          <ChatLine
            key={item.key}
            item={item}
            follows={follows(lines[index - 1], item)}
            mayDelete={view.rights.leads || (item.mine && view.rights.writes)}
            actions={actions}
          />
        ))}
      </div>
      {newBelow && (
        <Button class="chat-new" kind="primary" icon="chevronDown" onClick={toEnd}>
          {t('chat.newBelow')}
        </Button>
      )}
      <ChatComposer view={view} actions={actions} />
    </div>
  );
}

function follows(before: ChatItem | undefined, item: ChatItem): boolean {
  return (
    before !== undefined &&
    before.author?.user === item.author?.user &&
    before.toTeachers === item.toTeachers &&
    item.at - before.at < followsMs
  );
}
