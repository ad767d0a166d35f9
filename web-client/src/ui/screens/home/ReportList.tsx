import { t } from '../../i18n/index.ts';
import { Button } from '../../kit/Button.tsx';
import { EmptyState } from '../../kit/EmptyState.tsx';
import { ReportCard } from './ReportCard.tsx';
import type { SchoolReport } from './report.ts';
import './Reports.css';

interface Props {
  reports: readonly SchoolReport[] | 'failed';
  onRetry: () => void;
}

/** Removals and reports, newest first. */
export function ReportList({ reports, onRetry }: Props) {
  return (
    <section class="home-section" aria-labelledby="reports">
      <h2 id="reports">{t('reports.title')}</h2>
      {reports === 'failed' && (
        <div class="card">
          <EmptyState icon="warning" title={t('reports.loadFailed')}>
            <Button onClick={onRetry}>{t('common.retry')}</Button>
          </EmptyState>
        </div>
      )}
      {reports !== 'failed' && reports.length === 0 && (
        <div class="card">
          <EmptyState icon="shield" title={t('reports.empty')} />
        </div>
      )}
      {reports !== 'failed' && reports.length > 0 && (
        <ul class="card-list report-list">
          {[...reports]
            .sort((a, b) => b.at - a.at)
            .map((report) => (
              <ReportCard key={`${report.lesson} ${report.at} ${report.by.user}`} report={report} />
            ))}
        </ul>
      )}
    </section>
  );
}
