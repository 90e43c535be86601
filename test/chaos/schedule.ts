/** What happens in one round of chaos, and when: all of it made from a seed, so that the same seed is the same round again. */
import type { Overlap, OverlapScope } from '#protocol/admission';
import { type Random, randomFrom } from '#testing/random';
import type { ReceiverTrouble } from './receiver.ts';

export type StreamName = 'stdout' | 'stderr';

/** What a command prints in one go, and how long it rests afterwards. */
export interface Step {
  readonly stream: StreamName;
  readonly lines: number;
  /** Whether it rests in the middle of the first line, too. */
  readonly restsWithinLine: boolean;
  readonly pauseMs: number;
}

/** How a command ends if nobody ends it; `wait`: it doesn't. */
export type OwnEnd =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: 'USR1' | 'KILL' }
  | { readonly kind: 'wait' };

export interface Workload {
  readonly steps: readonly Step[];
  /** `exit`: it exits with {@link TRAPPED_EXIT_CODE}. */
  readonly onTerm: 'die' | 'ignore' | 'exit';
  /** What it starts in a session of its own: something quiet, something that ignores SIGTERM, something that holds its stdout. */
  readonly child: 'none' | 'quiet' | 'stubborn' | 'holding';
  readonly end: OwnEnd;
}

/** What a run asks before it starts. */
export interface Asking {
  /** `allow`: it only asks. */
  readonly overlap: Overlap;
  readonly scope: OverlapScope;
  readonly ifUnreachable: 'run' | 'skip';
  /** Null: it waits until it may start; so does one that does not wait for others. */
  readonly waitTimeoutMs: number | null;
}

/** What a command exits with that exits on SIGTERM. */
export const TRAPPED_EXIT_CODE = 7;

export interface RunPlan {
  readonly index: number;
  /** By index, like the machine. */
  readonly job: number;
  readonly machine: number;
  readonly atMs: number;
  readonly graceMs: number;
  /** Null: it starts without asking. */
  readonly asking: Asking | null;
  /** Whether its wrapper ends what the command leaves running. */
  readonly endsLeftovers: boolean;
  readonly workload: Workload;
}

/** Whom a kill names. */
export type KillScope =
  | { readonly by: 'run' | 'instance'; readonly run: number }
  | { readonly by: 'runs'; readonly runs: readonly number[] }
  | { readonly by: 'job'; readonly job: number }
  | { readonly by: 'job_on_machine'; readonly job: number; readonly machine: number }
  /** Every job of the round on this machine. */
  | { readonly by: 'machine'; readonly machine: number };

/** What a brake, or maintenance, is for; null: for every one of the round. */
export interface BrakeScope {
  readonly job: number | null;
  readonly machine: number | null;
}

/**
 * - `once`
 * - `twice`: one after the other
 * - `at_once`: two calls that race
 * - `then_sigkill`: SIGKILL follows at once
 * - `same_key`: the same call again, with the same `Idempotency-Key`
 */
export type KillManner = 'once' | 'twice' | 'at_once' | 'then_sigkill' | 'same_key';

export type Action =
  | {
      readonly kind: 'crash';
      readonly atMs: number;
      readonly forMs: number;
      /** Whether it comes when an alert is sent and not yet answered. */
      readonly isInDelivery: boolean;
    }
  | { readonly kind: 'freeze'; readonly atMs: number; readonly forMs: number }
  | {
      readonly kind: 'link';
      readonly atMs: number;
      readonly forMs: number;
      readonly machine: number;
      readonly condition: 'cut' | 'stalled' | 'slow';
    }
  | {
      readonly kind: 'disk';
      readonly atMs: number;
      readonly forMs: number;
      readonly machine: number;
      readonly trouble: 'full' | 'read_only';
    }
  | { readonly kind: 'clock'; readonly atMs: number; readonly machine: number; readonly byMs: number }
  | { readonly kind: 'kill_wrapper'; readonly atMs: number; readonly run: number }
  | { readonly kind: 'stop_wrapper'; readonly atMs: number; readonly run: number; readonly forMs: number }
  | { readonly kind: 'signal_command'; readonly atMs: number; readonly run: number; readonly signal: NodeJS.Signals }
  | {
      readonly kind: 'kill';
      readonly atMs: number;
      readonly scope: KillScope;
      readonly manner: KillManner;
      /** Null: each run's own. */
      readonly signal: 'SIGTERM' | 'SIGHUP' | 'SIGKILL' | null;
      readonly graceMs: number | null;
    }
  | { readonly kind: 'receiver'; readonly atMs: number; readonly forMs: number; readonly trouble: ReceiverTrouble }
  /** It stands until all trouble is over, and is obeyed. */
  | { readonly kind: 'brake'; readonly atMs: number; readonly scope: BrakeScope; readonly kills: boolean };

export interface Schedule {
  readonly seed: number;
  readonly runs: readonly RunPlan[];
  /** In the order of their times. */
  readonly actions: readonly Action[];
}

export const MACHINES = 3;
export const JOBS = 3;
const RUNS = 12;
/** In which the wrappers start. */
const STARTS_MS = 2_500;
/** In which trouble begins. */
const TROUBLE_FROM_MS = 700;
const TROUBLE_TO_MS = 4_500;

export function scheduleOf(seed: number): Schedule {
  const random = randomFrom(seed);
  const runs = Array.from({ length: RUNS }, (_, index) => runPlan(index, random));
  const actions = [
    ...some(random, [1, 0], () => crash(random)),
    ...some(random, [0, 0, 1], () => freeze(random)),
    ...some(random, [2, 3, 4], () => linkTrouble(random)),
    ...some(random, [0, 1, 1], () => diskTrouble(random)),
    ...some(random, [0, 1, 2], () => clockJump(random)),
    ...some(random, [1, 2, 2, 3], () => ({ kind: 'kill_wrapper' as const, atMs: moment(random), run: anyRun(random) })),
    ...some(random, [1, 2, 2], () => stopWrapper(random)),
    ...some(random, [0, 0, 1], () => signalCommand(random)),
    ...some(random, [4, 5, 6], () => kill(random)),
    ...some(random, [0, 0, 1], () => brake(random)),
    ...some(random, [0, 1, 1, 2], () => receiverTrouble(random)),
  ];
  return { seed, runs, actions: actions.sort((a, b) => a.atMs - b.atMs) };
}

function runPlan(index: number, random: Random): RunPlan {
  return {
    index,
    job: random.below(JOBS),
    machine: random.below(MACHINES),
    atMs: Math.floor((index * STARTS_MS) / RUNS) + random.below(200),
    graceMs: oneOf(random, [300, 600, 1_000]),
    asking: random.percent(50) ? asking(random) : null,
    endsLeftovers: random.percent(40),
    workload: workload(random),
  };
}

function asking(random: Random): Asking {
  const overlap = oneOf(random, ['wait', 'wait', 'kill-old', 'skip', 'allow']);
  const waits = overlap === 'wait' || overlap === 'kill-old';
  return {
    overlap,
    scope: oneOf(random, ['job', 'job', 'machine']),
    ifUnreachable: oneOf(random, ['run', 'skip']),
    waitTimeoutMs: waits && random.percent(20) ? 1_000 + random.below(2_000) : null,
  };
}

function workload(random: Random): Workload {
  return {
    steps: Array.from({ length: 3 + random.below(10) }, () => step(random)),
    onTerm: oneOf(random, ['die', 'die', 'ignore', 'exit']),
    child: oneOf(random, ['none', 'none', 'none', 'none', 'none', 'none', 'quiet', 'stubborn', 'holding']),
    end: ownEnd(random),
  };
}

function step(random: Random): Step {
  const isBurst = random.percent(12);
  return {
    stream: oneOf(random, ['stdout', 'stdout', 'stderr']),
    lines: isBurst ? oneOf(random, [2_000, 20_000, 100_000]) : 1 + random.below(12),
    restsWithinLine: random.percent(15),
    pauseMs: oneOf(random, [0, 50, 100, 300, 700]),
  };
}

function ownEnd(random: Random): OwnEnd {
  if (random.percent(25)) return { kind: 'wait' };
  if (random.percent(8)) return { kind: 'signal', signal: oneOf(random, ['USR1', 'KILL']) };
  return { kind: 'exit', code: oneOf(random, [0, 0, 0, 1, 3, 42, 143, 255]) };
}

function crash(random: Random): Action {
  return {
    kind: 'crash',
    atMs: moment(random),
    forMs: oneOf(random, [0, 500, 2_000]),
    isInDelivery: random.percent(50),
  };
}

function freeze(random: Random): Action {
  return { kind: 'freeze', atMs: moment(random), forMs: 200 + random.below(2_500) };
}

function linkTrouble(random: Random): Action {
  const condition = oneOf(random, ['cut', 'stalled', 'slow'] as const);
  return { kind: 'link', atMs: moment(random), forMs: duration(random), machine: random.below(MACHINES), condition };
}

function diskTrouble(random: Random): Action {
  const trouble = oneOf(random, ['full', 'read_only'] as const);
  return { kind: 'disk', atMs: moment(random), forMs: duration(random), machine: random.below(MACHINES), trouble };
}

function clockJump(random: Random): Action {
  const byMs = oneOf(random, [-86_400_000, -30_000, 30_000, 86_400_000]);
  return { kind: 'clock', atMs: random.below(TROUBLE_TO_MS), machine: random.below(MACHINES), byMs };
}

function stopWrapper(random: Random): Action {
  return { kind: 'stop_wrapper', atMs: moment(random), run: anyRun(random), forMs: duration(random) };
}

function signalCommand(random: Random): Action {
  return {
    kind: 'signal_command',
    atMs: moment(random),
    run: anyRun(random),
    signal: oneOf(random, ['SIGKILL', 'SIGUSR2']),
  };
}

function kill(random: Random): Action {
  return {
    kind: 'kill',
    atMs: moment(random),
    scope: killScope(random),
    manner: oneOf(random, ['once', 'once', 'twice', 'at_once', 'then_sigkill', 'same_key']),
    signal: oneOf(random, [null, null, 'SIGTERM', 'SIGHUP', 'SIGKILL']),
    graceMs: oneOf(random, [null, 0, 300, 800]),
  };
}

function killScope(random: Random): KillScope {
  switch (
    oneOf(random, ['run', 'run', 'run', 'instance', 'instance', 'runs', 'job', 'job_on_machine', 'machine'] as const)
  ) {
    case 'run':
      return { by: 'run', run: anyRun(random) };
    case 'instance':
      return { by: 'instance', run: anyRun(random) };
    case 'runs': {
      const first = anyRun(random);
      return { by: 'runs', runs: [first, (first + 1 + random.below(RUNS - 1)) % RUNS] };
    }
    case 'job':
      return { by: 'job', job: random.below(JOBS) };
    case 'job_on_machine':
      return { by: 'job_on_machine', job: random.below(JOBS), machine: random.below(MACHINES) };
    case 'machine':
      return { by: 'machine', machine: random.below(MACHINES) };
  }
}

function brake(random: Random): Action {
  const machine = random.below(MACHINES);
  const scope = oneOf(random, [
    { job: null, machine },
    { job: random.below(JOBS), machine: null },
  ]);
  // Early: some wrappers have asked by then, most ask later.
  return { kind: 'brake', atMs: random.below(1_000), scope, kills: random.percent(60) };
}

function receiverTrouble(random: Random): Action {
  const trouble = oneOf(random, ['refuses', 'hangs', 'drops']);
  return { kind: 'receiver', atMs: moment(random), forMs: duration(random), trouble };
}

function moment(random: Random): number {
  return TROUBLE_FROM_MS + random.below(TROUBLE_TO_MS - TROUBLE_FROM_MS);
}

/** Shorter and longer than the deadlines of the control plane (settings.ts). */
function duration(random: Random): number {
  return oneOf(random, [100, 600, 1_500, 2_500]) + random.below(300);
}

function anyRun(random: Random): number {
  return random.below(RUNS);
}

function oneOf<const Value>(random: Random, values: readonly Value[]): Value {
  const value = values[random.below(values.length)];
  if (value === undefined) throw new Error('there is nothing to choose from');
  return value;
}

/** As many as one of `counts` says. */
function some(random: Random, counts: readonly number[], make: () => Action): Action[] {
  return Array.from({ length: oneOf(random, counts) }, make);
}
