import { expect, test } from 'vitest';
import { attentionRows, withoutAttention } from '../src/pages/overview/attention-fold.ts';
import type { Row } from '../src/pages/overview/rows.ts';

const section = (name: 'attention' | 'running' | 'resting'): Row => ({ kind: 'section', section: name, count: 2 });
const rest = (name: string): Row => ({
  kind: 'rest',
  section: 'attention',
  job: { name, ends: [] } as never,
  ends: [],
  count: 1,
});

const ATTENTION = [section('attention'), rest('a'), rest('b')];
const RUNNING = [section('running'), rest('c')];

test('of what needs attention the heading stays, and all that follows it', () => {
  const rows = [...ATTENTION, ...RUNNING, section('resting')];
  expect(attentionRows(rows)).toBe(2);
  expect(withoutAttention(rows)).toEqual([section('attention'), ...RUNNING, section('resting')]);
});

test('what stands alone hides nothing', () => {
  expect(attentionRows(ATTENTION)).toBe(0);
  expect(attentionRows(RUNNING)).toBe(0);
  expect(attentionRows([])).toBe(0);
});
