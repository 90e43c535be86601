/** Whether the channels of rules work, and announcing by another rule's channel that one doesn't. */
import type { Occurrence } from '#protocol/alerts';
import { log } from '../../shared/log.ts';
import type { AlertsContext } from './alerts-context.ts';
import type { DeliveryResult } from './message.ts';
import { ownOccurrence } from './own-occurrence.ts';
import { hasSameChannel, isMuted, type RuleRecord, WORKING } from './rule-store.ts';

/** After this many attempts in a row it is more than a hiccup. */
const FAILURES_TO_ANNOUNCE = 3;

type BrokenRule = RuleRecord & { readonly brokenSince: number };

export class ChannelHealth {
  readonly #alerts: AlertsContext;

  constructor(alerts: AlertsContext) {
    this.#alerts = alerts;
  }

  /** Records what became of a message. Within a transaction. */
  record(sent: RuleRecord, result: DeliveryResult): void {
    const broken = this.#note(sent, result);
    if (broken === null || result.kind === 'delivered') return;
    const failures = broken.failures + (result.kind === 'impossible' ? FAILURES_TO_ANNOUNCE : 1);
    const isAnnounced = broken.isAnnounced || (failures >= FAILURES_TO_ANNOUNCE && this.#announce(broken, result.why));
    this.#alerts.rules.patch(broken.id, { failures, isAnnounced });
  }

  /** Records what became of a test. Somebody is looking, so no other channel announces it. */
  tested(sent: RuleRecord, result: DeliveryResult): void {
    this.#note(sent, result);
  }

  /** @returns the rule, if its channel is the one that has failed */
  #note(sent: RuleRecord, result: DeliveryResult): BrokenRule | null {
    const { rules } = this.#alerts;
    const rule = rules.get(sent.id);
    // The channel may have been changed meanwhile: this says nothing of the new one.
    if (rule === null || !hasSameChannel(rule, sent)) return null;
    if (result.kind === 'delivered') {
      if (rule.brokenSince !== null) rules.patch(rule.id, WORKING);
      return null;
    }
    const now = Date.now();
    const changes = { brokenSince: rule.brokenSince ?? now, lastFailure: { at: now, why: result.why } };
    rules.patch(rule.id, changes);
    return { ...rule, ...changes };
  }

  /** @returns whether there was one */
  #announce(broken: BrokenRule, why: string): boolean {
    const others = this.#others(broken);
    log.warn('alert_channel_broken', { alert: broken.id, kind: broken.channel.kind, announced_by: others.length });
    for (const other of others) this.#alerts.intake.add(other, brokenChannel(broken, why));
    return others.length > 0;
  }

  /** The rules that ask for it; else one whose channel works, the one that was last used first. */
  #others(broken: RuleRecord): readonly RuleRecord[] {
    const working = this.#alerts.rules
      .all()
      .filter((rule) => rule.brokenSince === null && !isMuted(rule, Date.now()) && !hasSameChannel(rule, broken));
    const asked = working.filter(({ kinds }) => kinds.includes('channel_broken'));
    if (asked.length > 0) return asked;
    return working.toSorted((one, other) => (other.lastClosedAt ?? 0) - (one.lastClosedAt ?? 0)).slice(0, 1);
  }
}

function brokenChannel(rule: BrokenRule, why: string): Occurrence {
  return ownOccurrence({
    id: `channel:${rule.id}:${rule.brokenSince}`,
    kind: 'channel_broken',
    at: Date.now(),
    summary: `the alert “${rule.name}” can’t be sent by ${rule.channel.kind}: ${why}`,
  });
}
