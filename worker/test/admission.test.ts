import { describe, expect, test, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { Admission, type Admitted, type Applicant } from '../src/http/admission.ts';
import { newToken, postKill } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { ObservedGateway } from './support/gateway.ts';
import { newIdentity, requestLink, TestWrapper } from './support/wrapper.ts';

const CAP_MS = 10_000;
const NEW: Applicant = { disconnectedMs: null, reconnectCapMs: CAP_MS };
const RETURNING: Applicant = { ...NEW, disconnectedMs: 500 };
const OVERDUE: Applicant = { ...NEW, disconnectedMs: CAP_MS };

type Let = Extract<Admitted, { kind: 'admitted' }>;

/** Asks until one is told to wait. @returns those that were let in */
function fill(admission: Admission, applicant: Applicant): Let[] {
  const inside: Let[] = [];
  for (;;) {
    const admitted = admission.ask(applicant, Date.now());
    if (admitted.kind === 'busy') return inside;
    inside.push(admitted);
  }
}

function pauses(admission: Admission, count: number, applicant = NEW): number[] {
  return Array.from({ length: count }, () => {
    const admitted = admission.ask(applicant, Date.now());
    if (admitted.kind !== 'busy') throw new Error('there was room');
    return admitted.pauseMs;
  });
}

describe('admission', () => {
  useFakeDate();

  test('lets in some, and each of the others as one of them leaves', () => {
    const admission = new Admission();
    const inside = fill(admission, NEW);
    expect(inside.length).toBeGreaterThan(0);
    for (const { leave } of inside.slice(0, 3)) leave(true);
    expect(fill(admission, NEW)).toHaveLength(3);
  });

  test('lets runs that return in before new ones, and those that would be lost before these', () => {
    const admission = new Admission();
    const inside = [...fill(admission, NEW), ...fill(admission, RETURNING), ...fill(admission, OVERDUE)];
    const counts = [NEW, RETURNING, OVERDUE].map((applicant) => fill(new Admission(), applicant).length);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(inside).toHaveLength(counts[2] ?? 0);
    inside[0]?.leave(true);
    expect(fill(admission, RETURNING)).toEqual([]);
    expect(fill(admission, OVERDUE)).toHaveLength(1);
  });

  test('gives each a time of its own, and asks those whose run may be lost to come sooner', () => {
    const admission = new Admission();
    fill(admission, NEW);
    const told = pauses(admission, 200);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(new Set(told).size).toBeGreaterThan(100);
    const all = pauses(admission, 5_000);
    expect(Math.max(...all)).toBeLessThanOrEqual(CAP_MS);
    fill(admission, OVERDUE);
    expect(Math.max(...pauses(admission, 100, RETURNING))).toBeLessThanOrEqual(CAP_MS / 2);
    expect(Math.max(...pauses(admission, 100, OVERDUE))).toBeLessThanOrEqual(CAP_MS / 4);
  });

  test('spreads them by how fast handshakes succeed', () => {
    const spread = (eachMs: number) => {
      const admission = new Admission();
      const inside = fill(admission, NEW);
      for (const { leave } of inside) {
        vi.setSystemTime(Date.now() + eachMs);
        leave(true);
      }
      fill(admission, NEW);
      const told = pauses(admission, 100);
      return (told.at(-1) ?? 0) - (told[0] ?? 0);
    };
    expect(spread(20)).toBeGreaterThan(5 * spread(2));
  });

  test('does not count those for ever whose end nobody saw', () => {
    const admission = new Admission();
    const inside = fill(admission, NEW);
    vi.setSystemTime(Date.now() + 10_001);
    expect(fill(admission, NEW)).toHaveLength(inside.length);
    for (const { leave } of inside) leave(true);
    expect(fill(admission, NEW)).toEqual([]);
  });
});

describe('wrappers that connect while too many others do', () => {
  // A handshake that takes too long no longer counts: on a slow machine there would be room again.
  useFakeDate();

  test('are told when to ask again, and a kill is served before any of the crowd', async () => {
    const { secret } = await newToken({ name: 'machines', scopes: ['run'] });
    const victim = await TestWrapper.connect(newIdentity('admission-victim'));
    const gateway = await ObservedGateway.observe('sign-in', 'signIn');
    gateway.hold();
    const places = fill(new Admission(), NEW).length;
    const crowd = Array.from({ length: places }, () => requestLink(newIdentity('admission-crowd'), secret));
    await waitFor('all places to be taken', () => gateway.calls === places);

    const refused = await requestLink(newIdentity('admission-crowd'), secret);
    expect(refused.status).toBe(503);
    const { code, retry_after_ms: pauseMs } = await refused.json<{ code: string; retry_after_ms: number }>();
    expect(code).toBe('busy');
    expect(pauseMs).toBeGreaterThan(0);
    expect(refused.headers.get('Retry-After')).toBe(String(Math.ceil(pauseMs / 1000)));
    // It cost D1 nothing.
    expect(gateway.calls).toBe(places);

    const kill = await postKill(victim.identity.job, { run: victim.identity.run });
    expect((await victim.kill()).kill).toBe(kill.id);
    expect(gateway.queries).toHaveLength(1);

    const returning = requestLink(newIdentity('admission-crowd'), secret, { 'Leash-Disconnected-Ms': '1000' });
    await waitFor('the one that returns to be let in', () => gateway.calls === places + 1);
    gateway.release();
    for (const response of await Promise.all([...crowd, returning])) expect(response.status).toBe(101);
    const later = await requestLink(newIdentity('admission-crowd'), secret);
    expect(later.status).toBe(101);
  });
});
