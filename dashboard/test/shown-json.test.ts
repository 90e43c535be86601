import { afterEach, expect, test, vi } from 'vitest';
import { fetchTokens } from '../src/api/calls.ts';
import { showJson } from '../src/api/shown-json.ts';

afterEach(() => vi.unstubAllGlobals());

test.each([
  ['a direction override', 'rm \u202E4pm.txt', 'rm <U+202E>4pm.txt'],
  ['a zero-width space', 'back\u200Bup', 'back<U+200B>up'],
  ['an escape sequence, which JSON escapes', 'a\u001b[2Kb', 'a<U+001B>[2Kb'],
  ['a backspace, for which JSON has a letter', 'a\bb', 'a<U+0008>b'],
  ['lines and tabs, which are shown as such', 'a\n\tb', 'a\n\tb'],
  ['a backslash before a letter', 'C:\\backup\\files', 'C:\\backup\\files'],
])('%s', (_what, text, shown) => {
  expect(JSON.parse(showJson(JSON.stringify({ command: [text] })))).toEqual({ command: [shown] });
});

test('what is not JSON is left to whoever reads it', () => {
  expect(showJson('{"a": "\u202E')).toBe('{"a": "\u202E');
});

test('answers of the control plane come so', async () => {
  const token = { id: 'x', name: 'ops\u202Edaer', scopes: ['read'], jobs: '*', machines: '*' };
  const times = { created_at: '2026-01-01T00:00:00.000Z', expires_at: null, last_used_at: null };
  vi.stubGlobal('fetch', async () => Response.json({ tokens: [{ ...token, ...times }], next_cursor: null }));
  expect(await fetchTokens()).toMatchObject({ ok: true, value: { items: [{ name: 'ops<U+202E>daer' }] } });
});
