import type { ComponentChildren } from 'preact';
import { useId, useRef } from 'preact/hooks';
import { stepOf, stepTo } from './direction.ts';
import { Icon } from './Icon.tsx';
import { shownCount } from './shownCount.ts';
import type { IconName } from './iconPaths.ts';
import './Tabs.css';

export interface Tab<Key extends string> {
  key: Key;
  label: string;
  icon?: IconName;
  /** Shown as a small number; zero hides it. */
  count?: number;
  /** The number in words, for screen readers. */
  countLabel?: string;
}

interface Props<Key extends string> {
  label: string;
  tabs: readonly Tab<Key>[];
  chosen: Key;
  onChoose: (key: Key) => void;
  class?: string;
  children: ComponentChildren;
}

/** Two or three pages in one place. The chosen page's content is the child. */
export function Tabs<Key extends string>({ label, tabs, chosen, onChoose, class: className, children }: Props<Key>) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);

  const onKeyDown = (event: KeyboardEvent) => {
    const step = stepOf(event.key);
    if (!step) return;
    event.preventDefault();
    const index = stepTo(
      step,
      tabs.findIndex((tab) => tab.key === chosen),
      tabs.length,
    );
    const tab = tabs[index];
    if (tab) onChoose(tab.key);
    list.current?.querySelectorAll<HTMLElement>('[role="tab"]')[index]?.focus();
  };

  return (
    <div class={className ? `tabs ${className}` : 'tabs'}>
      <div ref={list} class="tabs-list" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
        {tabs.map((tab) => (
          <button
            key={tab.key}
            type="button"
            role="tab"
            id={`${id}-${tab.key}`}
            aria-selected={tab.key === chosen}
            aria-controls={`${id}-page`}
            tabIndex={tab.key === chosen ? 0 : -1}
            class="tab"
            onClick={() => onChoose(tab.key)}
          >
            {tab.icon && <Icon name={tab.icon} size="small" />}
            <span>{tab.label}</span>
            {tab.count ? (
              <span class="tab-count numbers" aria-label={tab.countLabel}>
                {shownCount(tab.count)}
              </span>
            ) : null}
          </button>
        ))}
      </div>
      <div id={`${id}-page`} class="tabs-page" role="tabpanel" aria-labelledby={`${id}-${chosen}`}>
        {children}
      </div>
    </div>
  );
}
