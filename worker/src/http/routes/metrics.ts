/** `GET /metrics`: the control plane as monitors see it. */
import { END_STATES } from '#protocol/run-state';
import { version } from '../../../../package.json';
import { type Metrics, readMetrics } from '../../../shared/d1/metrics.ts';
import { operation } from '../operation.ts';
import { type Metric, PROMETHEUS_TYPE, prometheusText } from '../prometheus.ts';

export const metricsOperations = [
  operation({
    id: 'getMetrics',
    method: 'get',
    path: '/metrics',
    summary: 'Figures for Prometheus',
    description:
      'Read from the index: asking wakes nothing. They are about all jobs, so the token must be for all jobs.',
    access: { kind: 'scope', scopes: ['read'], ofAllJobs: true },
    responses: {
      200: { description: 'Prometheus’ text format.', content: { kind: 'text', type: PROMETHEUS_TYPE } },
    },
    handle: async ({ c }) => {
      const text = prometheusText(describe(await readMetrics(c.env.DB), Date.now()));
      return c.body(text, 200, { 'Content-Type': PROMETHEUS_TYPE });
    },
  }),
];

/** A run that may still be alive is in one of these: a lost one may come back, or go on without its wrapper. */
const OPEN_STATES = ['running', 'killing', 'lost'] as const;

function describe(metrics: Metrics, now: number): Metric[] {
  const { buckets, sum } = metrics.killSeconds;
  return [
    {
      name: 'leash_build_info',
      help: 'The control plane that answers. Always 1.',
      type: 'gauge',
      samples: [{ labels: { version }, value: 1 }],
    },
    {
      name: 'leash_runs',
      help: 'Runs that may still be alive. lost: no sign of life, and no word of its end; one that is lost for good counts for a day.',
      type: 'gauge',
      samples: OPEN_STATES.map((state) => ({ labels: { state }, value: metrics.openRuns.get(state) ?? 0 })),
    },
    {
      name: 'leash_runs_ended_total',
      help: 'Runs that ended. One that counted as lost and came back counts again with its true end.',
      type: 'counter',
      samples: END_STATES.map((state) => ({ labels: { state }, value: metrics.runsEnded.get(state) ?? 0 })),
    },
    {
      name: 'leash_kills_total',
      help: 'Kills that were stored.',
      type: 'counter',
      samples: [{ value: metrics.kills }],
    },
    {
      name: 'leash_run_id_conflicts_total',
      help: 'Runs that were reported with the id of another job’s run. Both are kept; the audit names them.',
      type: 'counter',
      samples: [{ value: metrics.runIdConflicts }],
    },
    {
      name: 'leash_kill_seconds',
      help: 'From the order of a kill that stopped something until all its targets had ended, grace included.',
      type: 'histogram',
      samples: [
        ...buckets.map(([le, value]) => ({ suffix: '_bucket', labels: { le }, value })),
        { suffix: '_sum', value: sum },
        { suffix: '_count', value: buckets.at(-1)?.[1] ?? 0 },
      ],
    },
    {
      name: 'leash_oldest_kill_age_seconds',
      help: 'Since when the oldest kill waits: to be taken by its object, or for its end. 0 when none does.',
      type: 'gauge',
      samples: [
        { labels: { waiting_for: 'acceptance' }, value: ageSeconds(metrics.oldestUnaccepted, now) },
        { labels: { waiting_for: 'end' }, value: ageSeconds(metrics.oldestOpen, now) },
      ],
    },
  ];
}

function ageSeconds(at: number | null, now: number): number {
  return at === null ? 0 : Math.max(0, now - at) / 1000;
}
