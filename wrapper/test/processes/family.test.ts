/** Ending all that a command has started, for real: every process here is one. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createCgroup } from '../../src/processes/cgroup.ts';
import { type FamilyOrigin, type ProcessFamily, processFamily } from '../../src/processes/family.ts';
import { isRunning, type ProcessRef, refOf } from '../../src/processes/process-ref.ts';
import { watchFamily } from '../../src/processes/watch.ts';
import { endFamily } from '../../src/terminate/end-family.ts';
import { until } from '../support/until.ts';

const silent = { tell() {}, note() {} };
const isRoot = process.getuid?.() === 0;
const hasPerl = spawnSync('perl', ['-e', '1']).status === 0;
const probe = createCgroup(`probe-${process.pid}`);
probe?.remove();
const hasCgroup = probe !== null;

/** What scripts run as `sh -c "$WAIT"`: it says who it is and then waits. `STUBBORN` ignores SIGTERM, too. */
const WAIT = 'echo $$; exec sleep 100';
const SCRIPTS = { WAIT, STUBBORN: `trap "" TERM; ${WAIT}` };

let runs = 0;

/** A command as a wrapper starts it. Its processes tell their pids on stdout, one a line. */
class Run {
  readonly origin: FamilyOrigin;
  readonly family: ProcessFamily;
  readonly #child: ChildProcess;
  readonly #refs = new Map<number, ProcessRef | null>();
  #said = '';
  #isClosed = false;

  constructor(command: readonly string[], cgroup = false) {
    runs += 1;
    const id = `test-${process.pid}-${runs}-${Math.random().toString(36).slice(2)}`;
    const cookie = `LEASH_RUN_${id.replaceAll('-', '_')}`;
    const own = cgroup ? createCgroup(id) : null;
    const join = own === null ? '' : `echo 0 > ${own.joinFile}; `;
    this.#child = spawn('sh', ['-c', `${join}exec "$@"`, 'sh', ...command], {
      detached: true,
      env: { ...process.env, ...SCRIPTS, [cookie]: '1' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const leader = refOf(this.#child.pid ?? 0);
    if (leader === null) throw new Error('it was not started');
    this.origin = { leader, cookie, cgroup: own?.path ?? null };
    this.family = processFamily(this.origin);
    this.#child.stdout?.on('data', (bytes: Buffer) => this.#hear(bytes.toString()));
    this.#child.stdout?.on('close', () => {
      this.#isClosed = true;
    });
    onTestFinished(async () => {
      own?.kill();
      this.family.signal('SIGKILL');
      for (const pid of this.pids) if (this.isAlive(pid)) process.kill(pid, 'SIGKILL');
      if (this.isAlive(leader.pid)) process.kill(-leader.pid, 'SIGKILL');
      await until('its cgroup to be removed', () => own?.remove() ?? true);
    });
  }

  #hear(text: string): void {
    this.#said += text;
    for (const pid of this.pids) if (!this.#refs.has(pid)) this.#refs.set(pid, refOf(pid));
  }

  get said(): string {
    return this.#said;
  }

  /** What its processes have called themselves, in that order. */
  get pids(): number[] {
    return [...this.#said.matchAll(/^(\d+)\n/gm)].map(([, pid]) => Number(pid));
  }

  async announced(count: number): Promise<number[]> {
    await until(`${count} pids`, () => this.pids.length >= count);
    return this.pids;
  }

  isAlive(pid: number): boolean {
    const ref = pid === this.origin.leader.pid ? this.origin.leader : this.#refs.get(pid);
    return ref !== null && ref !== undefined && isRunning(ref);
  }

  /** Resolves when nobody holds its stdout any more: nobody is left who has not closed it. */
  async closed(): Promise<void> {
    await until('the end of its output', () => this.#isClosed);
  }
}

function shell(script: string, { cgroup = false } = {}): Run {
  return new Run(['sh', '-c', script], cgroup);
}

/** Ends it, and makes sure that nobody is left. */
async function end(run: Run, graceMs = 10_000): Promise<void> {
  expect(await endFamily(run.family, { signal: 'SIGTERM', graceMs }, silent)).toEqual([]);
  expect(run.pids.filter((pid) => run.isAlive(pid))).toEqual([]);
  await run.closed();
}

/** The same members, however they are ordered. */
function members(run: Run): number[] {
  return run.family.members().sort((a, b) => a - b);
}

function sorted(pids: readonly number[]): number[] {
  return pids.toSorted((a, b) => a - b);
}

/** Waits until `count` have told their pids and all its processes, `others` besides these, are found. */
async function settled(run: Run, count: number, others = 0): Promise<number[]> {
  const pids = await run.announced(count);
  await until(`${count + others} members`, () => members(run).length === count + others);
  expect(members(run)).toEqual(expect.arrayContaining(pids));
  return pids;
}

test.each([
  ['in the background', 'sh -c "$WAIT" & eval "$WAIT"', 0],
  ['in a session of its own', 'setsid sh -c "$WAIT" & eval "$WAIT"', 0],
  ['as a daemon that has forked twice', `(setsid sh -c 'sh -c "$WAIT" &' &); eval "$WAIT"`, 0],
  ['without the environment, in a session of its own', 'env -i setsid sh -c "$WAIT" & eval "$WAIT"', 0],
  // timeout makes a process group of its own.
  ['with no parent and no environment, in another group', '(env -i timeout 99 sh -c "$WAIT" &); eval "$WAIT"', 1],
])('a child %s ends with its leader', async (_, script, others) => {
  const run = shell(script);
  await settled(run, 2, others);
  await end(run);
});

test.runIf(process.platform === 'linux')(
  'a child without the environment that has called setsid is known when its parents are gone, if it was observed',
  async () => {
    const run = shell(`env -i setsid sh -c 'echo $$; setsid sh -c "$0"; :' "$WAIT" & eval "$WAIT"`);
    const pids = await run.announced(3);
    const before = processFamily(run.origin);
    const parent =
      pids.find(
        (pid) =>
          pid !== run.origin.leader.pid && execFileSync('ps', ['-o', 'args=', '-p', `${pid}`]).includes('setsid'),
      ) ?? 0;
    const child = pids.find((pid) => pid !== run.origin.leader.pid && pid !== parent) ?? 0;
    let observed = 0;
    const stop = watchFamily(
      {
        observe: () => {
          const found = run.family.observe();
          observed += found ?? 0;
          return found;
        },
      },
      silent,
    );
    onTestFinished(stop);
    await until('both to be noticed', () => observed === 2);
    process.kill(parent, 'SIGKILL');
    process.kill(run.origin.leader.pid, 'SIGKILL');
    await until('their end', () => !run.isAlive(parent) && !run.isAlive(run.origin.leader.pid));
    // Whoever has not seen where it comes from can't know that it belongs to the run.
    expect(before.members()).toEqual([]);
    expect(members(run)).toEqual([child]);
    await end(run);
  },
);

test('leader and grandchild that ignore SIGTERM get SIGKILL after the grace', async () => {
  const run = shell(`sh -c 'setsid sh -c "$STUBBORN" & eval "$WAIT"' & eval "$STUBBORN"`);
  await settled(run, 3);
  await end(run, 300);
});

test('what is stopped ends too', async () => {
  const run = shell('setsid sh -c "$WAIT" & eval "$WAIT"');
  const pids = await settled(run, 2);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await end(run);
});

describe.each([
  { into: 'its group', prefix: '', cgroup: false },
  { into: 'sessions of their own', prefix: 'setsid', cgroup: false },
  { into: 'sessions of their own, within a cgroup', prefix: 'setsid', cgroup: true },
])('into $into', ({ prefix, cgroup }) => {
  test.skipIf(cgroup && !hasCgroup)('what keeps forking while it is being killed is ended', async () => {
    const run = shell(
      `trap "" TERM; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); ${prefix} sleep 0.2 & [ $i = 50 ] && echo $$; done; echo ran out`,
      { cgroup },
    );
    await run.announced(1);
    await end(run, 50);
    expect(run.said).not.toContain('ran out');
  });
});

/** Each process starts the next, which calls setsid, and exits. It ends by itself in 20 s. */
const CHAIN = `use POSIX; $SIG{TERM} = "IGNORE"; $| = 1; my $end = time + 20; my $n = 0;
  while (time < $end) { exit 0 if fork; POSIX::setsid(); print "running\\n" if ++$n == 20; } print "ran out\\n";`;

test.runIf(hasPerl)(
  'a chain of forks and setsids is ended or told of, but never said to be gone while it goes on',
  async () => {
    const run = new Run(['perl', '-e', CHAIN]);
    await until('the chain', () => run.said.includes('running'));
    const survivors = await endFamily(run.family, { signal: 'SIGTERM', graceMs: 0 }, silent);
    if (survivors.length > 0) return;
    await run.closed();
    expect(run.said).not.toContain('ran out');
  },
);

test.runIf(hasPerl && hasCgroup)(
  'a chain of forks and setsids, even without the environment, can not leave its cgroup',
  async () => {
    const run = new Run(
      ['env', '-i', process.env.PATH === undefined ? 'A=1' : `PATH=${process.env.PATH}`, 'perl', '-e', CHAIN],
      true,
    );
    await until('the chain', () => run.said.includes('running'));
    expect(run.family.members()).not.toEqual([]);
    expect(await endFamily(run.family, { signal: 'SIGTERM', graceMs: 0 }, silent)).toEqual([]);
    await run.closed();
    expect(run.said).not.toContain('ran out');
    run.family.release();
    expect(fs.existsSync(run.origin.cgroup ?? '')).toBe(false);
  },
);

test.runIf(hasCgroup)('in a cgroup nothing needs to be observed', async () => {
  const run = shell(WAIT, { cgroup: true });
  await settled(run, 1);
  expect(run.family.observe()).toBeNull();
  await end(run);
});

test('zombies are nobody', async () => {
  // What the leader has become collects nothing.
  const run = shell(`sh -c 'echo $$; exec sleep 0.3' & eval "$WAIT"`);
  const pids = await run.announced(2);
  const child = pids.find((pid) => pid !== run.origin.leader.pid) ?? 0;
  await until('the zombie', () => !run.isAlive(child));
  expect(refOf(child)).not.toBeNull();
  expect(members(run)).toEqual([run.origin.leader.pid]);
  await end(run);
});

test('the leader may exit first: the rest is a family still', async () => {
  const run = shell('setsid sh -c "$STUBBORN" & sh -c "$STUBBORN" & sleep 0.1');
  const pids = await run.announced(2);
  await until('the leader’s exit', () => run.family.leaderHasExited());
  expect(members(run)).toEqual(sorted(pids));
  await end(run, 100);
});

test('helpers are left alone', async () => {
  const run = shell('sh -c "$WAIT" & eval "$WAIT"');
  const pids = await settled(run, 2);
  const helper = refOf(pids.find((pid) => pid !== run.origin.leader.pid) ?? 0);
  if (helper === null) throw new Error('it runs');
  const family = processFamily(run.origin, [helper]);
  expect(await endFamily(family, { signal: 'SIGTERM', graceMs: 0 }, silent)).toEqual([]);
  expect(isRunning(helper)).toBe(true);
  await end(run);
});

test('a run inside a run ends with it, and does not end it', async () => {
  const run = shell('LEASH_RUN_inner_1=1 setsid sh -c "$WAIT" & eval "$WAIT"');
  const pids = await settled(run, 2);
  const innerPid = pids.find((pid) => pid !== run.origin.leader.pid) ?? 0;
  const leader = refOf(innerPid);
  if (leader === null) throw new Error('it runs');
  const family = processFamily({ leader, cookie: 'LEASH_RUN_inner_1', cgroup: null });
  expect(family.members()).toEqual([innerPid]);
  await end(run);
});

const AS_NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups'];

test.runIf(isRoot)('another user’s process is ended by root', async () => {
  const run = shell(`setpriv ${AS_NOBODY.join(' ')} env -i setsid sh -c "$WAIT" & eval "$WAIT"`);
  await settled(run, 2);
  await end(run);
});

/** Ends a family as another user; prints who is left. */
const END_AS_USER = `
  const [origin, family, endFamily] = process.argv.slice(1);
  const { processFamily } = await import(family);
  const end = await import(endFamily);
  const silent = { tell() {}, note() {} };
  const left = await end.endFamily(processFamily(JSON.parse(origin)), { signal: 'SIGTERM', graceMs: 0 }, silent);
  console.log(JSON.stringify(left));`;
const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));
/** Whether an unprivileged user can run our code from where it lies. */
const nobodyCanRun =
  isRoot &&
  spawnSync('setpriv', [
    ...AS_NOBODY,
    process.execPath,
    '-e',
    `import(${JSON.stringify(source('processes/family.ts'))})`,
  ]).status === 0;

test.runIf(nobodyCanRun)('what may not be signalled is told as a survivor, and the rest is ended', async () => {
  const run = shell(`setpriv ${AS_NOBODY.join(' ')} sh -c "$WAIT" & setsid sh -c "$WAIT" & eval "$WAIT"`);
  const pids = await settled(run, 3);
  const isNobodys = (pid: number) =>
    execFileSync('ps', ['-o', 'uid=', '-p', `${pid}`])
      .toString()
      .trim() === '65534';
  const [nobodys = 0] = pids.filter(isNobodys);
  // The one in a session of its own is root's, and its environment can't be read: its parent tells of it.
  const survivors = await asNobody(run.origin);
  expect(sorted(survivors)).toEqual(sorted(pids.filter((pid) => pid !== nobodys)));
  expect(run.isAlive(nobodys)).toBe(false);
  for (const pid of survivors) expect(run.isAlive(pid)).toBe(true);
  await end(run);
});

async function asNobody(origin: FamilyOrigin): Promise<number[]> {
  const child = spawn('setpriv', [
    ...AS_NOBODY,
    process.execPath,
    '--input-type=module',
    '-e',
    END_AS_USER,
    JSON.stringify(origin),
    source('processes/family.ts'),
    source('terminate/end-family.ts'),
  ]);
  let said = '';
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  await until('who is left', () => said.endsWith('\n'), 15_000);
  return JSON.parse(said);
}
