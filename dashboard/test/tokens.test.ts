import { describe, expect, test } from 'vitest';
import type { Session, Token } from '#protocol/api';
import { isAdminSecret, ownToken } from '../src/pages/tokens/own-token.ts';
import { EMPTY_FORM, mayNameMachines, readForm, type TokenForm } from '../src/pages/tokens/token-form.ts';
import { exampleJob, usageLines } from '../src/pages/tokens/usage-lines.ts';
import { at, runId } from './make.ts';

// The contract knows what has passed by the real time.
const NOW = Date.now();
const form = (changes: Partial<TokenForm>): TokenForm => ({ ...EMPTY_FORM, name: 'web', scopes: ['run'], ...changes });

describe('the form', () => {
  test('what is left alone narrows nothing', () => {
    expect(readForm(form({ name: ' web ' }), NOW)).toEqual({
      ok: true,
      value: { name: 'web', scopes: ['run'], jobs: '*', machines: '*', expires_at: null },
    });
    expect(readForm(form({ jobs: ' ' }), NOW)).toMatchObject({ ok: true, value: { jobs: '*' } });
  });

  test('machines only where they mean something', () => {
    expect(mayNameMachines(form({ scopes: ['run'] }))).toBe(true);
    expect(mayNameMachines(form({ scopes: [] }))).toBe(false);
    expect(readForm(form({ machines: 'web-*' }), NOW)).toMatchObject({ ok: true, value: { machines: 'web-*' } });
    // They were filled in before another right was ticked, and can't be seen any more.
    expect(readForm(form({ scopes: ['run', 'read'], machines: 'web-*' }), NOW)).toMatchObject({
      ok: true,
      value: { machines: '*' },
    });
  });

  test('ends after days, or at the end of a day', () => {
    expect(readForm(form({ expiry: { kind: 'days', days: 7 } }), NOW)).toMatchObject({
      value: { expires_at: new Date(NOW + 7 * 86_400_000).toISOString() },
    });
    const read = readForm(form({ expiry: { kind: 'date', date: '2099-03-05' } }), NOW);
    expect(read.ok && Date.parse(read.value.expires_at ?? '')).toBe(Date.parse('2099-03-05T23:59:59'));
  });

  test('says what has to be mended, each at its place', () => {
    const read = readForm(
      { name: '', scopes: [], jobs: 'a b', machines: '*', expiry: { kind: 'date', date: '' } },
      NOW,
    );
    expect(read.ok ? [] : Object.keys(read.problems).sort()).toEqual(['expiry', 'jobs', 'name', 'scopes']);
    expect(readForm(form({ expiry: { kind: 'date', date: '2020-01-01' } }), NOW)).toEqual({
      ok: false,
      problems: { expiry: 'That date is in the past.' },
    });
    expect(readForm(form({ machines: 'a/b' }), NOW)).toMatchObject({
      ok: false,
      problems: { machines: expect.stringContaining('at most 128') },
    });
  });
});

describe('lines to paste', () => {
  const ORIGIN = 'https://leash.example.com';
  const titles = (scopes: Token['scopes'], occasion: 'made' | 'rotated' = 'made') =>
    usageLines({ scopes, jobs: '*' }, 'leash_x', ORIGIN, occasion).map(({ title }) => title);

  test('fit what the token may do', () => {
    expect(titles(['run'])).toEqual(['Install leash on a machine', 'Then in the crontab, in front of the command']);
    expect(titles(['run'], 'rotated')).toEqual(['On each machine that uses it (as root)']);
    expect(titles(['read'])).toEqual(['List runs via API']);
    expect(titles(['read', 'kill'])).toEqual(['Kill a job via API']);
    expect(titles(['admin'])).toEqual(['Kill a job via API']);
  });

  test('the crontab’s line names a job that the token is for, and never the secret', () => {
    const cron = usageLines({ scopes: ['run'], jobs: 'web-*' }, 'leash_x', ORIGIN, 'made')[1]?.text;
    expect(cron).toBe('0 3 * * *  /usr/local/bin/leash run --job web-backup -- /path/to/command');
    expect(exampleJob('etl')).toBe('etl');
  });
});

describe('the token one is signed in with', () => {
  const session: Session = { name: 'ada', scopes: ['admin'], jobs: '*', expires_at: null };
  const token = (n: number, changes: Partial<Token> = {}): Token => ({
    ...{ id: runId(n), name: 'ada', scopes: ['admin'], jobs: '*', machines: '*' },
    ...{ created_at: at(0), expires_at: null, last_used_at: null },
    ...changes,
  });

  test('is reported when only one fits', () => {
    const other = token(2, { expires_at: at(60) });
    expect(ownToken(session, [token(1), other], token(1))).toBe('yes');
    expect(ownToken(session, [token(1), other], other)).toBe('no');
  });

  test('is not reported when several fit, or when it may be the deployment’s secret', () => {
    expect(ownToken(session, [token(1), token(2)], token(1))).toBe('maybe');
    const admin = { ...session, name: 'admin' };
    expect(ownToken(admin, [token(1, { name: 'admin' })], token(1, { name: 'admin' }))).toBe('maybe');
    expect(isAdminSecret(admin, [token(1)])).toBe(true);
    expect(isAdminSecret(admin, [token(1, { name: 'admin' })])).toBe(false);
    expect(isAdminSecret(session, [])).toBe(false);
  });
});
