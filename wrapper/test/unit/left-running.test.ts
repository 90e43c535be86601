import { describe, expect, test } from 'vitest';
import { parseArgs, wordsAsLine } from '../../src/processes/command-lines.ts';
import { describeProcesses } from '../../src/processes/describe-processes.ts';
import { findLeftRunning } from '../../src/processes/left-running.ts';
import { redactionRules } from '../../src/redact/redactor.ts';
import { silent } from '../support/silent-log.ts';

const NO_RULES = redactionRules([]);

/** A process tree of which each look shows the next of these. */
function treeOf(...looks: readonly number[][]) {
  let look = 0;
  return { remaining: () => looks[Math.min(look++, looks.length - 1)] ?? [], related: () => [] };
}

describe('what is left running', () => {
  test('is nothing, after one look, as a rule', async () => {
    let looks = 0;
    const empty = {
      remaining: () => {
        looks += 1;
        return [];
      },
      related: () => [],
    };
    expect(await findLeftRunning(empty, NO_RULES, silent)).toEqual([]);
    expect(looks).toBe(1);
  });

  test('is not what was only a moment behind the command', async () => {
    expect(await findLeftRunning(treeOf([2_000_000_001], []), NO_RULES, silent)).toEqual([]);
  });

  test('is named by its pid when its command line can’t be read', async () => {
    const left = await findLeftRunning(treeOf([2_000_000_001]), NO_RULES, silent);
    expect(left).toEqual([{ pid: 2_000_000_001, command_line: '' }]);
  });

  test('is not known when nothing can be looked at, and the run ends all the same', async () => {
    const notes: string[] = [];
    const unreadable = {
      remaining: () => {
        throw new Error('EMFILE');
      },
      related: () => [],
    };
    const left = await findLeftRunning(unreadable, NO_RULES, { ...silent, info: (line) => notes.push(line) });
    expect(left).toEqual([]);
    expect(notes.join()).toContain('EMFILE');
  });

  test.runIf(process.platform === 'linux')('is reported without its secrets', () => {
    const secret = process.argv[0] ?? '';
    const [own] = describeProcesses([process.pid], [], redactionRules([Buffer.from(secret)]));
    expect(own?.pid).toBe(process.pid);
    expect(own?.command_line).not.toContain(secret);
  });

  test('is reported with what is related, whose child that is, and why it is left alone', async () => {
    const related = [{ pid: process.pid, ppid: process.ppid, isKept: true }];
    const left = await findLeftRunning({ remaining: () => [], related: () => related }, NO_RULES, silent);
    expect(left).toMatchObject([{ pid: process.pid, relation: { kept: true, parent: { pid: process.ppid } } }]);
    expect(left[0]?.command_line).not.toBe('');
    expect(left[0]?.relation?.parent?.command_line).not.toBe('');
  });

  test('is at most 64 processes', () => {
    const many = Array.from({ length: 100 }, (_, index) => 2_000_000_000 + index);
    expect(describeProcesses([...many, ...many], [], NO_RULES)).toHaveLength(64);
    const related = many.map((pid) => ({ pid: pid + 1_000, ppid: 1, isKept: false }));
    const left = describeProcesses(many, related, NO_RULES);
    expect(left).toHaveLength(64);
    expect(left.filter(({ relation }) => relation !== undefined)).toHaveLength(32);
  });
});

test('a command line is read from the words that the kernel keeps', () => {
  expect(wordsAsLine(Buffer.from('sh\0-c\0sleep 1; :\0'))).toBe("sh -c 'sleep 1; :'");
  expect(wordsAsLine(Buffer.from('nginx: master process\0\0\0'))).toBe('nginx: master process');
  expect(wordsAsLine(Buffer.alloc(0))).toBeNull();
  // The word that may be half of a secret is left out.
  const long = Buffer.from(`curl\0${'x'.repeat(8 * 1024)}`).subarray(0, 8 * 1024);
  expect(wordsAsLine(long)).toBe('curl');
});

test('a command line is read from what ps writes', () => {
  expect(parseArgs('  12 sleep 1000\n 4711 sh -c a  b \n\n')).toEqual([
    [12, 'sleep 1000'],
    [4711, 'sh -c a  b'],
  ]);
});
