/** Who belongs to a run and who is signalled, against a process table that is made up. */
import { expect, test } from 'vitest';
import type { Cgroup } from '../../src/processes/cgroup.ts';
import type { ProcessRef } from '../../src/processes/process-ref.ts';
import type { ProcessEntry } from '../../src/processes/process-table.ts';
import { openProcessTree, type ProcessTreeOrigin } from '../../src/processes/process-tree.ts';

const INIT = 1;
const SHELL = 50;
const WRAPPER = 60;
const LEADER = 100;
const COOKIE = 'LEASH_RUN_01J0000000000000000000001';
const KEEP = 'LEASH_KEEP=1';
const PIPE = '/dev/shm/leash-abc/0 (deleted)';

interface Fake extends Partial<Omit<ProcessEntry, 'pid'>> {
  readonly variables?: readonly string[];
  readonly printsInto?: string;
}

/** A machine with init, a login shell, a wrapper, and the leader of a run. */
function machine() {
  const processes = new Map<number, ProcessEntry & Fake & { variables: readonly string[] }>();
  const inodes = new Map<number, number>();
  const signals: [target: number, signal: string][] = [];
  /** Signals, and looks at all processes, in order. */
  const story: string[] = [];
  const environmentsRead: number[] = [];
  const entriesRead: number[] = [];
  const inodesRead: number[] = [];
  const clock = { now: 1_000 };
  /** What the process table does not show: pids, and groups as negative numbers. */
  const hidden = new Set<number>();
  const start = (pid: number, { variables = [], ...entry }: Fake = {}) => {
    const leads = { pgid: pid, sid: pid, ppid: INIT, startTime: `${pid}`, isAlive: true, isKernel: false };
    processes.set(pid, { pid, ...leads, ...entry, variables });
    inodes.set(pid, (inodes.get(pid) ?? pid) + 1_000);
  };
  start(INIT);
  start(SHELL);
  start(WRAPPER, { ppid: SHELL });
  start(LEADER, { ppid: WRAPPER });
  const die = (pid: number) => processes.delete(pid);
  const change = (pid: number, changes: Partial<ProcessEntry>) => {
    const entry = processes.get(pid);
    if (entry !== undefined) processes.set(pid, { ...entry, ...changes });
  };
  let onKill = (_target: number, _signal: string): void => {};
  const tree = (
    given: {
      helpers?: ProcessRef[];
      origin?: Partial<ProcessTreeOrigin>;
      /** 'gone': it had one that is not there any more. */
      cgroup?: Partial<Cgroup> | 'gone';
      bootId?: string;
      newestPid?: number | (() => number);
      reaper?: number;
    } = {},
  ) =>
    openProcessTree(
      {
        leader: ref(LEADER),
        cookie: COOKIE,
        pipes: [PIPE],
        cgroup: given.cgroup === undefined ? null : '/c',
        ...given.origin,
      },
      given.helpers ?? [],
      {
        table: {
          list: () => [...processes.values()],
          pids: () => {
            story.push('look');
            return [...processes.keys()];
          },
          inode: (pid) => {
            inodesRead.push(pid);
            return inodes.get(pid) ?? null;
          },
          entry: (pid) => {
            entriesRead.push(pid);
            return processes.get(pid) ?? null;
          },
          children: (pid) => [...processes.values()].filter((each) => each.ppid === pid).map((each) => each.pid),
          adopted: (pid) =>
            processes.has(pid)
              ? [...processes.values()].filter((each) => each.ppid === pid).map((each) => each.pid)
              : null,
          hasVariable: (pid, name, value) => {
            // What is asked of members alone is not counted.
            if (value === undefined) environmentsRead.push(pid);
            return processes.get(pid)?.variables.includes(value === undefined ? name : `${name}=${value}`) ?? null;
          },
          printsInto: (pid, pipes) => pipes.includes(processes.get(pid)?.printsInto ?? ''),
          mayHold: (pid, pipes) => pipes.includes(processes.get(pid)?.printsInto ?? ''),
          nameOfPipe: () => null,
          newestPid: () => (typeof given.newestPid === 'function' ? given.newestPid() : (given.newestPid ?? null)),
          noTurnMs: 100,
        },
        kill: (target, signal) => {
          signals.push([target, signal]);
          story.push(`${signal} ${target}`);
          onKill(target, signal);
        },
        isAnybodyAt: (target) => hidden.has(target),
        openCgroup: () =>
          given.cgroup === 'gone'
            ? null
            : {
                path: '/c',
                joinFile: '/c/cgroup.procs',
                members: () => [],
                isPopulated: () => false,
                cpuMs: () => 120,
                kill: () => false,
                remove: () => true,
                ...given.cgroup,
              },
        ownPid: WRAPPER,
        bootId: given.bootId ?? 'boot',
        now: () => clock.now,
        findReaper: () => given.reaper ?? null,
      },
    );
  return {
    start,
    die,
    change,
    tree,
    signals,
    story,
    environmentsRead,
    entriesRead,
    inodesRead,
    clock,
    hidden,
    onKill: (handle: typeof onKill) => {
      onKill = handle;
    },
  };
}

function ref(pid: number): ProcessRef {
  return { pid, startTime: `${pid}`, bootId: 'boot' };
}

function sorted(pids: number[]): number[] {
  return pids.sort((a, b) => a - b);
}

test('group, session, descendants and whoever carries the cookie belong to a run; nobody else does', () => {
  const { start, tree } = machine();
  start(101, { pgid: LEADER, sid: LEADER });
  start(102, { sid: LEADER });
  start(103, { ppid: LEADER });
  start(104, { ppid: 103 });
  start(105, { variables: ['PATH', COOKIE] });
  start(106, { ppid: 105 });
  start(200);
  start(201, { variables: [`${COOKIE}X`] });
  start(202, { ppid: WRAPPER });
  expect(sorted(tree().members())).toEqual([100, 101, 102, 103, 104, 105, 106]);
});

test('what is known of a run needs no look: what was observed, and what its cgroup holds, but not the wrapper', () => {
  const { start, tree, story } = machine();
  start(103, { ppid: LEADER });
  const observed = tree();
  expect(observed.known()).toEqual([{ pid: LEADER, startTime: '100' }]);
  observed.observe();
  expect(observed.known()).toEqual([
    { pid: LEADER, startTime: '100' },
    { pid: 103, startTime: '103' },
  ]);
  expect(observed.cgroupCpuMs()).toBeNull();
  const contained = tree({ cgroup: { members: () => [LEADER, 104] } });
  expect(contained.known()).toEqual([
    { pid: LEADER, startTime: null },
    { pid: 104, startTime: null },
  ]);
  expect(contained.cgroupCpuMs()).toBe(120);
  expect(story).toEqual([]);
});

test('who prints into the run’s pipes belongs to it, whatever it has thrown away', () => {
  const { start, tree } = machine();
  start(300, { printsInto: PIPE });
  start(310, { ppid: 300, printsInto: '/dev/null' });
  start(400, { printsInto: '/dev/shm/leash-xyz/0 (deleted)' });
  expect(sorted(tree().members())).toEqual([LEADER, 300, 310]);
  expect(sorted(tree({ origin: { pipes: [] } }).members())).toEqual([LEADER]);
  // It needs no cookie for that.
  expect(sorted(tree({ origin: { cookie: 'X' } }).members())).toEqual([LEADER, 300, 310]);
});

test('the group and the session that a found process leads belong to it too', () => {
  const { start, die, tree } = machine();
  start(300, { variables: [COOKIE] });
  start(301, { pgid: 300, sid: 300 });
  start(302, { sid: 300 });
  // And so on: a child that leads a session, in which one leads a group.
  start(303, { ppid: 302 });
  start(304, { sid: 303 });
  start(305, { ppid: 304 });
  start(306, { pgid: 305, sid: 305 });
  die(LEADER);
  expect(sorted(tree().members())).toEqual([300, 301, 302, 303, 304, 305, 306]);
});

test('a session that holds a member, but that nobody of the run leads, is left alone', () => {
  const { start, tree } = machine();
  start(400);
  start(401, { sid: 400, variables: [COOKIE] });
  start(402, { sid: 400 });
  expect(sorted(tree().members())).toEqual([LEADER, 401]);
});

test('who was found once stays a member when its parents are gone', () => {
  const { start, die, change, tree } = machine();
  start(110, { ppid: LEADER });
  start(111, { ppid: 110 });
  const run = tree();
  run.members();
  die(110);
  die(LEADER);
  change(111, { ppid: INIT });
  expect(run.members()).toEqual([111]);
});

test('what is observed while its parent lives is a member afterwards', () => {
  const { start, die, change, tree, environmentsRead } = machine();
  start(110, { ppid: LEADER });
  start(111, { ppid: 110 });
  const run = tree();
  expect(run.observe()).toBe(2);
  expect(run.observe()).toBe(0);
  expect(environmentsRead).toEqual([]);
  die(110);
  die(LEADER);
  change(111, { ppid: INIT });
  expect(run.observe()).toBe(0);
  expect(run.members()).toEqual([111]);
});

test('zombies are not members, but the children of one that has just ended are found by its group', () => {
  const { start, change, tree } = machine();
  start(101, { ppid: INIT, pgid: LEADER, sid: LEADER });
  change(LEADER, { isAlive: false });
  const run = tree();
  expect(run.members()).toEqual([101]);
  expect(run.leaderHasExited()).toBe(true);
  change(101, { isAlive: false });
  expect(run.members()).toEqual([]);
});

test('a process that has got the pid of a dead member is not a member', () => {
  const { start, die, tree, signals } = machine();
  start(110, { ppid: LEADER });
  const run = tree();
  run.members();
  die(110);
  start(110, { startTime: 'later' });
  expect(run.members()).toEqual([LEADER]);
  run.signal('SIGTERM');
  expect(signals).toEqual([[-LEADER, 'SIGTERM']]);
});

test('a leader’s pid that was given to another makes its group and session another run’s', () => {
  const { start, die, tree, signals } = machine();
  const run = tree();
  expect(run.members()).toEqual([LEADER]);
  die(LEADER);
  start(LEADER, { startTime: 'later' });
  start(120, { ppid: LEADER, pgid: LEADER, sid: LEADER });
  expect(run.leaderHasExited()).toBe(true);
  expect(run.members()).toEqual([]);
  expect(run.signal('SIGKILL')).toBeNull();
  expect(signals).toEqual([]);
  // Nor does it become ours again when that process ends.
  die(LEADER);
  expect(run.members()).toEqual([]);
});

test('the group is ours as long as a known member is in it, and for a moment after', () => {
  const { start, die, tree, clock } = machine();
  const inGroup = { ppid: INIT, pgid: LEADER, sid: LEADER };
  start(101, inGroup);
  const run = tree();
  run.members();
  die(LEADER);
  clock.now += 60_000;
  start(102, inGroup);
  expect(sorted(run.members())).toEqual([101, 102]);
  // Each starts the next and exits: nobody is there for two looks.
  die(101);
  die(102);
  clock.now += 100;
  start(103, inGroup);
  expect(run.members()).toEqual([103]);
  die(103);
  clock.now += 60_000;
  start(104, inGroup);
  expect(run.members()).toEqual([]);
});

test('of a run whose leader died unseen, only who carries its mark is certain, and the group with them', () => {
  const { start, die, tree } = machine();
  die(LEADER);
  start(101, { ppid: INIT, pgid: LEADER, sid: LEADER });
  expect(tree().members()).toEqual([]);
  start(102, { ppid: INIT, pgid: LEADER, sid: LEADER, variables: [COOKIE] });
  expect(sorted(tree().members())).toEqual([101, 102]);
});

test('what remains is found, and where nothing does, no other process is looked at', () => {
  const { start, die, tree, environmentsRead } = machine();
  start(90, { variables: ['OTHER'] });
  start(101, { variables: ['OTHER'] });
  die(LEADER);
  const few = tree({ newestPid: 110 });
  expect(few.remaining()).toEqual([]);
  expect(environmentsRead).toEqual([101]);
  start(105, { variables: [COOKIE] });
  start(106, { ppid: 105 });
  expect(few.remaining().sort()).toEqual([105, 106]);
  // Too many have been started since, pids have gone once around, or it can't be told: all are looked at.
  start(20, { variables: [COOKIE], startTime: '200' });
  for (const newestPid of [LEADER + 257, 30, undefined]) {
    expect(
      tree(newestPid === undefined ? {} : { newestPid })
        .remaining()
        .sort(),
    ).toEqual([105, 106, 20].sort());
  }
});

test('who was there before the command has inherited nothing of it, and its environment is not read', () => {
  const { start, tree, environmentsRead } = machine();
  start(70, { variables: [COOKIE], startTime: '70' });
  start(120, { variables: [COOKIE] });
  expect(tree().members().sort()).toEqual([LEADER, 120]);
  expect(environmentsRead).not.toContain(70);
});

test('nothing of a run lives on from before the machine was restarted', () => {
  const { tree, signals } = machine();
  const run = tree({ bootId: 'another' });
  expect(run.members()).toEqual([]);
  expect(run.leaderHasExited()).toBe(true);
  expect(run.signal('SIGKILL')).toBeNull();
  expect(signals).toEqual([]);
});

test('an environment is read once', () => {
  const { start, tree, environmentsRead } = machine();
  start(200);
  start(201, { isKernel: true });
  const run = tree();
  run.members();
  run.members();
  expect(environmentsRead.filter((pid) => pid === 200)).toHaveLength(1);
  expect(environmentsRead).not.toContain(201);
});

test('who is known not to belong to the run is not read again, and neither are those who were read in advance', () => {
  const { start, tree, entriesRead } = machine();
  start(90);
  start(200);
  start(201, { ppid: 200 });
  start(202, { isKernel: true });
  const others = [90, 200, 201, 202];
  const run = tree();
  run.members();
  expect(others.every((pid) => entriesRead.includes(pid))).toBe(true);
  entriesRead.length = 0;
  run.members();
  expect(others.filter((pid) => entriesRead.includes(pid))).toEqual([]);
  const prepared = tree();
  while (prepared.prepare());
  entriesRead.length = 0;
  prepared.members();
  expect(others.filter((pid) => entriesRead.includes(pid))).toEqual([200, 201]);
});

test('a pid that was one of another’s is read again when it is a new process’s', () => {
  const { start, die, tree, clock, inodesRead } = machine();
  start(90);
  start(200);
  // By its inode, where all pids may have been given out once around meanwhile.
  const late = tree({ newestPid: 300 });
  expect(late.members()).toEqual([LEADER]);
  clock.now += 100;
  for (const pid of [90, 200]) {
    die(pid);
    start(pid, { ppid: LEADER, startTime: '500' });
  }
  expect(sorted(late.members())).toEqual([90, LEADER, 200]);
  // By the pids that were given out since, without looking at any other.
  let newest = 250;
  const soon = tree({ newestPid: () => newest });
  start(260);
  start(270);
  soon.members();
  newest = 265;
  die(260);
  start(260, { ppid: LEADER, startTime: '600' });
  inodesRead.length = 0;
  expect(soon.members()).toContain(260);
  expect(inodesRead).not.toContain(270);
});

test('who is moved into the cgroup is a member from then on, whatever was known of it', () => {
  const { start, tree } = machine();
  start(90);
  const inside = [LEADER];
  const run = tree({ cgroup: { members: () => inside } });
  run.members();
  expect(run.members()).toEqual([LEADER]);
  inside.push(90);
  expect(sorted(run.members())).toEqual([90, LEADER]);
});

test('what descends from a related process is read again, for it may become the run’s', () => {
  const { start, change, die, tree } = machine();
  startAtJob({ start });
  start(703, { ppid: 702 });
  const run = tree();
  run.members();
  run.related();
  expect(run.members()).toEqual([LEADER]);
  run.includeRelated();
  die(701);
  change(702, { ppid: INIT });
  expect(sorted(run.members())).toEqual([LEADER, 702, 703]);
});

test('the wrapper, its ancestors, init and helpers are never members and never signalled', () => {
  const { start, change, tree, signals } = machine();
  start(INIT, { pgid: LEADER, variables: [COOKIE] });
  start(SHELL, { ppid: LEADER, variables: [COOKIE] });
  start(WRAPPER, { ppid: SHELL, pgid: LEADER, variables: [COOKIE] });
  start(130, { ppid: LEADER, variables: [COOKIE] });
  start(131, { ppid: LEADER, pgid: LEADER, variables: [COOKIE] });
  // As when a command looks for orphans from inside a run.
  change(LEADER, { ppid: INIT });
  const run = tree({ helpers: [ref(130)] });
  expect(run.members()).toEqual([131]);
  run.signal('SIGTERM');
  // Not to the group: the wrapper and its ancestors are in it.
  expect(signals).toEqual([[131, 'SIGTERM']]);
});

test('a helper’s pid that was given to another protects nobody', () => {
  const { start, tree } = machine();
  start(130, { ppid: LEADER, startTime: 'later' });
  expect(sorted(tree({ helpers: [ref(130)] }).members())).toEqual([LEADER, 130]);
});

test('a signal goes to each group at once and to nobody twice', () => {
  const { start, tree, signals } = machine();
  start(101, { pgid: LEADER, sid: LEADER });
  start(110, { ppid: LEADER });
  start(111, { ppid: 110, pgid: 110, sid: 110 });
  start(400);
  start(401, { pgid: 400, sid: 400, variables: [COOKIE] });
  expect(tree().signal('SIGTERM')).not.toBeNull();
  expect(signals.toSorted(([a], [b]) => a - b)).toEqual([
    [-110, 'SIGTERM'],
    [-LEADER, 'SIGTERM'],
    [401, 'SIGTERM'],
  ]);
});

test('the leader’s group is signalled before the machine is looked at, and the others after that, in one look', () => {
  const { start, tree, story } = machine();
  start(101, { pgid: LEADER, sid: LEADER });
  start(400, { variables: [COOKIE] });
  tree().signal('SIGTERM', 'SIGCONT');
  expect(story).toEqual([`SIGTERM -${LEADER}`, `SIGCONT -${LEADER}`, 'look', 'SIGTERM -400', 'SIGCONT -400']);
});

test('SIGKILL stops the leader’s group before the machine is looked at, and takes one look where nobody else is found', () => {
  const { start, tree, story } = machine();
  start(101, { pgid: LEADER, sid: LEADER });
  tree().signal('SIGKILL');
  expect(story).toEqual([`SIGSTOP -${LEADER}`, 'look', `SIGKILL -${LEADER}`]);
});

test('a signal counts as sent when it is sent, however long its receivers keep us from the processor', () => {
  const { tree, clock, onKill } = machine();
  onKill(() => {
    clock.now += 100;
  });
  const before = clock.now;
  expect(tree().signal('SIGTERM', 'SIGCONT')).toBe(before);
});

test('a rehearsal reads what precedes a signal, and sends none', () => {
  const { start, tree, signals, story, entriesRead } = machine();
  start(110, { ppid: LEADER, pgid: LEADER, sid: LEADER });
  const run = tree();
  run.rehearse();
  expect([signals, story]).toEqual([[], []]);
  expect(entriesRead).toEqual(expect.arrayContaining([LEADER, WRAPPER, SHELL, 110]));
  // The run is as it was.
  run.signal('SIGTERM');
  expect(signals).toEqual([[-LEADER, 'SIGTERM']]);
});

test('whom the first signal orphans is found all the same, though nothing but its parent shows whose it is', () => {
  const { start, die, change, tree, signals, onKill } = machine();
  start(110, { ppid: LEADER, pgid: LEADER, sid: LEADER });
  start(111, { ppid: 110 });
  // Its own parent has died unseen.
  start(120, { ppid: INIT, pgid: LEADER, sid: LEADER });
  start(121, { ppid: 120 });
  start(130, { ppid: SHELL, pgid: 129, sid: LEADER });
  start(131, { ppid: 130 });
  onKill((target) => {
    if (target !== -LEADER) return;
    for (const pid of [LEADER, 110, 120]) die(pid);
    for (const pid of [111, 121]) change(pid, { ppid: INIT });
  });
  tree().signal('SIGTERM');
  const targets = signals.map(([target]) => target);
  expect(targets[0]).toBe(-LEADER);
  expect(targets.toSorted((a, b) => a - b)).toEqual([-131, -121, -111, -LEADER, 130]);
});

test('where it is not certain who is in the leader’s group, the machine is looked at first', () => {
  const kept = machine();
  kept.start(101, { ppid: INIT, pgid: LEADER, sid: LEADER, variables: [KEEP] });
  const gone = machine();
  gone.start(101, { ppid: INIT, pgid: LEADER, sid: LEADER });
  gone.change(LEADER, { isAlive: false });
  const replaced = machine();
  replaced.start(LEADER, { startTime: 'later' });
  replaced.start(101, { variables: [COOKIE] });
  const hidden = machine();
  hidden.die(INIT);
  for (const { tree, story } of [kept, gone, replaced, hidden]) {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      story.length = 0;
      expect(tree().signal(signal)).not.toBeNull();
      expect(story[0]).toBe('look');
    }
  }
});

test('an orphan in another session is looked at once, however often there is something to signal', () => {
  const { start, tree, entriesRead } = machine();
  start(90);
  start(200);
  const run = tree({ newestPid: 300 });
  run.signal('SIGTERM');
  const readOnce = [...entriesRead];
  run.signal('SIGTERM');
  expect(entriesRead.slice(readOnce.length)).not.toContain(200);
  // The other time is that of the look, which also reads who is older than the run.
  expect([90, 200].map((pid) => readOnce.filter((each) => each === pid).length)).toEqual([1, 2]);
});

test('who has ended since the look gets no signal, and neither does who has got its pid', () => {
  const { start, tree, signals, onKill } = machine();
  start(400);
  for (const pid of [401, 402]) start(pid, { pgid: 400, sid: 400, variables: [COOKIE] });
  onKill((target) => {
    // While one is being signalled, the other's pid changes hands.
    const other = target === 401 ? 402 : 401;
    if (target > 0) start(other, { startTime: 'later', pgid: 400, sid: 400 });
  });
  tree().signal('SIGTERM');
  expect(signals.filter(([target]) => target > 0)).toHaveLength(1);
});

test('SIGKILL goes to all of it only when it has been stopped and nothing new appears', () => {
  const { start, tree, signals, onKill } = machine();
  let next = 500;
  onKill((_, signal) => {
    if (signal !== 'SIGSTOP' || next >= 503) return;
    start(next, { ppid: next === 500 ? LEADER : next - 1 });
    next += 1;
  });
  expect(tree().signal('SIGKILL')).not.toBeNull();
  const targets = (name: string) => signals.flatMap(([target, signal]) => (signal === name ? [target] : []));
  expect(targets('SIGSTOP')).toEqual([-LEADER, -500, -501, -502]);
  expect(sorted(targets('SIGKILL'))).toEqual([-502, -501, -500, -LEADER]);
  expect(signals.findIndex(([, signal]) => signal === 'SIGKILL')).toBe(4);
});

test('SIGKILL ends in time against one that never stops forking', () => {
  const { start, tree, signals, onKill } = machine();
  let next = 500;
  onKill((_, signal) => {
    if (signal !== 'SIGSTOP') return;
    start(next, { ppid: LEADER });
    next += 1;
  });
  expect(tree().signal('SIGKILL')).not.toBeNull();
  expect(signals.filter(([, signal]) => signal === 'SIGSTOP').length).toBeLessThan(20);
  expect(signals.at(-1)?.[1]).toBe('SIGKILL');
});

test('who may not be signalled stays a member', () => {
  const { tree, onKill } = machine();
  onKill(() => {
    throw Object.assign(new Error('EPERM'), { code: 'EPERM' });
  });
  const run = tree();
  expect(run.signal('SIGKILL')).toBeNull();
  expect(run.members()).toEqual([LEADER]);
});

test('a command that the process table hides since it is another user’s has not exited, and its group is signalled', () => {
  const { start, die, tree, signals, hidden } = machine();
  const run = tree();
  die(INIT);
  start(300, { ppid: LEADER });
  expect(run.members()).toEqual([LEADER, 300]);
  die(LEADER);
  expect(run.leaderHasExited()).toBe(true);
  hidden.add(LEADER).add(-LEADER);
  expect(run.leaderHasExited()).toBe(false);
  expect(sorted(run.members())).toEqual([LEADER, 300]);
  run.signal('SIGTERM');
  expect(signals).toEqual([
    [-300, 'SIGTERM'],
    [-LEADER, 'SIGTERM'],
  ]);
  die(300);
  signals.length = 0;
  expect(run.signal('SIGKILL')).not.toBeNull();
  expect(signals).toEqual([[-LEADER, 'SIGKILL']]);
  // Nothing is hidden from whoever sees init: it is a zombie of the group's that answers.
  start(INIT);
  expect(run.members()).toEqual([]);
});

test('a cookie too short to be one marks nobody', () => {
  const { start, tree } = machine();
  start(105, { variables: ['', 'PATH'] });
  expect(tree({ origin: { cookie: '' } }).members()).toEqual([LEADER]);
  expect(tree({ origin: { cookie: 'PATH' } }).members()).toEqual([LEADER]);
});

test('who is in the cgroup is a member, and SIGKILL goes through it', () => {
  const { start, tree } = machine();
  start(600);
  let kills = 0;
  const run = tree({
    cgroup: {
      members: () => [LEADER, 600],
      kill: () => {
        kills += 1;
        return true;
      },
    },
  });
  expect(sorted(run.members())).toEqual([LEADER, 600]);
  run.signal('SIGTERM');
  expect(kills).toBe(0);
  run.signal('SIGKILL');
  expect(kills).toBe(1);
  expect(run.observe()).toBeNull();
});

test('a cgroup that the wrapper itself is in is not killed as a whole', () => {
  const { tree, signals } = machine();
  let kills = 0;
  const run = tree({
    cgroup: {
      members: () => [LEADER, SHELL],
      kill: () => {
        kills += 1;
        return true;
      },
    },
  });
  expect(run.signal('SIGKILL')).not.toBeNull();
  expect(kills).toBe(0);
  expect(signals.at(-1)).toEqual([-LEADER, 'SIGKILL']);
  expect(run.members()).toEqual([LEADER]);
});

test('a command that never entered its cgroup is observed as one without', () => {
  const { start, tree } = machine();
  start(110, { ppid: LEADER });
  expect(tree({ cgroup: { members: () => [] } }).observe()).toBe(1);
});

test('what lives in the cgroup too briefly for any look is a member all the same', () => {
  const { die, tree } = machine();
  die(LEADER);
  expect(tree({ cgroup: { members: () => [700], isPopulated: () => true } }).members()).toEqual([700]);
});

const ATD = 40;

/** As `atd` starts a job: it forks, and what it has forked runs a shell that sets the environment for what it starts. */
function startAtJob({ start }: Pick<ReturnType<typeof machine>, 'start'>): void {
  start(ATD);
  start(700, { ppid: ATD });
  start(701, { ppid: 700 });
  start(702, { ppid: 701, variables: [COOKIE] });
}

test('what a server from before the run has started with its cookie is named and left alone', () => {
  const { start, signals, ...rest } = machine();
  startAtJob({ start });
  start(45);
  start(710, { ppid: 45, variables: [COOKIE] });
  start(711, { ppid: 45, printsInto: PIPE });
  start(712, { ppid: 710, variables: [COOKIE] });
  const run = rest.tree();
  expect(run.members()).toEqual([LEADER]);
  // Those that others descend from come first.
  expect(run.related().map(({ pid }) => pid)).toEqual([702, 710, 711, 712]);
  expect(run.related()[0]).toEqual({ pid: 702, ppid: 701, isKept: false });
  run.signal('SIGKILL');
  expect(new Set(signals.map(([target]) => target))).toEqual(new Set([-LEADER]));
});

test('whoever was found to be another’s stays so when that one is gone', () => {
  const { start, die, change, tree } = machine();
  startAtJob({ start });
  const run = tree();
  run.members();
  expect(run.related().map(({ pid }) => pid)).toEqual([702]);
  die(701);
  change(702, { ppid: INIT });
  expect(run.members()).toEqual([LEADER]);
  expect(run.related()).toEqual([{ pid: 702, ppid: INIT, isKept: false }]);
});

test('a daemon is found whose parent is young, or who was given to the one who collects orphans', () => {
  const { start, tree } = machine();
  // Its parent has thrown its environment away.
  start(300);
  start(301, { ppid: 300, variables: [COOKIE] });
  // The login shell of a container, say, is the reaper there.
  start(302, { ppid: SHELL, variables: [COOKIE] });
  expect(sorted(tree({ reaper: SHELL }).members())).toEqual([LEADER, 301, 302]);
  // It can't be found out: sooner too much than too little.
  expect(sorted(tree().members())).toEqual([LEADER, 301, 302]);
  const other = tree({ reaper: INIT });
  expect(sorted(other.members())).toEqual([LEADER, 301]);
  expect(other.related().map(({ pid }) => pid)).toEqual([302]);
});

test('where a parent is hidden, its pid shows whether it was there before the run', () => {
  const { start, tree } = machine();
  start(301, { ppid: 30, variables: [COOKIE] });
  start(302, { ppid: 250, variables: [COOKIE] });
  start(303, { ppid: 0, variables: [COOKIE] });
  const run = tree();
  expect(sorted(run.members())).toEqual([LEADER, 302]);
  expect(run.related().map(({ pid }) => pid)).toEqual([301, 303]);
});

test('in a cgroup only who is inside or a descendant is the run’s, and who carries its mark elsewhere is named', () => {
  const { start, tree, environmentsRead } = machine();
  start(101, { ppid: LEADER });
  start(600);
  start(601, { variables: [COOKIE] });
  start(602, { printsInto: PIPE });
  start(603);
  const run = tree({ cgroup: { members: () => [LEADER, 600] } });
  expect(sorted(run.members())).toEqual([LEADER, 101, 600]);
  // Nobody waits for that to be signalled.
  expect(environmentsRead).toEqual([]);
  expect(run.related().map(({ pid }) => pid)).toEqual([601, 602]);
});

test('a command that never entered its cgroup, or has left it, is found as one without', () => {
  const { start, tree } = machine();
  start(601, { variables: [COOKIE] });
  expect(sorted(tree({ cgroup: { members: () => [700] } }).members())).toEqual([LEADER, 601]);
});

test('so is one that ended without having been inside, and one that had ended before anyone looked, if its cgroup is gone', () => {
  const { start, die, tree } = machine();
  start(601, { variables: [COOKIE] });
  const seen = tree({ cgroup: {} });
  expect(sorted(seen.members())).toEqual([LEADER, 601]);
  die(LEADER);
  expect(seen.members()).toEqual([601]);
  expect(tree({ cgroup: 'gone' }).members()).toEqual([601]);
  // It is there: so the command was in it.
  expect(tree({ cgroup: {} }).members()).toEqual([]);
});

test('what LEASH_KEEP leaves out is not signalled with all that it has started, in whatever group it is, and is named', () => {
  const { start, tree, signals } = machine();
  start(101, { ppid: LEADER, pgid: LEADER, sid: LEADER, variables: [COOKIE, KEEP] });
  start(102, { ppid: 101, pgid: LEADER, sid: LEADER });
  start(103, { ppid: LEADER, pgid: LEADER, sid: LEADER });
  start(300, { variables: [COOKIE, KEEP] });
  start(301, { ppid: 300, variables: [COOKIE] });
  start(302, { pgid: 300, sid: 300, variables: ['OTHER', KEEP] });
  // Another run's.
  start(400, { variables: [KEEP] });
  const run = tree();
  expect(sorted(run.members())).toEqual([LEADER, 103]);
  expect(run.related()).toEqual([
    { pid: 101, ppid: LEADER, isKept: true },
    { pid: 300, ppid: INIT, isKept: true },
    { pid: 102, ppid: 101, isKept: true },
    { pid: 301, ppid: 300, isKept: true },
  ]);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) run.signal(signal);
  expect(new Set(signals.map(([target]) => target))).toEqual(new Set([LEADER, 103]));
});

test('what was observed before it was known to be kept is kept, and stays so when its parents are gone', () => {
  const { start, die, change, tree } = machine();
  start(101, { ppid: LEADER, variables: [KEEP] });
  start(102, { ppid: 101 });
  const run = tree();
  expect(run.observe()).toBe(2);
  expect(run.members()).toEqual([LEADER]);
  expect(run.observe()).toBe(0);
  die(101);
  die(LEADER);
  change(102, { ppid: INIT });
  expect(run.members()).toEqual([]);
  expect(run.related()).toEqual([{ pid: 102, ppid: INIT, isKept: true }]);
});

test('the command itself is ended whatever is in its environment', () => {
  const { start, tree } = machine();
  start(LEADER, { ppid: WRAPPER, variables: [COOKIE, KEEP] });
  start(101, { ppid: LEADER, variables: [COOKIE, KEEP] });
  expect(tree().members()).toEqual([LEADER]);
});

test('a cgroup with something in it that is kept is not killed as a whole, unless that is included', () => {
  const { start, tree, signals } = machine();
  let kills = 0;
  start(600, { variables: [KEEP] });
  const run = tree({
    cgroup: {
      members: () => [LEADER, 600],
      isPopulated: () => true,
      kill: () => {
        kills += 1;
        return true;
      },
    },
  });
  expect(run.signal('SIGKILL')).not.toBeNull();
  expect(kills).toBe(0);
  expect(new Set(signals.map(([target]) => target))).toEqual(new Set([-LEADER]));
  run.includeRelated();
  run.signal('SIGKILL');
  expect(kills).toBe(1);
});

test('a cgroup in which only something kept lives is one without members', () => {
  const { start, die, tree } = machine();
  start(600, { variables: [KEEP] });
  die(LEADER);
  const run = tree({ cgroup: { members: () => [600], isPopulated: () => true } });
  expect(run.members()).toEqual([]);
  expect(run.remaining()).toEqual([]);
  expect(run.related()).toEqual([{ pid: 600, ppid: INIT, isKept: true }]);
});

test('once related processes are included, all of them are the run’s', () => {
  const { start, tree } = machine();
  startAtJob({ start });
  start(101, { ppid: LEADER, variables: [COOKIE, KEEP] });
  start(102, { ppid: 101 });
  start(703, { ppid: 702 });
  for (const cgroup of [undefined, { members: () => [LEADER, 101, 102] }]) {
    const run = tree(cgroup === undefined ? {} : { cgroup });
    expect(run.members()).toEqual([LEADER]);
    run.includeRelated();
    expect(sorted(run.members())).toEqual([LEADER, 101, 102, 702, 703]);
    expect(run.related()).toEqual([]);
  }
});

test('what remains is looked for closely where something carries the mark', () => {
  const { start, die, tree } = machine();
  start(45);
  start(105, { ppid: 45, variables: [COOKIE] });
  die(LEADER);
  const run = tree({ newestPid: 110 });
  expect(run.remaining()).toEqual([]);
  expect(run.related().map(({ pid }) => pid)).toEqual([105]);
  die(105);
  expect(run.remaining()).toEqual([]);
  expect(run.related()).toEqual([]);
});
