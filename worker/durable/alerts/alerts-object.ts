/**
 * The one object that turns what happens to runs into messages, by the rules that operators have set.
 *
 * What happens reaches it through the gateway through which all changes go to D1. It decides alone what becomes of that, and
 * when it is sent: nothing that a receiver does holds up a run or a kill.
 */
import { DurableObject } from 'cloudflare:workers';
import type { Alert, AlertChanges, NewAlert, Occurrence } from '#protocol/alerts';
import { withTimeout } from '#shared/with-timeout';
import { withBoundD1 } from '../../shared/d1/bound-d1.ts';
import type { Env } from '../../shared/env.ts';
import type {
  AlertAuthor,
  AlertChange,
  AlertCreation,
  AlertsObjectRpc,
  AlertTest,
  KillLink,
  WantedKinds,
} from '../../shared/rpc/alerts-object.ts';
import { AlertsContext } from './alerts-context.ts';
import { migrate } from './schema.ts';

/** How long a change waits until the gateway and D1's audit log have it. If they are away they get it later. */
const PUSH_LIMIT_MS = 2_000;

export class AlertsObject extends DurableObject<Env> implements AlertsObjectRpc {
  readonly #alerts: AlertsContext;

  constructor(state: DurableObjectState, env: Env) {
    super(state, withBoundD1(env));
    migrate(state.storage);
    this.#alerts = new AlertsContext(state, this.env);
    this.#alerts.dispatcher.run();
  }

  report(occurrences: readonly Occurrence[]): WantedKinds {
    this.#alerts.intake.take(occurrences);
    const { version, kinds } = this.#alerts.wantedKinds.update();
    this.#alerts.dispatcher.run();
    return { version, kinds };
  }

  list(after: string, limit: number): Alert[] {
    return this.#alerts.admin.list(after, limit);
  }

  alert(id: string): Alert | null {
    return this.#alerts.admin.get(id);
  }

  create(alert: NewAlert, by: AlertAuthor): Promise<AlertCreation> {
    return this.#change(by, () => this.#alerts.admin.create(alert, by));
  }

  change(id: string, changes: AlertChanges, by: AlertAuthor): Promise<AlertChange> {
    return this.#change(by, () => this.#alerts.admin.change(id, changes, by));
  }

  remove(id: string, by: AlertAuthor): Promise<boolean> {
    return this.#change(by, () => this.#alerts.admin.remove(id, by));
  }

  // Not `test`: the runtime keeps that name for itself.
  async sendTest(id: string, by: AlertAuthor): Promise<AlertTest | null> {
    const result = await this.#alerts.admin.test(id, by);
    this.#alerts.dispatcher.run();
    return result;
  }

  killLink(hash: string): KillLink | null {
    return this.#alerts.killLinks.find(hash);
  }

  useKillLink(hash: string): boolean {
    return this.#alerts.killLinks.use(hash);
  }

  reconcile(): void {
    this.#alerts.dispatcher.alarmUnset();
    this.#alerts.dispatcher.run();
  }

  /** Whether nothing is under way. */
  get isIdle(): boolean {
    return this.#alerts.dispatcher.isIdle;
  }

  override alarm(): void {
    this.reconcile();
  }

  /** Makes a change, which is durable then, and has those know it who need it at once. */
  async #change<Result>({ origin }: AlertAuthor, make: () => Result): Promise<Result> {
    const result = this.#alerts.transaction(() => {
      this.#alerts.origin = origin;
      const made = make();
      this.#alerts.wantedKinds.update();
      return made;
    });
    await withTimeout(this.#alerts.dispatcher.push(), PUSH_LIMIT_MS, { fallback: undefined });
    this.#alerts.dispatcher.run();
    return result;
  }
}
