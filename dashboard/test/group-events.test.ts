import { expect, test } from 'vitest';
import type { KillPhase } from '#protocol/kill';
import { groupEvents } from '../src/pages/run/group-events.ts';
import type { Related } from '../src/state/related.ts';
import { at, KILL_ID, story } from './make.ts';

const gap = (n: number) => ({ at: at(n), type: 'output_gap', from: n * 10, to: n * 10 + 5 }) as const;
const broken = (n: number) => ({ at: at(n), type: 'disconnected', cause: 'closed' }) as const;
const back = (n: number) => ({ at: at(n), type: 'connected' }) as const;
const FORCE_ID = '01J00000000000000000000003';
const requested = (n: number, kill: string) =>
  ({
    at: at(n),
    type: 'kill_requested',
    kill,
    requested_by: 'ops',
    reason: null,
    signal: 'SIGTERM',
    grace_ms: 5000,
    include: null,
  }) as const;
const step = (n: number, kill: string | null, phase: KillPhase, survivors: number[] = []) =>
  ({
    at: at(n),
    type: 'kill_progress',
    kill,
    reason: 'operator',
    phase,
    signal: null,
    survivors,
    unnamed_survivors: false,
    related: [] as Related[],
  }) as const;
const kinds = (...events: Parameters<typeof story>) => groupEvents(story(...events)).map(({ kind }) => kind);

test('what is missing in several places is reported once, with how much it is in all', () => {
  expect(groupEvents(story(back(0), gap(1), gap(2), gap(3), broken(4)))).toMatchObject([
    { kind: 'event' },
    { kind: 'gaps', times: 3, bytes: 15, first: { at: at(1) }, last: { at: at(3) } },
    { kind: 'event' },
  ]);
  expect(kinds(gap(1))).toEqual(['event']);
});

test('a link that flaps is reported once, one that breaks now and then each time', () => {
  const flaps = [1, 2, 3, 4].flatMap((n) => [broken(n), back(n)]);
  expect(groupEvents(story(...flaps, broken(9)))).toMatchObject([
    { kind: 'flapping', times: 4, last: { at: at(4) } },
    { kind: 'event', event: { type: 'disconnected' } },
  ]);
  expect(kinds(...flaps.slice(0, 4))).toEqual(['event', 'event', 'event', 'event']);
});

test('nothing else is left out or moved', () => {
  const events = story(broken(1), gap(2), back(3), gap(4), broken(5), back(6));
  expect(groupEvents(events)).toEqual(events.map((event) => ({ kind: 'event', event })));
});

test('a step that two kills share is reported once', () => {
  const steps = [
    requested(1, KILL_ID),
    step(2, KILL_ID, 'term'),
    requested(3, FORCE_ID),
    step(4, KILL_ID, 'kill'),
    step(4, FORCE_ID, 'kill'),
    step(5, KILL_ID, 'gone'),
    step(5, FORCE_ID, 'gone'),
  ];
  const told = groupEvents(story(...steps)).flatMap((group) => (group.kind === 'event' ? group.event : []));
  expect(told.map(({ id }) => id)).toEqual([1, 2, 3, 4, 6]);
});

test('a step is reported again of what was left, of other processes, and for each kill that came too late', () => {
  const again = [step(1, KILL_ID, 'kill'), step(2, KILL_ID, 'gone', [7]), requested(3, FORCE_ID)];
  expect(kinds(...again, step(4, FORCE_ID, 'kill'), step(5, FORCE_ID, 'gone', [7]))).toHaveLength(5);
  expect(kinds(step(1, KILL_ID, 'gone', [7]), step(1, FORCE_ID, 'gone'))).toHaveLength(2);
  expect(kinds(step(1, KILL_ID, 'refused'), step(1, FORCE_ID, 'refused'))).toHaveLength(2);
});
