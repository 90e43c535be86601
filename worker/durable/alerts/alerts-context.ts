/** The parts of the alerts object. Each is given the context, and reaches the others through it. */
import type { Env } from '../../shared/env.ts';
import { readSettings, type Settings } from '../../shared/settings.ts';
import { AuditOutbox } from './audit-outbox.ts';
import { ChannelHealth } from './channel-health.ts';
import { Composer } from './compose.ts';
import { Dispatcher } from './dispatcher.ts';
import { Intake } from './intake.ts';
import { KillLinks } from './kill-links.ts';
import { MessageStore, OccurrenceStore } from './message-store.ts';
import { ProblemStore } from './problems.ts';
import { RuleAdmin } from './rule-admin.ts';
import { RuleStore } from './rule-store.ts';
import { Silences } from './silences.ts';
import { WantedKinds } from './wanted-kinds.ts';

/** What the runtime gives, and what follows from it. The parts below need it when they are constructed. */
class AlertsBase {
  readonly state: DurableObjectState;
  readonly env: Env;
  readonly settings: Settings;
  readonly sql: SqlStorage;

  constructor(state: DurableObjectState, env: Env) {
    this.state = state;
    this.env = env;
    this.settings = readSettings(env);
    this.sql = state.storage.sql;
  }
}

export class AlertsContext extends AlertsBase {
  // What is stored.
  readonly rules = new RuleStore(this.sql);
  readonly messages = new MessageStore(this.sql);
  readonly occurrences = new OccurrenceStore(this.sql);
  readonly problems = new ProblemStore(this.sql);
  readonly killLinks = new KillLinks(this.sql);
  readonly auditOutbox = new AuditOutbox(this);
  // What is done with it.
  readonly admin = new RuleAdmin(this);
  readonly intake = new Intake(this);
  readonly silences = new Silences(this);
  readonly composer = new Composer(this);
  readonly channelHealth = new ChannelHealth(this);
  readonly wantedKinds = new WantedKinds(this);
  readonly dispatcher = new Dispatcher(this);

  /** Writes all or nothing. */
  transaction<Result>(write: () => Result): Result {
    try {
      return this.state.storage.transactionSync(write);
    } catch (error) {
      this.rules.rolledBack();
      throw error;
    }
  }

  /** The address of the dashboard, as the last admin who changed a rule has called it. */
  get origin(): string {
    return this.state.storage.kv.get<string>(ORIGIN) ?? '';
  }

  set origin(origin: string) {
    if (origin !== this.origin) this.state.storage.kv.put(ORIGIN, origin);
  }
}

const ORIGIN = 'origin';
