/** The end of a run, for the log. */
import type { EndReason, RawExit } from '#protocol/run-state';
import type { Killing } from '#protocol/wrapper-link';

type Step = Pick<Killing, 'phase' | 'signal' | 'survivors' | 'unnamed_survivors'>;

/** One step of a kill. */
export function describeStep({ phase, signal, survivors, unnamed_survivors }: Step): string {
  switch (phase) {
    case 'term':
      return `sent ${signal} to all processes`;
    case 'kill':
      return `sent ${signal} to all remaining processes`;
    case 'gone':
      return describeGone(survivors, unnamed_survivors);
    case 'refused':
      return 'nothing to end: the command had already exited';
  }
}

function describeGone(survivors: readonly number[], areOthersLeft: boolean): string {
  if (survivors.length > 0) {
    return `all processes exited except pid ${survivors.join(', ')}${areOthersLeft ? ' and others with unknown pids' : ''}`;
  }
  return areOthersLeft ? 'all processes that could be found exited, but something still runs' : 'all processes exited';
}

/** Why a run ended, with which exit code, and the command's own exit code where that differs. */
export function describeEnd(reason: EndReason, raw: RawExit | null, exitCode: number): string {
  const own = raw?.kind === 'signaled' ? raw.signal : (raw?.code ?? exitCode);
  const other = own === exitCode ? '' : ` (the command’s own: ${own})`;
  return `ended ${WHY[reason]}: exit code ${exitCode}${other}`;
}

const WHY: Readonly<Record<EndReason, string>> = {
  exited: 'by itself',
  signaled: 'by a signal that leash did not send',
  local_signal: 'by a signal to leash',
  operator: 'by an operator',
  timeout: 'by --timeout',
  idle_timeout: 'by --idle-timeout',
  memory_limit: 'by --max-memory',
  cpu_limit: 'by --max-cpu',
  offline_limit: 'by --max-offline',
  silence: 'by silence',
  start_failed: 'before it started',
  overlap: 'without starting, because another run was in its way',
  brake: 'without starting, because of a brake',
  maintenance: 'without starting, because of maintenance',
  unreachable: 'without starting, because the control plane could not be asked',
  wrapper_failed: 'by a wrapper failure',
  wrapper_died: 'with its wrapper',
  exit_unknown: 'in an unknown way, after its wrapper was killed',
};
