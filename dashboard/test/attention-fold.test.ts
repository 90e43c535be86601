import { expect, test } from 'vitest';
import { attentionRows, withoutAttention } from '../src/pages/overview/attention-fold.ts';
import type { Row } from '../src/pages/overview/rows.ts';

const section = (name: 'attention' | 'running' | 'idle'): Row => ({ kind: 'section', section: name, count: 2 });
const idle = (name: string): Row => ({
  kind: 'idle',
  section: 'attention',
  job: { name, ends: [] } as never,
  ends: [],
  count: 1,
});

const ATTENTION = [section('attention'), idle('a'), idle('b')];
const RUNNING = [section('running'), idle('c')];

test('of what needs attention the heading stays, and all that follows it', () => {
  const rows = [...ATTENTION, ...RUNNING, section('idle')];
  expect(attentionRows(rows)).toBe(2);
  expect(withoutAttention(rows)).toEqual([section('attention'), ...RUNNING, section('idle')]);
});

test('what stands alone hides nothing', () => {
  expect(attentionRows(ATTENTION)).toBe(0);
  expect(attentionRows(RUNNING)).toBe(0);
  expect(attentionRows([])).toBe(0);
});
