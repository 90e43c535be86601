/** Creating, changing and removing rules. Each change is stored with its entry for D1's audit log. */
import { ulid } from 'ulid';
import type { Alert, AlertChanges, AlertKind, Delivery, NewAlert } from '#protocol/alerts';
import type { AuditEntry } from '../../shared/d1/audit.ts';
import type { AlertAuthor, AlertChange, AlertCreation, AlertTest } from '../../shared/rpc/alerts-object.ts';
import type { AlertsContext } from './alerts-context.ts';
import { channelProblem } from './channels/channel.ts';
import { deliver } from './channels/deliver.ts';
import { KEPT_MESSAGES } from './dispatcher.ts';
import type { Message } from './message.ts';
import type { MessageRecord } from './message-store.ts';
import { ownOccurrence } from './own-occurrence.ts';
import { channelTarget, NEW_CHANNEL, NEW_RULE, type RuleRecord, shownChannel } from './rule-store.ts';

/** Each occurrence is held against all of them. */
const MAX_RULES = 500;
/** As many as a list shows of each rule. */
const LISTED_DELIVERIES = 5;

export class RuleAdmin {
  readonly #alerts: AlertsContext;

  constructor(alerts: AlertsContext) {
    this.#alerts = alerts;
  }

  list(after: string, limit: number): Alert[] {
    const rules = this.#alerts.rules.all().filter(({ id }) => id > after);
    return rules.slice(0, limit).map((rule) => this.#resource(rule, LISTED_DELIVERIES));
  }

  get(id: string): Alert | null {
    const rule = this.#alerts.rules.get(id);
    return rule === null ? null : this.#resource(rule, KEPT_MESSAGES);
  }

  create(alert: NewAlert, by: AlertAuthor): AlertCreation {
    if (this.#alerts.rules.all().length >= MAX_RULES) return { kind: 'too_many', limit: MAX_RULES };
    const channel = channelTarget(alert.channel);
    const problem = channelProblem(this.#alerts.env, channel);
    if (problem !== null) return { kind: 'invalid', why: problem };
    const now = Date.now();
    const id = ulid(now);
    const rule: RuleRecord = {
      ...NEW_RULE,
      id,
      name: alert.name,
      jobs: alert.jobs,
      machines: alert.machines,
      tags: alert.tags,
      kinds: unique(alert.on),
      channel,
      killLink: alert.kill_link,
      mutedUntil: timeOf(alert.muted_until),
      createdAt: now,
      createdBy: by.actor.name,
    };
    this.#alerts.rules.insert(rule);
    this.#record(by, 'alert_created', id, createdDetail(alert));
    return { kind: 'done', alert: this.#resource(rule, KEPT_MESSAGES) };
  }

  change(id: string, changes: AlertChanges, by: AlertAuthor): AlertChange {
    const rule = this.#alerts.rules.get(id);
    if (rule === null) return { kind: 'unknown' };
    const changed = applied(rule, changes);
    const problem = changed.channel === undefined ? null : channelProblem(this.#alerts.env, changed.channel);
    if (problem !== null) return { kind: 'invalid', why: problem };
    this.#alerts.rules.patch(id, changed);
    // What fails may work now, and what is held back may go.
    if (changed.channel !== undefined) this.#alerts.messages.retryNow(id, Date.now());
    this.#record(by, 'alert_changed', id, { ...auditDetail(changes), name: changes.name ?? rule.name });
    return { kind: 'done', alert: this.#resource({ ...rule, ...changed }, KEPT_MESSAGES) };
  }

  /** @returns whether there was one */
  remove(id: string, by: AlertAuthor): boolean {
    const rule = this.#alerts.rules.get(id);
    if (rule === null) return false;
    const { rules, messages, occurrences, problems, killLinks, sql } = this.#alerts;
    rules.remove(id);
    messages.removeOfRule(id);
    occurrences.removeOfRule(id);
    problems.removeOfRule(id);
    killLinks.removeOfRule(id);
    sql.exec('DELETE FROM reported_jobs WHERE rule = ?', id);
    this.#record(by, 'alert_deleted', id, { name: rule.name });
    return true;
  }

  /** Sends a message at once, past queue and mute. @returns null: there is no such rule */
  async test(id: string, by: AlertAuthor): Promise<AlertTest | null> {
    const rule = this.#alerts.rules.get(id);
    if (rule === null) return null;
    const result = await deliver(this.#alerts.env, rule.channel, testMessage(rule, by));
    const error = result.kind === 'delivered' ? null : result.why;
    this.#alerts.transaction(() => {
      this.#alerts.channelHealth.tested(rule, result);
      this.#record(by, 'alert_tested', id, { name: rule.name, error });
    });
    return { delivered: error === null, error };
  }

  #record(
    { actor, address, requestId }: AlertAuthor,
    action: AuditEntry['action'],
    subject: string,
    detail: AuditEntry['detail'],
  ): void {
    this.#alerts.auditOutbox.add({ at: Date.now(), actor, action, subject, detail, address, requestId });
  }

  #resource(rule: RuleRecord, deliveries: number): Alert {
    const { messages } = this.#alerts;
    const { lastFailure: failure } = rule;
    return {
      id: rule.id,
      name: rule.name,
      jobs: [...rule.jobs],
      machines: [...rule.machines],
      tags: [...rule.tags],
      on: [...rule.kinds],
      channel: shownChannel(rule.channel),
      kill_link: rule.killLink,
      muted_until: timestamp(rule.mutedUntil),
      created_at: new Date(rule.createdAt).toISOString(),
      created_by: rule.createdBy,
      broken_since: timestamp(rule.brokenSince),
      last_failure: failure === null ? null : { at: new Date(failure.at).toISOString(), error: failure.why },
      deliveries: messages.newest(rule.id, deliveries).map((message) => this.#delivery(message)),
    };
  }

  #delivery(message: MessageRecord): Delivery {
    return {
      id: message.id,
      at: new Date(message.closedAt ?? message.openedAt).toISOString(),
      state: message.state === 'open' ? 'waiting' : message.state,
      occurrences: this.#alerts.occurrences.count(message.id) + message.overflow,
      attempts: message.attempts,
      error: message.error,
      next_attempt_at: timestamp(message.nextAt),
    };
  }
}

/** What a rule becomes. */
function applied(rule: RuleRecord, changes: AlertChanges): Partial<RuleRecord> {
  const { name, jobs, machines, tags, on, channel, kill_link: killLink, muted_until: mutedUntil } = changes;
  return {
    name: name ?? rule.name,
    jobs: jobs ?? rule.jobs,
    machines: machines ?? rule.machines,
    tags: tags ?? rule.tags,
    kinds: on === undefined ? rule.kinds : unique(on),
    killLink: killLink ?? rule.killLink,
    mutedUntil: mutedUntil === undefined ? rule.mutedUntil : timeOf(mutedUntil),
    ...(channel !== undefined && {
      ...NEW_CHANNEL,
      channel: channelTarget(channel, rule.channel),
    }),
  };
}

/** For the audit log: without the channel's address, which may be a secret by itself. */
function auditDetail({ channel, muted_until: mutedUntil, ...rest }: AlertChanges): AuditEntry['detail'] {
  return {
    ...rest,
    ...(channel !== undefined && { channel: channel.kind }),
    ...(mutedUntil !== undefined && { muted_until: mutedUntil }),
  };
}

/** A new one that is not muted has ended no mute. */
function createdDetail({ muted_until: mutedUntil, ...alert }: NewAlert): AuditEntry['detail'] {
  return auditDetail(mutedUntil === null ? alert : { ...alert, muted_until: mutedUntil });
}

function testMessage(rule: RuleRecord, { actor, origin }: AlertAuthor): Message {
  const now = Date.now();
  const occurrence = ownOccurrence({
    id: `test:${ulid(now)}`,
    kind: rule.kinds[0] ?? 'failed',
    at: now,
    summary: `a test of the alert “${rule.name}”, sent by ${actor.name}; nothing is wrong`,
  });
  return {
    id: ulid(now),
    alert: { id: rule.id, name: rule.name },
    at: now,
    occurrences: [{ ...occurrence, pageUrl: `${origin}/alerts`, killUrl: null }],
    count: 1,
    tail: null,
    isTest: true,
  };
}

function unique(kinds: readonly AlertKind[]): AlertKind[] {
  return [...new Set(kinds)];
}

function timeOf(time: string | null): number | null {
  return time === null ? null : Date.parse(time);
}

function timestamp(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
