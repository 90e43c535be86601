import { describe, expect, test } from 'vitest';
import { KILL_SIGNALS } from '#protocol/kill';
import {
  choiceText,
  graceOptions,
  isSigkill,
  type KillChoice,
  optionsOf,
  ownOptions,
  signalOptions,
} from '../src/format/kill-options.ts';
import { makeRun, runId } from './make.ts';

const careful = makeRun({ kill_signal: 'SIGINT', grace_ms: 30_000 });
const plain = makeRun({ id: runId(2) });
const OWN: KillChoice = { signal: 'own', graceSeconds: 'own', includeRelated: false };

describe('what is offered', () => {
  test('first what the run was started with, then any signal', () => {
    const own = ownOptions({ kind: 'runs', runs: [careful] });
    expect(signalOptions(own).map(({ label }) => label)).toEqual(['SIGINT (as configured)', ...KILL_SIGNALS]);
    expect(graceOptions(own)[0]).toEqual({ value: 'own', label: '30s (as configured)' });
    expect(choiceText(OWN, own)).toBe('SIGINT, then SIGKILL after 30s, as configured.');
  });

  test('for several, each run’s own, unless it is the same', () => {
    const different = ownOptions({ kind: 'runs', runs: [careful, plain] });
    expect(signalOptions(different)[0]?.label).toBe('As configured for each run');
    expect(choiceText(OWN, different)).toBe('Each run’s own signal and grace period, as configured.');
    expect(choiceText({ ...OWN, signal: 'SIGHUP' }, different)).toBe(
      'SIGHUP, then SIGKILL after each run’s own grace period.',
    );
    expect(choiceText({ ...OWN, graceSeconds: 0 }, different)).toBe('Each run’s own signal, then SIGKILL immediately.');
    const same = ownOptions({ kind: 'runs', runs: [careful, { ...careful, id: runId(3) }] });
    expect(choiceText(OWN, same)).toBe('SIGINT, then SIGKILL after 30s, as configured.');
  });

  test('for a whole job nothing is said of runs that are not known here', () => {
    expect(ownOptions({ kind: 'job', job: 'backup', runs: [careful] })).toEqual({ signal: null, graceMs: null });
  });
});

test('what is the runs’ own is not sent: the control plane knows it', () => {
  expect(optionsOf(OWN)).toEqual({});
  expect(optionsOf({ ...OWN, signal: 'SIGHUP' })).toEqual({ signal: 'SIGHUP' });
  expect(optionsOf({ ...OWN, graceSeconds: 300 })).toEqual({ grace_seconds: 300 });
});

test('what only carries the mark is included by those alone who say so', () => {
  expect(optionsOf({ ...OWN, includeRelated: true })).toEqual({ include: 'related' });
  const kill: KillChoice = { signal: 'SIGKILL', graceSeconds: 'own', includeRelated: true };
  expect(optionsOf(kill)).toEqual({ signal: 'SIGKILL', grace_seconds: 0, include: 'related' });
});

test('with SIGKILL there is no grace', () => {
  const own = ownOptions({ kind: 'runs', runs: [careful] });
  const kill: KillChoice = { signal: 'SIGKILL', graceSeconds: 300, includeRelated: false };
  expect(optionsOf(kill)).toEqual({ signal: 'SIGKILL', grace_seconds: 0 });
  expect([isSigkill(kill, own), isSigkill(OWN, own)]).toEqual([true, false]);
  expect(choiceText(kill, own)).toBe('SIGKILL immediately: processes can’t clean up.');
});
