import { Terminal } from '@xterm/xterm';
import { describe, expect, test } from 'vitest';
import { OutputText } from '../src/output/output-text.ts';
import { rowMark } from '../src/output/row-marks.ts';
import { guardOwnLines } from '../src/output/terminal-guard.ts';
import { wholeText } from '../src/output/whole-lines.ts';

const encoder = new TextEncoder();

/** A terminal that nobody sees, with what two streams and a gap between them write into it. */
async function terminalOf(before: string, after: string): Promise<Terminal> {
  const terminal = new Terminal({ cols: 40, rows: 10, convertEol: true, scrollOnEraseInDisplay: true });
  guardOwnLines(terminal);
  const text = new OutputText('both', false);
  const read = (part: string, start: number) =>
    text.read({ kind: 'bytes', stream: 'stdout', start, bytes: encoder.encode(part) });
  const whole = read(before, 0) + text.read({ kind: 'gap', start: 100, end: 200, begin: 100 }) + read(after, 200);
  await new Promise<void>((resolve) => terminal.write(whole, resolve));
  return terminal;
}

function linesOf(terminal: Terminal): string[] {
  const buffer = terminal.buffer.active;
  const lines = Array.from({ length: buffer.length }, (_, y) => buffer.getLine(y)?.translateToString(true) ?? '');
  return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1);
}

const GAP = '… 100 bytes are missing here …';

describe('a line of the page’s own', () => {
  for (const [name, upwards] of [
    ['up', '\x1b[5A'],
    ['up to the first column', '\x1b[2F'],
    ['home', '\x1b[H'],
    ['to a row', '\x1b[1d'],
    ['to its own row', '\x1b[2;1f'],
  ] as const) {
    test(`is not overwritten by going ${name}`, async () => {
      const terminal = await terminalOf('before\n', `after\n${upwards}\x1b[2Kforged`);
      expect(linesOf(terminal)).toContain(GAP);
      expect(linesOf(terminal)[0]).toBe('before');
    });
  }

  test('outlives what clears the screen', async () => {
    const terminal = await terminalOf('before\n', 'after\x1b[2J\x1b[H\x1b[3J\x1bcnext');
    expect(linesOf(terminal).slice(0, 3)).toEqual(['before', GAP, 'after']);
  });

  test('is known by its mark, which what looks like it does not have', async () => {
    const terminal = await terminalOf('before\n', `\x1b[53;5m${GAP}\x1b[0m\n`);
    const buffer = terminal.buffer.active;
    const marks = [0, 1, 2].map((y) => {
      const line = buffer.getLine(y);
      return line === undefined ? null : rowMark(line, buffer.getNullCell());
    });
    expect(marks).toEqual(['none', 'ours', 'none']);
  });
});

test('a display of progress is drawn over itself', async () => {
  const terminal = await terminalOf('', 'a 1%\nb 1%\n\x1b[2A\x1b[2Ka 2%\n\x1b[2Kb 2%\n');
  expect(linesOf(terminal)).toEqual([GAP, 'a 2%', 'b 2%']);
});

test('an empty line of stderr has its mark, and nothing in it that could be copied or found', async () => {
  const terminal = new Terminal({ cols: 40, rows: 10, convertEol: true });
  const text = new OutputText('both', false);
  const bytes = encoder.encode('\x1b[41mfirst\n\nlast\n');
  await new Promise<void>((resolve) =>
    terminal.write(text.read({ kind: 'bytes', stream: 'stderr', start: 0, bytes }), resolve),
  );
  const buffer = terminal.buffer.active;
  const marks = [0, 1, 2, 3].map((y) => {
    const line = buffer.getLine(y);
    return line === undefined ? null : rowMark(line, buffer.getNullCell());
  });
  expect(marks).toEqual(['stderr', 'stderr', 'stderr', 'none']);
  expect(wholeText(buffer)).toBe('first\n\nlast\n');
  expect(buffer.getLine(1)?.getCell(0)?.isBgDefault()).toBe(true);
});
