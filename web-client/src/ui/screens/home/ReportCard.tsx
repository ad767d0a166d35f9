import { formatDateTime, formatTime, language, t } from '../../i18n/index.ts';
import { Badge } from '../../kit/Badge.tsx';
import { Icon } from '../../kit/Icon.tsx';
import { fullName, isolated, localized } from '../../kit/names.ts';
import { PersonName } from '../../kit/PersonName.tsx';
import { describeEvent } from './describeEvent.ts';
import type { SchoolReport } from './report.ts';

/** One report: what, who, why, and the last events of the lesson on demand. */
export function ReportCard({ report }: { report: SchoolReport }) {
  const removal = report.kind === 'removal';
  const people = new Map(
    [report.by, ...(report.about ? [report.about] : []), ...(report.people ?? [])].map((person) => [
      person.user,
      person.name,
    ]),
  );
  return (
    <li class="card card-small">
      <div class="card-top">
        <Badge tone={removal ? 'danger' : 'warning'} icon={removal ? 'remove' : 'flag'}>
          {t(removal ? 'reports.kindRemoval' : 'reports.kindReport')}
        </Badge>
        <span class="muted small">{formatDateTime(report.at)}</span>
      </div>
      {report.about && (
        <h3>
          <PersonName name={report.about.name} />
        </h3>
      )}
      <p class="muted small">
        {localized(report.subject, language.value)} · <bdi>{report.group}</bdi> ·{' '}
        {t('reports.by', { name: isolated(fullName(report.by.name, language.value)) })}
      </p>
      {report.reason && (
        <p>
          <strong>{t('reports.reason')}:</strong> {t(`reason.${report.reason}`)}
        </p>
      )}
      {report.note ? (
        <blockquote class="report-note" dir="auto">
          {report.note}
        </blockquote>
      ) : (
        <p class="muted small">{t('reports.noNote')}</p>
      )}
      {report.recent.length > 0 && (
        <details class="report-recent">
          <summary>
            <Icon name="chevron" size="small" />
            {t('reports.recent', { count: report.recent.length })}
          </summary>
          <ol tabIndex={0} aria-label={t('reports.recent', { count: report.recent.length })}>
            {report.recent.map((logged) => (
              <li key={logged.number}>
                <time class="numbers muted" dir="ltr">
                  {formatTime(logged.at)}
                </time>
                <span dir="auto">{describeEvent(logged, people)}</span>
              </li>
            ))}
          </ol>
        </details>
      )}
    </li>
  );
}
