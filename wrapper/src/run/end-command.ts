/** What ends a run before its command exits by itself: all causes take one path, through the terminator. */
import type { LeftProcess } from '#protocol/machine-facts';
import type { EndReason, RawExit } from '#protocol/run-state';
import type { KillMessage } from '#protocol/wrapper-link';
import { formatBytes } from '#shared/format-bytes';
import { formatDuration } from '#shared/format-duration';
import type { LocalSignal, TerminatingSignal } from '../host/local-signals.ts';
import type { Terminator } from '../kill/terminator.ts';
import { describeError, type Log } from '../logging/log.ts';
import { describeLeftovers } from '../processes/describe-processes.ts';
import { remainingAfterAMoment } from '../processes/left-running.ts';
import type { ProcessTree } from '../processes/process-tree.ts';
import type { UsageLimit } from '../usage/usage-meter.ts';
import type { LimitKind } from './limits.ts';
import type { LaunchedRun } from './run-context.ts';
import type { RunOptions } from './run-options.ts';

export interface EndContext {
  readonly options: RunOptions;
  readonly terminator: Terminator;
  readonly tree: ProcessTree;
  readonly log: Log;
}

export function endByOperator(
  {
    options,
    terminator,
    log,
  }: Pick<EndContext, 'terminator' | 'log'> & { readonly options: Pick<RunOptions, 'signal' | 'graceMs'> },
  kill: KillMessage,
  receivedAt: number,
): void {
  terminator.request(
    {
      cause: { kind: 'operator', kill: kill.kill },
      signal: kill.signal ?? options.signal,
      graceMs: kill.grace_ms ?? options.graceMs,
      includeRelated: kill.include === 'related',
      receivedAt,
    },
    (isFirst) => {
      if (isFirst) log.warn(`killed ${describeRequest(kill)}`);
      else log.info(`another kill ${describeRequest(kill)}`);
    },
  );
}

function describeRequest({ requested_by, reason, request_id }: KillMessage): string {
  // The request's id leads from this line to those of the control plane.
  const request = typeof request_id === 'string' ? ` (request ${request_id})` : '';
  return `by ${requested_by}${reason === null ? '' : `: ${reason}`}${request}`;
}

export function endByLimit({ options, terminator, log }: EndContext, limit: LimitKind | UsageLimit): void {
  terminator.request({ cause: { kind: limit }, signal: options.signal, graceMs: options.graceMs }, (isFirst) => {
    if (isFirst) log.warn(`${describeLimit(limit, options)}: ending the command`);
  });
}

function describeLimit(limit: LimitKind | UsageLimit, options: RunOptions): string {
  switch (limit) {
    case 'timeout':
      return `the time limit of ${formatDuration(options.timeoutMs ?? 0)} was reached`;
    case 'idle_timeout':
      return `the command has printed nothing for ${formatDuration(options.idleTimeoutMs ?? 0)}`;
    case 'memory_limit':
      return `the memory limit of ${formatBytes(options.maxMemoryBytes ?? 0)} was reached`;
    case 'cpu_limit':
      return `the CPU time limit of ${formatDuration(options.maxCpuMs ?? 0)} was reached`;
    case 'offline_limit':
      return `the control plane has been unreachable for ${formatDuration(options.maxOfflineMs ?? 0)}`;
  }
}

/** Handles a signal to the wrapper, which is meant for the command. */
export function handleLocalSignal(ending: EndContext & Pick<LaunchedRun, 'started'>, local: LocalSignal): void {
  const { tree, log } = ending;
  switch (local.kind) {
    case 'end':
      endBySignal(ending, local.signal);
      return;
    case 'pass_on':
      // To the command's own process, as without us: most others would die of it.
      if (local.signal !== 'SIGCONT') signalLeader(ending, local.signal);
      // All of them may have been stopped.
      else tree.signal(local.signal);
      log.info(`received ${local.signal}, passed it on`);
      return;
    case 'stop':
      // Not SIGTSTP: a process group without a terminal ignores that.
      tree.signal('SIGSTOP');
      process.kill(process.pid, 'SIGSTOP');
      return;
  }
}

function signalLeader(
  { started, tree }: Pick<EndContext, 'tree'> & Pick<LaunchedRun, 'started'>,
  signal: NodeJS.Signals,
): void {
  if (started.kind !== 'running' || tree.leaderHasExited()) return;
  try {
    process.kill(started.pid, signal);
  } catch {
    // ESRCH: it has just exited. EPERM: it has become another user's.
  }
}

function endBySignal({ options, terminator, log }: EndContext, signal: TerminatingSignal): void {
  terminator.request({ cause: { kind: 'local_signal' }, signal, graceMs: options.graceMs }, (isFirst) => {
    const when = options.graceMs === 0 ? 'at once' : `in ${formatDuration(options.graceMs)}`;
    if (isFirst) log.warn(`received ${signal}, passed it on; SIGKILL follows ${when}`);
    else log.info(`received ${signal}`);
  });
}

/**
 * `--leftovers kill`: ends what the command has left running, by the rules of a kill. Never rejects.
 *
 * @returns what it was
 */
export async function endLeftovers({
  options,
  terminator,
  tree,
  rules,
  log,
}: EndContext & Pick<LaunchedRun, 'rules'>): Promise<readonly LeftProcess[]> {
  // Whatever ended the run has ended all of it.
  if (terminator.stage.kind !== 'exited') return [];
  let leftovers: readonly LeftProcess[] = [];
  try {
    const pids = await remainingAfterAMoment(tree);
    if (pids.length === 0) return [];
    leftovers = describeLeftovers(pids, rules);
    log.info(`the command has left ${pids.join(', ')} running: ending what is left (--leftovers kill)`);
  } catch (error) {
    // Out of file descriptors, most likely. The leader's process group needs no look.
    log.info(`cannot look for processes that the command has left running: ${describeError(error)}`);
  }
  terminator.request({ cause: { kind: 'leftovers' }, signal: options.signal, graceMs: options.graceMs });
  await terminator.over();
  return leftovers;
}

/** Why the run has ended, once it has. */
export function endReason(
  { options, terminator }: Pick<EndContext, 'options' | 'terminator'>,
  raw: RawExit | null,
): EndReason {
  const { stage } = terminator;
  switch (stage.kind) {
    case 'gone':
    case 'term':
    case 'kill':
      return stage.reason === 'leftovers' ? ownReason(options, raw) : stage.reason;
    case 'running':
    case 'exited':
      return ownReason(options, raw);
  }
}

function ownReason({ wrapperDeath }: RunOptions, raw: RawExit | null): EndReason {
  if (raw !== null) return raw.kind;
  // The guardian has ended it, or a successor saw it end.
  return wrapperDeath === 'kill' ? 'wrapper_died' : 'exit_unknown';
}
