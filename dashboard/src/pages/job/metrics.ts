/** What the chart of a job can show of its runs. Pure. */
import type { Run } from '#protocol/api';
import { formatBytes } from '#shared/format-bytes';
import { formatDuration } from '#shared/format-duration';
import { BYTE_MARKS, DURATION_MARKS, durationMs, type Marks } from './durations.ts';

export interface Metric {
  readonly label: string;
  readonly marks: Marks;
  /** Null: it was not reported, or is not known yet. */
  readonly of: (run: Run, nowMs: number) => number | null;
  readonly format: (amount: number) => string;
}

export const METRICS = {
  duration: { label: 'Duration', marks: DURATION_MARKS, of: durationMs, format: formatDuration },
  cpu: {
    label: 'CPU time',
    marks: DURATION_MARKS,
    of: ({ usage }) => usage?.cpu_ms ?? null,
    format: formatDuration,
  },
  memory: {
    label: 'Peak memory',
    marks: BYTE_MARKS,
    of: ({ usage }) => usage?.peak_memory_bytes ?? null,
    format: formatBytes,
  },
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof METRICS;
export const METRIC_NAMES = ['duration', 'cpu', 'memory'] as const satisfies readonly MetricName[];
