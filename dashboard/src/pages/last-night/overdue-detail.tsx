/** What became of a run that was late or missed. */
import type { OverdueRun } from '#protocol/expectations';
import { arrivalText } from '#shared/finding-text';
import { Clock } from '../../components/time.tsx';

interface OverdueDetailProps {
  readonly overdue: OverdueRun;
  /** Whether the run that came was told not to start. */
  readonly isSkipped: boolean;
}

export function OverdueDetail({ overdue, isSkipped }: OverdueDetailProps) {
  const { due_at, ended_at, started_at } = overdue;
  return (
    <span class="finding-detail">
      was due <Clock at={due_at} />; {arrivalText(overdue)} <Clock at={started_at ?? ended_at} />
      {isSkipped && ', and was skipped'}
    </span>
  );
}
