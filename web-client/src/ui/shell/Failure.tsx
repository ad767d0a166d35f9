import { Component, type ComponentChildren } from 'preact';
import { t } from '../i18n/index.ts';
import { Button } from '../kit/Button.tsx';
import { EmptyState } from '../kit/EmptyState.tsx';

interface Props {
  children: ComponentChildren;
}

/** Catches what breaks while drawing: an understandable page instead of a blank one. */
export class Failure extends Component<Props, { failed: boolean }> {
  override state = { failed: false };

  override componentDidCatch(error: unknown) {
    console.error(error);
    this.setState({ failed: true });
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <main>
        <EmptyState icon="warning" title={t('app.failed')}>
          <Button kind="primary" onClick={() => location.reload()}>
            {t('common.reload')}
          </Button>
        </EmptyState>
      </main>
    );
  }
}
