import { memo } from './memo.ts';
import { formatTime, language, t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { Icon } from '../../kit/Icon.tsx';
import { IconButton } from '../../kit/IconButton.tsx';
import { fullName, isolated } from '../../kit/names.ts';
import { PersonName } from '../../kit/PersonName.tsx';
import { linkify, type Piece } from './linkify.ts';
import type { ChatItem, LessonActions } from './view.ts';

interface Props {
  item: ChatItem;
  /** The same author wrote the line above a moment ago. */
  follows: boolean;
  mayDelete: boolean;
  actions: LessonActions;
}

/** A formula up to this many characters is never broken over two lines: it fits the narrowest phone. */
const wholeFormula = 20;
/** More than one empty line at a stretch would push what others wrote off the screen. */
const emptyLines = /\n(?:[^\S\n]*\n){2,}/g;

/** One line: who, when, the text in its own direction, and how far it got. */
export const ChatLine = memo(function ChatLine({ item, follows, mayDelete, actions }: Props) {
  const classes = [
    'line',
    item.mine && 'line-mine',
    item.toTeachers && 'line-private',
    `line-${item.state}`,
    follows && 'line-follows',
  ];
  return (
    <div class={classes.filter(Boolean).join(' ')}>
      {!follows && (
        <p class="line-head">
          <strong class={item.author?.role === 'student' ? undefined : 'line-staff'}>
            <PersonName name={item.author?.name} />
          </strong>
          <time class="numbers" dir="ltr">
            {formatTime(item.at)}
          </time>
        </p>
      )}
      <div class="line-row">
        <div class="line-bubble">
          {item.toTeachers && item.text !== null && (
            <p class="line-mark">
              <Icon name="lock" size="small" />
              {t('chat.privateMark')}
            </p>
          )}
          <LineText text={item.text} />
        </div>
        {mayDelete && item.text !== null && item.number !== undefined && (
          <IconButton
            class="line-delete"
            icon="trash"
            label={t('chat.deleteLine', { name: isolated(fullName(item.author?.name, language.value)) })}
            onClick={() => item.number !== undefined && actions.deleteLine(item.number)}
          />
        )}
      </div>
      <LineState item={item} actions={actions} />
    </div>
  );
});

function LineText({ text }: { text: string | null }) {
  if (text === null) return <p class="line-gone">{t('chat.deleted')}</p>;
  return (
    <p class="line-text" dir="auto">
      {linkify(text.replace(emptyLines, '\n\n')).map((piece, index) => (
        <LinePiece key={index} piece={piece} />
      ))}
    </p>
  );
}

function LinePiece({ piece }: { piece: Piece }) {
  if ('formula' in piece) {
    return (
      <bdi class={piece.text.length <= wholeFormula ? 'line-formula' : undefined} dir="ltr">
        {piece.text}
      </bdi>
    );
  }
  if (!('href' in piece)) return <>{piece.text}</>;
  return (
    <a href={piece.href} target="_blank" rel="noopener noreferrer nofollow" dir="ltr" title={piece.href}>
      {piece.text}
      <span class="sr-only"> {t('chat.opensNewTab')}</span>
    </a>
  );
}

function LineState({ item, actions }: { item: ChatItem; actions: LessonActions }) {
  if (item.state === 'pending') return <p class="line-note">{t('chat.pending')}</p>;
  if (item.state !== 'failed') return null;
  return (
    <div class="line-failure">
      <Icon name="warning" size="small" />
      <span>
        {t('chat.failed')}
        {item.failure && ` · ${t(`error.${item.failure}`)}`}
      </span>
      <Button kind="quiet" onClick={() => actions.retryLine(item.key)}>
        {t('chat.retry')}
      </Button>
      <Button kind="quiet" onClick={() => actions.discardLine(item.key)}>
        {t('chat.discard')}
      </Button>
    </div>
  );
}
