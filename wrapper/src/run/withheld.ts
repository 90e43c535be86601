/** The end of a run whose command is never started. */
import { type EndReason, type RawExit, reportedEnd } from '#protocol/run-state';
import { rawExit } from '../launch/exit.ts';
import { endByOperator } from './end-command.ts';
import type { RunContext, Withheld } from './run-context.ts';

export interface WithheldEnd {
  readonly reason: EndReason;
  /** As if the signal had ended the command; null where none came. */
  readonly exit: RawExit | null;
  readonly exitCode: number;
}

export function withheldEnd({ cause }: Withheld): WithheldEnd {
  switch (cause.kind) {
    case 'skipped':
      return { reason: cause.reason, exit: null, exitCode: cause.exitCode };
    case 'killed':
      return { reason: 'operator', exit: null, exitCode: reportedEnd('operator', null).exitCode };
    case 'signaled': {
      const exit = rawExit(null, cause.signal);
      return { reason: 'local_signal', exit, exitCode: reportedEnd('local_signal', exit).exitCode };
    }
  }
}

/** Applies what has kept the command from its start. Kills that come later are refused. */
export async function withhold(withheld: Withheld, context: RunContext): Promise<WithheldEnd> {
  const { cause } = withheld;
  const { terminator } = context;
  if (cause.kind === 'killed') for (const { kill, receivedAt } of cause.kills) endByOperator(context, kill, receivedAt);
  terminator.leaderExited();
  await terminator.over();
  return withheldEnd(withheld);
}
