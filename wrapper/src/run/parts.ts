/** What a run consists of once its command has been started, or could not be. */
import { MIB } from '#protocol/limits';
import type { Killing } from '#protocol/wrapper-link';
import type { Environment } from '../cli/config-file.ts';
import type { Configuration } from '../cli/control-plane.ts';
import type { RunArgs } from '../cli/run-args.ts';
import { commandLine, cutCommandLine } from '../command/command-line.ts';
import type { LaunchState } from '../command/launch-state.ts';
import type { OutputPipe } from '../command/output-pipe.ts';
import type { Started } from '../command/start-command.ts';
import { flusherCommand } from '../flush/background.ts';
import { Guardian, type LastWill } from '../guardian/guardian.ts';
import type { RunAddress } from '../link/dial.ts';
import { describeError, type Log, type OpenLog } from '../log.ts';
import { UnackedOutput } from '../output/unacked.ts';
import type { Cgroup } from '../processes/cgroup.ts';
import { type FamilyOrigin, noFamily, type ProcessFamily, processFamily } from '../processes/family.ts';
import { groupFamily } from '../processes/group-family.ts';
import { type ProcessRef, refOf } from '../processes/process-ref.ts';
import { processTable } from '../processes/process-table.ts';
import type { RedactionRules } from '../redact/redactor.ts';
import { Terminator } from '../terminate/terminator.ts';
import { describeStep } from '../words/ending.ts';
import { cookieOf } from './command-environment.ts';
import { type Ending, endByOperator } from './endings.ts';
import { Estate } from './estate.ts';
import { nameRun, newRunKey } from './identity.ts';
import type { OwnOutput } from './own-output.ts';
import { ownProgram } from './own-program.ts';
import { RunRecord } from './record.ts';
import { redactLine } from './recording.ts';
import { Uplink } from './uplink.ts';

/** What may be held in memory of the output that is not stored yet. */
const MEMORY_BYTES = 4 * MIB;

/** All that is known when the command has been started. */
export interface Birth {
  readonly args: RunArgs;
  readonly version: string;
  readonly run: string;
  readonly startedAt: Date;
  /** The run's age in ms. */
  readonly age: () => number;
  readonly launch: LaunchState;
  readonly settings: Environment;
  readonly configuration: Configuration;
  readonly rules: RedactionRules;
  readonly cgroup: Cgroup | null;
  readonly own: OwnOutput;
  readonly log: OpenLog;
  readonly started: Started;
}

export interface Parts extends Birth {
  readonly family: ProcessFamily;
  readonly guardian: Guardian | null;
  readonly output: UnackedOutput;
  readonly record: RunRecord;
  readonly terminator: Terminator;
  readonly uplink: Uplink | null;
  readonly estate: Estate;
}

/** Puts together what supervises the command. It runs meanwhile. */
export function assemble(birth: Birth): Parts {
  const { args, version, run, configuration, rules, log, started } = birth;
  const age = () => Math.round(birth.age());
  const origin = familyOrigin(birth);
  const helpers: ProcessRef[] = [];
  const family = familyOf(birth, origin, helpers);
  const guardian = startGuardian(birth, origin, helpers);
  const tell = killingTeller(log);
  const onKilling = (killing: Killing) => {
    record.noteKilling(killing);
    tell(killing);
    uplink?.killing(killing);
  };
  const terminator = new Terminator(family, age, onKilling, log);
  const output = new UnackedOutput(MEMORY_BYTES, (why) =>
    log.tell(`what can't be sent can't be kept on disk for now: ${why}`),
  );
  const record = new RunRecord(
    {
      run,
      run_key: newRunKey(),
      pid: started.kind === 'running' ? started.pid : null,
      command: cutCommandLine(redactLine(rules, args.shellLine ?? commandLine(args.command))),
      version,
      limits: { timeout_ms: args.timeoutMs, grace_ms: args.graceMs },
    },
    output,
    age,
    () => terminator.appliedKills,
  );
  if (started.kind === 'running') log.note(`started as process ${started.pid}: ${record.facts.command}`);
  const address = addressOf(birth);
  if (configuration.kind === 'unsupervised') {
    log.tell(`running unsupervised, nobody can see or stop this run: ${configuration.why}`);
  } else if (configuration.warning !== null) {
    log.tell(configuration.warning);
  }
  const uplink = address === null ? null : openUplink(address, record, birth, { args, terminator, family, log });
  output.onReadable = () => uplink?.outputReadable();
  const estate = new Estate(birth, address, origin, record, output);
  return { ...birth, family, guardian, output, record, terminator, uplink, estate };
}

function familyOf({ started, cgroup }: Birth, origin: FamilyOrigin | null, helpers: ProcessRef[]): ProcessFamily {
  if (started.kind === 'not_started') return noFamily;
  return origin === null ? groupFamily(started.pid, cgroup) : processFamily(origin, helpers);
}

/** @returns null when there is no command, or nothing can be known of it */
function familyOrigin({ run, started, cgroup, log }: Birth): FamilyOrigin | null {
  if (started.kind === 'not_started') return null;
  // It can't have been collected yet, so there is an entry, unless the process table can't be read at all.
  const leader = refOrNull(started.pid, log);
  if (leader === null) return null;
  const pipes = [started.output.stdout, started.output.stderr].flatMap((pipe) => nameOf(pipe) ?? []);
  return { leader, cookie: cookieOf(run), pipes, cgroup: cgroup?.path ?? null };
}

function nameOf(pipe: OutputPipe | null): string | null {
  return pipe === null || pipe.readFd === null ? null : processTable.nameOfPipe(pipe.readFd);
}

/** @returns null, and a note, when the process can't be looked at */
function refOrNull(pid: number, log: Log): ProcessRef | null {
  let why = 'there is no entry of it';
  try {
    const ref = refOf(pid);
    if (ref !== null) return ref;
  } catch (error) {
    // Too many open files, most likely.
    why = describeError(error);
  }
  log.note(`process ${pid} can't be looked at: ${why}`);
  return null;
}

function startGuardian(birth: Birth, origin: FamilyOrigin | null, helpers: ProcessRef[]): Guardian | null {
  const { started, log } = birth;
  if (started.kind === 'not_started') return null;
  const { stdout, stderr } = started.output;
  const guardian = new Guardian(
    lastWill(birth, origin, started.pid),
    { stdout: stdout.readFd, stderr: stderr?.readFd ?? null },
    log,
  );
  const itself = guardian.pid === null ? null : refOrNull(guardian.pid, log);
  // In a nested run it looks like a part of the outer one, and is: but never of this.
  if (itself !== null) helpers.push(itself);
  return guardian;
}

function openUplink(address: RunAddress, record: RunRecord, { version }: Birth, ending: Ending): Uplink {
  const { log } = ending;
  log.note(
    `leash ${version}: run ${address.run} of ${address.job}, instance ${address.instance}, machine ${address.machine}`,
  );
  return new Uplink(
    async (events) => {
      // Loaded only now, so that the command has long been started before the network code is even read.
      const { Link } = await import('../link/link.ts');
      return new Link(address, record, events, log);
    },
    (kill) => endByOperator(ending, kill),
    log,
  );
}

function addressOf(birth: Birth): RunAddress | null {
  const { run, configuration } = birth;
  if (configuration.kind === 'unsupervised') return null;
  return {
    controlPlane: configuration.controlPlane,
    run,
    ...nameRun(birth),
  };
}

function lastWill({ args, run, configuration }: Birth, family: FamilyOrigin | null, pgid: number): LastWill {
  const { wrapperDeath, signal, graceMs } = args;
  return {
    kind: wrapperDeath,
    pgid,
    family,
    end: [...ownProgram(), 'orphans', '--kill', '--signal', signal, '--grace', `${graceMs}ms`, run],
    tell: configuration.kind === 'unsupervised' ? null : flusherCommand(configuration.controlPlane),
  };
}

/** Everyone who asked for the end is told each step; a person reads each once. */
function killingTeller(log: Log): (killing: Killing) => void {
  let hasToldSurvivors = false;
  return (step) => {
    const { phase, survivors } = step;
    log.note(describeStep(step));
    if (phase !== 'gone' || survivors.length === 0 || hasToldSurvivors) return;
    hasToldSurvivors = true;
    log.tell(
      `could not end ${survivors.join(', ')} (pid): still there after SIGKILL, so another user's or stuck in the kernel; see ps -o pid,user,stat,args -p ${survivors.join(',')}`,
    );
  };
}
