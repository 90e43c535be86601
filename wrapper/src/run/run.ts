/** `leash run`: one command, from its start to the moment its end is told, or kept to be told later. */
import { performance } from 'node:perf_hooks';
import type { StreamName } from '#protocol/output-frame';
import { type EndReason, type RawExit, reportedEnd } from '#protocol/run-state';
import { readConfigFile, withConfig } from '../cli/config-file.ts';
import { configure } from '../cli/control-plane.ts';
import type { RunArgs } from '../cli/run-args.ts';
import { takeLaunchState } from '../command/launch-state.ts';
import { readOutput } from '../command/read-output.ts';
import { prepareOutput, type RunningCommand, startCommand } from '../command/start-command.ts';
import { keepMemorySmall } from '../engine.ts';
import type { Guardian } from '../guardian/guardian.ts';
import { describeError, type Log, openLog } from '../log.ts';
import { Brake } from '../output/brake.ts';
import { createCgroup } from '../processes/cgroup.ts';
import { watchFamily } from '../processes/watch.ts';
import { describeEnd } from '../words/ending.ts';
import { commandEnvironment } from './command-environment.ts';
import { leaveInBackground, takeDetachment } from './detach.ts';
import { endByLimit, endReason, obeyLocalSignal } from './endings.ts';
import { newRunId } from './identity.ts';
import { Limits } from './limits.ts';
import { LocalSignals } from './local-signals.ts';
import { damageTo, openOwnOutput, passOnTheRest } from './own-output.ts';
import { assemble, type Birth, type Parts } from './parts.ts';
import { Recording, redactLine } from './recording.ts';
import { chooseRules } from './redaction.ts';
import { standBy } from './stand-by.ts';

/** How the command ended, or that it never began. */
interface End {
  readonly reason: EndReason;
  readonly raw: RawExit | null;
}

/**
 * Runs the command and supervises it.
 *
 * @returns the exit code to leave with; everything else has been done by then
 */
export async function run(args: RunArgs, version: string): Promise<number> {
  const detachment = takeDetachment(process.env);
  const launch = { ...takeLaunchState(process.env), ...detachment };
  if (args.detach && detachment === null) return leaveInBackground(args, launch);
  const signals = new LocalSignals(launch.ignoredSignals);
  keepMemorySmall();
  const birth = await start(args, version, detachment?.run ?? newRunId(), launch);
  const { own, log } = birth;

  let exitCode: number;
  let wasEnded = false;
  try {
    const parts = assemble(birth);
    process.on('uncaughtException', (error) => fail(parts, error));
    signals.handle((signal) => obeyLocalSignal(parts, signal));
    const end =
      birth.started.kind === 'running' ? await supervise(birth.started, parts) : notStarted(birth.started.why, parts);
    exitCode = reportedEnd(end.reason, end.raw).exitCode;
    wasEnded = end.reason !== 'exited';
    signals.onEnding(() => parts.uplink?.hurry());
    await tellEnd(parts, end, exitCode).catch((error: unknown) => fail(parts, error));
    parts.guardian?.dismiss();
  } catch (error) {
    exitCode = await standBy(error, birth, signals);
  }
  await passOnTheRest(own, wasEnded, signals, log);
  await log.drained();
  return exitCode;
}

/** Starts the command, before anything that it does not need. */
async function start(args: RunArgs, version: string, run: string, launch: Birth['launch']): Promise<Birth> {
  const pipes = prepareOutput(args.merge);
  const own = openOwnOutput(args.quiet);
  const config = readConfigFile(process.env);
  const settings = withConfig(process.env, config.values);
  const configuration = configure(args, settings);
  const env = commandEnvironment(launch.environment, run, args.env);
  const token = configuration.kind === 'supervised' ? configuration.controlPlane.token : null;
  const { rules, ownRules, problem } = chooseRules(args.redaction, env, token, settings);
  const log = openLog({
    sink: own.lines,
    verbose: args.verbose,
    file: args.logFile ?? settings.LEASH_LOG ?? null,
    label: `${args.job} ${run}`,
    redact: (line) => redactLine(ownRules, line),
  });
  const cgroup = createCgroup(run);
  const startedAt = new Date();
  const since = performance.now();
  const age = () => performance.now() - since;
  const { command, cwd, user, merge } = args;
  const joinFile = cgroup?.joinFile ?? null;
  const started = await startCommand({ command, env, cwd, user, merge, joinFile, launch }, pipes);
  for (const line of config.problems) log.tell(line);
  if (problem !== null) log.tell(problem);
  return { args, version, run, startedAt, age, launch, settings, configuration, rules, cgroup, own, log, started };
}

async function supervise(command: RunningCommand, parts: Parts): Promise<End> {
  const { args, own, log, age, family, guardian, output, rules, terminator, uplink } = parts;
  if (command.remark !== null) log.note(command.remark);
  const limits = new Limits(args, {
    age,
    offlineSince: () => {
      const offlineForMs = uplink === null ? age() : uplink.offlineForMs;
      return offlineForMs === null ? null : age() - offlineForMs;
    },
    isHeldUp: () => own.sinks.stdout.congested || own.sinks.stderr.congested,
    onReached: (limit) => endByLimit(parts, limit),
  });
  const recording = new Recording(
    rules,
    (stream, bytes) => {
      output.append(stream, bytes);
      uplink?.outputGrew();
    },
    (error) =>
      log.tell(
        `the wrapper failed: ${describeError(error)}; the command runs on, what it prints is not shown any more`,
      ),
  );
  const reader = readOutput(
    command.output,
    own.sinks,
    {
      output: (stream, bytes) => {
        limits.countSilenceFromNow();
        recording.take(stream, bytes);
      },
      resumed: () => limits.countSilenceFromNow(),
    },
    log,
    new Brake(output),
  );
  // After Ctrl-Z or a SIGSTOP the command has been standing still, or we have not been looking.
  process.on('SIGCONT', () => limits.countSilenceFromNow());
  letGoTogether(command, guardian);
  const unwatch = watchFamily(family, log);

  let raw: RawExit | null = null;
  const exited = command.exited.then((exit) => {
    raw = exit;
    limits.clear();
    terminator.leaderExited();
  });
  // A process that even SIGKILL can't end never exits; then the sweep's end is the run's.
  await Promise.race([exited, terminator.gaveUp()]);
  limits.clear();
  unwatch();
  await terminator.over();
  const stillOpen = await reader.finished();
  if (terminator.stage.kind === 'gone' && terminator.stage.survivors.length === 0) tellWhoIsLeft(stillOpen, log);
  if (stillOpen.length > 0) guardian?.drain();
  else guardian?.commandIsOver();
  reader.close();
  recording.end();
  family.release();
  return asPassedOn({ reason: endReason(terminator, raw), raw }, parts);
}

/** Somebody whom no look has shown, or who was handed the pipe: nothing is known but that it is not over. */
function tellWhoIsLeft(stillOpen: readonly StreamName[], log: Log): void {
  if (stillOpen.length === 0) return;
  log.tell(
    `all that could be found was ended, but something still holds the command's ${stillOpen.join(' and ')}: another user's, or a server that it was handed to; as root, see lsof -nP +L1 | grep leash-`,
  );
}

/** A pipe that we have given up must not be held open by the guardian: whoever prints into it is to get SIGPIPE. */
function letGoTogether({ output }: RunningCommand, guardian: Guardian | null): void {
  void output.stdout.ended.then(() => guardian?.close('stdout'));
  void output.stderr?.ended.then(() => guardian?.close('stderr'));
}

/** A command whose output is missing where it should be has not succeeded, whatever it says: it could not know. */
async function asPassedOn(end: End, { own, log }: Parts): Promise<End> {
  if (end.raw?.kind !== 'exited' || end.raw.code !== 0 || end.reason !== 'exited') return end;
  const why = await damageTo(own);
  if (why === null) return end;
  log.tell(`the command exited 0, but not all that it printed could be passed on (${why}): the run counts as failed`);
  return { reason: 'wrapper_failed', raw: end.raw };
}

function notStarted(why: string, { args, own, output, rules, cgroup, terminator }: Parts): End {
  const line = `leash: cannot start ${args.command[0]}: ${why}\n`;
  own.lines.write(Buffer.from(line));
  output.append('stderr', Buffer.from(redactLine(rules, line)));
  terminator.leaderExited();
  cgroup?.remove();
  return { reason: 'start_failed', raw: null };
}

async function tellEnd(parts: Parts, end: End, exitCode: number): Promise<void> {
  const { record, age, uplink, estate, log } = parts;
  record.noteCompletion({
    exit_code: exitCode,
    command_exit_code: end.raw?.kind === 'exited' ? end.raw.code : null,
    signal: end.raw?.kind === 'signaled' ? end.raw.signal : null,
    reason: end.reason,
    duration_ms: Math.round(age()),
  });
  log.note(describeEnd(end.reason, end.raw, exitCode));
  estate.noteEndSoon();
  const untold = uplink === null ? null : await uplink.farewell(estate.isUsable());
  await estate.settle(untold);
}

/** A fault of ours must not cost the command its supervision on this machine, nor its exit code. */
function fail({ uplink, log }: Parts, error: unknown): void {
  if (error instanceof Error) log.note(`the wrapper failed: ${error.stack}`);
  if (uplink === null) log.tell(`the wrapper failed: ${describeError(error)}; the command runs on`);
  else uplink.fail(error);
}
