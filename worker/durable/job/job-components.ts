/** What a job's Durable Object is made of, each with what it needs of the others. */
import type { Kill } from '#protocol/api';
import type { Env } from '../../shared/env.ts';
import { readSettings } from '../../shared/settings.ts';
import { Credentials } from '../sockets/credentials.ts';
import { DeadlineBook } from './deadlines.ts';
import { EventLog } from './event-log.ts';
import { Introductions } from './introductions.ts';
import { Journal } from './journal.ts';
import { KillController } from './kill-controller.ts';
import { KillStore } from './kill-store.ts';
import { Liveness } from './liveness.ts';
import { Namesakes } from './namesakes.ts';
import { Outbox, type OutboxSource } from './outbox.ts';
import { OutputBounds } from './output-bounds.ts';
import { OutputIntake } from './output-intake.ts';
import { OutputLog } from './output-log.ts';
import { QueueDrain } from './queue-drain.ts';
import { Retention } from './retention.ts';
import { RunStore } from './run-store.ts';
import { jobName } from './schema.ts';
import { Sockets } from './sockets.ts';
import { ViewerMessages } from './viewer-messages.ts';
import { Viewers } from './viewers.ts';
import { WrapperMessages } from './wrapper-messages.ts';

/** What they need of the object itself. */
export interface JobHost extends OutboxSource {
  accept(kill: Kill): void;
  socketGone(socket: WebSocket): void;
}

export type JobComponents = ReturnType<typeof createJobComponents>;

export function createJobComponents(ctx: DurableObjectState, env: Env, host: JobHost) {
  const sql = ctx.storage.sql;
  const job = jobName(ctx);
  const settings = readSettings(env);
  const runs = new RunStore(sql);
  const events = new EventLog(sql);
  const output = new OutputLog(sql);
  const kills = new KillStore(sql);
  const sockets = new Sockets(ctx);
  const deadlines = new DeadlineBook(ctx.storage);
  const viewers = new Viewers(sockets, runs, output, deadlines);
  const outbox = new Outbox(ctx, env, job, deadlines, host);
  const journal = new Journal(job, runs, events, viewers, outbox);
  const killController = new KillController({
    job,
    answerMs: settings.killAnswerMs,
    lostTargetMs: settings.lostTargetMs,
    runs,
    kills,
    journal,
    sockets,
    deadlines,
    viewers,
    outbox,
  });
  const bounds = new OutputBounds({ job, limits: settings, sql, runs, output, journal, deadlines });
  const liveness = new Liveness({ job, settings, runs, journal, sockets, deadlines, killController, outbox });
  const introductions = new Introductions({ job, settings, runs, journal, sockets, killController, liveness, viewers });
  const intake = new OutputIntake({ runs, output, journal, viewers, bounds });
  const parts = { job, runs, journal, sockets, killController, liveness };
  return {
    job,
    runs,
    events,
    output,
    kills,
    sockets,
    deadlines,
    viewers,
    outbox,
    killController,
    bounds,
    liveness,
    namesakes: new Namesakes({ ctx, env, job, runs, events, journal }),
    wrapperMessages: new WrapperMessages({ ...parts, introductions, intake }),
    viewerMessages: new ViewerMessages(job, runs, sockets, viewers),
    retention: new Retention({
      job,
      settings,
      runs,
      events,
      output,
      bounds,
      kills,
      sockets,
      viewers,
      deadlines,
      outbox,
    }),
    credentials: new Credentials(ctx, env, job, deadlines, (socket) => host.socketGone(socket)),
    drain: new QueueDrain(env, job, deadlines, (kill) => host.accept(kill)),
  };
}
