/** Supervises a running command: its output, its limits, its end and the report of it. */
import type { LeftProcess } from '#protocol/machine-facts';
import type { StreamName } from '#protocol/output-frame';
import { type EndReason, type RawExit, reportedEnd } from '#protocol/run-state';
import type { Usage } from '#protocol/usage';
import { describeEnd } from '../format/run-end.ts';
import type { GuardianControl } from '../guardian/guardian.ts';
import type { LocalSignals } from '../host/local-signals.ts';
import type { Stage } from '../kill/decide.ts';
import { describeError, type Log, ownLine } from '../logging/log.ts';
import { Backpressure } from '../output/backpressure.ts';
import { forwardingFailure } from '../output/own-output.ts';
import { type OutputEvents, type OutputReader, readOutput } from '../output/read-output.ts';
import { findRelated, relatedAsLeft } from '../processes/describe-processes.ts';
import { findLeftRunning } from '../processes/left-running.ts';
import { watchTree } from '../processes/watch-tree.ts';
import { redactLine } from '../redact/redactor.ts';
import { endByLimit, endLeftovers, endReason, handleLocalSignal } from './end-command.ts';
import { Limits } from './limits.ts';
import { startMeter } from './measure-usage.ts';
import { RedactedOutput } from './redacted-output.ts';
import { type RunContext, type SupervisedCommand, saveCheckpoint } from './run-context.ts';
import { withhold } from './withheld.ts';

/** By then the command has long been started, and the network code is loaded. */
const REHEARSE_AFTER_MS = 150;

/** How the command ended, or that it was never started. */
interface End {
  readonly reason: EndReason;
  /** Null when it was never started, or its exit isn't known. */
  readonly exit: RawExit | null;
  /** What it has left running. */
  readonly left: readonly LeftProcess[];
  /** What it had left running, and was ended. */
  readonly endedLeftovers: readonly LeftProcess[];
  /** What its processes took; null where that isn't measured. */
  readonly usage: Usage | null;
}

/** Resolves when the run is over and all of it is reported, or kept to be reported later. */
export async function superviseRun(
  context: RunContext,
  signals: LocalSignals,
): Promise<{ readonly reason: EndReason; readonly exitCode: number }> {
  const { started } = context;
  process.on('uncaughtException', (error) => fail(context, error));
  signals.setHandler((signal) => handleLocalSignal(context, signal));
  const { exitCode, ...end } = await superviseOrExplain(started, context);
  signals.onTerminate(() => context.uplink?.abortDrain());
  await reportEnd(context, end, exitCode).catch((error: unknown) => fail(context, error));
  return { reason: end.reason, exitCode };
}

async function superviseOrExplain(
  started: RunContext['started'],
  context: RunContext,
): Promise<End & { readonly exitCode: number }> {
  switch (started.kind) {
    case 'running':
      return reported(await supervise(started, context));
    case 'not_started':
      return reported(notStarted(started.why, context));
    case 'withheld':
      return { ...(await withhold(started, context)), left: [], endedLeftovers: [], usage: null };
  }
}

function reported(end: End): End & { readonly exitCode: number } {
  return { ...end, exitCode: reportedEnd(end.reason, end.exit).exitCode };
}

async function supervise(command: SupervisedCommand, context: RunContext): Promise<End> {
  const { log, tree, guardian, terminator, uplink, record, journal } = context;
  if (command.remark !== null) log.info(command.remark);
  const limits = startLimits(context);
  const meter = startMeter(context);
  const recording = startRecording(context);
  const reader = startReading(command, context, limits, recording);
  // After Ctrl-Z or a SIGSTOP the command was stopped, or we were.
  process.on('SIGCONT', () => limits.countSilenceFromNow());
  terminator.watchOutput(reader);
  void reader.ended.then(() => terminator.outputEnded());
  closeGuardiansPipes(command, guardian);
  const unwatch = watchTree(tree, log);
  const cancelRehearsal = uplink === null ? () => {} : rehearseKillLater(context);

  const exited = command.exited.then((exit) => {
    record.exit = exit;
    meter?.commandExited();
    saveCheckpoint(journal, terminator, record);
    limits.clear();
    terminator.leaderExited();
  });
  // A process that even SIGKILL can't end never exits; then the sweep's end is the run's.
  await Promise.race([exited, terminator.sigkillPhaseOver()]);
  limits.clear();
  unwatch();
  cancelRehearsal();
  await terminator.over();
  const endedLeftovers = context.options.leftovers === 'kill' ? await endLeftovers(context) : [];
  const stillOpen = await reader.finished();
  warnOfOpenPipes(terminator.stage, stillOpen, log);
  if (stillOpen.length > 0) guardian?.drain();
  else guardian?.commandIsOver();
  reader.close();
  recording.end();
  // A look at all processes costs time: it is skipped when there is no control plane to report to.
  const isReported = uplink !== null && context.options.leftovers !== 'ignore';
  const left = isReported ? await findWhatIsLeft(context) : [];
  const usage = (await meter?.finish()) ?? null;
  tree.release();
  const why = command.whyNotExecuted();
  if (why !== null) return notStarted(why, context);
  const reason = endReason(context, record.exit);
  return checkForwarded({ reason, exit: record.exit, left, endedLeftovers, usage }, context);
}

/** @returns a function that cancels it */
function rehearseKillLater({ tree, options, log }: RunContext): () => void {
  const rehearse = async () => {
    try {
      // Loaded with the network code, and no sooner than that.
      const { rehearseKill } = await import('./rehearse-kill.ts');
      if (tree.leaderHasExited()) return;
      rehearseKill(tree, options);
    } catch (error) {
      // Out of file descriptors, most likely. A kill copes with that.
      log.info(`cannot rehearse a kill: ${describeError(error)}`);
    }
  };
  const timer = setTimeout(() => void rehearse(), REHEARSE_AFTER_MS).unref();
  return () => clearTimeout(timer);
}

/** When the last look at all processes has shown that the tree is gone, only related processes may still run. */
async function findWhatIsLeft({ terminator, tree, rules, log }: RunContext): Promise<readonly LeftProcess[]> {
  const { stage } = terminator;
  const isAllGone = stage.kind === 'gone' && stage.survivors.length === 0;
  return isAllGone ? relatedAsLeft(findRelated(tree, rules, log)) : findLeftRunning(tree, rules, log);
}

function startLimits(context: RunContext): Limits {
  const { options, age, own, uplink } = context;
  const limits = new Limits(options, {
    age,
    offlineSince: () => {
      const offlineForMs = uplink === null ? age() : uplink.offlineForMs;
      // A run that asked before its start may have been out of reach for longer than it runs.
      return offlineForMs === null ? null : Math.max(0, age() - offlineForMs);
    },
    isHeldUp: () => own.sinks.stdout.isBackedUp || own.sinks.stderr.isBackedUp,
    onReached: (limit) => endByLimit(context, limit),
  });
  // It isn't known how long a run that was taken over has been silent.
  limits.countSilenceFromNow();
  return limits;
}

function startRecording({ log, output, rules, uplink, journal, heldBack }: RunContext): RedactedOutput {
  const recording = new RedactedOutput(
    rules,
    (stream, bytes) => {
      output.append(stream, bytes);
      uplink?.outputGrew();
    },
    (error) =>
      log.warn(
        `the wrapper failed: ${describeError(error)}; the command keeps running, but its output is no longer shown`,
      ),
    (held) => journal?.saveHeld(held),
  );
  recording.resume(heldBack);
  return recording;
}

function startReading(
  command: SupervisedCommand,
  context: RunContext,
  limits: Limits,
  recording: RedactedOutput,
): OutputReader {
  const events: OutputEvents = {
    output: (stream, bytes) => {
      limits.countSilenceFromNow();
      recording.write(stream, bytes);
    },
    resumed: () => limits.countSilenceFromNow(),
  };
  return readOutput(command.output, context.own.sinks, events, context.log, new Backpressure(context.output));
}

/** A process that no look has shown, or one that was handed the pipe, holds it: all that is known is that it isn't over. */
function warnOfOpenPipes(stage: Stage, stillOpen: readonly StreamName[], log: Log): void {
  if (stage.kind !== 'gone' || !stage.unnamedSurvivors || stillOpen.length === 0) return;
  const others = stage.survivors.length === 0 ? 'all processes found were ended, but something' : 'something else';
  log.warn(
    `${others} still holds the command's ${stillOpen.join(' and ')}: another user's process, or a server that was passed the pipe; as root, see lsof -nP +L1 | grep leash-`,
  );
}

/** The guardian must not hold a pipe open that we have closed: a process that prints into it must get SIGPIPE. */
function closeGuardiansPipes({ output }: SupervisedCommand, guardian: GuardianControl | null): void {
  void output.stdout.ended.then(() => guardian?.close('stdout'));
  void output.stderr?.ended.then(() => guardian?.close('stderr'));
}

/** A command that exited 0, but whose output could not be forwarded, counts as failed: it could not know. */
async function checkForwarded(end: End, { own, log }: RunContext): Promise<End> {
  if (end.exit?.kind !== 'exited' || end.exit.code !== 0 || end.reason !== 'exited') return end;
  const why = await forwardingFailure(own);
  if (why === null) return end;
  log.warn(`the command exited 0, but not all of its output could be passed on (${why}): the run counts as failed`);
  return { ...end, reason: 'wrapper_failed' };
}

function notStarted(why: string, { options, own, output, rules, cgroup, terminator }: RunContext): End {
  const line = `cannot start ${options.command[0]}: ${why}`;
  own.lines.write(Buffer.from(ownLine(line)));
  // Redacted before it is made printable: a secret is recognised as it was given.
  output.append('stderr', Buffer.from(ownLine(redactLine(rules, line))));
  terminator.leaderExited();
  cgroup?.remove();
  return { reason: 'start_failed', exit: null, left: [], endedLeftovers: [], usage: null };
}

async function reportEnd(context: RunContext, end: End, exitCode: number): Promise<void> {
  const { record, age, output, uplink, persistence, log } = context;
  record.recordCompletion({
    exit_code: exitCode,
    command_exit_code: end.exit?.kind === 'exited' ? end.exit.code : null,
    signal: end.exit?.kind === 'signaled' ? end.exit.signal : null,
    reason: end.reason,
    duration_ms: Math.round(age()),
    ...(end.left.length > 0 && { left_running: [...end.left] }),
    ...(end.endedLeftovers.length > 0 && { ended_leftovers: [...end.endedLeftovers] }),
    ...(end.usage !== null && { usage: end.usage }),
  });
  if (end.left.length > 0)
    log.info(`left running: ${end.left.map(({ pid, command_line }) => `${pid} ${command_line}`).join(', ')}`);
  log.info(describeEnd(end.reason, end.exit, exitCode));
  persistence.scheduleEndRecord();
  const unreported =
    uplink === null ? null : await uplink.drain(persistence.isUsable(), () => output.end - output.start);
  await persistence.finish(unreported);
}

/** A fault of ours must not cost the command its supervision on this machine, nor its exit code. */
function fail({ uplink, log }: RunContext, error: unknown): void {
  if (error instanceof Error) log.info(`the wrapper failed: ${error.stack?.replaceAll(/\s*\n\s*/g, ' ')}`);
  if (uplink === null) log.warn(`the wrapper failed: ${describeError(error)}; the command keeps running`);
  else uplink.fail(error);
}
