/** What is said of kills that were requested together. */
import type { BatchProgress } from '../state/batch-progress.ts';

export function forceText(runs: readonly unknown[]): string {
  return runs.length === 1 ? 'Force kill now' : `Force kill ${runs.length} runs now`;
}

/** `2 ended, 1 waiting for machine`. */
export function progressText({ counts, isOver }: BatchProgress): string {
  const parts = [
    [counts.survived, 'with surviving processes'],
    [counts.gone, 'ended'],
    [counts.refused, 'already ended'],
    [counts.lost, 'lost (will be killed on reconnect)'],
    [counts.kill, 'SIGKILL sent'],
    [counts.term, 'in grace period'],
    [counts.delivered, 'delivered'],
    [counts.sent, 'sent, not confirmed yet'],
    [counts.pending, 'waiting for machine'],
    [counts.idle, 'with nothing running'],
    [counts.none, isOver ? 'not found' : 'queued'],
  ] as const;
  const told = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  if (told.length === 0) return isOver ? 'nothing to kill' : 'queued';
  if (told.length === 1 && counts.idle > 0) return 'nothing is running';
  return told.join(', ');
}
