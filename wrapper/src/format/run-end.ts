/** The end of a run, for the log. */
import type { EndReason, RawExit } from '#protocol/run-state';
import type { Killing } from '#protocol/wrapper-link';

type Step = Pick<Killing, 'phase' | 'signal' | 'survivors' | 'unnamed_survivors'>;

/** One step of a kill. */
export function describeStep({ phase, signal, survivors, unnamed_survivors }: Step): string {
  switch (phase) {
    case 'term':
      return `${signal} sent to all of it`;
    case 'kill':
      return `${signal} sent to all that is left`;
    case 'gone':
      return describeGone(survivors, unnamed_survivors);
    case 'refused':
      return 'there is nothing to end: the command had exited';
  }
}

function describeGone(survivors: readonly number[], areOthersLeft: boolean): string {
  if (survivors.length > 0) {
    return `all of it is gone but ${survivors.join(', ')} (pid)${areOthersLeft ? ' and others whose pids are not known' : ''}`;
  }
  return areOthersLeft ? 'all that could be found is gone, but something is left' : 'all of it is gone';
}

/** Why a run ended, with which exit code, and the command's own exit code where that differs. */
export function describeEnd(reason: EndReason, raw: RawExit | null, exitCode: number): string {
  const own = raw?.kind === 'signaled' ? raw.signal : (raw?.code ?? exitCode);
  const other = own === exitCode ? '' : ` (the command’s own: ${own})`;
  return `ended ${WHY[reason]}: exit code ${exitCode}${other}`;
}

const WHY: Readonly<Record<EndReason, string>> = {
  exited: 'by itself',
  signaled: 'by a signal that was not ours',
  local_signal: 'by a signal to leash',
  operator: 'by an operator',
  timeout: 'by --timeout',
  idle_timeout: 'by --idle-timeout',
  offline_limit: 'by --max-offline',
  silence: 'by silence',
  start_failed: 'before it began',
  wrapper_failed: 'by a fault',
  wrapper_died: 'with its wrapper',
  exit_unknown: 'unseen, after its wrapper had been killed',
};
