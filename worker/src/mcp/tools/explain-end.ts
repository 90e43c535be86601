import * as v from 'valibot';
import { EventList, type Run, RunBody, type RunEvent, RunList } from '#protocol/api';
import { KIB } from '#protocol/limits';
import { JobName, RunId } from '#protocol/names';
import { isLive } from '#protocol/run-state';
import { formatDuration } from '#shared/format-duration';
import type { Api } from '../api.ts';
import { eventLine, outputSize, runLine } from '../describe.ts';
import { tool } from '../tool.ts';
import { outputTail, quoteOutput, type RunRef } from './read-output.ts';

/** The newest events say how it ended. The API lists the oldest first. */
const MAX_EVENTS = 100;
const PAGE_EVENTS = 500;
const MAX_PAGES = 20;
const TAIL_BYTES = 4 * KIB;
const EARLIER_RUNS = 10;

export const explainEnd = tool({
  name: 'explain_end',
  title: 'Explain how a run ended',
  description:
    'Says why a run ended, with its events, the end of its output, and how the runs before it on the same machine ended. For a run that has not ended it says how it is.',
  scopes: ['read'],
  isDestructive: false,
  input: v.object({
    run: v.pipe(RunId, v.description('The id of the run.')),
    job: v.pipe(JobName, v.description('Its job.')),
  }),
  call: async (api, { run: id, job }) => {
    const { run } = await api.get(`/runs/${id}`, { job }, RunBody);
    const [events, output, { runs }] = await Promise.all([
      newestEvents(api, { run: id, job }),
      outputTail(api, { run: id, job }, TAIL_BYTES),
      api.get('/runs', { job, machine: run.machine, until: run.started_at, limit: EARLIER_RUNS }, RunList),
    ]);
    const now = Date.now();
    return [
      runLine(run, now),
      howItEnded(run, events),
      outputSize(run),
      '',
      'Events:',
      ...((events[0]?.id ?? 1) > 1 ? ['(the oldest are left out)'] : []),
      ...events.map(eventLine),
      '',
      'The end of its output:',
      quoteOutput(output),
      '',
      `The runs before it on ${run.machine}, newest first:`,
      ...(runs.length === 0 ? ['(none)'] : runs.map((earlier) => runLine(earlier, now))),
    ].join('\n');
  },
});

async function newestEvents(api: Api, { run, job }: RunRef): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const page of api.pages(`/runs/${run}/events`, { job, limit: PAGE_EVENTS }, EventList, MAX_PAGES)) {
    events.push(...page.events);
  }
  return events.slice(-MAX_EVENTS);
}

function howItEnded(run: Run, events: readonly RunEvent[]): string {
  if (run.state === 'waiting') return 'It has not started: it asked whether it may, and waits.';
  if (run.reason === null) return isLive(run.state) ? 'It has not ended.' : 'Why it ended is unknown.';
  const exit = run.exit_code === null ? '' : ` Exit code ${run.exit_code}.`;
  const left = run.left_running.length === 0 ? '' : ` ${run.left_running.length} of its processes still run.`;
  return `${why(run, run.reason, events)}${exit}${left}`;
}

function why(run: Run, reason: NonNullable<Run['reason']>, events: readonly RunEvent[]): string {
  switch (reason) {
    case 'exited':
      return run.exit_code === 0 ? 'The command succeeded.' : 'The command exited by itself, with a failure.';
    case 'signaled':
      return `A signal that Leash did not send ended the command${named(run)}. If it was SIGKILL, the kernel may have run out of memory.`;
    case 'local_signal':
      return `A signal to the wrapper on its own machine${named(run)} was passed on and ended the command.`;
    case 'operator':
      return killedBy(events);
    case 'timeout':
      return `It reached its time limit${run.timeout_ms === null ? '' : ` of ${formatDuration(run.timeout_ms)}`}.`;
    case 'idle_timeout':
      return 'It printed nothing for longer than its idle limit.';
    case 'memory_limit':
      return 'It took more memory than --max-memory allows.';
    case 'cpu_limit':
      return 'It took more CPU time than --max-cpu allows.';
    case 'offline_limit':
      return 'The control plane was unreachable for longer than the run may go unsupervised.';
    case 'silence':
      return 'It was silent for too long and is taken for lost. This is corrected if its wrapper reconnects: the command may still run.';
    case 'wrapper_died':
      return 'Its wrapper was killed and nothing took the run over. Whether the command finished is unknown.';
    case 'exit_unknown':
      return 'Its wrapper was killed and the command ended after that, so its exit code is unknown.';
    case 'start_failed':
      return 'The command could not be started.';
    case 'wrapper_failed':
      return 'The wrapper itself failed.';
    case 'overlap':
      return `It asked before its start, and was not allowed to start, because of ${blockers(run)}.`;
    case 'brake':
      return `It asked before its start, and was not allowed to start, because of a brake${order(events)}.`;
    case 'maintenance':
      return `It asked before its start, and was not allowed to start, because of maintenance${order(events)}.`;
    case 'unreachable':
      return 'It did not start, because the control plane could not be asked.';
  }
}

/** The runs in its way. */
function blockers({ blocked_by }: Run): string {
  if (blocked_by.length === 0) return 'another run';
  return blocked_by
    .map(({ run, machine, started_at }) => `run ${run} on ${machine} (started ${started_at})`)
    .join(', ');
}

/** Whose order kept it from starting. */
function order(events: readonly RunEvent[]): string {
  const skipped = events.findLast((event) => event.type === 'skipped');
  return skipped?.detail == null ? '' : ` (${skipped.detail})`;
}

function named({ signal }: Run): string {
  return signal === null ? '' : ` (${signal})`;
}

function killedBy(events: readonly RunEvent[]): string {
  const kill = events.findLast((event) => event.type === 'kill_requested');
  if (kill === undefined) return 'An operator’s kill ended it.';
  const reason = kill.reason === null ? 'without a reason' : `with the reason: ${kill.reason}`;
  return `A kill by ${kill.requested_by} ended it, ${reason} (kill ${kill.kill}).`;
}
