/**
 * Goes through a kill without its effects: no signal, no message, no line in the log, nothing in the journal.
 *
 * V8 compiles a function when it is first called, and a run is killed once. Without a rehearsal all that lies between a
 * kill's arrival and its first signal would be compiled then, which takes several times as long as to run it.
 */
import type { KillMessage } from '#protocol/wrapper-link';
import { type KillableTree, Terminator } from '../kill/terminator.ts';
import { LinkProtocol } from '../link/link-protocol.ts';
import type { ReportableRun } from '../link/reportable-run.ts';
import type { Log } from '../logging/log.ts';
import type { ProcessTree } from '../processes/process-tree.ts';
import { endByOperator } from './end-command.ts';
import type { RunOptions } from './run-options.ts';

type KillOptions = Pick<RunOptions, 'signal' | 'graceMs'>;

/** The first run compiles; in the second, regular expressions become machine code. */
const REHEARSALS = 2;

const KILL: KillMessage = {
  type: 'kill',
  kill: '00000000000000000000000000',
  signal: 'SIGTERM',
  grace_ms: 1_000,
  include: null,
  requested_by: '',
  reason: null,
  request_id: '',
};

const NO_LOG: Log = { warn() {}, info() {} };

/** A run without output, to which nothing happens. */
const NO_RUN: ReportableRun = {
  output: { start: 0, end: 0, free() {}, read: () => null },
  completion: null,
  unreportedSteps: [],
  stepsReported() {},
  left: null,
  keepsLinkOpen: false,
  start() {
    throw new Error('a rehearsal does not connect');
  },
};

/** May throw when the process table can't be read. */
export function rehearseKill(tree: ProcessTree, options: KillOptions): void {
  for (let count = 0; count < REHEARSALS; count += 1) rehearseOnce(tree, options);
}

function rehearseOnce(tree: ProcessTree, options: KillOptions): void {
  const terminator = new Terminator(
    withoutEffects(tree),
    () => 0,
    () => {},
    NO_LOG,
  );
  for (const action of new LinkProtocol(NO_RUN, 0).received(JSON.stringify(KILL), 0)) {
    if (action.kind === 'kill') endByOperator({ options, terminator, log: NO_LOG }, action.kill, action.receivedAt);
  }
  // It sees nobody left, so that it is over, and no timer stays.
  terminator.leaderExited();
}

function withoutEffects(tree: ProcessTree): KillableTree {
  return {
    leaderHasExited: () => {
      tree.leaderHasExited();
      return false;
    },
    signal: () => {
      tree.rehearse();
      return null;
    },
    members: () => [],
    mayHoldOutput: () => false,
    related: () => [],
    includeRelated: () => {},
  };
}
