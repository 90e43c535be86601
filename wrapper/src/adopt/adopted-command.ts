/** A command that another wrapper has started, for the successor. */
import fs from 'node:fs';
import type { StreamName } from '#protocol/output-frame';
import type { RawExit } from '#protocol/run-state';
import { INHERITED_FDS } from '../guardian/guardian.ts';
import { describeError, type Log } from '../logging/log.ts';
import { closedPipe, inheritedPipe, type OutputPipe } from '../output/output-pipe.ts';
import { processTable } from '../processes/process-table.ts';
import { openProcessTree, type ProcessTreeOrigin } from '../processes/process-tree.ts';
import type { SupervisedCommand } from '../run/run-context.ts';

/** How often to check whether the command has exited: only its parent is notified. */
const LOOK_EVERY_MS = 250;

/** @param knownExit how it has exited, if its wrapper could record that */
export function adoptedCommand(origin: ProcessTreeOrigin, knownExit: RawExit | null, log: Log): SupervisedCommand {
  const isMerged = origin.pipes.length < 2;
  return {
    kind: 'running',
    pid: origin.leader.pid,
    output: {
      stdout: pipeOf('stdout', origin, log) ?? closedPipe,
      stderr: isMerged ? null : pipeOf('stderr', origin, log),
    },
    exited: exitOf(origin, knownExit),
    whyNotExecuted: () => null,
    remark: null,
  };
}

/** Null when the guardian doesn't hold it any more. */
function pipeOf(stream: StreamName, { pipes }: ProcessTreeOrigin, log: Log): OutputPipe | null {
  const fd = INHERITED_FDS[stream];
  try {
    if (!fs.fstatSync(fd).isFIFO() || !pipes.includes(processTable.nameOfPipe(fd) ?? '')) return null;
    return inheritedPipe(fd);
  } catch (error) {
    // EBADF: the guardian has closed it, because it was no longer read.
    log.info(`cannot read the command's ${stream}: ${describeError(error)}`);
    return null;
  }
}

function exitOf(origin: ProcessTreeOrigin, knownExit: RawExit | null): Promise<RawExit | null> {
  const tree = openProcessTree(origin);
  return new Promise((resolve) => {
    const look = () => {
      if (!tree.leaderHasExited()) return;
      clearInterval(timer);
      resolve(knownExit);
    };
    const timer = setInterval(look, LOOK_EVERY_MS);
    look();
  });
}
