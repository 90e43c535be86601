import { describe, expect, test } from 'vitest';
import type { StreamName } from '#protocol/output-frame';
import { OutputLog } from '../src/output/output-log.ts';

const BOUNDS = { lines: 1000, characters: 100_000 };
const encoder = new TextEncoder();
const bytes = (text: string) => encoder.encode(text);

function logOf(text: string, bounds = BOUNDS): OutputLog {
  const log = new OutputLog(0, bounds);
  log.push({ stream: 'stdout', start: 0, bytes: bytes(text) });
  return log;
}

function shown(log: OutputLog): string[] {
  return log.lines.map((line) => (line.kind === 'gap' ? `<${line.missing} missing>` : line.text));
}

describe('characters', () => {
  test('survive being split over frames at any byte', () => {
    const whole = bytes('12 € für 日本語 🐕\n');
    for (let cut = 1; cut < whole.length; cut += 1) {
      const log = new OutputLog(0, BOUNDS);
      log.push({ stream: 'stdout', start: 0, bytes: whole.subarray(0, cut) });
      log.push({ stream: 'stdout', start: cut, bytes: whole.subarray(cut) });
      expect(shown(log)).toEqual(['12 € für 日本語 🐕', '']);
    }
  });

  test('survive the other stream coming in between', () => {
    const log = new OutputLog(0, BOUNDS);
    const euro = bytes('€');
    const frames: [StreamName, Uint8Array][] = [
      ['stdout', euro.subarray(0, 2)],
      ['stderr', bytes('ü')],
      ['stdout', euro.subarray(2)],
    ];
    for (const [stream, part] of frames) log.push({ stream, start: log.next, bytes: part });
    expect(shown(log)).toEqual(['ü€']);
  });

  test('that are none do not stop the rest', () => {
    const log = new OutputLog(0, BOUNDS);
    log.push({ stream: 'stdout', start: 0, bytes: Uint8Array.of(0x61, 0xff, 0xfe, 0x62) });
    expect(shown(log)).toEqual(['a\ufffd\ufffdb']);
  });

  test('are not shown in half where a window opens in the middle of one', () => {
    const log = new OutputLog(101, BOUNDS);
    log.push({ stream: 'stdout', start: 101, bytes: bytes('€uro').subarray(1) });
    expect(shown(log)).toEqual(['uro']);
    expect(log.next).toBe(106);
  });
});

test('a window begins with a whole line, so that it shows no half of an escape sequence', () => {
  const log = new OutputLog(100, BOUNDS);
  log.push({ stream: 'stdout', start: 100, bytes: bytes('32mcut off\x1b[0m\nwhole\n') });
  expect(shown(log)).toEqual(['whole', '']);
  expect(log.shownFrom).toBe(115);
});

describe('offsets', () => {
  test('what is known already is not shown twice', () => {
    const log = logOf('abc');
    expect(log.push({ stream: 'stdout', start: 0, bytes: bytes('abc') })).toBe('known');
    expect(log.push({ stream: 'stdout', start: 1, bytes: bytes('bcdef') })).toBe('taken');
    expect(shown(log)).toEqual(['abcdef']);
    expect(log.next).toBe(6);
  });

  test('a frame from further on is not taken', () => {
    const log = logOf('abc');
    expect(log.push({ stream: 'stdout', start: 4, bytes: bytes('e') })).toBe('hole');
    expect(log.next).toBe(3);
  });

  test('every line knows where it begins', () => {
    expect(logOf('€\nb\nc').lines.map((line) => line.offset)).toEqual([0, 4, 6]);
  });

  test('a gap is a line of its own, and may overlap what is there', () => {
    const log = logOf('abc\n');
    log.gap(2);
    log.gap(104);
    log.push({ stream: 'stdout', start: 104, bytes: bytes('after') });
    expect(shown(log)).toEqual(['abc', '<100 missing>', 'after']);
    expect(log.next).toBe(109);
  });
});

describe('a terminal’s ways', () => {
  test('a return overwrites', () => {
    expect(shown(logOf('10%\r20%\r100% done\n'))).toEqual(['100% done', '']);
    expect(shown(logOf('abcdef\rXY'))).toEqual(['XYcdef']);
    expect(shown(logOf('abcdef\r\x1b[KXY'))).toEqual(['XY']);
    expect(shown(logOf('ab\b\bX'))).toEqual(['Xb']);
    expect(shown(logOf('dos\r\nlines\r\n'))).toEqual(['dos', 'lines', '']);
  });

  test('overwriting keeps the colours of what stays', () => {
    const [line] = logOf('\x1b[31mred\x1b[32mgreen\x1b[0m\r12345').lines;
    expect(line?.kind === 'text' ? line.segments : null).toEqual([
      { text: '12345', style: '', stream: 'stdout' },
      { text: 'een', style: 'fg2', stream: 'stdout' },
    ]);
  });

  test('each stream has colours of its own', () => {
    const log = logOf('\x1b[31mred ');
    log.push({ stream: 'stderr', start: log.next, bytes: bytes('plain') });
    const [line] = log.lines;
    expect(line?.kind === 'text' ? line.segments.map(({ style, stream }) => [style, stream]) : null).toEqual([
      ['fg1', 'stdout'],
      ['', 'stderr'],
    ]);
  });
});

describe('bounds', () => {
  test('the last lines stay, and it is known what is hidden', () => {
    const log = logOf('a\nb\nc\nd', { lines: 2, characters: 1000 });
    expect(shown(log)).toEqual(['c', 'd']);
    expect(log.shownFrom).toBe(4);
  });

  test('long lines count', () => {
    const log = logOf(`${'x'.repeat(600)}\n${'y'.repeat(600)}\nz`, { lines: 100, characters: 1000 });
    expect(shown(log).map((line) => line.length)).toEqual([600, 1]);
  });

  test('a line without end is broken, and stays within the bounds', () => {
    const log = new OutputLog(0, { lines: 100, characters: 50_000 });
    const part = bytes('x'.repeat(10_000));
    for (let i = 0; i < 100; i += 1) log.push({ stream: 'stdout', start: log.next, bytes: part });
    const characters = shown(log).reduce((sum, line) => sum + line.length, 0);
    expect(characters).toBeGreaterThan(30_000);
    expect(characters).toBeLessThanOrEqual(60_000);
  });

  test('a progress bar that runs for days takes no room', () => {
    const log = new OutputLog(0, BOUNDS);
    for (let i = 0; i < 5000; i += 1) {
      log.push({ stream: 'stdout', start: log.next, bytes: bytes(`\rprogress ${i}`) });
    }
    expect(shown(log)).toEqual(['progress 4999']);
  });
});

test('changes are told once', () => {
  const log = logOf('a\nb');
  expect(log.takeChanges()).toBe(0);
  log.push({ stream: 'stdout', start: log.next, bytes: bytes('!\nc') });
  expect(log.takeChanges()).toBe(1);
  expect(log.takeChanges()).toBe(3);
});
