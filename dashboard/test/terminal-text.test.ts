import { describe, expect, test } from 'vitest';
import { sgrCodes } from '../src/output/sgr.ts';
import { TerminalText } from '../src/output/terminal-text.ts';

/** Each text with its colours in front of it, where it has any; controls and sequences as they are. */
const read = (...parts: string[]) => {
  const terminal = new TerminalText();
  return parts.flatMap((part) =>
    terminal.read(part).map((token) => {
      if (token.kind !== 'text') return token.text;
      const codes = sgrCodes(token.look.style);
      return `${codes === '0' ? '' : `<${codes}>`}${token.look.link}${token.text}`;
    }),
  );
};

test('plain text is one token', () => {
  expect(read('hello\tworld')).toEqual(['hello\tworld']);
});

describe('colours', () => {
  test('and weights stay until they are reset', () => {
    expect(read('\x1b[1;31mred\x1b[0m plain \x1b[92mgreen\x1b[39m.')).toEqual([
      '<0;1;31>red',
      ' plain ',
      '<0;92>green',
      '.',
    ]);
  });

  test('may be any of 256, or of all, in either way of writing them', () => {
    expect(read('\x1b[38;5;196;1mx')).toEqual(['<0;1;38;5;196>x']);
    expect(read('\x1b[48;2;0;200;0mx')).toEqual(['<0;48;2;0;200;0>x']);
    expect(read('\x1b[38:2::1:2:3mx\x1b[38:2:4:5:6my\x1b[48:5:9mz')).toEqual([
      '<0;38;2;1;2;3>x',
      '<0;38;2;4;5;6>y',
      '<0;38;2;4;5;6;48;5;9>z',
    ]);
    expect(read('\x1b[58;5;3;31mx')).toEqual(['<0;31>x']);
  });

  test('that are none change nothing', () => {
    expect(read('\x1b[38;5;999mx\x1b[38;2;1;2my\x1b[38mz')).toEqual(['x', 'y', 'z']);
  });

  test('dim is a grey that can be read', () => {
    expect(read('\x1b[2mx\x1b[31my')).toEqual(['<0;90>x', '<0;31>y']);
  });

  test('what would hide text, blink, or be taken for the page’s own is left out', () => {
    expect(read('\x1b[5;6;8;53mx')).toEqual(['x']);
  });
});

test('a sequence may be split anywhere', () => {
  const whole = '\x1b[1;34mblue\x1b[m\x1b]0;title\x07after\x1b]8;;https://a.example/\x1b\\link';
  for (let cut = 1; cut < whole.length; cut += 1) {
    const [first = '', second = ''] = [whole.slice(0, cut), whole.slice(cut)];
    const joined = read(first, second).map((text) => text.replace(/<.*>|https:\/\/a\.example\//, ''));
    expect(joined.join('')).toBe('blueafterlink');
  }
});

describe('what a job prints can do no harm', () => {
  test('titles, other screens, the mouse, reports, and whole lines taken out do not get through', () => {
    const harmful = [
      '[?1049h',
      '[?1000h',
      '[6n',
      '[c',
      '[3J',
      '[1J',
      '[2M',
      '[2L',
      '[2S',
      '[2T',
      '[1;5r',
      '[!p',
      '[5i',
    ];
    const others = [']0;title\x07', ']52;c;AAAA\x07', ']4;1;#fff\x1b\\', 'P+q\x1b\\', '(0', 'c', '7', 'M', '=', '#8'];
    for (const sequence of [...harmful, ...others]) {
      expect(read(`a\x1b${sequence}b`), JSON.stringify(sequence)).toEqual(['a', 'b']);
    }
  });

  test('controls of eight bits are none', () => {
    expect(read('a\u009b31mb\u0085c\u009d0;x\u009c')).toEqual(['a', '31mb', 'c', '0;x']);
  });

  test('characters that reorder others are shown as such', () => {
    expect(read('a\u202eb\u2066c').join('')).toBe('a\ufffdb\ufffdc');
  });

  test('a link leads to the web or nowhere', () => {
    expect(read('\x1b]8;id=1;https://a.example/x\x07there\x1b]8;;\x07 here')).toEqual([
      'https://a.example/xthere',
      ' here',
    ]);
    expect(read('\x1b]8;;javascript:alert(1)\x07x\x1b]8;;file:///etc/passwd\x07y\x1b]8;;nonsense\x07z')).toEqual([
      'x',
      'y',
      'z',
    ]);
  });

  test('a sequence that is never closed does not swallow the lines after it', () => {
    expect(read('\x1b]0;broken\nnext')).toEqual(['\n', 'next']);
    expect(read('\x1b[31;broken\nnext').at(-1)).toBe('next');
  });
});

test('a display of progress may move over the screen and erase', () => {
  expect(read('a\r\x1b[Kb\b\x1b[2K\x1b[1A\x1b[J\n')).toEqual([
    'a',
    '\r',
    '\x1b[K',
    'b',
    '\b',
    '\x1b[2K',
    '\x1b[1A',
    '\x1b[J',
    '\n',
  ]);
});
