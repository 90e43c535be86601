/** The parts of a job's Durable Object. Each is given the context, and reaches the others through it. */
import type { Env } from '../../shared/env.ts';
import { readSettings, type Settings } from '../../shared/settings.ts';
import { Credentials } from '../sockets/credentials.ts';
import { Admission } from './admission/admission.ts';
import { AlarmScheduler } from './alarm-scheduler.ts';
import { Brakes } from './brakes.ts';
import { DeadlineHandlers } from './deadline-handlers.ts';
import { EventStore } from './event-store.ts';
import { Expectations } from './expectations/expectations.ts';
import { SlowRuns } from './expectations/slow-runs.ts';
import { Handshake } from './handshake.ts';
import { JobStorage } from './job-storage.ts';
import { KillController } from './kill-controller.ts';
import { KillStore } from './kill-store.ts';
import { Liveness } from './liveness.ts';
import { Outbox } from './outbox.ts';
import { OutputArchive } from './output-archive.ts';
import { OutputFlush } from './output-flush.ts';
import { OutputIngest } from './output-ingest.ts';
import { OutputQuota } from './output-quota.ts';
import { OutputStore } from './output-store.ts';
import { QueueDrain } from './queue-drain.ts';
import { Retention } from './retention.ts';
import { RunIdConflicts } from './run-id-conflicts.ts';
import { RunStore } from './run-store.ts';
import { RunUpdater } from './run-updater.ts';
import { SaltpeterMessages } from './saltpeter/saltpeter-messages.ts';
import { SaltpeterRuns } from './saltpeter/saltpeter-runs.ts';
import { jobName } from './schema.ts';
import { SocketEvents } from './socket-events.ts';
import { Sockets } from './sockets.ts';
import { StartTimeout } from './start-timeout.ts';
import { Viewers } from './viewers.ts';
import { WrapperMessages } from './wrapper-messages.ts';

/** What the runtime gives, and the fields that follow from it. The parts below need them when they are constructed. */
class JobBase {
  readonly state: DurableObjectState;
  readonly env: Env;
  readonly settings: Settings;
  /** The job's name. */
  readonly name: string;
  readonly sql: SqlStorage;

  constructor(state: DurableObjectState, env: Env) {
    this.state = state;
    this.env = env;
    this.settings = readSettings(env);
    this.name = jobName(state);
    this.sql = state.storage.sql;
  }
}

export class JobContext extends JobBase {
  // What is stored.
  readonly storage = new JobStorage(this);
  readonly runs = new RunStore(this.sql);
  readonly kills = new KillStore(this.sql);
  readonly saltpeterRuns = new SaltpeterRuns(this.sql);
  readonly events = new EventStore(this.sql);
  readonly output = new OutputStore(this.sql);
  readonly deadlines = new AlarmScheduler(this.state.storage);
  readonly expectations = new Expectations(this);
  readonly outbox = new Outbox(this);
  // Who is connected.
  readonly sockets = new Sockets(this.state);
  readonly socketEvents = new SocketEvents(this);
  readonly startTimeout = new StartTimeout();
  readonly credentials = new Credentials(this, this.name, (socket) => this.socketEvents.closed(socket));
  readonly wrapperMessages = new WrapperMessages(this);
  readonly saltpeterMessages = new SaltpeterMessages(this);
  readonly viewers = new Viewers(this);
  // What happens to runs, kills and output.
  readonly runUpdater = new RunUpdater(this);
  readonly handshake = new Handshake(this);
  readonly admission = new Admission(this);
  readonly liveness = new Liveness(this);
  readonly slowRuns = new SlowRuns(this);
  readonly runIdConflicts = new RunIdConflicts(this);
  readonly killController = new KillController(this);
  readonly brakes = new Brakes(this);
  readonly queueDrain = new QueueDrain(this);
  readonly outputIngest = new OutputIngest(this);
  readonly outputFlush = new OutputFlush(this);
  readonly outputArchive = new OutputArchive(this);
  readonly outputQuota = new OutputQuota(this);
  readonly retention = new Retention(this);
  readonly deadlineHandlers = new DeadlineHandlers(this);
}
