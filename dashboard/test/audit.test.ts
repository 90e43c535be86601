import { describe, expect, test } from 'vitest';
import type { AuditEntry } from '#protocol/api';
import { actorChoices, namesOf, unnamed } from '../src/pages/audit/names.ts';
import { newerKills } from '../src/pages/audit/newer.ts';
import { sentenceOf } from '../src/pages/audit/sentences.ts';
import { at, KILL_ID, makeKill, runId } from './make.ts';

const TOKEN = runId(7);
const KILL = {
  kill: KILL_ID,
  run: null,
  instance: null,
  machine: 'web-1',
  signal: 'SIGTERM',
  grace_ms: 5000,
  reason: 'fills the disk',
};

function entry(changes: Partial<AuditEntry>): AuditEntry {
  return {
    id: runId(1),
    at: at(0),
    last_at: at(0),
    count: 1,
    actor: { id: TOKEN, name: 'operator' },
    action: 'kill',
    subject: 'backup',
    detail: {},
    address: '192.0.2.1',
    request_id: runId(2),
    ...changes,
  };
}

const told = (changes: Partial<AuditEntry>) =>
  sentenceOf(entry(changes), {
    token: (id) => (id === TOKEN ? 'web machines' : null),
    machineOf: ({ job, id }) => (job === 'backup' && id === runId(9) ? 'web-3' : null),
  });

describe('sentences', () => {
  test('a kill, with what it is for, how and why, and where to go', () => {
    expect(told({ detail: KILL })).toEqual({
      deed: 'requested a kill of backup, on web-1 (SIGTERM, then SIGKILL after 5s): “fills the disk”',
      tone: 'plain',
      until: null,
      job: 'backup',
      kill: KILL_ID,
      run: null,
    });
    expect(told({ detail: { ...KILL, machine: null, reason: null } }).deed).toBe(
      'requested a kill of backup, all runs, all machines (SIGTERM, then SIGKILL after 5s)',
    );
  });

  test('a kill of one run, by its machine where that is known', () => {
    const one = told({ detail: { ...KILL, run: runId(9), machine: null, reason: null } });
    expect(one.deed).toBe('requested a kill of backup, one run on web-3 (SIGTERM, then SIGKILL after 5s)');
    expect(one.run).toBe(runId(9));
    expect(told({ detail: { ...KILL, run: runId(8), machine: null } }).deed).toContain(`one run, ${runId(8)} (`);
  });

  test('a page left open with a token that was deleted is not an alarm', () => {
    const refused = { action: 'refused', actor: null, detail: { code: 'unauthenticated' } } as const;
    expect(told({ ...refused, subject: 'watchFleet' }).tone).toBe('plain');
    expect(told({ ...refused, subject: 'signIn' }).tone).toBe('warn');
  });

  test('a token is created', () => {
    const detail = { name: 'web machines', scopes: ['run'], jobs: 'web-*', machines: 'web-*', expires_at: at(60) };
    const sentence = told({ action: 'token_created', subject: TOKEN, detail });
    expect(sentence.deed).toBe('created the token “web machines” (run; jobs web-*; machines web-*),');
    expect(sentence.until).toEqual({ words: 'valid until', at: at(60) });
    const forAll = { ...detail, scopes: ['read', 'kill'], jobs: '*', machines: '*', expires_at: null };
    expect(told({ action: 'token_created', subject: TOKEN, detail: forAll })).toMatchObject({
      deed: 'created the token “web machines” (read, kill; all jobs)',
      until: null,
    });
  });

  test('a token is rotated, and the old secret is revoked now or later', () => {
    const rotated = { action: 'token_rotated', subject: TOKEN } as const;
    expect(told({ ...rotated, detail: { old_ends_at: at(3600) } })).toMatchObject({
      deed: 'rotated the token “web machines”,',
      until: { words: 'old secret valid until', at: at(3600) },
    });
    expect(told({ ...rotated, detail: { old_ends_at: at(0) } })).toMatchObject({
      deed: 'rotated the token “web machines”, revoked the old secret and ended its sessions',
      until: null,
    });
  });

  test('a token of unknown name', () => {
    expect(told({ action: 'token_deleted', subject: runId(9) }).deed).toBe(
      `deleted the token ${runId(9)} and ended its sessions`,
    );
  });

  test('a denied request gives the call and the reason', () => {
    expect(told({ action: 'refused', subject: 'connectWrapper', detail: { code: 'token_rotated' } })).toMatchObject({
      deed: 'was denied: connect a run (the secret was rotated)',
      tone: 'warn',
    });
    expect(told({ action: 'refused', subject: 'brandNew', detail: { code: 'odd' } }).deed).toBe(
      'was denied: brandNew (odd)',
    );
  });

  test('details of another make are no reason to fail', () => {
    expect(told({ detail: { kill: 7 } })).toMatchObject({ deed: 'requested a kill of backup', kill: null });
    expect(told({ action: 'token_rotated', subject: TOKEN }).deed).toBe('rotated the token “web machines”');
  });
});

describe('names', () => {
  const created = entry({ action: 'token_created', subject: runId(8), detail: { name: 'gone by now' } });
  const deleted = entry({ action: 'token_deleted', subject: runId(9) });

  test('come from the tokens, from who acted, and from where tokens were made', () => {
    const names = namesOf([], [created, deleted]);
    expect([...names]).toEqual([
      [TOKEN, 'operator'],
      [runId(8), 'gone by now'],
    ]);
    expect(unnamed([created, deleted], names)).toEqual([runId(9)]);
  });

  test('two of one name are distinguished', () => {
    const names = new Map([
      ['A000001', 'web'],
      ['A000002', 'web'],
      ['A000003', 'db'],
    ]);
    expect(actorChoices(names).map(({ label }) => label)).toEqual(['db', 'web (…000001)', 'web (…000002)']);
  });
});

describe('newer entries', () => {
  const ALL = { actor: null, action: null, subject: null };
  const heard = new Map([[KILL_ID, makeKill({ requested_at: at(100) })]]);
  const readAt = Date.parse(at(50));

  test('a kill that was heard of since is offered', () => {
    expect(newerKills([], readAt, heard, ALL)).toBe(1);
    expect(newerKills([], readAt, heard, { ...ALL, subject: 'backup', action: 'kill' })).toBe(1);
  });

  test('not one that is listed, that is older, or that the list would not hold', () => {
    expect(newerKills([entry({ detail: KILL })], readAt, heard, ALL)).toBe(0);
    expect(newerKills([], Date.parse(at(200)), heard, ALL)).toBe(0);
    expect(newerKills([], readAt, heard, { ...ALL, subject: 'etl' })).toBe(0);
    expect(newerKills([], readAt, heard, { ...ALL, action: 'signed_in' })).toBe(0);
    expect(newerKills([], readAt, heard, { ...ALL, actor: TOKEN })).toBe(0);
  });
});
