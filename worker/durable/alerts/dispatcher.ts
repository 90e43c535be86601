/**
 * Closes groups when it is their time, and sends messages until their receivers have them.
 *
 * What is to be done is in the table `messages`; an alarm starts it. Each step is claimed by a row, so that what is lost with
 * the object is done again. A few are under way at a time, what was never tried first: receivers that hang delay each other,
 * and nobody else.
 */
import { withJitter } from '#shared/with-jitter';
import { log } from '../../shared/log.ts';
import { daysInMs } from '../../shared/settings.ts';
import type { AlertsContext } from './alerts-context.ts';
import { deliver } from './channels/deliver.ts';
import { afterClosing } from './group-timing.ts';
import { MAX_AGE_MS } from './intake.ts';
import type { DeliveryResult } from './message.ts';
import type { MessageRecord } from './message-store.ts';
import { hasSameChannel, historyOf, isMuted, type RuleRecord } from './rule-store.ts';

/** The runtime lets an invocation have six connections at a time. */
const MAX_CONCURRENT = 6;
/** Longer than a step takes: after that it is done again. */
const CLAIM_MS = 60_000;
const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 15 * 60_000;
/** What a receiver may ask for. */
const MAX_RETRY_AFTER_MS = 60 * 60_000;
/** For how long a message is sent again. */
const GIVE_UP_MS = daysInMs(1);
/** How many messages of a rule are kept to be looked at. */
export const KEPT_MESSAGES = 20;
/** Longer than a monthly job takes to show that it is fine again. A job that is gone never does. */
const PROBLEM_MS = daysInMs(90);
const ROWS_PER_CLEANING = 2_000;

export class Dispatcher {
  readonly #alerts: AlertsContext;
  /** The messages of which a step is under way. */
  readonly #busy = new Set<string>();
  #pushing: Promise<void> | null = null;
  /** When the alarm will fire; null: unknown. */
  #alarmAt: number | null = null;

  constructor(alerts: AlertsContext) {
    this.#alerts = alerts;
  }

  /** Whether nothing is under way. */
  get isIdle(): boolean {
    return this.#busy.size === 0 && this.#pushing === null;
  }

  /** The alarm has fired, or may be lost. */
  alarmUnset(): void {
    this.#alarmAt = null;
  }

  /** Starts what is due, and sets the alarm for the rest. */
  run(): void {
    if (this.#pushDue(Date.now()) !== null) this.#alerts.state.waitUntil(this.push());
    for (let message = this.#claim(); message !== null; message = this.#claim()) {
      const { id } = message;
      this.#busy.add(id);
      const step = this.#step(message).finally(() => {
        this.#busy.delete(id);
        this.run();
      });
      this.#alerts.state.waitUntil(step);
    }
    this.#setAlarm();
  }

  /** Sends what others have to know of changed rules. Never rejects: after a failure the alarm tries again. */
  async push(): Promise<void> {
    this.#pushing ??= Promise.all([this.#alerts.auditOutbox.send(), this.#alerts.wantedKinds.push()]).then(() => {
      this.#pushing = null;
      this.#setAlarm();
    });
    return this.#pushing;
  }

  /** When it has to be tried; null: others know everything. */
  #pushDue(now: number): number | null {
    return earliest(this.#alerts.auditOutbox.nextDue(now), this.#alerts.wantedKinds.nextDue(now));
  }

  /** Makes sure that the alarm is set for what is to be done. */
  #setAlarm(): void {
    const now = Date.now();
    const next = earliest(this.#alerts.messages.nextDue(), this.#pushDue(now));
    if (next === null || (this.#alarmAt !== null && this.#alarmAt > now && this.#alarmAt <= next)) return;
    // With all places taken the end of a step goes on; the alarm is for the case that the object is evicted before that.
    const soonest = this.#busy.size < MAX_CONCURRENT ? now + 1 : now + FIRST_RETRY_MS;
    // setAlarm() with a time at or before now may never fire.
    this.#alarmAt = Math.max(next, soonest);
    void this.#alerts.state.storage.setAlarm(this.#alarmAt);
  }

  /** The next that is due, if there is a place for it. */
  #claim(): MessageRecord | null {
    if (this.#busy.size >= MAX_CONCURRENT) return null;
    const now = Date.now();
    const due = this.#alerts.messages.due(now, MAX_CONCURRENT + 1).find(({ id }) => !this.#busy.has(id));
    if (due === undefined) return null;
    const claimed = { nextAt: now + CLAIM_MS, attempts: due.attempts + (due.state === 'waiting' ? 1 : 0) };
    this.#alerts.messages.patch(due.id, claimed);
    return { ...due, ...claimed };
  }

  /** Never rejects. */
  async #step(message: MessageRecord): Promise<void> {
    try {
      if (message.state === 'open') await this.#close(message.id);
      else await this.#send(message);
    } catch (error) {
      log.error('alert_step_failed', error, { alert: message.rule, message: message.id });
      this.#alerts.messages.patch(message.id, { nextAt: Date.now() + withJitter(FIRST_RETRY_MS) });
    }
  }

  async #close(id: string): Promise<void> {
    const isSilenced = await this.#alerts.silences.since(this.#alerts.occurrences.oldest(id));
    this.#alerts.transaction(() => {
      const { messages, occurrences, problems, rules } = this.#alerts;
      // It may have changed meanwhile.
      const message = messages.get(id);
      const rule = message === null ? null : rules.get(message.rule);
      if (message?.state !== 'open' || rule === null) return;
      const now = Date.now();
      const all = occurrences.ofMessage(id, Number.MAX_SAFE_INTEGER);
      const silenced = all.filter((occurrence) => isMuted(rule, now) || isSilenced(occurrence)).map((one) => one.id);
      occurrences.silence(rule.id, silenced);
      problems.removeSilenced(rule.id, silenced);
      if (silenced.length > 0)
        log.info('alert_silenced', { alert: rule.id, message: id, occurrences: silenced.length });
      if (silenced.length === all.length) messages.remove(id);
      else this.#queue(message, rule, now);
    });
  }

  #queue(message: MessageRecord, rule: RuleRecord, now: number): void {
    const { messages, occurrences, problems, rules, sql } = this.#alerts;
    messages.patch(message.id, { state: 'waiting', closedAt: now, nextAt: now });
    rules.patch(rule.id, afterClosing(message, historyOf(rule), now));
    sql.exec(
      'INSERT OR REPLACE INTO reported_jobs (rule, job, at) SELECT ?1, value, ?2 FROM json_each(?3)',
      rule.id,
      now,
      JSON.stringify(occurrences.jobs(message.id)),
    );
    messages.removeOld(rule.id, KEPT_MESSAGES);
    occurrences.removeBefore(now - MAX_AGE_MS, ROWS_PER_CLEANING);
    problems.removeBefore(now - PROBLEM_MS);
    sql.exec('DELETE FROM reported_jobs WHERE at < ?', now - daysInMs(1));
  }

  async #send(message: MessageRecord): Promise<void> {
    const rule = this.#alerts.rules.get(message.rule);
    if (rule === null) {
      this.#alerts.messages.remove(message.id);
      return;
    }
    if (isMuted(rule, Date.now())) {
      this.#finish(message, { state: 'failed', error: 'The rule was muted before the message could be sent.' });
      return;
    }
    const composed = await this.#alerts.composer.compose(message, rule);
    const result = await deliver(this.#alerts.env, rule.channel, composed);
    this.#alerts.transaction(() => this.#record(message, rule, result));
  }

  #record(message: MessageRecord, rule: RuleRecord, result: DeliveryResult): void {
    const { messages, rules, channelHealth } = this.#alerts;
    const current = rules.get(rule.id);
    if (current === null || messages.get(message.id) === null) return;
    log.info('alert_sent', { alert: rule.id, message: message.id, attempt: message.attempts, result: result.kind });
    channelHealth.record(rule, result);
    if (result.kind !== 'delivered' && !hasSameChannel(current, rule)) {
      messages.patch(message.id, { error: result.why, nextAt: Date.now() });
      return;
    }
    switch (result.kind) {
      case 'delivered':
        this.#finish(message, { state: 'delivered', error: null });
        return;
      case 'impossible':
        this.#finish(message, { state: 'failed', error: result.why });
        return;
      case 'failed':
        if (Date.now() - (message.closedAt ?? message.openedAt) >= GIVE_UP_MS) {
          this.#finish(message, { state: 'failed', error: `Given up after a day. ${result.why}` });
          return;
        }
        messages.patch(message.id, {
          error: result.why,
          nextAt: Date.now() + retryMs(message.attempts, result.retryAfterMs),
        });
    }
  }

  /** A message is over: the next one of its rule may go. */
  #finish(message: MessageRecord, end: Pick<MessageRecord, 'state' | 'error'>): void {
    const { messages, occurrences, rules, intake } = this.#alerts;
    messages.patch(message.id, { ...end, nextAt: null });
    occurrences.forgetBodies(message.id);
    const rule = rules.get(message.rule);
    if (rule !== null) intake.reschedule(rule);
  }
}

function earliest(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

/** How long to wait after so many attempts. */
function retryMs(attempts: number, retryAfterMs: number | null): number {
  const backoff = withJitter(Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 20)));
  return Math.max(backoff, Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS));
}
