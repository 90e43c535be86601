import { describe, expect, test } from 'vitest';
import type { StreamName } from '#protocol/output-frame';
import { OutputText, type StreamChoice } from '../src/output/output-text.ts';

const encoder = new TextEncoder();
const bytes = (text: string) => encoder.encode(text);

type Part = readonly [stream: StreamName, bytes: Uint8Array | string];

function textOf(parts: readonly Part[], choice: StreamChoice = 'both', isCut = false): string {
  const text = new OutputText(choice, isCut);
  return parts
    .map(([stream, part]) =>
      text.read({ kind: 'bytes', stream, start: 0, bytes: typeof part === 'string' ? bytes(part) : part }),
    )
    .join('');
}

/** What is read of it, without colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as a terminal has them
const plain = (text: string) => text.replace(/\x1b\[[\d;]*m/g, '');

describe('characters', () => {
  test('survive being split over frames at any byte', () => {
    const whole = bytes('12 € für 日本語 🐕\n');
    for (let cut = 1; cut < whole.length; cut += 1) {
      const text = textOf([
        ['stdout', whole.subarray(0, cut)],
        ['stdout', whole.subarray(cut)],
      ]);
      expect(plain(text)).toBe('12 € für 日本語 🐕\n');
    }
  });

  test('survive the other stream coming in between', () => {
    const euro = bytes('€');
    const text = textOf([
      ['stdout', euro.subarray(0, 2)],
      ['stderr', 'ü'],
      ['stdout', euro.subarray(2)],
    ]);
    expect(plain(text)).toBe('ü€');
  });

  test('that are none do not stop the rest', () => {
    expect(plain(textOf([['stdout', Uint8Array.of(0x61, 0xff, 0xfe, 0x62)]]))).toBe('a\ufffd\ufffdb');
  });
});

describe('streams', () => {
  test('each has colours of its own, and what is of stderr carries its mark', () => {
    const text = textOf([
      ['stdout', '\x1b[31mred '],
      ['stderr', 'plain '],
      ['stdout', 'still red'],
    ]);
    expect(text).toBe('\x1b[0;31mred \x1b[0;5mplain \x1b[0;31mstill red');
  });

  test('a sequence of one is not torn by the other', () => {
    const text = textOf([
      ['stdout', '\x1b[3'],
      ['stderr', 'x'],
      ['stdout', '1mred'],
    ]);
    expect(text).toBe('\x1b[0;5mx\x1b[0;31mred');
  });

  test('a link of one does not reach into the other', () => {
    const text = textOf([
      ['stdout', '\x1b]8;;https://a.example/\x07link'],
      ['stderr', 'x'],
    ]);
    expect(text).toContain('\x1b]8;;\x1b\\x');
  });

  test('one alone may be chosen', () => {
    const parts: Part[] = [
      ['stdout', 'out\n'],
      ['stderr', 'err\n'],
    ];
    expect(plain(textOf(parts, 'stdout'))).toBe('out\n');
    expect(plain(textOf(parts, 'stderr'))).toBe('err\n');
  });

  test('an empty line of stderr has a mark, too: not where the cursor may be on what was written before', () => {
    const marked = (...parts: Part[]) => textOf(parts).includes('\u3000');
    expect(marked(['stderr', 'x\n\n'])).toBe(true);
    expect(marked(['stderr', 'x\n']), 'the end of a line').toBe(false);
    expect(marked(['stdout', 'x'], ['stderr', '\n']), 'the end of a line of stdout').toBe(false);
    expect(marked(['stdout', 'x\n\n'])).toBe(false);
    for (const up of ['\x1b[2A', '\x1b[2F', '\x1b[H']) {
      expect(marked(['stderr', `a\nb\n${up}\n\n`]), JSON.stringify(up)).toBe(false);
    }
    expect(marked(['stderr', 'a\nb\n\x1b[2Aa\nb\n\n']), 'below it all again').toBe(true);
  });

  test('no output can carry a mark of the page’s', () => {
    expect(textOf([['stdout', '\x1b[5;53mx']])).toBe('\x1b[0mx');
  });
});

describe('where it is cut off', () => {
  test('it begins with a whole line, so that it shows no half of an escape sequence', () => {
    expect(plain(textOf([['stdout', '32mcut off\x1b[0m\nwhole\n']], 'both', true))).toBe('whole\n');
  });

  test('in a line without end, it begins with a whole character', () => {
    expect(plain(textOf([['stdout', bytes('€uro').subarray(1)]], 'both', true))).toBe('uro');
  });
});

describe('missing bytes', () => {
  const gap = { kind: 'gap', start: 4, end: 2052, begin: 4 } as const;

  test('are reported in a line of the page’s own', () => {
    const text = new OutputText('both', false);
    text.read({ kind: 'bytes', stream: 'stdout', start: 0, bytes: bytes('abc\n') });
    expect(text.read(gap)).toBe('\x1b[0;53m… 2 KiB are missing here …\x1b[0m\n');
  });

  test('are reported whole, also those before the window, and one as one', () => {
    const text = new OutputText('both', false);
    expect(text.read({ ...gap, start: 2000 })).toContain('… 2 KiB are missing here …');
    expect(text.read({ ...gap, begin: 2051 })).toContain('… 1 byte is missing here …');
  });

  test('end the line that they interrupt, and leave no half of a character', () => {
    const text = new OutputText('both', false);
    text.read({ kind: 'bytes', stream: 'stdout', start: 0, bytes: bytes('ab€').subarray(0, 4) });
    expect(text.read(gap).startsWith('\n')).toBe(true);
    const after = text.read({ kind: 'bytes', stream: 'stdout', start: 2052, bytes: bytes('€x').subarray(1) });
    expect(plain(after)).toBe('x');
  });
});

test('the width of the widest line is known', () => {
  const text = new OutputText('both', false);
  const read = (part: string) => text.read({ kind: 'bytes', stream: 'stdout', start: 0, bytes: bytes(part) });
  read('\x1b[31m1234567890\x1b[0m\n123');
  expect(text.widest).toBe(10);
  read('456789012\rx');
  expect(text.widest).toBe(12);
  read('\n日本');
  expect(text.widest).toBe(12);
});
