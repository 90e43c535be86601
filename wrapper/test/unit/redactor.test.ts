import fc from 'fast-check';
import { expect, test } from 'vitest';
import { trials } from '#testing/seed';
import { MAX_WINDOW_BYTES, OVERLAP_BYTES } from '../../src/redact/line-search.ts';
import { compilePattern } from '../../src/redact/patterns.ts';
import { REDACTED, type RedactionRules, Redactor, redactionRules, redactText } from '../../src/redact/redactor.ts';

function pattern(source: string): RegExp {
  const compiled = compilePattern(source);
  if (compiled.kind === 'invalid') throw new Error(compiled.why);
  return compiled.pattern;
}

const rulesOf = (values: string[], patterns: string[] = []) =>
  redactionRules(
    values.map((value) => Buffer.from(value, 'latin1')),
    patterns.map(pattern),
  );

/** A redactor whose output can be looked at. What it is given is overwritten after each call, as a reader may do. */
function redacting(rules: RedactionRules) {
  let output = '';
  const redactor = new Redactor(rules, (bytes) => {
    expect(bytes.length).toBeGreaterThan(0);
    output += Buffer.from(bytes).toString('latin1');
  });
  return {
    write: (text: string) => {
      const bytes = Buffer.from(text, 'latin1');
      redactor.write(bytes);
      bytes.fill('!');
    },
    end: () => redactor.end(),
    output: () => output,
  };
}

function redactChunks(rules: RedactionRules, chunks: readonly string[]): string {
  const stream = redacting(rules);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  return stream.output();
}

/** The plainest way to say what is hidden: a flag for each byte. */
function hiddenBytes(text: string, values: readonly string[], patterns: readonly string[] = []): boolean[] {
  const hidden: boolean[] = new Array(text.length).fill(false);
  for (const value of values) {
    for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + 1))
      hidden.fill(true, at, at + value.length);
  }
  for (const line of text.matchAll(/[^\r\n]+/g)) {
    for (const source of patterns) {
      for (const match of line[0].matchAll(pattern(source))) {
        const at = line.index + match.index;
        hidden.fill(true, at, at + match[0].length);
      }
    }
  }
  return hidden;
}

function render(text: string, hidden: readonly boolean[], upTo = text.length): string {
  let result = '';
  for (let at = 0; at < upTo; at += 1) {
    if (!hidden[at]) result += text[at];
    else if (at === 0 || !hidden[at - 1]) result += REDACTED;
  }
  return result;
}

/** What may be emitted of a text that may continue. */
function renderSettled(text: string, values: readonly string[]): string {
  let upTo = 0;
  while (
    upTo < text.length &&
    !values.some((value) => value.length > text.length - upTo && value.startsWith(text.slice(upTo)))
  ) {
    upTo += 1;
  }
  const hidden = hiddenBytes(text, values);
  while (hidden[upTo]) upTo += 1;
  return render(text, hidden, upTo);
}

/** Few different bytes, so that values overlap, repeat and nearly match all the time; none of them is in the mark. */
const bytes = (most: number, least = 0) =>
  fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\n', '\xe4'), minLength: least, maxLength: most });
const someValues = fc.array(bytes(7, 2), { minLength: 1, maxLength: 5 });
/** Texts of values, parts of values and other bytes, in chunks of any size. */
const valuesAndChunks = someValues.chain((values) =>
  fc.tuple(
    fc.constant(values),
    fc.array(
      fc
        .array(
          fc.oneof(fc.constantFrom(...values), fc.constantFrom(...values.map((value) => value.slice(1))), bytes(4)),
          {
            maxLength: 4,
          },
        )
        .map((parts) => parts.join('')),
      { maxLength: 12 },
    ),
  ),
);
const somePatterns = fc.subarray(['ab+', '^c', 'a$', '(?<=b)c.', '[^b]b', 'x*', '\\S\\s*a'], { minLength: 1 });

test('however the input is cut into chunks, the output is the same and contains no secret', () => {
  fc.assert(
    fc.property(valuesAndChunks, ([values, chunks]) => {
      const text = chunks.join('');
      const output = redactChunks(rulesOf(values), chunks);
      expect(output).toBe(render(text, hiddenBytes(text, values)));
      for (const value of values) expect(output).not.toContain(value);
    }),
    trials(200, 10_000),
  );
});

test('exactly the bytes that may grow into a secret are held back', () => {
  fc.assert(
    fc.property(valuesAndChunks, ([values, chunks]) => {
      const stream = redacting(rulesOf(values));
      let text = '';
      for (const chunk of chunks) {
        stream.write(chunk);
        text += chunk;
        expect(stream.output()).toBe(renderSettled(text, values));
      }
    }),
    trials(200, 10_000),
  );
});

test('values and patterns together hide what either of them hides', () => {
  fc.assert(
    fc.property(valuesAndChunks, somePatterns, ([values, chunks], patterns) => {
      const text = chunks.join('');
      expect(redactChunks(rulesOf(values, patterns), chunks)).toBe(render(text, hiddenBytes(text, values, patterns)));
    }),
    trials(200, 10_000),
  );
});

test('every byte is unchanged when nothing is hidden', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), fc.boolean(), (chunks, withPattern) => {
      const rules = rulesOf(['\xff\x00\xff\x00no such secret'], withPattern ? ['no such pattern'] : []);
      const output: Buffer[] = [];
      const redactor = new Redactor(rules, (each) => output.push(Buffer.from(each)));
      for (const chunk of chunks) redactor.write(chunk);
      redactor.end();
      expect(Buffer.concat(output).equals(Buffer.concat(chunks))).toBe(true);
    }),
  );
});

test('a secret cut anywhere, even in three, is hidden', () => {
  const values = ['s3cret-value', 'value-two', 'ret-va', 's3cret-value-two-longer'];
  const text = 'one s3cret-value-two three\ns3cret-value-two-longe, s3cret-s3cret-value-two-longer\n';
  const expected = `one ${REDACTED} three\n${REDACTED}-longe, s3cret-${REDACTED}\n`;
  const rules = rulesOf(values);
  for (let first = 0; first <= text.length; first += 1) {
    for (let second = first; second <= text.length; second += 1) {
      const chunks = [text.slice(0, first), text.slice(first, second), text.slice(second)];
      expect(redactChunks(rules, chunks)).toBe(expected);
    }
  }
});

test.each([
  ['side by side', ['abcdef', 'ghijkl'], '-abcdefghijkl-', `-${REDACTED}-`],
  ['overlapping', ['abcdef', 'efghij'], '-abcdefghij-', `-${REDACTED}-`],
  ['overlapping itself', ['ababab'], '-abababab-', `-${REDACTED}-`],
  ['a prefix of another', ['abcdef', 'abcdefgh'], 'abcdef abcdefg abcdefgh', `${REDACTED} ${REDACTED}g ${REDACTED}`],
  ['within another', ['cdefgh', 'abcdefghij'], 'abcdefghij abcdefghi', `${REDACTED} ab${REDACTED}i`],
  ['the end of another', ['efghij', 'abcdefghij'], 'abcdefghij xefghij', `${REDACTED} x${REDACTED}`],
  ['over several lines', ['abc\ndef'], 'xabc\ndefx abc\r\ndef', `x${REDACTED}x abc\r\ndef`],
  ['like the mark', ['REDACTED]x'], `abc${REDACTED}x REDACTED]x`, `abc[${REDACTED} ${REDACTED}`],
])('secrets %s', (_, values, text, expected) => {
  expect(redactChunks(rulesOf(values), [text])).toBe(expected);
  expect(redactChunks(rulesOf(values), [...text])).toBe(expected);
});

test('a replacement and its surroundings are not searched again', () => {
  expect(redactChunks(rulesOf(['abcdef', `x${REDACTED}y`]), ['xabcdefy'])).toBe(`x${REDACTED}y`);
  expect(redactChunks(rulesOf(['abcdef'], ['REDACTED', '\\[']), ['abcdef\n'])).toBe(`${REDACTED}\n`);
});

test('the rest of a secret that a pattern match overlaps is hidden, too', () => {
  expect(redactChunks(rulesOf(['abc123def'], ['\\d+d']), ['-abc123def-\n'])).toBe(`-${REDACTED}-\n`);
});

test('a secret of several lines that is pending does not hold back what comes before it', () => {
  const stream = redacting(rulesOf(['one\ntwo\nthree'], ['x+']));
  stream.write('axa one\ntwo\nth');
  expect(stream.output()).toBe(`a${REDACTED}a `);
  stream.write('y');
  expect(stream.output()).toBe(`a${REDACTED}a one\ntwo\n`);
  stream.end();
  expect(stream.output()).toBe(`a${REDACTED}a one\ntwo\nthy`);
});

test('with a pattern, complete lines are emitted and the last one is held', () => {
  const stream = redacting(rulesOf([], ['x+y']));
  stream.write('one\n50%\rxx');
  expect(stream.output()).toBe('one\n50%\r');
  stream.write('y\n');
  expect(stream.output()).toBe(`one\n50%\r${REDACTED}\n`);
});

test.each([2_477, MAX_WINDOW_BYTES + 1, 1_000_000])(
  'matches are found in a line of a megabyte that comes by %i bytes, of which little is held',
  (size) => {
    const secret = `<${'s'.repeat(OVERLAP_BYTES - 2)}>`;
    // A match begins at and around every border of two windows.
    const line = Array.from({ length: 150 }, (_, index) => `${'.'.repeat(2_000 + index * 31)}${secret}`).join('');
    const stream = redacting(rulesOf(['value-in-a-long-line'], ['<s*>', '^\\.{5}']));
    for (let at = 0; at < line.length; at += size) {
      stream.write(line.slice(at, at + size));
      const settled = Math.max(0, Math.min(line.length, at + size) - MAX_WINDOW_BYTES);
      const expected = line.slice(0, settled).replace(/<s*>?|^\.{5}/g, REDACTED).length;
      expect(stream.output().length).toBeGreaterThanOrEqual(expected);
    }
    stream.write('\n.....!');
    stream.end();
    expect(stream.output()).toBe(`${line}\n.....!`.replace(/<s*>|^\.{5}/gm, REDACTED));
  },
);

test('a match with a lookbehind is found where windows of a long line meet', () => {
  for (const shift of [-2, -1, 0, 1, 2]) {
    const before = '.'.repeat(MAX_WINDOW_BYTES - OVERLAP_BYTES + shift);
    const line = `${before}id=42${'.'.repeat(MAX_WINDOW_BYTES)}`;
    expect(redactChunks(rulesOf([], ['(?<=id=)\\d+', '^\\d+']), [line])).toBe(line.replace('42', REDACTED));
  }
});

test('a match that crosses the border of two windows is hidden whole, and no other begins within it', () => {
  for (let shift = -3; shift <= 0; shift += 1) {
    const before = '.'.repeat(MAX_WINDOW_BYTES - OVERLAP_BYTES + shift);
    const line = `${before}aaa${'.'.repeat(MAX_WINDOW_BYTES)}`;
    expect(redactChunks(rulesOf([], ['aa']), [line])).toBe(line.replace('aa', REDACTED));
  }
  const end = `${'.'.repeat(MAX_WINDOW_BYTES - 7)}id=${'a'.repeat(OVERLAP_BYTES - 100)}`;
  const line = `${end}${'.'.repeat(MAX_WINDOW_BYTES)}`;
  expect(redactChunks(rulesOf([], ['id=[a-z]+']), [line])).toBe(line.replace(/id=a+/, REDACTED));
});

test('without rules the same bytes are emitted', () => {
  const rules = redactionRules([]);
  expect(rules.isEmpty).toBe(true);
  expect(rulesOf(['ab']).isEmpty).toBe(false);
  expect(rulesOf([], ['a']).isEmpty).toBe(false);
  const chunk = Buffer.from('x');
  let seen: Uint8Array | null = null;
  const redactor = new Redactor(rules, (each) => {
    seen = each;
  });
  redactor.write(chunk);
  redactor.write(Buffer.alloc(0));
  redactor.end();
  expect(seen).toBe(chunk);
});

test('a text is redacted as a whole', () => {
  const rules = redactionRules([Buffer.from('pässwörd')], [pattern('--token=\\S+')]);
  expect(redactText(rules, "curl --token=x -u 'me:pässwörd' ü")).toBe(`curl ${REDACTED} -u 'me:${REDACTED}' ü`);
  expect(redactText(rules, 'pässwör')).toBe('pässwör');
  expect(redactText(redactionRules([]), 'as it is')).toBe('as it is');
});
