/** The one object that turns what happens to runs into messages, by the rules that operators have set. */
import { DurableObject } from 'cloudflare:workers';
import type { Occurrence, OccurrenceKind } from '#protocol/alerts';
import type { Env } from '../../shared/env.ts';
import type { AlertsObjectRpc, KillLink } from '../../shared/rpc/alerts-object.ts';

export class AlertsObject extends DurableObject<Env> implements AlertsObjectRpc {
  report(_occurrences: readonly Occurrence[]): OccurrenceKind[] {
    return [];
  }

  wanted(): OccurrenceKind[] {
    return [];
  }

  killLink(_hash: string): KillLink | null {
    return null;
  }

  useKillLink(_hash: string): boolean {
    return false;
  }
}
