/**
 * Takes over a run whose wrapper was killed while its command runs on. The run keeps its id and its key, its output
 * continues where it stopped, a kill in progress continues, and its end is reported. Only how the command exits isn't known,
 * because only its parent learns that; unless its wrapper has recorded it, or we end the command ourselves.
 */
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import { NO_ABOUT } from '#protocol/about';
import type { Environment } from '../config/config-file.ts';
import { type Configuration, configure } from '../config/control-plane.ts';
import { ensureFlusher } from '../flush/background.ts';
import { EXIT_STILL_PRINTING, type GuardianControl } from '../guardian/guardian.ts';
import { LocalSignals } from '../host/local-signals.ts';
import { EMPTY_CHECKPOINT } from '../journal/checkpoint.ts';
import {
  isOurs,
  NOTHING_HELD,
  type ReadJournal,
  RunJournal,
  readJournal,
  removeJournal,
} from '../journal/run-journal.ts';
import { describeError, type Log, openLog } from '../logging/log.ts';
import { type InheritedOutput, inheritOutput, writeToDisk } from '../output/inherited-output.ts';
import { openOwnOutput } from '../output/own-output.ts';
import { environmentOf } from '../processes/environment.ts';
import { isAnythingLeft } from '../processes/left-running.ts';
import { bootId, type ProcessRef, refOf } from '../processes/process-ref.ts';
import { processTable } from '../processes/process-table.ts';
import { openProcessTree, type ProcessTreeOrigin } from '../processes/process-tree.ts';
import { patternOf } from '../redact/patterns.ts';
import { redactLine } from '../redact/redactor.ts';
import { chooseRules, hideTokenFile } from '../run/redaction.ts';
import { createAdoptedRunContext, type LaunchedRun } from '../run/run-context.ts';
import type { RunOptions } from '../run/run-options.ts';
import type { RunStorage } from '../run/run-persistence.ts';
import { superviseRun } from '../run/supervise.ts';
import type { RunDirectory } from '../state/run-directory.ts';
import { ageOf, type RunFacts, type Supervision } from '../state/run-file.ts';
import { adoptedCommand } from './adopted-command.ts';
import { keepReachable } from './keeper.ts';

/** A run that we can take over. */
export interface AdoptableRun {
  readonly facts: RunFacts;
  readonly origin: ProcessTreeOrigin;
  readonly supervision: Supervision;
  /** Null when it has no record on disk. */
  readonly storage: RunStorage | null;
}

/**
 * Supervises the command to its end.
 *
 * @param secrets variables that the command alone was given
 * @returns the exit code to leave with, for the guardian
 */
export async function adopt(
  adoptable: AdoptableRun,
  secrets: Environment,
  settings: Environment,
  version: string,
): Promise<number> {
  const { facts, origin, storage } = adoptable;
  const { journal: noted } = adoptable.supervision;
  const supervision = { ...adoptable.supervision, journal: noted !== null && isOurs(noted) ? noted : null };
  const left = supervision.journal === null ? null : readJournal(supervision.journal);
  const checkpoint = left?.checkpoint ?? EMPTY_CHECKPOINT;
  const launched = await launchedRunOf({ ...adoptable, supervision }, secrets, settings, version, left);
  const { log } = launched;
  const inherited = await inheritOutput(storage?.directory.path ?? null, left?.output ?? null, log);
  if (storage !== null && (await storage.directory.readEnd()) !== null) {
    await finishEndedRun({ ...adoptable, supervision }, storage, inherited, launched);
    return 0;
  }
  const journal = continueJournal(supervision, inherited, log);
  const successor = supervision.successor + 1;
  const ours = { ...supervision, successor, guardian: parentGuardian(), journal: journal?.path ?? null };
  if (storage !== null) await recordTakeover(storage.directory, ours, log);
  log.info(`taken over by process ${process.pid}: the previous wrapper has died`);
  const guardian = new ParentGuardian();
  const signals = new LocalSignals([]);
  const context = createAdoptedRunContext(launched, {
    startFacts: {
      run: facts.run,
      run_key: facts.run_key,
      pid: origin.leader.pid,
      command_line: facts.command_line,
      expected: facts.expected,
      version,
      host: facts.host,
      limits: facts.limits,
      about: facts.about,
      successor,
    },
    origin,
    guardian,
    journal,
    checkpoint,
    heldBack: left?.held ?? NOTHING_HELD,
    output: inherited.output,
    storage:
      storage === null
        ? { kind: 'new', facts: { ...facts, supervision: ours } }
        : { kind: 'adopted', storage, output: inherited.onDisk },
  });
  await superviseRun(context, signals);
  context.journal?.remove();
  await log.drained();
  return guardian.exitCode;
}

async function recordTakeover(directory: RunDirectory, supervision: Supervision, log: Log): Promise<void> {
  try {
    await directory.takeOver(supervision);
  } catch (error) {
    // The disk is full, say. The next successor takes us for the wrapper before us, and finds all that it needs.
    log.info(`cannot record on disk that this run has been taken over: ${describeError(error)}`);
  }
}

/** Null when it has died meanwhile: then our parent is another process, which must not be recorded as the guardian. */
function parentGuardian(): ProcessRef | null {
  const guardian = refOf(process.ppid);
  // It leads the session, and the process group, in which it has started us.
  return processTable.entry(process.pid)?.pgid === guardian?.pid ? guardian : null;
}

/** The guardian as our parent: it holds the pipes until we exit, and then acts on our exit code. */
class ParentGuardian implements GuardianControl {
  exitCode = 0;

  drain(): void {
    this.exitCode = EXIT_STILL_PRINTING;
  }

  close(): void {}
  commandIsOver(): void {}
  dismiss(): void {}
}

/** Continues the journal in the same file: what it held is in `inherited`. */
function continueJournal({ journal }: Supervision, { output }: InheritedOutput, log: Log): RunJournal | null {
  if (journal === null) return null;
  try {
    const made = new RunJournal(journal, output.heldFrom, output.held(), log);
    output.useJournal(made.output);
    return made;
  } catch (error) {
    // It has been removed, or the memory is full.
    log.info(`cannot continue the journal of this run: ${describeError(error)}`);
    return null;
  }
}

/** What was known when the command was started, as far as it still matters. */
async function launchedRunOf(
  { facts, origin, supervision }: AdoptableRun,
  secrets: Environment,
  settings: Environment,
  version: string,
  left: ReadJournal | null,
): Promise<LaunchedRun> {
  const options = optionsOf(facts, supervision);
  const configuration = configurationOf(facts, settings);
  const token = configuration.kind === 'supervised' ? configuration.controlPlane.token : null;
  // By now the command may have become one of another environment (`env -i`), or written over its own.
  const environment = { ...process.env, ...secrets, ...environmentOf(origin.leader.pid) };
  const chosen = chooseRules(options.redaction, environment, token, settings);
  const { rules, ownRules } = chosen;
  await hideTokenFile(chosen, options.redaction, token);
  const own = openOwnOutput(true);
  const log = openLog({
    sink: own.lines,
    verbose: false,
    file: supervision.log_file,
    label: `${facts.job} ${facts.run}`,
    redact: (line) => redactLine(ownRules, line),
  });
  const since = performance.now();
  const ageThen = ageOf(facts, { bootId: bootId(), uptimeMs: os.uptime() * 1_000, epochMs: Date.now() });
  return {
    options,
    version,
    run: facts.run,
    startedAt: new Date(facts.started_at_ms),
    age: () => ageThen + performance.now() - since,
    launch: {
      noFileSoft: null,
      stackSoft: null,
      ignoredSignals: [],
      environment: definedOnly(process.env),
      descriptors: [],
    },
    settings,
    configuration,
    rules,
    asked: null,
    cgroup: null,
    own,
    log,
    started: adoptedCommand(origin, left?.checkpoint.exit ?? null, log),
    waitedForBefore: null,
  };
}

function optionsOf(facts: RunFacts, supervision: Supervision): RunOptions {
  return {
    job: facts.job,
    instance: facts.instance,
    machine: facts.machine,
    timeoutMs: facts.limits.timeout_ms,
    idleTimeoutMs: supervision.idle_timeout_ms,
    maxOfflineMs: supervision.max_offline_ms,
    maxMemoryBytes: supervision.max_memory_bytes,
    maxCpuMs: supervision.max_cpu_ms,
    splayMs: null,
    ask: null,
    signal: supervision.signal,
    graceMs: facts.limits.grace_ms,
    wrapperDeath: supervision.wrapper_death,
    leftovers: supervision.leftovers,
    cwd: null,
    user: null,
    env: {},
    merge: false,
    quiet: true,
    detach: false,
    withoutWrapper: 'run',
    redaction:
      supervision.redact === null ? { kind: 'off' } : { kind: 'on', patterns: supervision.redact.map(patternOf) },
    spoolLimitBytes: supervision.spool_limit_bytes,
    about: facts.about ?? NO_ABOUT,
    expected: facts.expected ?? null,
    url: facts.control_plane?.url ?? null,
    tokenFile: facts.control_plane?.token_file ?? null,
    logFile: supervision.log_file,
    verbose: false,
    command: [facts.command_line],
    shellLine: facts.command_line,
  };
}

function configurationOf({ control_plane: target }: RunFacts, settings: Environment): Configuration {
  if (target === null) return { kind: 'unsupervised', why: 'it was started unsupervised' };
  const withAuthorities = target.ca_file === null ? settings : { ...settings, LEASH_CA_FILE: target.ca_file };
  return configure({ url: target.url, tokenFile: target.token_file }, withAuthorities);
}

/**
 * For a run whose end has been recorded: writes to disk what its wrapper could not write any more, and has all of it sent.
 * What it has left running stays in reach.
 */
async function finishEndedRun(
  { origin, supervision }: AdoptableRun,
  { state, directory }: RunStorage,
  inherited: InheritedOutput,
  { configuration, launch, rules, log }: LaunchedRun,
): Promise<void> {
  await writeToDisk(inherited, directory);
  if (supervision.journal !== null) removeJournal(supervision.journal);
  if (configuration.kind === 'unsupervised') return directory.release();
  const { controlPlane } = configuration;
  if (supervision.leftovers !== 'ignore' && isAnythingLeft(openProcessTree(origin))) {
    await recordTakeover(directory, { ...supervision, guardian: parentGuardian(), journal: null }, log);
    if (!(await keepReachable(directory, origin, controlPlane, rules, state, log))) return;
  } else {
    await directory.release();
  }
  await ensureFlusher(state, controlPlane, launch.environment, log);
}

function definedOnly(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
