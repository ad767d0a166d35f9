import { Component, type ComponentType, createElement, type FunctionComponent } from 'preact';

/** Draws again only when a prop changed: for the lines of a long chat. */
export function memo<Props extends object>(inner: FunctionComponent<Props>): ComponentType<Props> {
  return class Memo extends Component<Props> {
    override shouldComponentUpdate(next: Props) {
      const before = this.props as Record<string, unknown>;
      const after = next as Record<string, unknown>;
      return Object.keys({ ...before, ...after }).some((key) => before[key] !== after[key]);
    }

    override render() {
      return createElement(inner, this.props as Props);
    }
  };
}
