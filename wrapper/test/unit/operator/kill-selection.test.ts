import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { KillManyRequest, KillRequest } from '#protocol/api';
import {
  callsForRuns,
  callsForSelector,
  jobsOfCalls,
  type KillCall,
  listQueries,
  type Selector,
  selectRuns,
} from '../../../src/operator/kill/selection.ts';
import { parseWord, type Word } from '../../../src/operator/kill/words.ts';
import { aRun } from '../../support/api-resources.ts';

const ID_A = '01KB7Q0000AAAAAAAAAAAAAAAA';
const ID_B = '01KB7Q0000BBBBBBBBBBBBBBBB';
const ID_C = '01KB7R0000CCCCCCCCCCCCCCCC';

const backup1 = aRun({ id: ID_A, job: 'backup', machine: 'db-1.example.com', instance: 'night' });
const backup2 = aRun({ id: ID_B, job: 'backup', machine: 'web-1.example.com', instance: 'night' });
const sync = aRun({ id: ID_C, job: 'sync', machine: 'web-1.example.com', instance: 'sync_1' });
const all = [sync, backup2, backup1];
const NOW = Date.parse('2026-01-31T12:00:00Z');

function word(text: string): Word {
  const parsed = parseWord(text);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

function selector(words: readonly string[], more: Partial<Selector> = {}): Selector {
  return { words: words.map(word), machines: [], instance: null, ...more };
}

function selected(words: readonly string[], more: Partial<Selector> = {}) {
  const { runs, unmatched, ambiguous } = selectRuns(selector(words, more), all, NOW);
  return {
    runs,
    unmatched: unmatched.map(({ text }) => text),
    ambiguous: ambiguous.map(({ text }) => text),
  };
}

describe('which runs are selected', () => {
  test.each([
    ['a job', ['backup'], {}, [backup1, backup2]],
    ['a glob', ['*'], {}, [backup1, backup2, sync]],
    ['a job and a run of it, each run once', ['backup', ID_A], {}, [backup1, backup2]],
    ['a run id, in small letters as well', [ID_C.toLowerCase()], {}, [sync]],
    ['the beginning of one run id', ['01kb7r00'], {}, [sync]],
    ['the end of one run id', ['cccccccc'], {}, [sync]],
    ['a run with its job', [`backup/${ID_B}`], {}, [backup2]],
    ['a part of a run id with its job', ['sync/CCCC'], {}, [sync]],
    ['the machines that match any of the globs', ['*'], { machines: ['db-*', 'nowhere'] }, [backup1]],
    ['an instance', [], { instance: 'night' }, [backup1, backup2]],
    ['a machine alone', [], { machines: ['web-1.example.com'] }, [backup2, sync]],
  ])('%s', (_, words, more, runs) => {
    expect(selected(words, more)).toEqual({ runs, unmatched: [], ambiguous: [] });
  });

  test('a part that several run ids share selects none of them', () => {
    expect(selected(['01KB7Q00'])).toEqual({ runs: [], unmatched: [], ambiguous: ['01KB7Q00'] });
  });

  test('a job whose name looks like a part of a run id is that job', () => {
    const job = aRun({ job: '01KB7R00' });
    expect(selectRuns(selector(['01KB7R00']), [...all, job], NOW).runs).toEqual([job]);
  });

  test('a word that matches nothing is named, and the others count', () => {
    expect(selected(['backup', 'typo'])).toEqual({ runs: [backup1, backup2], unmatched: ['typo'], ambiguous: [] });
    expect(selected(['sync'], { machines: ['db-*'] })).toEqual({ runs: [], unmatched: ['sync'], ambiguous: [] });
  });

  test('a run that has ended is selected only for what it left running', () => {
    const ended = { state: 'succeeded', final: true, ended_at: '2026-01-31T03:01:00.000Z', exit_code: 0 } as const;
    const left = aRun({ ...ended, left_running: [{ pid: 12, command_line: 'sleep 99', relation: undefined }] });
    const relation = { parent: null, kept: true };
    const related = aRun({ ...ended, left_running: [{ pid: 13, command_line: 'tmux', relation }] });
    const { runs, ended: over } = selectRuns(selector([left.id, related.id]), [left, related], NOW);
    expect([runs, over]).toEqual([[left], [related]]);
  });

  test('a run that has been lost for more than a day is selected only if it is named, also by a part of its id', () => {
    const lost = aRun({ id: ID_A, state: 'lost', connected: false, disconnected_since: '2026-01-30T11:59:59.000Z' });
    expect(selectRuns(selector(['backup']), [lost], NOW)).toMatchObject({ runs: [], longLost: [lost] });
    for (const named of [ID_A, 'AAAAAAAA', 'backup/AAAA'])
      expect(selectRuns(selector([named]), [lost], NOW)).toMatchObject({ runs: [lost], longLost: [] });
  });

  test('a run that is lost can be killed until its end is final', () => {
    const lost = aRun({ state: 'lost' });
    const gone = aRun({ state: 'lost', final: true });
    expect(selectRuns(selector(['backup']), [lost, gone], NOW)).toMatchObject({ runs: [lost], ended: [gone] });
  });
});

test.each(['a b', '/01KB7Q', 'backup/CCC', 'backup/x', 'back*/01KB7Q'])(
  '%j names nothing, and the message repeats it',
  (text) => {
    expect(parseWord(text)).toContain(text);
  },
);

describe('which lists are read', () => {
  test.each([
    ['only run ids: none', [ID_A], {}, []],
    ['jobs: one for each', ['backup', 'sync', 'backup'], {}, [{ job: 'backup' }, { job: 'sync' }]],
    ['a glob: all', ['back*', 'sync'], {}, [{}]],
    ['what may be a part of an id: all', ['01KB7Q00'], {}, [{}]],
    ['many jobs: all', ['a', 'b', 'c', 'd', 'e', 'f'], {}, [{}]],
    ['nothing named: all of the machine', [], { machines: ['m1'] }, [{ machine: 'm1' }]],
    ['a machine glob: not a filter', ['a'], { machines: ['m*'], instance: 'i' }, [{ job: 'a', instance: 'i' }]],
  ])('%s', (_, words, more, queries) => {
    expect(listQueries(selector(words, more))).toEqual(queries);
  });
});

/** What is sent, after the schema that the control plane reads it with. */
function accepted(call: KillCall): unknown {
  return call.kind === 'job' ? [call.job, v.parse(KillRequest, call.body)] : v.parse(KillManyRequest, call.body);
}

describe('the calls that kill', () => {
  const options = { grace_seconds: 10, reason: 'fills the disk' };

  test('one run: of its job', () => {
    expect(callsForRuns([sync], options).map(accepted)).toEqual([['sync', { run: ID_C, ...options }]]);
  });

  test('several runs: each with its job, at most 500 a call', () => {
    expect(callsForRuns([backup1, sync], options).map(accepted)).toEqual([
      {
        runs: [
          { job: 'backup', run: ID_A },
          { job: 'sync', run: ID_C },
        ],
        ...options,
      },
    ]);
    const many = Array.from({ length: 501 }, () => aRun());
    expect(callsForRuns(many, {}).map((call) => 'runs' in call.body && call.body.runs?.length)).toEqual([500, 1]);
  });

  test('all that matches: by job, with machines and instance', () => {
    const where = { machines: ['db-*', 'web-1'], instance: 'night' };
    expect(callsForSelector(selector(['backup'], where), all, options)?.map(accepted)).toEqual([
      ['backup', { machine: 'db-*,web-1', instance: 'night', ...options }],
    ]);
    expect(callsForSelector(selector(['back*', 'sync'], where), all, {})?.map(accepted)).toEqual([
      { jobs: ['back*', 'sync'], machines: ['db-*', 'web-1'], instance: 'night' },
    ]);
    expect(callsForSelector(selector([], { machines: ['db-*'] }), all, {})?.map(accepted)).toEqual([
      { machines: ['db-*'] },
    ]);
  });

  test('all that matches, and runs that are named, even if no list could be read', () => {
    expect(callsForSelector(selector([`backup/${ID_A}`, 'sync']), null, {})?.map(accepted)).toEqual([
      ['backup', { run: ID_A }],
      ['sync', {}],
    ]);
    expect(callsForSelector(selector([ID_A]), null, {})).toBeNull();
    expect(callsForSelector(selector(['01KB7R00']), all, {})?.map(accepted)).toEqual([['sync', { run: ID_C }]]);
  });

  test('a job whose name looks like a part of a run id, which no known run has', () => {
    expect(callsForSelector(selector(['database']), null, {})?.map(accepted)).toEqual([['database', {}]]);
    expect(callsForSelector(selector(['database']), all, {})?.map(accepted)).toEqual([['database', {}]]);
  });

  test('a run that was named and not selected is never among them', () => {
    const elsewhere = selector([`backup/${ID_A}`], { machines: ['web-*'] });
    expect(callsForSelector(elsewhere, null, {})).toBeNull();
    expect(callsForSelector(elsewhere, selectRuns(elsewhere, all, NOW).runs, {})).toEqual([]);
    const ended = aRun({ state: 'succeeded', final: true });
    expect(callsForSelector(selector([ID_A, 'AAAAAAAA', `backup/${ID_A}`]), all, {})).toHaveLength(1);
    expect(callsForSelector(selector([ended.id, 'sync']), [ended, sync], {})?.map(accepted)).toEqual([['sync', {}]]);
  });

  test('it is known which jobs’ kills to follow, unless they may be any job’s', () => {
    const jobs = (words: string[]) => [...jobsOfCalls(callsForSelector(selector(words), all, {}) ?? [])];
    expect(jobs(['sync', ID_A, ID_B])).toEqual(['backup', 'sync']);
    expect(jobs(['back*', 'sync'])).toEqual([]);
  });
});
