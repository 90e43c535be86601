/** What a run consists of once its command has been started, or could not be started. */
import type { RawExit, SkipReason } from '#protocol/run-state';
import type { Killing } from '#protocol/wrapper-link';
import type { AskingLink, ReceivedKill } from '../ask/asking-link.ts';
import type { Environment } from '../config/config-file.ts';
import type { Configuration } from '../config/control-plane.ts';
import { commandLine, cutCommandLine } from '../format/command-line.ts';
import { describeStep } from '../format/run-end.ts';
import { Guardian, type GuardianControl } from '../guardian/guardian.ts';
import { createGuardianPlan } from '../guardian/guardian-plan.ts';
import { hostFacts } from '../host/host-facts.ts';
import type { TerminatingSignal } from '../host/local-signals.ts';
import { EMPTY_CHECKPOINT, type RunCheckpoint } from '../journal/checkpoint.ts';
import { createJournal, type HeldBytes, NOTHING_HELD, type RunJournal } from '../journal/run-journal.ts';
import { Terminator } from '../kill/terminator.ts';
import { cookieOf } from '../launch/command-environment.ts';
import type { LaunchState } from '../launch/launch-state.ts';
import type { NotStarted, RunningCommand } from '../launch/start-command.ts';
import type { RunAddress } from '../link/dial.ts';
import { RunReport, type StartFacts } from '../link/run-report.ts';
import { Uplink } from '../link/uplink.ts';
import { describeError, type Log, type OpenLog } from '../logging/log.ts';
import type { OutputPipe } from '../output/output-pipe.ts';
import type { OwnOutput } from '../output/own-output.ts';
import { createUnackedOutput, type UnackedOutput } from '../output/unacked-output.ts';
import type { Cgroup } from '../processes/cgroup.ts';
import { findRelated, relatedText, withRelated } from '../processes/describe-processes.ts';
import { groupTree } from '../processes/group-tree.ts';
import { type ProcessRef, refOf } from '../processes/process-ref.ts';
import { processTable } from '../processes/process-table.ts';
import { emptyTree, openProcessTree, type ProcessTree, type ProcessTreeOrigin } from '../processes/process-tree.ts';
import type { RedactionRules } from '../redact/redactor.ts';
import { redactLine } from '../redact/redactor.ts';
import { secretValues } from '../redact/secrets.ts';
import type { Amounts } from '../usage/process-figures.ts';
import { type EndContext, endByOperator } from './end-command.ts';
import { nameRun, newRunKey } from './identity.ts';
import type { ChosenRules } from './redaction.ts';
import { reportedAbout } from './reported-about.ts';
import { createRunFacts } from './run-facts.ts';
import type { RunOptions } from './run-options.ts';
import { type NewRunFacts, RunPersistence, type StorageSource } from './run-persistence.ts';

/** A command that was started; `exited` resolves with null for a successor, which can't see how it exits. */
export interface SupervisedCommand extends Omit<RunningCommand, 'exited'> {
  readonly exited: Promise<RawExit | null>;
}

/** What a run is supervised by, which doesn't depend on its start. */
interface RunBasis {
  readonly options: RunOptions;
  readonly version: string;
  readonly run: string;
  readonly launch: LaunchState;
  readonly settings: Environment;
  readonly configuration: Configuration;
  readonly rules: RedactionRules;
  readonly own: OwnOutput;
  readonly log: OpenLog;
}

/** What is known before the command is started. */
export interface PreparedRun extends RunBasis {
  /** The command's environment. */
  readonly env: Environment;
  readonly chosen: ChosenRules;
  /** What is wrong with the settings, in lines for a person. */
  readonly problems: readonly string[];
}

/** A command that is never started. */
export interface Withheld {
  readonly kind: 'withheld';
  readonly cause:
    | { readonly kind: 'skipped'; readonly reason: SkipReason; readonly exitCode: number }
    /** While it waited. */
    | { readonly kind: 'killed'; readonly kills: readonly ReceivedKill[] }
    | { readonly kind: 'signaled'; readonly signal: TerminatingSignal };
}

/** What is known when the command has been started. */
export interface LaunchedRun extends RunBasis {
  /** The link by which it asked before its start; null: it didn't, or couldn't. */
  readonly asked: AskingLink | null;
  readonly startedAt: Date;
  /** The run's age in ms. */
  readonly age: () => number;
  readonly cgroup: Cgroup | null;
  readonly started: SupervisedCommand | NotStarted | Withheld;
  /** What this process had waited for when it had just started the command; null: it is not the command's parent. */
  readonly waitedForBefore: Amounts | null;
}

export interface RunContext extends LaunchedRun {
  readonly tree: ProcessTree;
  readonly guardian: GuardianControl | null;
  readonly output: UnackedOutput;
  readonly record: RunReport;
  readonly terminator: Terminator;
  readonly uplink: Uplink | null;
  readonly persistence: RunPersistence;
  readonly journal: RunJournal | null;
  /** What a killed wrapper had read and not recorded, because it might become a secret. */
  readonly heldBack: HeldBytes;
}

/** What a successor has from the wrapper that was killed. */
export interface InheritedState {
  readonly startFacts: StartFacts;
  readonly origin: ProcessTreeOrigin;
  readonly guardian: GuardianControl;
  readonly journal: RunJournal | null;
  readonly checkpoint: RunCheckpoint;
  readonly heldBack: HeldBytes;
  readonly output: UnackedOutput;
  readonly storage: StorageSource;
}

/** Creates what supervises the command, which already runs. */
export function createRunContext(launched: LaunchedRun): RunContext {
  const { log, started } = launched;
  const origin = treeOrigin(launched);
  const startFacts = {
    ...(launched.asked?.facts ?? createStartFacts(launched)),
    pid: started.kind === 'running' ? started.pid : null,
  };
  const address = addressOf(launched);
  const self = tryRefOf(process.pid, log);
  const journal = origin === null || address === null ? null : createJournal(origin.leader, log);
  const facts = createRunFacts(launched, address, origin, startFacts, journal?.path ?? null);
  const helpers: ProcessRef[] = [];
  const guardian = startGuardianOfNewRun(launched, { ...facts, wrapper: self }, helpers);
  const output = createUnackedOutput(log);
  if (journal !== null) output.useJournal(journal.output);
  if (started.kind === 'running') log.info(`started as process ${started.pid}: ${startFacts.command_line}`);
  return wireContext(launched, address, {
    startFacts,
    tree: treeOf(launched, origin, helpers),
    guardian,
    journal,
    checkpoint: EMPTY_CHECKPOINT,
    heldBack: NOTHING_HELD,
    output,
    storage: { kind: 'new', facts: withGuardian(facts, helpers) },
  });
}

/** The same for the successor of a killed wrapper. */
export function createAdoptedRunContext(launched: LaunchedRun, inherited: InheritedState): RunContext {
  return wireContext(launched, addressOf(launched), { ...inherited, tree: openProcessTree(inherited.origin) });
}

/** What is reported of a run's start, as far as it doesn't depend on the start. */
export function createStartFacts({ options, version, run, rules }: RunBasis): StartFacts {
  return {
    run,
    run_key: newRunKey(),
    pid: null,
    command_line: cutCommandLine(redactLine(rules, options.shellLine ?? commandLine(options.command))),
    ...(options.expected !== null && { expected: options.expected }),
    version,
    limits: { timeout_ms: options.timeoutMs, grace_ms: options.graceMs, signal: options.signal },
    host: hostFacts(options.user),
    ...reportedAbout(options.about, rules),
  };
}

interface ContextParts extends Omit<InheritedState, 'origin' | 'guardian'> {
  readonly tree: ProcessTree;
  readonly guardian: GuardianControl | null;
}

function wireContext(
  launched: LaunchedRun,
  address: RunAddress | null,
  { startFacts, tree, guardian, journal, checkpoint, heldBack, output, storage }: ContextParts,
): RunContext {
  const { options, configuration, started, log } = launched;
  const age = () => Math.round(launched.age());
  const logKilling = killingLogger(log);
  const onKilling = (step: Killing) => {
    const killing = withRelated(step, findRelated(tree, launched.rules, log));
    record.recordKilling(killing);
    // Before it is sent: the control plane doesn't repeat a kill that was answered, so a successor must know of it.
    saveCheckpoint(journal, terminator, record);
    uplink?.killing(terminator.withTiming(killing));
    logKilling(killing);
  };
  const terminator = new Terminator(tree, age, onKilling, log, checkpoint.termination);
  const record = new RunReport(startFacts, output, age, () => terminator.appliedKills);
  record.exit = checkpoint.exit;
  for (const step of checkpoint.unreported_steps) record.recordKilling(step);
  if (configuration.kind === 'unsupervised' && started.kind !== 'withheld') {
    log.warn(`running unsupervised, this run can't be seen or stopped: ${configuration.why}`);
  } else if (configuration.kind === 'supervised' && configuration.warning !== null) {
    log.warn(configuration.warning);
  }
  const uplink = address === null ? null : openUplink(address, record, launched, { options, terminator, tree, log });
  output.onReadable = () => uplink?.outputReadable();
  const persistence = new RunPersistence(launched, address, storage, record, output);
  if (uplink !== null) {
    uplink.onOutputLimit = (bytes) => persistence.useOutputLimit(bytes);
    uplink.onPaced = (intervalMs) => output.paced(intervalMs);
  }
  return { ...launched, tree, guardian, output, record, terminator, uplink, persistence, journal, heldBack };
}

/** Saves how far the run is, for a successor. */
export function saveCheckpoint(journal: RunJournal | null, { termination }: Terminator, record: RunReport): void {
  journal?.saveCheckpoint({ termination, exit: record.exit, unreported_steps: record.unreportedSteps });
}

/** Names the guardian, so that no other process takes the run over before its successor. */
function withGuardian(facts: NewRunFacts, [guardian = null]: readonly (ProcessRef | null)[]): NewRunFacts {
  return { ...facts, supervision: { ...facts.supervision, guardian } };
}

function treeOf(
  { started, cgroup }: LaunchedRun,
  origin: ProcessTreeOrigin | null,
  helpers: ProcessRef[],
): ProcessTree {
  if (started.kind === 'not_started') return emptyTree;
  // What has not been started has not exited either, so that a kill is applied.
  if (started.kind === 'withheld') return { ...emptyTree, leaderHasExited: () => false };
  return origin === null ? groupTree(started.pid, cgroup, started.exited) : openProcessTree(origin, helpers);
}

/** @returns null when there is no command, or the process table can't be read */
function treeOrigin({ run, started, cgroup, log }: LaunchedRun): ProcessTreeOrigin | null {
  if (started.kind !== 'running') return null;
  // Its exit can't have been collected yet, so there is an entry, unless the process table can't be read at all.
  const leader = tryRefOf(started.pid, log);
  if (leader === null) return null;
  const pipes = [started.output.stdout, started.output.stderr].flatMap((pipe) => nameOf(pipe) ?? []);
  return { leader, cookie: cookieOf(run), pipes, cgroup: cgroup?.path ?? null };
}

function nameOf(pipe: OutputPipe | null): string | null {
  return pipe === null || pipe.readFd === null ? null : processTable.nameOfPipe(pipe.readFd);
}

/** @returns null, and logs why, when the process can't be looked at */
function tryRefOf(pid: number, log: Log): ProcessRef | null {
  let why = 'it is not in the process table';
  try {
    const ref = refOf(pid);
    if (ref !== null) return ref;
  } catch (error) {
    // Too many open files, most likely.
    why = describeError(error);
  }
  log.info(`cannot inspect process ${pid}: ${why}`);
  return null;
}

function startGuardianOfNewRun(
  launched: LaunchedRun,
  facts: Parameters<typeof createGuardianPlan>[0],
  helpers: ProcessRef[],
): Guardian | null {
  const { options, started, log } = launched;
  if (started.kind !== 'running') return null;
  const { stdout, stderr } = started.output;
  const isSecret = ([name, value]: [string, string]) => secretValues({ [name]: value }).length > 0;
  const secrets = Object.fromEntries(Object.entries(options.env).filter(isSecret));
  const guardian = new Guardian(
    createGuardianPlan(facts, started.pid, secrets),
    { stdout: stdout.readFd, stderr: stderr?.readFd ?? null },
    log,
  );
  const itself = guardian.pid === null ? null : tryRefOf(guardian.pid, log);
  // In a nested run it looks like a part of the outer run, and is one; but it is never a part of this run.
  if (itself !== null) helpers.push(itself);
  return guardian;
}

function openUplink(
  address: RunAddress,
  record: RunReport,
  { version, asked, started }: LaunchedRun,
  ending: EndContext,
): Uplink {
  const { log } = ending;
  log.info(
    `leash ${version}: run ${address.run} of ${address.job}, instance ${address.instance}, machine ${address.machine}`,
  );
  return new Uplink(
    async (events) => {
      if (asked !== null) return asked.handOver(record, events, started.kind === 'running');
      // Loaded only now, so that the command has long been started before the network code is even read.
      const { Link } = await import('../link/link.ts');
      return new Link(address, record, events, log);
    },
    (kill, receivedAt) => endByOperator(ending, kill, receivedAt),
    log,
  );
}

/** @returns null for an unsupervised run */
export function addressOf(launched: RunBasis & Pick<LaunchedRun, 'startedAt'>): RunAddress | null {
  const { run, configuration } = launched;
  if (configuration.kind === 'unsupervised') return null;
  return {
    controlPlane: configuration.controlPlane,
    run,
    ...nameRun(launched),
  };
}

/** Each request gets each step; a person reads each step once. */
function killingLogger(log: Log): (killing: Killing) => void {
  let hasWarned = false;
  return (step) => {
    const { phase, survivors, related = [] } = step;
    log.info(describeStep(step));
    if (phase !== 'gone' || hasWarned) return;
    hasWarned = true;
    const alone = related.map(relatedText);
    if (alone.length > 0) log.warn(`related, not killed: ${alone.join(', ')}`);
    if (survivors.length === 0) return;
    log.warn(
      `could not end pid ${survivors.join(', ')}: still running after SIGKILL, so another user's or stuck in the kernel; see ps -o pid,user,stat,args -p ${survivors.join(',')}`,
    );
  };
}
