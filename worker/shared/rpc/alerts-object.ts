/** What the alerts object can be called for. */
import type { Occurrence, OccurrenceKind } from '#protocol/alerts';
import type { Env } from '../env.ts';
import { nearD1 } from './near-d1.ts';
import { objectByName } from './objects.ts';

export interface AlertsObjectRpc extends Rpc.DurableObjectBranded {
  /**
   * Takes occurrences, each id once. They are durable when this returns.
   *
   * @returns the kinds that it wants from now on; none: no rule needs any
   */
  report(occurrences: readonly Occurrence[]): OccurrenceKind[];

  /** The kinds that it wants. */
  wanted(): OccurrenceKind[];

  /** The kill link with this hash; null: there is none. */
  killLink(hash: string): KillLink | null;

  /** Uses it up. @returns whether it could still be used */
  useKillLink(hash: string): boolean;
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
