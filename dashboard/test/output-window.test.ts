import { describe, expect, test } from 'vitest';
import { KIB } from '#protocol/limits';
import type { StreamName } from '#protocol/output-frame';
import { endOf, type OutputPart, OutputWindow } from '../src/output/output-window.ts';

const encoder = new TextEncoder();
const LOOSE = { weight: 1000 * KIB, rows: 100_000, columns: 80 };

function windowOf(text: string, start = 0): OutputWindow {
  const window = new OutputWindow(start);
  window.push({ stream: 'stdout', start, bytes: encoder.encode(text) });
  return window;
}

function parts(window: OutputWindow): OutputPart[] {
  const all: OutputPart[] = [];
  for (let part = window.read(window.start); part !== null; part = window.read(endOf(part))) all.push(part);
  return all;
}

function textOf(window: OutputWindow): string {
  return parts(window)
    .map((part) => (part.kind === 'gap' ? `<${part.end - part.start}>` : new TextDecoder().decode(part.bytes)))
    .join('');
}

describe('frames', () => {
  test('may overlap what is there, and are not taken across a gap', () => {
    const window = windowOf('abc');
    const push = (start: number, text: string) => window.push({ stream: 'stdout', start, bytes: encoder.encode(text) });
    expect(push(1, 'bc')).toBe('known');
    expect(push(1, 'bcd')).toBe('taken');
    expect(push(5, 'x')).toBe('gap');
    expect(textOf(window)).toBe('abcd');
  });

  test('of one byte share a part, unless they are of two streams', () => {
    const window = new OutputWindow(0);
    const push = (stream: StreamName) => window.push({ stream, start: window.next, bytes: encoder.encode('x') });
    for (let i = 0; i < 100; i += 1) push('stdout');
    push('stderr');
    expect(parts(window).map((part) => endOf(part) - part.start)).toEqual([100, 1]);
  });

  test('that are large are kept in parts, and can be read from anywhere, up to anywhere', () => {
    const window = windowOf('x'.repeat(10 * KIB));
    expect(parts(window)).toHaveLength(3);
    expect(window.read(5)?.start).toBe(5);
    const part = window.read(4 * KIB, 4 * KIB + 10);
    expect(part === null ? null : endOf(part)).toBe(4 * KIB + 10);
  });
});

test('missing bytes are a part of their own, and may overlap what is there', () => {
  const window = windowOf('abc');
  window.gap(2);
  window.gap(103);
  expect(window.push({ stream: 'stdout', start: 103, bytes: encoder.encode('d') })).toBe('taken');
  expect(textOf(window)).toBe('abc<100>d');
});

describe('bounds', () => {
  test('rows count as lines and as their width', () => {
    expect(windowOf('x\n'.repeat(100)).isWithin({ ...LOOSE, rows: 110 })).toBe(true);
    expect(windowOf('x\n'.repeat(100)).isWithin({ ...LOOSE, rows: 99 })).toBe(false);
    expect(windowOf('x'.repeat(800)).isWithin({ ...LOOSE, rows: 9 })).toBe(false);
    expect(windowOf('\t'.repeat(100)).isWithin({ ...LOOSE, rows: 9 })).toBe(false);
  });

  test('the first parts go, and it is known whether what is left begins in the middle of a line', () => {
    const line = `${'x'.repeat(1023)}\n`;
    const window = windowOf(line.repeat(100));
    expect(window.isCut).toBe(false);
    window.dropToFit({ ...LOOSE, weight: 40 * KIB });
    expect(window.start).toBeGreaterThanOrEqual(60 * KIB);
    expect(window.next).toBe(100 * KIB);
    expect(window.isCut).toBe(false);
    const odd = windowOf('x'.repeat(100 * KIB));
    odd.dropBefore(50 * KIB);
    expect(odd.start).toBe(48 * KIB);
    expect(odd.isCut).toBe(true);
  });

  test('it never drops what has just come', () => {
    const window = windowOf('x'.repeat(100));
    window.dropToFit({ ...LOOSE, weight: 1 });
    expect(textOf(window)).toHaveLength(100);
  });
});

describe('two windows that touch', () => {
  const line = `${'x'.repeat(1023)}\n`;

  test('become one', () => {
    const joined = windowOf('ab\n', 10).joinedWith(windowOf('cd\n', 13), LOOSE, 'before');
    expect([joined.start, joined.next, joined.isCut]).toEqual([10, 16, true]);
    expect(textOf(joined)).toBe('ab\ncd\n');
  });

  test('that are too much lose what is farthest from where they touch, most on the side that the reader leaves', () => {
    const bounds = { ...LOOSE, weight: 120 * KIB };
    const before = windowOf(line.repeat(200), 1000 * KIB);
    const after = windowOf(line.repeat(200), 1200 * KIB);
    const up = before.joinedWith(after, bounds, 'before');
    expect(up.isWithin(bounds)).toBe(true);
    expect(1200 * KIB - up.start).toBeGreaterThan(70 * KIB);
    expect(up.next - 1200 * KIB).toBeGreaterThan(25 * KIB);
    const down = before.joinedWith(after, bounds, 'after');
    expect(down.isWithin(bounds)).toBe(true);
    expect(1200 * KIB - down.start).toBeGreaterThan(25 * KIB);
    expect(down.next - 1200 * KIB).toBeGreaterThan(70 * KIB);
  });
});
