/** `GET /metrics`: Prometheus metrics. */
import type { ExpectationState } from '#protocol/expectations';
import { END_STATES, LIVE_STATES } from '#protocol/run-state';
import { version } from '../../../../package.json';
import { d1Failure } from '../../../shared/d1/failure.ts';
import { type Metrics, readMetrics } from '../../../shared/d1/metrics.ts';
import { log } from '../../../shared/log.ts';
import { readSettings } from '../../../shared/settings.ts';
import type { AppContext } from '../context.ts';
import { operation } from '../operation.ts';
import { type Metric, PROMETHEUS_TYPE, prometheusText } from '../prometheus.ts';

export const metricsOperations = [
  operation({
    id: 'getMetrics',
    method: 'get',
    path: '/metrics',
    summary: 'Get Prometheus metrics',
    description:
      'Read from the index, so scraping wakes no Durable Object. The metrics cover all jobs, so the token must be for all jobs. While D1 is away only `leash_build_info` and `leash_d1_up` are known, and only to `LEASH_ADMIN_TOKEN`: other tokens can’t be verified.',
    access: { kind: 'scope', scopes: ['read'], ofAllJobs: true },
    responses: {
      200: { description: 'Metrics in Prometheus’ text format.', content: { kind: 'text', type: PROMETHEUS_TYPE } },
    },
    handle: async ({ c }) => {
      const text = prometheusText(await metricsOf(c));
      return c.body(text, 200, { 'Content-Type': PROMETHEUS_TYPE });
    },
  }),
];

/** While D1 is away the rest is unknown, but that it is away is not. */
async function metricsOf({ env }: AppContext): Promise<Metric[]> {
  try {
    const now = Date.now();
    const metrics = await readMetrics(env.DB, now);
    const { d1MaxBytes } = readSettings(env);
    return [...describeControlPlane(true), ...describe(metrics, { now, d1MaxBytes })];
  } catch (error) {
    if (d1Failure(error) !== 'unavailable') throw error;
    log.error('metrics_not_read', error);
    return describeControlPlane(false);
  }
}

function describeControlPlane(isD1Up: boolean): Metric[] {
  return [
    {
      name: 'leash_build_info',
      help: 'The version of the control plane. Always 1.',
      type: 'gauge',
      samples: [{ labels: { version }, value: 1 }],
    },
    {
      name: 'leash_d1_up',
      help: 'Whether D1 answers. While it is 0 all metrics that are read from it are missing.',
      type: 'gauge',
      samples: [{ value: Number(isD1Up) }],
    },
  ];
}

/** The states of a run that may be alive: a lost run may reconnect, or run on without its wrapper. */
const OPEN_STATES = [...LIVE_STATES, 'lost'] as const;

const BROKEN_STATES = ['late', 'missed'] as const satisfies readonly ExpectationState[];

function describe(metrics: Metrics, { now, d1MaxBytes }: { now: number; d1MaxBytes: number }): Metric[] {
  const { buckets, sum } = metrics.killSeconds;
  return [
    {
      name: 'leash_runs',
      help: 'Runs that may be alive, by state. A lost run counts until its end is known, or for a day if its wrapper died.',
      type: 'gauge',
      samples: OPEN_STATES.map((state) => ({ labels: { state }, value: metrics.openRuns.get(state) ?? 0 })),
    },
    {
      name: 'leash_expectations_broken',
      help: 'Expectations that do not hold, by state: a run that was due has not started (late), nor had it when the next was due (missed).',
      type: 'gauge',
      samples: BROKEN_STATES.map((state) => ({ labels: { state }, value: metrics.brokenExpectations.get(state) ?? 0 })),
    },
    {
      name: 'leash_runs_ended_total',
      help: 'Runs that have ended, by state. A lost run that reconnects is counted again when it ends.',
      type: 'counter',
      samples: END_STATES.map((state) => ({ labels: { state }, value: metrics.runsEnded.get(state) ?? 0 })),
    },
    {
      name: 'leash_kills_total',
      help: 'Kills that were requested.',
      type: 'counter',
      samples: [{ value: metrics.kills }],
    },
    {
      name: 'leash_run_id_conflicts_total',
      help: 'Runs that were reported with the id of another job’s run. The audit log lists them.',
      type: 'counter',
      samples: [{ value: metrics.runIdConflicts }],
    },
    {
      name: 'leash_kill_seconds',
      help: 'Time from the request of a kill until all its targets have ended, including grace. Only kills that ended something.',
      type: 'histogram',
      samples: [
        ...buckets.map(([le, value]) => ({ suffix: '_bucket', labels: { le }, value })),
        { suffix: '_sum', value: sum },
        { suffix: '_count', value: buckets.at(-1)?.[1] ?? 0 },
      ],
    },
    {
      name: 'leash_kill_hop_seconds',
      help: 'Time from the request of a kill until it passed a hop on its way to a machine: quantiles of the last 1,000 kills within a day, for the 100 machines with the most of them.',
      type: 'gauge',
      samples: metrics.killHops.flatMap(({ machine, hop, quantiles }) =>
        quantiles.map(({ quantile, ms }) => ({
          labels: { machine, hop, quantile: String(quantile) },
          value: ms / 1000,
        })),
      ),
    },
    {
      name: 'leash_oldest_kill_age_seconds',
      help: 'Age of the oldest kill that waits for acceptance by its Durable Object, or for its end. 0 if there is none.',
      type: 'gauge',
      samples: [
        { labels: { waiting_for: 'acceptance' }, value: ageSeconds(metrics.oldestUnaccepted, now) },
        { labels: { waiting_for: 'end' }, value: ageSeconds(metrics.oldestOpen, now) },
      ],
    },
    {
      name: 'leash_d1_bytes',
      help: 'How much D1 stores. From 80 % of the maximum on, the oldest ended runs leave the index.',
      type: 'gauge',
      samples: [{ value: metrics.d1Bytes }],
    },
    {
      name: 'leash_d1_max_bytes',
      help: 'How much D1 can store, by the setting D1_MAX_BYTES.',
      type: 'gauge',
      samples: [{ value: d1MaxBytes }],
    },
  ];
}

function ageSeconds(at: number | null, now: number): number {
  return at === null ? 0 : Math.max(0, now - at) / 1000;
}
