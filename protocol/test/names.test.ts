import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { defaultInstance, InstanceName, JobName, MachineName, RunId, RunKey, toValidName } from '../names.ts';

describe.each([
  ['a job name', JobName],
  ['an instance', InstanceName],
  ['a machine name', MachineName],
])('%s', (_what, schema) => {
  test.each(['a', '7', 'backup', 'db-1.example.com', 'A_b.c-d', 'x'.repeat(128)])('may be %s', (name) => {
    expect(v.is(schema, name)).toBe(true);
  });

  test.each(['', '.', '..', '-rf', '_x', 'a b', 'a/b', 'ü', 'a\n', 'a\0', 'x'.repeat(129), 7, null])(
    'may not be %j',
    (name) => {
      expect(v.is(schema, name)).toBe(false);
    },
  );
});

test.each([
  ['01ARZ3NDEKTSV4RRFFQ69G5FAV', true],
  ['01arz3ndektsv4rrffq69g5fav', false],
  ['81ARZ3NDEKTSV4RRFFQ69G5FAV', false],
  ['01ARZ3NDEKTSV4RRFFQ69G5FAI', false],
  ['01ARZ3NDEKTSV4RRFFQ69G5FA', false],
])('%s as a run id: %s', (id, valid) => {
  expect(v.is(RunId, id)).toBe(valid);
});

test.each([
  ['0123456789abcdef0123456789abcdef', true],
  ['0123456789ABCDEF0123456789ABCDEF', false],
  ['0123456789abcdef', false],
])('%s as a run key: %s', (key, valid) => {
  expect(v.is(RunKey, key)).toBe(valid);
});

describe('the default instance', () => {
  const at = new Date('2026-01-02T03:04:05.678Z');

  test('is the job and the second', () => {
    expect(defaultInstance('backup', at)).toBe('backup_1767323045');
  });

  test('is a valid one for the longest job name', () => {
    const instance = defaultInstance('x'.repeat(128), at);
    expect(instance.endsWith('_1767323045')).toBe(true);
    expect(v.is(InstanceName, instance)).toBe(true);
  });
});

describe('a valid name for any text', () => {
  const anyText = fc.string({ unit: 'binary', maxLength: 300 });
  /** Texts that differ only in what a name can't have. */
  const lookalike = fc.string({ unit: fc.constantFrom('a', '/', ' ', '-', 'ü', '_'), maxLength: 12 });

  test('is the text itself if that is valid', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/), (text) => toValidName(text) === text),
    );
  });

  test('is always valid, and the same each time', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, lookalike), (text) => {
        const name = toValidName(text);
        expect(v.is(JobName, name)).toBe(true);
        expect(toValidName(text)).toBe(name);
        expect(toValidName(name)).toBe(name);
      }),
    );
  });

  test('is not that of another text', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, lookalike), fc.oneof(anyText, lookalike), (one, other) => {
        expect(toValidName(one) === toValidName(other)).toBe(one === other);
      }),
    );
  });

  test.each([
    ['nightly backup', 'nightly-backup-f4fada4a'],
    ['/opt/job.sh --all', 'opt-job.sh-all-b846c18d'],
    ['ünïcode', 'n-code-c8692575'],
    ['', '811c9dc5'],
    ['***', '87ed0df7'],
  ])('of %j is readable: %s', (text, name) => {
    expect(toValidName(text)).toBe(name);
  });
});
