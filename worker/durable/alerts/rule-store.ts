/** The rules: what is reported, and where to. */
import type { AlertKind, Channel, NewChannel, Occurrence } from '#protocol/alerts';
import { boolean, integer, json, nullable, type RecordOf, Table, text } from '../storage/table.ts';
import { shownUrl } from './channels/channel.ts';
import type { RuleHistory } from './group-timing.ts';
import { matchesRule } from './matching.ts';
import type { ChannelTarget } from './message.ts';

/** Why a channel did not take a message. */
interface ChannelFailure {
  readonly at: number;
  readonly why: string;
}

/** The table `rules`. */
export const RULE_COLUMNS = {
  id: text(),
  name: text(),
  jobs: json<readonly string[]>(),
  machines: json<readonly string[]>(),
  tags: json<readonly string[]>(),
  kinds: json<readonly AlertKind[]>(),
  channel: json<ChannelTarget>(),
  killLink: boolean(),
  mutedUntil: nullable(integer()),
  createdAt: integer(),
  createdBy: text(),
  lastClosedAt: nullable(integer()),
  streak: integer(),
  brokenSince: nullable(integer()),
  failures: integer(),
  isAnnounced: boolean(),
  lastFailure: nullable(json<ChannelFailure>()),
};
export type RuleRecord = RecordOf<typeof RULE_COLUMNS>;

/** Of a channel that works. */
export const WORKING = { brokenSince: null, failures: 0, isAnnounced: false } as const satisfies Partial<RuleRecord>;
/** Of a channel that was not used yet. */
export const NEW_CHANNEL = { ...WORKING, lastFailure: null } as const satisfies Partial<RuleRecord>;
/** What a new rule begins with. */
export const NEW_RULE = { ...NEW_CHANNEL, lastClosedAt: null, streak: 0 } as const satisfies Partial<RuleRecord>;

export class RuleStore extends Table<typeof RULE_COLUMNS> {
  /** Oldest first. Null until they are read. */
  #all: readonly RuleRecord[] | null = null;

  constructor(sql: SqlStorage) {
    super(sql, 'rules', RULE_COLUMNS);
  }

  /** All of them, oldest first. */
  all(): readonly RuleRecord[] {
    this.#all ??= this.select('ORDER BY id');
    return this.#all;
  }

  override get(id: string): RuleRecord | null {
    return this.all().find((rule) => rule.id === id) ?? null;
  }

  override insert(rule: RuleRecord): void {
    super.insert(rule);
    this.#all = null;
  }

  override patch(id: string, changes: Partial<RuleRecord>): void {
    super.patch(id, changes);
    this.#all = null;
  }

  override remove(id: string): void {
    super.remove(id);
    this.#all = null;
  }

  /** A transaction was rolled back: what is in memory may not be stored. */
  rolledBack(): void {
    this.#all = null;
  }
}

/** Whether an occurrence is for a rule, muted or not: what has happened before the rule was made is not. */
export function concerns(rule: RuleRecord, occurrence: Occurrence): boolean {
  return occurrence.at >= rule.createdAt && matchesRule(rule, occurrence);
}

export function isMuted({ mutedUntil }: Pick<RuleRecord, 'mutedUntil'>, now: number): boolean {
  return mutedUntil !== null && mutedUntil > now;
}

export function historyOf({ lastClosedAt, streak }: RuleRecord): RuleHistory {
  return { lastClosedAt, streak };
}

export function hasSameChannel({ channel: one }: RuleRecord, { channel: other }: RuleRecord): boolean {
  return one.kind === other.kind && one.url === other.url && one.secret === other.secret;
}

/** @param kept the secret that it had, if the channel is of the same kind */
export function channelTarget({ kind, url, secret }: NewChannel, kept: ChannelTarget | null = null): ChannelTarget {
  const keptSecret = kept?.kind === kind ? kept.secret : null;
  return { kind, url: url ?? null, secret: secret ?? keptSecret };
}

/** A channel as the API shows it: without what is secret. */
export function shownChannel(channel: ChannelTarget): Channel {
  const url = shownUrl(channel);
  return { kind: channel.kind, ...(url !== null && { url }), has_secret: channel.secret !== null };
}
