/** What may happen to a job, as data: model and object both go through a sequence of these. */
import fc from 'fast-check';
import { KILL_PHASES } from '#protocol/kill';
import { EXPECTED, type ExpectedName } from './expectations.ts';

/** Which of the job's runs, by index. */
const run = fc.integer({ min: 0, max: 2 });
const step = <const Kind extends string, Fields>(
  kind: Kind,
  fields: { [Field in keyof Fields]: fc.Arbitrary<Fields[Field]> },
) => fc.record({ kind: fc.constant(kind), ...fields }) as fc.Arbitrary<{ kind: Kind } & Fields>;

/** Around every deadline of wrangler.toml: just before, just after, and long after. */
const passingMs = fc.constantFrom(
  900,
  2_000,
  3_001,
  5_001,
  10_001,
  29_000,
  30_001,
  31_000,
  600_001,
  3_600_000,
  90_000_000,
);

const expectedName = fc.constantFrom(...(Object.keys(EXPECTED) as ExpectedName[]));
/** Whose runs are expected: those on a machine, or those of the job as a whole. */
const whose = fc.constantFrom('m1', 'm1', 'm2', null);

const connect = step('connect', {
  run,
  phase: fc.constantFrom(
    'waiting' as const,
    'waiting' as const,
    'waiting' as const,
    'running' as const,
    'running' as const,
    'running' as const,
    'ended' as const,
    'abandoned' as const,
  ),
  /** What it asks, if it asks. */
  overlap: fc.constantFrom('wait' as const, 'wait' as const, 'kill-old' as const, 'skip' as const, 'allow' as const),
  scope: fc.constantFrom('job' as const, 'job' as const, 'machine' as const),
  /** Whether it wanted to ask, and could not in time. */
  asksLate: fc.constantFrom(false, false, true),
  /** Before it first connects it has been running for this long. */
  ageMs: fc.constantFrom(0, 500, 60_000),
  /** Which wrapper it is: the first, or a successor. */
  successor: fc.constantFrom(0, 0, 0, 1, 2),
  /** The orders that match it, which the Worker passes on: whether each kills. */
  orders: fc.constantFrom([], [], [], [], [], [], [true], [false], [false, true]),
  /** For how long they hold from now. */
  heldMs: fc.constantFrom(2_000, 10_000, 86_400_000),
  /** What its command line says of when it is expected. */
  expected: fc.option(expectedName, { nil: null, freq: 2 }),
});
const kill = step('kill', {
  /** Selects by run, instance and machine; null selects all. */
  run: fc.option(run, { nil: null, freq: 3 }),
  instance: fc.option(fc.constantFrom('i1', 'i2'), { nil: null, freq: 4 }),
  machine: fc.option(fc.constantFrom('m1', 'm2'), { nil: null, freq: 4 }),
  signal: fc.constantFrom('SIGTERM' as const, 'SIGKILL' as const),
  /**
   * Whether the call reaches the object: `offered` at the same time as it reaches D1, `pushed` once D1 has stored it, or
   * not at all, so that it is left in the queue.
   */
  reaches: fc.constantFrom('offered' as const, 'offered' as const, 'pushed' as const, 'nothing' as const),
});
const output = step('output', {
  run,
  /** Where it starts, relative to the end of what is stored. */
  from: fc.constantFrom(0, 0, 0, -3, -100, 2),
  length: fc.integer({ min: 1, max: 9 }),
  /** Whether these bytes are lost on the machine. */
  lost: fc.constantFrom(false, false, false, true),
});
const killing = step('killing', {
  run,
  /** Which of the kills that it received, by index; one of its own if there is none. */
  which: fc.integer({ min: 0, max: 3 }),
  phase: fc.constantFrom(...KILL_PHASES),
  /** Whether it is sent, or lost in a dead socket. */
  sent: fc.constantFrom(true, true, false),
});
const complete = step('complete', {
  run,
  reason: fc.constantFrom('exited' as const, 'operator' as const, 'timeout' as const, 'overlap' as const),
  /** Output that has yet to arrive. */
  owed: fc.constantFrom(0, 0, 5),
  /** How many processes it leaves running. */
  left: fc.constantFrom(0, 0, 2),
});

const STEPS = {
  connect,
  /** The command of a run that asked is started: mostly because it was told so. */
  begin: step('begin', { run, ageMs: fc.constantFrom(0, 0, 500) }),
  output,
  kill,
  killing,
  complete,
  /** The processes that still run after the run's end are now this many. */
  leftRunning: step('leftRunning', { run, count: fc.constantFrom(0, 1, 2) }),
  /** Brakes or maintenance reach the object: as they are set, or by the sweep. */
  enforce: step('enforce', {
    /** Whether it kills. */
    kills: fc.boolean(),
    machine: fc.constantFrom('*', 'm1', 'm2'),
    heldMs: fc.constantFrom(0, 2_000, 10_000, 86_400_000),
    /** Whether it is the last one once more. */
    again: fc.constantFrom(false, false, true),
  }),
  /** A kill is pushed again, as a drain does if D1 does not have it as accepted. */
  push: step('push', { which: fc.integer({ min: 0, max: 5 }) }),
  /** A call is repeated with its key, as by a client that got no response; D1 may not know the key yet. */
  repeat: step('repeat', { which: fc.integer({ min: 0, max: 5 }) }),
  alive: step('alive', { run }),
  /** The link breaks, and the object sees it. */
  disconnect: step('disconnect', { run }),
  /** A superseded socket continues to send. */
  lateFrame: step('lateFrame', {
    run,
    frame: fc.constantFrom('output' as const, 'complete' as const, 'start' as const),
  }),
  /** A socket that never sends `start`. */
  connectSilently: step('connectSilently', {}),
  /** A `start` for the run with another key. */
  wrongKey: step('wrongKey', { run }),
  /** An operator says what is expected, or that nothing is any more. */
  expect: step('expect', { machine: whose, expected: expectedName }),
  unexpect: step('unexpect', { machine: whose }),
  passTime: step('passTime', { ms: passingMs }),
  /** Time passes until the object looks whether a run is late, as it does when the object is not away. */
  passTimeToLook: step('passTimeToLook', {}),
  /** Memory is lost, the sockets stay. */
  hibernate: step('hibernate', {}),
  /** Memory is lost, and so is every socket. */
  restart: step('restart', {
    /** Whether by a crash, which the runtime logs: rarely. */
    crash: fc.nat({ max: 19 }).map((draw) => draw === 19),
  }),
  d1: step('d1', { away: fc.boolean() }),
  sweep: step('sweep', {}),
};

type Generated<Arbitrary> = Arbitrary extends fc.Arbitrary<infer Value> ? Value : never;
export type Step = Generated<(typeof STEPS)[keyof typeof STEPS]>;
export type StepOf<Kind extends Step['kind']> = Extract<Step, { kind: Kind }>;

type Weights = Partial<Record<keyof typeof STEPS, number>>;

function sequences(weights: Weights, minLength: number, maxLength: number): fc.Arbitrary<Step[]> {
  const chosen = Object.entries(weights).map(([kind, weight]) => ({
    weight,
    arbitrary: STEPS[kind as keyof typeof STEPS] as fc.Arbitrary<Step>,
  }));
  return fc.array(fc.oneof(...chosen), { minLength, maxLength, size: 'max' });
}

export const steps = sequences(
  {
    connect: 7,
    begin: 4,
    output: 4,
    kill: 4,
    killing: 5,
    complete: 2,
    leftRunning: 2,
    enforce: 2,
    push: 1,
    repeat: 2,
    alive: 1,
    disconnect: 3,
    lateFrame: 1,
    connectSilently: 1,
    wrongKey: 1,
    expect: 1,
    passTime: 6,
    hibernate: 1,
    restart: 1,
    d1: 1,
    sweep: 1,
  },
  4,
  12,
);

/** Those that decide whether runs come when they are due: what is expected comes before anything can be late. */
export const stepsOfExpectations: fc.Arbitrary<Step[]> = fc
  .tuple(
    STEPS.connect,
    STEPS.expect,
    sequences(
      {
        connect: 5,
        begin: 1,
        complete: 3,
        disconnect: 1,
        expect: 2,
        unexpect: 1,
        passTime: 8,
        passTimeToLook: 8,
        hibernate: 1,
        restart: 1,
        d1: 1,
        sweep: 1,
      },
      6,
      18,
    ),
  )
  .map(([connected, expected, others]) => [connected, expected, ...others]);
