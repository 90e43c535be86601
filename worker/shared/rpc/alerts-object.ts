/** What the alerts object can be called for. */
import type { Alert, AlertChanges, NewAlert, Occurrence, OccurrenceKind } from '#protocol/alerts';
import type { AuditEntry } from '../d1/audit.ts';
import type { Env } from '../env.ts';
import { callObject } from './call-object.ts';
import { nearD1 } from './near-d1.ts';
import { objectByName } from './objects.ts';

export interface AlertsObjectRpc extends Rpc.DurableObjectBranded {
  /**
   * Takes occurrences, each id once. They are durable when this returns.
   *
   * @returns the kinds that it wants from now on
   */
  report(occurrences: readonly Occurrence[]): WantedKinds;

  /** The alerts after one, oldest first. */
  list(after: string, limit: number): Alert[];

  alert(id: string): Alert | null;

  /** Creates an alert. */
  create(alert: NewAlert, by: AlertAuthor): Promise<AlertCreation>;

  change(id: string, changes: AlertChanges, by: AlertAuthor): Promise<AlertChange>;

  /** @returns whether there was one */
  remove(id: string, by: AlertAuthor): Promise<boolean>;

  /** Sends a message that says that it is a test. @returns null: there is no such alert */
  sendTest(id: string, by: AlertAuthor): Promise<AlertTest | null>;

  /** The sweep: makes up for an alarm that did not fire. */
  reconcile(): void;

  /** The kill link with this hash; null: there is none. */
  killLink(hash: string): KillLink | null;

  /** Uses it up. @returns whether it could still be used */
  useKillLink(hash: string): boolean;
}

/** Which occurrences are wanted. Counted, so that older ones that arrive later change nothing; no kinds: no rule needs any. */
export interface WantedKinds {
  readonly version: number;
  readonly kinds: readonly OccurrenceKind[];
}

/** Who changes an alert, and from where. */
export interface AlertAuthor extends Pick<AuditEntry, 'actor' | 'address' | 'requestId'> {
  /** The address of the dashboard, for links in messages. */
  readonly origin: string;
}

/**
 * - `done`
 * - `invalid`: what the channel lacks, as a sentence
 */
type StoredAlert =
  | { readonly kind: 'done'; readonly alert: Alert }
  | { readonly kind: 'invalid'; readonly why: string };
/** - `too_many`: there is no room for another */
export type AlertCreation = StoredAlert | { readonly kind: 'too_many'; readonly limit: number };
/** - `unknown`: there is no such alert */
export type AlertChange = StoredAlert | { readonly kind: 'unknown' };

export interface AlertTest {
  readonly delivered: boolean;
  /** Why it was not. */
  readonly error: string | null;
}

/** A link in a message by which one run can be killed, once. */
export interface KillLink {
  readonly job: string;
  readonly run: string;
  /** The name of the alert. */
  readonly alert: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly usedAt: number | null;
}

/** The one alerts object. */
export function alertsObject(env: Env): DurableObjectStub<AlertsObjectRpc> {
  return objectByName(env, env.ALERTS, 'alerts', nearD1(env));
}

/** Calls the alerts object, and again if it is evicted during the call: only for methods that may be repeated. */
export function callAlerts<Result>(
  env: Env,
  call: (object: DurableObjectStub<AlertsObjectRpc>) => Promise<Result>,
): Promise<Result> {
  return callObject(() => alertsObject(env), call);
}
