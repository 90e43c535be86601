import zlib from 'node:zlib';
import { expect, test } from 'vitest';
import { encodeOutputFrame } from '#protocol/output-frame';
import { crc32, tableCrc32 } from '../../src/spool/crc32.ts';
import { MAX_RECORD_BYTES, RECORD_HEADER_BYTES } from '../../src/spool/record.ts';
import { RecordBlock } from '../../src/spool/record-block.ts';
import { patternBytes } from '../support/pattern.ts';

/** Where the records of `sample` end. */
const ENDS = [6, 11, 13].map((bytes, index) => bytes + (index + 1) * RECORD_HEADER_BYTES);
const [FIRST_END = 0, SECOND_END = 0, THIRD_END = 0] = ENDS;

test.each([
  ['', 0],
  ['123456789', 0xcbf43926],
  ['The quick brown fox jumps over the lazy dog', 0x414fa339],
])('the CRC-32 of %j is %i, with and without zlib', (text, expected) => {
  const bytes = Buffer.from(text);
  expect([crc32(bytes), tableCrc32(bytes)]).toEqual([expected, expected]);
});

test.runIf(typeof zlib.crc32 === 'function')("the table's CRC-32 equals that of zlib", () => {
  const bytes = patternBytes(0, 3_000);
  for (let from = 0; from < 2_000; from += 137) {
    expect(tableCrc32(bytes.subarray(from))).toBe(zlib.crc32(bytes.subarray(from)));
  }
});

test('a record is length, CRC-32 and the frame as on the wire', () => {
  const bytes = Buffer.from('hello ');
  const frame = Buffer.from(encodeOutputFrame({ stream: 'stdout', start: 1_000, bytes }));
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(frame.length, 0);
  prefix.writeUInt32BE(crc32(frame), 4);
  expect(Buffer.from(sample().memory.subarray(0, FIRST_END))).toEqual(Buffer.concat([prefix, frame]));
});

/** Three records: 'hello ' and 'world' on stdout at 1000, 'oh' on stderr at 2^40. */
function sample(): RecordBlock {
  const block = new RecordBlock(256);
  block.append('stdout', 1_000, Buffer.from('hello '));
  block.append('stdout', 1_006, Buffer.from('world'));
  block.append('stderr', 2 ** 40, Buffer.from('oh'));
  return block;
}

/** The same, as if read from a file that has become `bytes`. */
function reread(bytes: Uint8Array): RecordBlock {
  const block = new RecordBlock(256);
  block.memory.set(bytes);
  block.setUsed(bytes.length);
  return block;
}

function textAt(block: RecordBlock, offset: number): string {
  const found = block.read(offset, 100);
  return found.kind === 'bytes' ? Buffer.from(found.bytes).toString() : found.kind;
}

test('appended output can be read from any offset, in any order', () => {
  const block = reread(sample().memory.slice(0, sample().used));
  expect(textAt(block, 2 ** 40)).toBe('oh');
  expect(textAt(block, 1_000)).toBe('hello world');
  expect(textAt(block, 1_007)).toBe('orld');
  expect(block.read(1_000, 3)).toMatchObject({ kind: 'bytes', stream: 'stdout', start: 1_000 });
  expect(block.read(5, 100)).toEqual({ kind: 'gap', from: 5, to: 1_000 });
  expect(block.read(1_011, 100)).toEqual({ kind: 'gap', from: 1_011, to: 2 ** 40 });
  expect(block.read(2 ** 40 + 2, 100)).toEqual({ kind: 'end', position: block.used });
  expect(block.lastOffset()).toBe(2 ** 40 + 2);
  expect(block.used).toBe(THIRD_END);
});

test('a block accepts no more than it has room for', () => {
  const block = new RecordBlock(3 * MAX_RECORD_BYTES);
  const bytes = Buffer.alloc(4 * MAX_RECORD_BYTES, 'x');
  const taken = block.append('stdout', 0, bytes);
  expect(taken).toBeGreaterThan(3 * MAX_RECORD_BYTES - 200);
  expect(block.used).toBeLessThanOrEqual(3 * MAX_RECORD_BYTES);
  expect(block.append('stdout', taken, bytes)).toBe(0);
  expect(block).toMatchObject({ start: 0, end: taken, outputBytes: taken });
});

test('a truncated block still holds the complete records', () => {
  const whole = sample();
  for (let length = 0; length < whole.used; length += 1) {
    const cut = reread(whole.memory.slice(0, length));
    const expected = length < FIRST_END ? 'end' : length < SECOND_END ? 'hello ' : 'hello world';
    expect([length, textAt(cut, 1_000)]).toEqual([length, expected]);
    expect(textAt(cut, 2 ** 40)).toBe('end');
  }
});

test('zeros at the end, as after a loss of power, are not output', () => {
  const whole = sample();
  for (let length = 0; length < whole.used; length += 1) {
    const bytes = new Uint8Array(256);
    bytes.set(whole.memory.subarray(0, length));
    const torn = reread(bytes);
    expect(['hello ', 'hello world', 'corrupt']).toContain(textAt(torn, 1_000));
    expect(['corrupt', 'gap']).toContain(torn.read(2 ** 40, 100).kind);
  }
});

test('with any single bit flipped, only that record is missing, and no wrong byte is read', () => {
  const whole = sample();
  const records = [
    { start: 1_000, text: 'hello ' },
    { start: 1_006, text: 'world' },
    { start: 2 ** 40, text: 'oh' },
  ];
  for (let bit = 0; bit < whole.used * 8; bit += 1) {
    const bytes = whole.memory.slice(0, whole.used);
    const at = bit >> 3;
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
    const damaged = reread(bytes);
    for (const [index, { start, text }] of records.entries()) {
      const found = textAt(damaged, start);
      if (index === ENDS.findIndex((end) => at < end))
        expect(index === 2 ? ['corrupt', 'end'] : ['gap']).toContain(found);
      else expect(found.startsWith(text)).toBe(true);
    }
    expect(damaged.lastOffset()).toBe(at < SECOND_END ? 2 ** 40 + 2 : 1_011);
  }
});
