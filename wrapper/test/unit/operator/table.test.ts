import { expect, test } from 'vitest';
import { displayWidth, truncate } from '../../../src/operator/display-width.ts';
import { type Column, tableLines } from '../../../src/operator/table.ts';
import { openTerminal, type Terminal } from '../../../src/operator/terminal.ts';

interface Row {
  readonly name: string;
  readonly count: string;
  readonly note: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { header: 'NAME', text: ({ name }) => name, style: () => 'red', leastWidth: 6 },
  { header: 'COUNT', text: ({ count }) => count, align: 'right' },
  { header: 'NOTE', text: ({ note }) => note, leastWidth: 8, leaveOut: 1 },
];
const ROWS: readonly Row[] = [
  { name: 'backup', count: '3', note: 'all is well here' },
  { name: '漢字', count: '1234567', note: 'bad\u202e\x1b[31m' },
];
const PIPE: Terminal = { columns: null, hasColour: false };

const lines = (terminal: Terminal) => tableLines(COLUMNS, ROWS, terminal);

test('a pipe gets everything, aligned by what is seen, with control characters as text', () => {
  expect(lines(PIPE)).toEqual([
    'NAME      COUNT  NOTE',
    'backup        3  all is well here',
    '漢字    1234567  bad<U+202E><U+001B>[31m',
  ]);
});

test('a terminal is never wider than it is: the widest column is cut first, then one is left out', () => {
  for (let columns = 20; columns <= 60; columns += 1) {
    for (const line of lines({ columns, hasColour: false })) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
  }
  expect(lines({ columns: 28, hasColour: false })).toEqual([
    'NAME      COUNT  NOTE',
    'backup        3  all is wel…',
    '漢字    1234567  bad<U+202E…',
  ]);
  expect(lines({ columns: 20, hasColour: false })).toEqual(['NAME      COUNT', 'backup        3', '漢字    1234567']);
});

test('colours don’t count as width, and end before the padding', () => {
  expect(lines({ columns: 80, hasColour: true })[2]).toBe('\x1b[31m漢字\x1b[0m    1234567  bad<U+202E><U+001B>[31m');
});

test('a column without a text is left out', () => {
  expect(tableLines(COLUMNS, [{ name: 'a', count: '', note: 'b' }], PIPE)).toEqual(['NAME  NOTE', 'a     b']);
});

test.each([
  ['', 0],
  ['ascii', 5],
  ['Müller', 6],
  ['e\u0301', 1],
  ['漢字', 4],
  ['👍', 2],
  ['👨‍👩‍👧', 2],
  ['❤️', 2],
  ['ｆｕｌｌ', 8],
])('%j takes %i columns', (text, width) => {
  expect(displayWidth(text)).toBe(width);
});

test('a cut text has room for its mark, and no half characters', () => {
  expect(truncate('backup', 6)).toBe('backup');
  expect(truncate('backup', 5)).toBe('back…');
  expect(truncate('漢字漢字', 6)).toBe('漢字…');
  expect(truncate('漢字漢字', 4)).toBe('漢…');
  expect(truncate('abc', 0)).toBe('');
});

test('colours are for terminals, unless the operator wants none', () => {
  const tty = { isTTY: true, columns: 120 };
  expect(openTerminal(tty, { TERM: 'xterm' })).toEqual({ columns: 120, hasColour: true });
  expect(openTerminal(tty, { NO_COLOR: '1' })).toEqual({ columns: 120, hasColour: false });
  expect(openTerminal(tty, { NO_COLOR: '' })).toEqual({ columns: 120, hasColour: true });
  expect(openTerminal(tty, { TERM: 'dumb' })).toEqual({ columns: 120, hasColour: false });
  expect(openTerminal({ isTTY: true, columns: 0 }, {})).toEqual({ columns: 80, hasColour: true });
  expect(openTerminal({}, { TERM: 'xterm' })).toEqual({ columns: null, hasColour: false });
});

interface Place {
  readonly machine: string;
  readonly command: string;
}

test('names are shown as a whole rather than a column that can be left out', () => {
  const columns: readonly Column<Place>[] = [
    { header: 'MACHINE', text: ({ machine }) => machine, leastWidth: 10 },
    { header: 'COMMAND', text: ({ command }) => command, leastWidth: 12, leaveOut: 1 },
  ];
  const rows = [{ machine: 'web-10.eu.example.com', command: '/usr/local/bin/backup --all' }];
  const at = (width: number) => tableLines(columns, rows, { columns: width, hasColour: false }).at(1);
  expect(at(40)).toBe('web-10.eu.example.com  /usr/local/bin/b…');
  expect(at(30)).toBe('web-10.eu.example.com');
  expect(at(20)).toBe('web-10.eu.example.c…');
});
