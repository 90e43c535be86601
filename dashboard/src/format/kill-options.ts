/** How the runs of a kill are to be ended: what is offered, and what it comes to, in words. Pure. */

import type { Run } from '#protocol/api';
import { KILL_SIGNALS, type KillSignal } from '#protocol/kill';
import { formatDuration } from '#shared/format-duration';
import type { KillScope } from '../state/pending-kills.ts';
import type { KillOptions } from '../state/saved-kills.ts';

/** What is chosen. `own`: as each run was started with. */
export interface KillChoice {
  readonly signal: KillSignal | 'own';
  readonly graceSeconds: number | 'own';
  /** Whether related processes are killed as well. */
  readonly includeRelated: boolean;
}

/** What the runs themselves say, where they all say the same; null where it differs, or is not known of all. */
export interface OwnOptions {
  readonly signal: string | null;
  readonly graceMs: number | null;
}

const GRACE_SECONDS = [0, 5, 30, 300, 3600];

/** A kill of a whole job is for runs, too, that are not known here. */
export function ownOptions({
  kind,
  runs,
}: KillScope<Pick<Run, 'id' | 'job' | 'machine' | 'kill_signal' | 'grace_ms'>>): OwnOptions {
  if (kind === 'job') return { signal: null, graceMs: null };
  return {
    signal: onlyOne(runs.map((run) => run.kill_signal)),
    graceMs: onlyOne(runs.map((run) => run.grace_ms)),
  };
}

function onlyOne<Value>(values: readonly Value[]): Value | null {
  const [first = null] = values;
  return values.every((value) => value === first) ? first : null;
}

/** The runs' own first: who does not choose wants them. */
export function signalOptions(own: OwnOptions): { value: KillChoice['signal']; label: string }[] {
  return [
    { value: 'own', label: own.signal === null ? 'As configured for each run' : `${own.signal} (as configured)` },
    ...KILL_SIGNALS.map((value) => ({ value, label: value })),
  ];
}

export function graceOptions(own: OwnOptions): { value: KillChoice['graceSeconds']; label: string }[] {
  return [
    {
      value: 'own',
      label: own.graceMs === null ? 'As configured for each run' : `${graceLabel(own.graceMs)} (as configured)`,
    },
    ...GRACE_SECONDS.map((seconds) => ({ value: seconds, label: graceLabel(seconds * 1000) })),
  ];
}

function graceLabel(ms: number): string {
  return ms === 0 ? 'None – SIGKILL immediately' : formatDuration(ms);
}

/** `SIGINT, then SIGKILL after 30s, as configured.` */
export function choiceText(choice: KillChoice, own: OwnOptions): string {
  if (isSigkill(choice, own)) return 'SIGKILL immediately: processes can’t clean up.';
  const isOwn = choice.signal === 'own' && choice.graceSeconds === 'own';
  if (isOwn && (own.signal === null || own.graceMs === null)) {
    return 'Each run’s own signal and grace period, as configured.';
  }
  const signal = choice.signal === 'own' ? (own.signal ?? 'Each run’s own signal') : choice.signal;
  const source = isOwn ? ', as configured.' : '.';
  return `${signal}, then SIGKILL ${graceText(choice.graceSeconds, own.graceMs)}${source}`;
}

function graceText(graceSeconds: KillChoice['graceSeconds'], ownMs: number | null): string {
  const ms = graceSeconds === 'own' ? ownMs : graceSeconds * 1000;
  if (ms === null) return 'after each run’s own grace period';
  return ms === 0 ? 'immediately' : `after ${formatDuration(ms)}`;
}

/** With SIGKILL there is no grace to choose. */
export function isSigkill({ signal }: KillChoice, own: OwnOptions): boolean {
  return (signal === 'own' ? own.signal : signal) === 'SIGKILL';
}

/** What is sent: nothing of what is the runs' own. */
export function optionsOf({ signal, graceSeconds, includeRelated }: KillChoice): KillOptions {
  const include: KillOptions = includeRelated ? { include: 'related' } : {};
  if (signal === 'SIGKILL') return { signal, grace_seconds: 0, ...include };
  return {
    ...(signal !== 'own' && { signal }),
    ...(graceSeconds !== 'own' && { grace_seconds: graceSeconds }),
    ...include,
  };
}
