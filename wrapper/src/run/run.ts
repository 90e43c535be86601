/** `leash run`: one command, from its start to the moment its end is told. */
import { performance } from 'node:perf_hooks';
import { MIB } from '#protocol/limits';
import { defaultInstance } from '#protocol/names';
import type { StreamName } from '#protocol/output-frame';
import { type EndReason, type RawExit, reportedEnd } from '#protocol/run-state';
import type { Kill, Killing } from '#protocol/wrapper-link';
import { type Configuration, commandEnvironment, configure } from '../cli/control-plane.ts';
import type { RunArgs } from '../cli/run-args.ts';
import { Alarm } from '../clock/alarm.ts';
import { commandLine } from '../command/command-line.ts';
import { readPipes } from '../command/pipes.ts';
import { noGroup, processGroup } from '../command/process-group.ts';
import { type RunningCommand, type Started, startCommand } from '../command/spawn.ts';
import { type Log, logTo } from '../log.ts';
import { openWriter } from '../output/descriptor.ts';
import { OutputLog } from '../output/log.ts';
import { Sink } from '../output/sink.ts';
import { Terminator } from '../terminate/terminator.ts';
import { describeDuration } from '../words/duration.ts';
import { machineName, newRunId, newRunKey } from './identity.ts';
import { catchLocalSignals, type LocalSignal } from './local-signals.ts';
import { RunRecord } from './record.ts';
import { standBy } from './stand-by.ts';
import { Uplink } from './uplink.ts';

/** The most output that is held while it can't be stored. */
const OUTPUT_CAPACITY_BYTES = 32 * MIB;

type Sinks = Readonly<Record<StreamName, Sink>>;

/** How the command ended, or that it never began. */
interface End {
  readonly reason: EndReason;
  readonly raw: RawExit | null;
}

/** What a run consists of once its command has been started, or could not be. */
interface Parts {
  readonly args: RunArgs;
  readonly sinks: Sinks;
  readonly log: Log;
  readonly age: () => number;
  readonly record: RunRecord;
  readonly terminator: Terminator;
  readonly uplink: Uplink | null;
}

/**
 * Runs the command and supervises it.
 *
 * @returns the exit code to leave with; everything else has been done by then
 */
export async function run(args: RunArgs, version: string): Promise<number> {
  const sinks = { stdout: new Sink(openWriter(1)), stderr: new Sink(openWriter(2)) };
  const log = logTo(sinks.stderr, args.verbose);
  const early: LocalSignal[] = [];
  let onLocalSignal = (signal: LocalSignal): void => {
    early.push(signal);
  };
  catchLocalSignals([], (signal) => onLocalSignal(signal));

  const startedAt = new Date();
  const since = performance.now();
  const age = () => performance.now() - since;
  const started = await startCommand(args.command, commandEnvironment(process.env));

  let exitCode: number;
  let wasEnded = false;
  try {
    const parts = assemble(args, version, started, startedAt, { sinks, log, age });
    process.on('uncaughtException', (error) => fail(parts, error));
    onLocalSignal = (signal) => endBySignal(parts, signal);
    for (const signal of early) endBySignal(parts, signal);
    const end = started.kind === 'running' ? await supervise(started, parts) : notStarted(started.why, parts);
    exitCode = reportedEnd(end.reason, end.raw).exitCode;
    wasEnded = end.reason !== 'exited';
    onLocalSignal = () => parts.uplink?.hurry();
    await tellEnd(parts, end, exitCode).catch((error: unknown) => fail(parts, error));
  } catch (error) {
    exitCode = await standBy(error, started, args, sinks, log, (handle) => {
      onLocalSignal = handle;
    });
  }
  await passOnTheRest(sinks, log, wasEnded, (handle) => {
    onLocalSignal = handle;
  });
  return exitCode;
}

function assemble(
  args: RunArgs,
  version: string,
  started: Started,
  startedAt: Date,
  own: Pick<Parts, 'sinks' | 'log' | 'age'>,
): Parts {
  const { log, age } = own;
  const wholeAge = () => Math.round(age());
  const pid = started.kind === 'running' ? started.pid : null;
  const group = pid === null ? noGroup : processGroup(pid);
  const onKilling = (killing: Killing) => {
    record.noteKilling(killing);
    if (killing.phase === 'gone' && killing.survivors.length > 0) {
      log.tell(`could not end ${killing.survivors.join(', ')}: still there after SIGKILL`);
    }
    log.note(`ending the command: ${killing.phase} ${killing.signal ?? ''}`.trim());
    uplink?.killing(killing);
  };
  const terminator = new Terminator(group, wholeAge, onKilling, log);
  const record = new RunRecord(
    {
      run: newRunId(),
      run_key: newRunKey(),
      pid,
      command: commandLine(args.command),
      version,
      limits: { timeout_ms: args.timeoutMs, grace_ms: args.graceMs },
    },
    new OutputLog(OUTPUT_CAPACITY_BYTES),
    wholeAge,
    () => terminator.appliedKills,
  );
  const uplink = openUplink(configure(args, process.env), args, record, startedAt, terminator, log);
  return { args, ...own, record, terminator, uplink };
}

function openUplink(
  configuration: Configuration,
  args: RunArgs,
  record: RunRecord,
  startedAt: Date,
  terminator: Terminator,
  log: Log,
): Uplink | null {
  if (configuration.kind === 'unsupervised') {
    log.tell(`running unsupervised, nobody can see or stop this run: ${configuration.why}`);
    return null;
  }
  if (configuration.warning !== null) log.tell(configuration.warning);
  const address = {
    controlPlane: configuration.controlPlane,
    job: args.job,
    run: record.facts.run,
    instance: args.instance ?? defaultInstance(args.job, startedAt),
    machine: args.machine ?? machineName(),
  };
  log.note(`run ${address.run} of ${address.job}, instance ${address.instance}, machine ${address.machine}`);
  return new Uplink(
    async (events) => {
      // Loaded only now, so that the command has long been started before the network code is even read.
      const { Link } = await import('../link/link.ts');
      return new Link(address, record, events, log);
    },
    (kill) => endByOperator(terminator, kill, log),
    log,
  );
}

async function supervise(command: RunningCommand, parts: Parts): Promise<End> {
  const { args, sinks, log, age, record, terminator, uplink } = parts;
  const pipes = readPipes(
    command.streams,
    sinks,
    (stream, bytes) => {
      record.log.append(stream, bytes);
      uplink?.outputGrew();
    },
    log,
  );
  const limit = new Alarm(age, () => endByTimeout(parts));
  limit.set(args.timeoutMs);

  let raw: RawExit | null = null;
  const exited = command.exited.then((exit) => {
    raw = exit;
    limit.clear();
    terminator.leaderExited();
  });
  // A process that even SIGKILL can't end never exits; then the sweep's end is the run's.
  await Promise.race([exited, terminator.gaveUp()]);
  limit.clear();
  await terminator.over();
  await pipes.finished();
  return { reason: endReason(terminator, raw), raw };
}

function endReason({ stage }: Terminator, raw: RawExit | null): EndReason {
  switch (stage.kind) {
    case 'gone':
    case 'term':
    case 'kill':
      return stage.reason;
    case 'running':
    case 'exited':
      if (raw === null) return 'wrapper_failed';
      return raw.kind;
  }
}

function notStarted(why: string, { args, sinks, record, terminator }: Parts): End {
  const line = Buffer.from(`leash: cannot start ${args.command[0]}: ${why}\n`);
  sinks.stderr.write(line);
  record.log.append('stderr', line);
  terminator.leaderExited();
  return { reason: 'start_failed', raw: null };
}

async function tellEnd({ record, age, uplink, log }: Parts, end: End, exitCode: number): Promise<void> {
  record.noteCompletion({
    exit_code: exitCode,
    command_exit_code: end.raw?.kind === 'exited' ? end.raw.code : null,
    signal: end.raw?.kind === 'signaled' ? end.raw.signal : null,
    reason: end.reason,
    duration_ms: Math.round(age()),
  });
  log.note(`ended: ${end.reason}, exit code ${exitCode}`);
  if (uplink === null) return;
  const why = await uplink.farewell();
  if (why === null) return;
  const unstored = record.log.end - record.log.start;
  log.tell(
    `the end of run ${record.facts.run} (exit code ${exitCode}) and the last ${unstored} bytes of its output were not ` +
      `confirmed by the control plane: ${why}`,
  );
}

function endByOperator(terminator: Terminator, kill: Kill, log: Log): void {
  const before = terminator.stage;
  terminator.request({
    cause: { kind: 'operator', command: kill.command },
    signal: kill.signal,
    graceMs: kill.grace_ms,
  });
  if (before.kind !== 'running' || terminator.stage.kind === 'exited') return;
  log.tell(`killed by ${kill.requested_by}${kill.reason === null ? '' : `: ${kill.reason}`}`);
}

function endByTimeout({ args, terminator, log }: Parts): void {
  if (terminator.stage.kind === 'running') {
    log.tell(`the time limit of ${describeDuration(args.timeoutMs ?? 0)} is reached: ending the command`);
  }
  terminator.request({ cause: { kind: 'timeout' }, signal: 'SIGTERM', graceMs: args.graceMs });
}

function endBySignal({ args, terminator, log }: Parts, local: LocalSignal): void {
  if (local.kind !== 'end') return;
  const { signal } = local;
  const { kind } = terminator.stage;
  if (kind === 'running') log.tell(`${signal}: passed on; SIGKILL follows in ${describeDuration(args.graceMs)}`);
  else log.note(`got ${signal}`);
  terminator.request({ cause: { kind: 'local_signal' }, signal, graceMs: args.graceMs });
}

/** How long a reader who has stopped reading holds up a run that was to be ended. */
const LAST_WRITE_MS = 2_000;

/**
 * Waits until our own output is written. Of a command that ended by itself everything is passed on, however long its
 * reader takes, as in a plain pipe; of one that was to end now, and after a signal to us, only what is taken at once.
 */
async function passOnTheRest(
  sinks: Sinks,
  log: Log,
  wasEnded: boolean,
  onLocalSignal: (handle: () => void) => void,
): Promise<void> {
  const written = Promise.all([sinks.stdout.drained(), sinks.stderr.drained()]);
  const noLonger = new Promise<void>((resolve) => {
    onLocalSignal(resolve);
    if (wasEnded) setTimeout(resolve, LAST_WRITE_MS);
  });
  await Promise.race([written, noLonger]);
  const { queued } = sinks.stdout;
  if (queued > 0) log.tell(`${queued} bytes of the command's stdout were not passed on: nobody read them`);
}

/** A fault of ours must not cost the command its supervision on this machine, nor its exit code. */
function fail({ uplink, log }: Parts, error: unknown): void {
  if (uplink === null) log.tell(`the wrapper failed: ${error instanceof Error ? error.stack : String(error)}`);
  else uplink.fail(error);
}
