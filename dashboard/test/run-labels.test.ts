import { expect, test } from 'vitest';
import { eventText, orphanSentence, wasSeenToEnd } from '../src/pages/run/run-labels.ts';
import { routeOf, runPath } from '../src/router.tsx';
import { at, KILL_ID, RUN_ID, story } from './make.ts';

const textsOf = (...events: Parameters<typeof story>) =>
  story(...events).map((event) => {
    const { tone, text, detail } = eventText(event);
    return [tone, text, detail];
  });

test('a kill is reported with who, how and why', () => {
  const requested = { at: at(1), type: 'kill_requested', kill: KILL_ID, requested_by: 'ops' } as const;
  expect(
    textsOf(
      { ...requested, reason: 'it runs away', signal: 'SIGTERM', grace_ms: 30_000, include: null },
      { ...requested, reason: null, signal: 'SIGKILL', grace_ms: 0, include: 'related' },
    ),
  ).toEqual([
    ['kill', 'Kill requested by ops', 'SIGTERM, 30s grace period: “it runs away”'],
    ['kill', 'Kill requested by ops', 'SIGKILL immediately, including related processes'],
  ]);
});

test('a kill that was sent is not reported as delivered', () => {
  expect(
    textsOf({ at: at(1), type: 'kill_sent', kill: KILL_ID }, { at: at(2), type: 'kill_delivered', kill: KILL_ID }),
  ).toEqual([
    ['kill', 'Kill sent to the machine', null],
    ['kill', 'Kill delivered', 'confirmed by the machine'],
  ]);
});

test('what processes survived is never called gone', () => {
  const gone = {
    at: at(1),
    type: 'kill_progress',
    kill: KILL_ID,
    reason: 'operator',
    phase: 'gone',
    signal: null,
  } as const;
  const none = { survivors: [], unnamed_survivors: false, related: [] };
  expect(
    textsOf(
      { ...gone, ...none, survivors: [7, 8] },
      { ...gone, ...none, unnamed_survivors: true },
      { ...gone, ...none },
    ),
  ).toEqual([
    ['bad', 'Some processes survived', 'processes survived: 7, 8'],
    ['bad', 'Some processes survived', 'processes survived: a process with unknown PID'],
    ['kill', 'All processes ended', null],
  ]);
});

test('what a kill has left alone is named, and the run counts as gone', () => {
  const relation = { parent: { pid: 1, command_line: 'systemd' }, kept: true };
  const tmux = { pid: 4711, command_line: 'tmux new' };
  const other = { pid: 4712, command_line: '', parent: null, kept: false };
  const gone = {
    at: at(1),
    type: 'kill_progress',
    kill: KILL_ID,
    reason: 'operator',
    phase: 'gone',
    signal: null,
  } as const;
  expect(
    textsOf({ ...gone, survivors: [], unnamed_survivors: false, related: [{ ...tmux, ...relation }, other] }),
  ).toEqual([
    ['kill', 'All processes ended', 'related, not killed: 4711 tmux new (child of 1 systemd, LEASH_KEEP=1), 4712'],
  ]);
  expect(textsOf({ at: at(2), type: 'left_running', processes: [{ ...tmux, relation }] })).toEqual([
    ['warn', 'Left running', 'related: 4711 tmux new (child of 1 systemd, LEASH_KEEP=1)'],
  ]);
});

test('the wrapper’s own limit is reported as such', () => {
  const term = { at: at(1), type: 'kill_progress', kill: null, reason: 'timeout', phase: 'term' } as const;
  expect(textsOf({ ...term, signal: 'SIGTERM', survivors: [], unnamed_survivors: false, related: [] })).toEqual([
    ['kill', 'SIGTERM sent', 'timeout reached'],
  ]);
});

test('of an end that nobody saw nothing is claimed', () => {
  const end = { at: at(1), type: 'ended', state: 'lost', exit_code: 253, duration_ms: 60_000 } as const;
  expect(textsOf({ ...end, reason: 'wrapper_died' }, { ...end, reason: 'offline_limit' })).toEqual([
    ['bad', 'Lost permanently, exit code 253', 'last seen after 1m; end not observed'],
    ['bad', 'Ended: lost, exit code 253', 'after 1m'],
  ]);
  expect(wasSeenToEnd('silence')).toBe(false);
  expect(orphanSentence({ machine: 'web-3', pid: 19144 })).toContain('still be running on web-3 (PID 19144)');
  expect(orphanSentence({ machine: 'web-3', pid: null })).toContain('still be running on web-3;');
});

test('addresses', () => {
  expect(routeOf('/', '')).toEqual({ page: 'overview' });
  expect(routeOf(`/runs/${RUN_ID}`, '')).toEqual({ page: 'run', id: RUN_ID, job: null });
  expect(routeOf('/jobs/db-backup/', '')).toEqual({ page: 'job', name: 'db-backup' });
  expect(routeOf('/runs/a/b', '')).toEqual({ page: 'unknown' });
  const { pathname, search } = new URL(runPath({ id: RUN_ID, job: 'db-backup' }), 'https://leash.test');
  expect(routeOf(pathname, `${search}&at=7`)).toEqual({ page: 'run', id: RUN_ID, job: 'db-backup' });
});

test('a takeover and what is left running are described with what to do about them', () => {
  const left = { at: at(2), type: 'left_running' } as const;
  expect(
    textsOf(
      { at: at(1), type: 'adopted', successor: 2 },
      {
        ...left,
        processes: [
          { pid: 4711, command_line: 'sleep 1000' },
          { pid: 4712, command_line: '' },
        ],
      },
      { ...left, processes: [] },
    ),
  ).toEqual([
    ['warn', 'The wrapper was killed; a successor took the run over', 'it continues with its output, limits and kills'],
    ['warn', 'Left running', 'PID 4711 sleep 1000, PID 4712'],
    ['plain', 'Nothing is left running', null],
  ]);
});
