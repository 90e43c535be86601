import { describe, expect, test } from 'vitest';
import { nearD1 } from '../shared/rpc/near-d1.ts';
import { readSettings } from '../shared/settings.ts';
import { app } from '../src/http/app.ts';
import { env } from './support/env.ts';

describe('settings', () => {
  test('of wrangler.toml are valid', () => {
    expect(readSettings(env)).toMatchObject({
      runOutputMaxBytes: 268_435_456,
      jobOutputMaxBytes: 8_000_000_000,
      runDays: 90,
    });
  });

  test.each([
    [{ RUN_DAYS: '0' }, /RUN_DAYS/],
    [{ AUDIT_DAYS: '1.5' }, /AUDIT_DAYS/],
    [{ EVENT_DAYS: 'forever' }, /EVENT_DAYS/],
    [{ RUN_OUTPUT_MAX_BYTES: '1000' }, /at least 1048576/],
    [{ JOB_OUTPUT_MAX_BYTES: '10000000000' }, /at most 9000000000/],
    [{ D1_MAX_BYTES: '10000000001' }, /at most 10000000000/],
    [{ JOB_OUTPUT_MAX_BYTES: '1048576' }, /at least RUN_OUTPUT_MAX_BYTES/],
  ])('that are invalid are refused: %o', (vars, reason) => {
    expect(() => readSettings({ ...env, ...vars })).toThrow(reason);
  });

  test('say where D1 is, for the objects that call it for others', () => {
    expect(nearD1({ ...env, D1_LOCATION: 'weur' })).toEqual({ locationHint: 'weur' });
    expect(nearD1({ ...env, D1_LOCATION: '' })).toEqual({});
    expect(() => readSettings({ ...env, D1_LOCATION: 'moon' as '' })).toThrow(
      /D1_LOCATION must be empty or one of wnam/,
    );
  });

  test('are all named in one error, each once', () => {
    const vars = { ...env, RUN_DAYS: 'x', AUDIT_DAYS: '0', JOB_OUTPUT_MAX_BYTES: '1048576' };
    expect(() => readSettings(vars)).toThrow(
      /^\[vars\] in wrangler.toml: RUN_DAYS must be a whole number of days above 0, not "x"; AUDIT_DAYS must [^;]+, not "0"; JOB_OUTPUT_MAX_BYTES must be [^;]+$/,
    );
  });

  test('that are missing are named', () => {
    const { PROBE_MS, ...vars } = env;
    expect(() => readSettings(vars as typeof env)).toThrow(/: PROBE_MS is missing$/);
  });

  test('that are invalid make the health check fail', async () => {
    const answer = await app.request('/healthz', {}, { ...env, RUN_DAYS: '0' });
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain('RUN_DAYS');
  });
});
