import { expect, test } from 'vitest';
import { chaptersOf } from '../src/pages/run/fold-events.ts';
import { at, story } from './make.ts';

const gap = (n: number) => ({ at: at(n), type: 'output_gap', from: n * 10, to: n * 10 + 5 }) as const;
const broken = (n: number) => ({ at: at(n), type: 'disconnected', cause: 'closed' }) as const;
const back = (n: number) => ({ at: at(n), type: 'connected' }) as const;
const kinds = (...events: Parameters<typeof story>) => chaptersOf(story(...events)).map(({ kind }) => kind);

test('what is missing in several places is told once, with how much it is in all', () => {
  expect(chaptersOf(story(back(0), gap(1), gap(2), gap(3), broken(4)))).toMatchObject([
    { kind: 'event' },
    { kind: 'gaps', times: 3, bytes: 15, first: { at: at(1) }, last: { at: at(3) } },
    { kind: 'event' },
  ]);
  expect(kinds(gap(1))).toEqual(['event']);
});

test('a link that flaps is told once, one that breaks now and then each time', () => {
  const flaps = [1, 2, 3, 4].flatMap((n) => [broken(n), back(n)]);
  expect(chaptersOf(story(...flaps, broken(9)))).toMatchObject([
    { kind: 'flapping', times: 4, last: { at: at(4) } },
    { kind: 'event', event: { type: 'disconnected' } },
  ]);
  expect(kinds(...flaps.slice(0, 4))).toEqual(['event', 'event', 'event', 'event']);
});

test('nothing else is left out or moved', () => {
  const events = story(broken(1), gap(2), back(3), gap(4), broken(5), back(6));
  expect(chaptersOf(events)).toEqual(events.map((event) => ({ kind: 'event', event })));
});
