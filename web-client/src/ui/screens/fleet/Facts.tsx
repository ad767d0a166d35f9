import type { ComponentChildren } from 'preact';

/** Names and values below each other, aligned at both edges. */
export function Facts({ facts }: { facts: readonly (readonly [label: string, value: ComponentChildren])[] }) {
  return (
    <dl class="server-facts">
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt class="muted">{label}</dt>
          <dd class="numbers">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
