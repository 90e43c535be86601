/** Whether the channels of rules work, and announcing by another rule's channel that one doesn't. */
import type { Occurrence } from '#protocol/alerts';
import { log } from '../../shared/log.ts';
import type { AlertsContext } from './alerts-context.ts';
import type { DeliveryResult } from './message.ts';
import { isMuted, type RuleRecord } from './rule-store.ts';

/** After this many attempts in a row it is more than a hiccup. */
const FAILURES_TO_ANNOUNCE = 3;
/** The job that such an alert names. */
const JOB = 'leash';

export class ChannelHealth {
  readonly #alerts: AlertsContext;

  constructor(alerts: AlertsContext) {
    this.#alerts = alerts;
  }

  /** Records what became of a message. Within a transaction. */
  record({ id }: RuleRecord, result: DeliveryResult): void {
    const rule = this.#alerts.rules.get(id);
    if (rule === null) return;
    if (result.kind === 'delivered') this.#works(rule);
    else this.#fails(rule, result.why, result.kind === 'impossible' ? FAILURES_TO_ANNOUNCE : 1);
  }

  /** Somebody is looking, so no other channel announces it. */
  tested(id: string, result: DeliveryResult): void {
    const rule = this.#alerts.rules.get(id);
    if (rule === null) return;
    if (result.kind === 'delivered') this.#works(rule);
    else if (rule.brokenSince === null) this.#alerts.rules.patch(id, { brokenSince: Date.now() });
  }

  #works(rule: RuleRecord): void {
    if (rule.brokenSince !== null)
      this.#alerts.rules.patch(rule.id, { brokenSince: null, failures: 0, isAnnounced: false });
  }

  #fails(rule: RuleRecord, why: string, weight: number): void {
    const brokenSince = rule.brokenSince ?? Date.now();
    const failures = rule.failures + weight;
    const broken = { ...rule, brokenSince, failures };
    const isAnnounced = rule.isAnnounced || (failures >= FAILURES_TO_ANNOUNCE && this.#announce(broken, why));
    this.#alerts.rules.patch(rule.id, { brokenSince, failures, isAnnounced });
  }

  /** @returns whether there was one */
  #announce(broken: RuleRecord & { readonly brokenSince: number }, why: string): boolean {
    const others = this.#others(broken);
    log.warn('alert_channel_broken', { alert: broken.id, kind: broken.channel.kind, announced_by: others.length });
    for (const other of others) this.#alerts.intake.add(other, brokenChannel(broken, why));
    return others.length > 0;
  }

  /** The rules that ask for it; else one whose channel works, the one that was last used first. */
  #others(broken: RuleRecord): readonly RuleRecord[] {
    const working = this.#alerts.rules
      .all()
      .filter((rule) => rule.brokenSince === null && !isMuted(rule, Date.now()) && !isSameChannel(rule, broken));
    const asked = working.filter(({ kinds }) => kinds.includes('channel_broken'));
    if (asked.length > 0) return asked;
    return working.toSorted((one, other) => (other.lastClosedAt ?? 0) - (one.lastClosedAt ?? 0)).slice(0, 1);
  }
}

function isSameChannel({ channel: one }: RuleRecord, { channel: other }: RuleRecord): boolean {
  return one.kind === other.kind && one.url === other.url && one.secret === other.secret;
}

function brokenChannel(rule: RuleRecord & { readonly brokenSince: number }, why: string): Occurrence {
  return {
    id: `channel:${rule.id}:${rule.brokenSince}`,
    kind: 'channel_broken',
    at: Date.now(),
    job: JOB,
    machine: null,
    run: null,
    summary: `the alert “${rule.name}” can’t be sent by ${rule.channel.kind}: ${why}`,
    exitCode: null,
    durationMs: null,
    isAlive: false,
    tags: [],
    owner: null,
    runbook: null,
  };
}
