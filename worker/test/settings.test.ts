import { describe, expect, test } from 'vitest';
import { readSettings } from '../shared/settings.ts';
import { app } from '../src/http/app.ts';
import { env } from './support/env.ts';

describe('settings', () => {
  test('of wrangler.toml are good', () => {
    expect(readSettings(env)).toMatchObject({
      runOutputMaxBytes: 268_435_456,
      jobOutputMaxBytes: 8_000_000_000,
      runDays: 90,
    });
  });

  test.each([
    [{ RUN_DAYS: '0' }, /RUN_DAYS/],
    [{ AUDIT_DAYS: '1.5' }, /AUDIT_DAYS/],
    [{ EVENT_DAYS: 'for ever' }, /EVENT_DAYS/],
    [{ RUN_OUTPUT_MAX_BYTES: '1000' }, /at least 1048576/],
    [{ JOB_OUTPUT_MAX_BYTES: '10000000000' }, /at most 9000000000/],
    [{ JOB_OUTPUT_MAX_BYTES: '1048576' }, /at least RUN_OUTPUT_MAX_BYTES/],
  ])('that make no sense are refused: %o', (vars, reason) => {
    expect(() => readSettings({ ...env, ...vars })).toThrow(reason);
  });

  test('are all told of at once, and each once', () => {
    const vars = { ...env, RUN_DAYS: 'x', AUDIT_DAYS: '0', JOB_OUTPUT_MAX_BYTES: '1048576' };
    expect(() => readSettings(vars)).toThrow(
      /^\[vars\] in wrangler.toml: RUN_DAYS is "x"; [^;]+; AUDIT_DAYS is "0"; [^;]+; JOB_OUTPUT_MAX_BYTES must be [^;]+$/,
    );
  });

  test('that make no sense are no health', async () => {
    const answer = await app.request('/healthz', {}, { ...env, RUN_DAYS: '0' });
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain('RUN_DAYS');
  });
});
