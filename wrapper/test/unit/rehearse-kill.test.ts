/** A rehearsal goes the way of a kill, and leaves no trace. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { emptyTree, type ProcessTree } from '../../src/processes/process-tree.ts';
import { rehearseKill } from '../../src/run/rehearse-kill.ts';

const OPTIONS = { signal: 'SIGTERM', graceMs: 5_000 } as const;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A tree that notes what is asked of it. */
function tree(given: Partial<ProcessTree> = {}) {
  const story: string[] = [];
  const noted: ProcessTree = {
    ...emptyTree,
    leaderHasExited: () => {
      story.push('leaderHasExited');
      return false;
    },
    rehearse: () => void story.push('rehearse'),
    signal: (...signals) => {
      story.push(...signals);
      return null;
    },
    members: () => {
      story.push('members');
      return [];
    },
    includeRelated: () => void story.push('includeRelated'),
    ...given,
  };
  return { noted, story };
}

test('a rehearsal goes as far as the signal, and neither sends one nor writes anything nor leaves a timer', () => {
  const written = (['stdout', 'stderr'] as const).map((name) => vi.spyOn(process[name], 'write'));
  const kill = vi.spyOn(process, 'kill');
  const { noted, story } = tree();
  rehearseKill(noted, OPTIONS);
  expect(story.slice(0, 2)).toEqual(['leaderHasExited', 'rehearse']);
  expect(new Set(story)).toEqual(new Set(['leaderHasExited', 'rehearse']));
  for (const each of [...written, kill]) expect(each).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

test('what a rehearsal can not read is told to the caller, and no timer is left', () => {
  const { noted } = tree({
    rehearse: () => {
      throw new Error('EMFILE');
    },
  });
  expect(() => rehearseKill(noted, OPTIONS)).toThrow('EMFILE');
  expect(vi.getTimerCount()).toBe(0);
});
