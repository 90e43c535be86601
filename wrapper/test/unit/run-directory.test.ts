import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { countAttempt } from '../../src/flush/give-up.ts';
import type { ProcessRef } from '../../src/processes/process-ref.ts';
import { removeUnfinished } from '../../src/state/cleanup.ts';
import type { Processes } from '../../src/state/owner.ts';
import { claim, createRunDirectory, type RunDirectory, runsIn } from '../../src/state/run-directory.ts';
import { ageOf, FORMAT_VERSION, type RunEnd } from '../../src/state/run-file.ts';
import { listRuns } from '../../src/state/run-listing.ts';
import { someFacts } from '../support/run-facts.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Some processes of a machine, each as it sees the others. */
class Machine {
  readonly #living = new Set<string>();
  readonly bootId: string;

  constructor(bootId = 'this-boot') {
    this.bootId = bootId;
  }

  process(pid: number): Processes {
    const self: ProcessRef = { pid, startTime: `${pid}00`, bootId: this.bootId };
    this.#living.add(JSON.stringify(self));
    return { self, isRunning: (ref) => this.isRunning(ref) };
  }

  end({ self }: Processes): void {
    this.#living.delete(JSON.stringify(self));
  }

  isRunning({ pid, startTime, bootId }: ProcessRef): boolean {
    return this.#living.has(JSON.stringify({ pid, startTime, bootId }));
  }
}

async function create(
  state: string,
  processes: Processes,
  changes: Parameters<typeof someFacts>[0] = {},
): Promise<RunDirectory> {
  const created = await createRunDirectory(state, someFacts(changes), processes);
  if (created.kind === 'failed') throw new Error(created.why);
  return created.directory;
}

const end: Omit<RunEnd, 'version'> = {
  complete: {
    type: 'complete',
    exit_code: 143,
    command_exit_code: null,
    signal: 'SIGTERM',
    reason: 'operator',
    duration_ms: 5_000,
    final_offset: 1_234,
    applied_kills: [],
  },
  unreported_steps: [
    {
      type: 'killing',
      kill: null,
      reason: 'timeout',
      phase: 'term',
      signal: 'SIGTERM',
      at_ms: 9,
      survivors: [],
      unnamed_survivors: false,
    },
  ],
};

test("a run's files are complete and readable for its owner alone", async () => {
  const state = temporaryDirectory();
  const wrapper = new Machine().process(10);
  const directory = await create(state, wrapper);
  expect(fs.statSync(directory.path).mode & 0o777).toBe(0o700);
  for (const name of fs.readdirSync(directory.path)) {
    expect(fs.statSync(path.join(directory.path, name)).mode & 0o777).toBe(0o600);
  }
  const [listed, ...others] = await listRuns(state, wrapper);
  expect(others).toEqual([]);
  expect(listed).toEqual({
    path: directory.path,
    run: directory.facts.run,
    facts: { kind: 'read', value: directory.facts },
    ended: false,
    uploaded: false,
    free: false,
  });
});

test("a running wrapper's run can't be claimed, a dead one's can be by the first process that tries", async () => {
  const state = temporaryDirectory();
  const machine = new Machine();
  const [wrapper, first, second] = [machine.process(10), machine.process(11), machine.process(12)];
  const { path: directory, facts } = await create(state, wrapper);
  expect(await claim(directory, first)).toBeNull();
  expect(await claim(directory, wrapper)).toBeNull();

  machine.end(wrapper);
  expect(await listRuns(state, second)).toMatchObject([{ free: true }]);
  const claimed = await claim(directory, first);
  expect(claimed?.facts).toEqual(facts);
  expect(await claim(directory, second)).toBeNull();

  // It dies in between.
  machine.end(first);
  const again = await claim(directory, second);
  expect(again).not.toBeNull();
  await again?.release();
  expect(await claim(directory, machine.process(13))).not.toBeNull();
});

test('after a restart of the machine, a process with the same pid is another process', async () => {
  const state = temporaryDirectory();
  const { path: directory } = await create(state, new Machine('the boot before').process(10));
  const after = new Machine('this boot');
  after.process(10);
  expect(await claim(directory, after.process(11))).not.toBeNull();
});

test('a dead process whose pid was reused is dead', async () => {
  const state = temporaryDirectory();
  const machine = new Machine();
  const wrapper = machine.process(10);
  const { path: directory } = await create(state, wrapper);
  machine.end(wrapper);
  const other: Processes = {
    self: { ...wrapper.self, startTime: 'later' },
    isRunning: (ref) => ref.startTime === 'later',
  };
  expect(await claim(directory, other)).not.toBeNull();
});

test('of concurrent claims, exactly one succeeds', async () => {
  const state = temporaryDirectory();
  const machine = new Machine();
  for (let round = 0; round < 20; round += 1) {
    const wrapper = machine.process(1_000 + round);
    const { path: directory } = await create(state, wrapper);
    machine.end(wrapper);
    const claims = await Promise.all([1, 2, 3, 4, 5].map((pid) => claim(directory, machine.process(pid))));
    expect(claims.filter((each) => each !== null)).toHaveLength(1);
  }
});

test('the next owner reads the end that was written', async () => {
  const state = temporaryDirectory();
  const machine = new Machine();
  const wrapper = machine.process(10);
  const directory = await create(state, wrapper);
  expect(await directory.readEnd()).toBeNull();
  expect(await directory.writeEnd(end, 10_000)).toBeNull();
  machine.end(wrapper);
  const next = machine.process(11);
  expect(await listRuns(state, next)).toMatchObject([{ ended: true }]);
  expect(await (await claim(directory.path, next))?.readEnd()).toEqual({ version: FORMAT_VERSION, ...end });
});

test('an uploaded run keeps its facts and loses its output', async () => {
  const state = temporaryDirectory();
  const wrapper = new Machine().process(10);
  const directory = await create(state, wrapper);
  fs.writeFileSync(path.join(directory.path, 'out-00000001-000000000000000'), 'output');
  expect(await directory.markUploaded()).toBeNull();
  expect(await listRuns(state, wrapper)).toMatchObject([{ uploaded: true, facts: { kind: 'read' } }]);
  expect(fs.readdirSync(directory.path).filter((name) => name.startsWith('out-'))).toEqual([]);
});

test('a removed run is gone at once, also for a process that is about to claim it', async () => {
  const state = temporaryDirectory();
  const machine = new Machine();
  const wrapper = machine.process(10);
  const directory = await create(state, wrapper);
  expect(await directory.remove()).toBeNull();
  expect(fs.readdirSync(runsIn(state))).toEqual([]);
  machine.end(wrapper);
  expect(await claim(directory.path, machine.process(11))).toBeNull();
  expect(await directory.remove()).toContain('ENOENT');
});

test("a directory that can't be created is reported, and nothing is left behind", async () => {
  const state = temporaryDirectory();
  fs.writeFileSync(runsIn(state), 'not a directory');
  const created = await createRunDirectory(state, someFacts(), new Machine().process(10));
  expect(created).toMatchObject({ kind: 'failed', why: expect.stringMatching(/EEXIST|ENOTDIR/) });
});

test("runs that this version can't read are left alone", async () => {
  const state = temporaryDirectory();
  const machine = new Machine();
  const wrapper = machine.process(10);
  const newer = await create(state, wrapper);
  fs.writeFileSync(
    path.join(newer.path, 'run.json'),
    JSON.stringify({ version: FORMAT_VERSION + 1, run: 'who knows' }),
  );
  const older = await create(state, wrapper);
  fs.writeFileSync(path.join(older.path, 'run.json'), JSON.stringify({ version: FORMAT_VERSION - 1 }));
  const broken = await create(state, wrapper);
  fs.writeFileSync(path.join(broken.path, 'run.json'), '');
  machine.end(wrapper);
  const next = machine.process(11);
  const kinds = (await listRuns(state, next)).map((each) => each.facts.kind);
  expect(kinds).toEqual(['newer', 'older', 'unreadable']);
  for (const { path } of [newer, older, broken]) expect(await claim(path, next)).toBeNull();
  // Another version can still claim them.
  expect((await listRuns(state, next)).map((each) => each.free)).toEqual([true, true, true]);
});

test("unfinished directories of dead processes are removed, and no run because of its files' dates", async () => {
  const state = temporaryDirectory();
  const machine = new Machine();
  const [wrapper, tidier, maker] = [machine.process(10), machine.process(11), machine.process(12)];
  const dead = await create(state, wrapper);
  const broken = await create(state, wrapper);
  fs.writeFileSync(path.join(broken.path, 'run.json'), 'garbage');
  for (const { path: directory } of [dead, broken]) {
    for (const name of fs.readdirSync(directory)) fs.utimesSync(path.join(directory, name), 0, 0);
  }
  fs.mkdirSync(path.join(runsIn(state), '.transient~abc~this-boot@12@1200'));
  fs.mkdirSync(path.join(runsIn(state), 'something else'));
  machine.end(wrapper);

  const left = async () => {
    await removeUnfinished(state, tidier);
    return fs.readdirSync(runsIn(state)).sort();
  };
  const all = [dead, broken].map((each) => path.basename(each.path));
  expect(await left()).toEqual(['.transient~abc~this-boot@12@1200', ...all, 'something else']);
  machine.end(maker);
  expect(await left()).toEqual([...all, 'something else']);
});

test('only time in which the machine was up and attempts were made counts', async () => {
  const directory = await create(temporaryDirectory(), new Machine().process(10));
  const after = (bootId: string, days: number) => countAttempt(directory, { bootId, monotonicMs: days * DAY_MS });
  expect(await after('a', 100)).toBe(0);
  expect(await after('a', 100.5)).toBe(0.5 * DAY_MS);
  // A pause in the attempts, or the machine was off: each boot's clock starts again.
  expect(await after('a', 110.5)).toBe(1.5 * DAY_MS);
  expect(await after('b', 300)).toBe(1.5 * DAY_MS);
  expect(await after('b', 300.25)).toBe(1.75 * DAY_MS);
  expect(await after('b', 0)).toBe(1.75 * DAY_MS);
});

test("a run's age follows the monotonic clock until the machine is restarted", () => {
  const facts = {
    version: FORMAT_VERSION,
    ...someFacts({ started_at_ms: 1_000_000, started_uptime_ms: 5_000, boot_id: 'b' }),
  } as const;
  expect(ageOf(facts, { bootId: 'b', uptimeMs: 7_000.4, epochMs: 0 })).toBe(2_000);
  expect(ageOf(facts, { bootId: 'c', uptimeMs: 7_000, epochMs: 1_060_000 })).toBe(60_000);
  expect(ageOf(facts, { bootId: 'c', uptimeMs: 7_000, epochMs: 0 })).toBe(0);
});
