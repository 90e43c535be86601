/** Sorts what has happened into the messages of the rules that it concerns, each occurrence once for each rule. */
import { ulid } from 'ulid';
import type { Occurrence } from '#protocol/alerts';
import { daysInMs } from '../../shared/settings.ts';
import type { AlertsContext } from './alerts-context.ts';
import { closesAt, NEWS_MS } from './group-timing.ts';
import { type MessageRecord, NEW_MESSAGE } from './message-store.ts';
import { recovery } from './problems.ts';
import { concerns, historyOf, isMuted, type RuleRecord } from './rule-store.ts';

/** What is older is news to nobody. Ids are kept for as long, so that nothing is reported twice. */
export const MAX_AGE_MS = daysInMs(7);

/** A message has room for this many; of the others it has the number. */
const MAX_PER_MESSAGE = 1_000;

/** A message that collects, with how many occurrences it has. */
interface Group {
  message: MessageRecord;
  count: number;
  /** How many of them came with this call; none: nothing is to be written. */
  added: number;
}

export class Intake {
  readonly #alerts: AlertsContext;

  constructor(alerts: AlertsContext) {
    this.#alerts = alerts;
  }

  /** Takes occurrences, each id once. */
  take(occurrences: readonly Occurrence[]): void {
    const now = Date.now();
    this.#alerts.transaction(() => {
      const groups = new Map<string, Group>();
      for (const occurrence of occurrences) {
        if (occurrence.at <= now - MAX_AGE_MS) continue;
        if (occurrence.kind === 'fine') this.#takeFine(occurrence, groups, now);
        else this.#takeBad(occurrence, groups, now);
      }
      for (const [rule, group] of groups) this.#save(rule, group);
    });
  }

  /** Tells a rule of something, whatever it is about. */
  add(rule: RuleRecord, occurrence: Occurrence): void {
    const groups = new Map<string, Group>();
    this.#add(rule, occurrence, groups, Date.now());
    for (const [id, group] of groups) this.#save(id, group);
  }

  /** Sets when a rule's open message is closed: after another one was sent, or what it depends on has changed. */
  reschedule(rule: RuleRecord): void {
    const open = this.#alerts.messages.open(rule.id);
    if (open !== null) this.#alerts.messages.patch(open.id, { nextAt: this.#closingTime(rule, open) });
  }

  #takeBad(occurrence: Occurrence, groups: Map<string, Group>, now: number): void {
    for (const rule of this.#alerts.rules.all()) {
      if (concerns(rule, occurrence)) this.#add(rule, occurrence, groups, now);
    }
  }

  #takeFine(fine: Occurrence, groups: Map<string, Group>, now: number): void {
    const ended = this.#alerts.problems.end(fine);
    for (const id of new Set(ended.map(({ rule }) => rule))) {
      const rule = this.#alerts.rules.get(id);
      const problems = ended.filter((problem) => problem.rule === id);
      if (rule?.kinds.includes('recovered')) this.#add(rule, recovery(fine, problems), groups, now);
    }
  }

  #add(rule: RuleRecord, occurrence: Occurrence, groups: Map<string, Group>, now: number): void {
    if (isMuted(rule, now)) {
      this.#alerts.occurrences.add(rule.id, occurrence, null);
      return;
    }
    const group = groups.get(rule.id) ?? this.#group(rule, now);
    groups.set(rule.id, group);
    const hasRoom = group.count < MAX_PER_MESSAGE;
    if (!this.#alerts.occurrences.add(rule.id, occurrence, hasRoom ? group.message.id : null)) return;
    group.count += hasRoom ? 1 : 0;
    group.added += 1;
    group.message = {
      ...group.message,
      lastAt: now,
      overflow: group.message.overflow + (hasRoom ? 0 : 1),
      hasNews: group.message.hasNews || !this.#hasReported(rule, occurrence.job, now),
    };
    if (rule.kinds.includes('recovered')) this.#alerts.problems.add(rule.id, occurrence);
  }

  #group(rule: RuleRecord, now: number): Group {
    const { messages, occurrences } = this.#alerts;
    const open = messages.open(rule.id);
    if (open !== null) return { message: open, count: occurrences.count(open.id), added: 0 };
    const message = { ...NEW_MESSAGE, id: ulid(now), rule: rule.id, openedAt: now, lastAt: now };
    return { message, count: 0, added: 0 };
  }

  #save(ruleId: string, { message, added }: Group): void {
    const rule = this.#alerts.rules.get(ruleId);
    if (added === 0 || rule === null) return;
    const saved = { ...message, nextAt: this.#closingTime(rule, message) };
    if (this.#alerts.messages.get(message.id) === null) this.#alerts.messages.insert(saved);
    else this.#alerts.messages.patch(message.id, saved);
  }

  /** Null while another message of the rule is to be sent: they are sent in order, and this one goes on collecting. */
  #closingTime(rule: RuleRecord, message: MessageRecord): number | null {
    if (this.#alerts.messages.isSending(rule.id)) return null;
    return closesAt(message, historyOf(rule), this.#alerts.settings.alertGroupMs);
  }

  #hasReported(rule: RuleRecord, job: string, now: number): boolean {
    return (
      this.#alerts.sql
        .exec('SELECT 1 FROM reported_jobs WHERE rule = ? AND job = ? AND at > ?', rule.id, job, now - NEWS_MS)
        .toArray().length > 0
    );
  }
}
