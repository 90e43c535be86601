/** One round of chaos: plays the schedule of a seed, heals everything, and checks what has come of it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '../../scripts/local/api-client.ts';
import { signalGroup } from '../../scripts/local/process-group.ts';
import type { TestEnvironment } from '../support/test-environment.ts';
import { Alerts } from './alerts.ts';
import { Brakes } from './brakes.ts';
import { GoneCheck } from './checks/gone.ts';
import { whyNot } from './disk.ts';
import { Machine } from './machine.ts';
import { Operator } from './operator.ts';
import { listedKills } from './reported-run.ts';
import { RoundLog } from './round-log.ts';
import { ChaosRun } from './run.ts';
import { type Action, JOBS, MACHINES, type Schedule } from './schedule.ts';

/** How long a crash waits for an alert to be sent: there may be none. */
const DELIVERY_MS = 4_000;

/** How often it is looked whether a kill says `gone`. */
const LOOK_EVERY_MS = 700;

export interface Counts {
  runs: number;
  kills: number;
  restarts: number;
  cuts: number;
}

export class Round {
  readonly schedule: Schedule;
  readonly environment: TestEnvironment;
  readonly log = new RoundLog();
  readonly jobs: readonly string[];
  readonly machines: readonly Machine[];
  readonly runs: readonly ChaosRun[];
  readonly api: ApiClient;
  readonly operator: Operator;
  readonly brakes: Brakes;
  readonly alerts: Alerts;
  /** A job that has run once, and does not come again when it is due. */
  readonly expected: string;
  readonly gone: GoneCheck;
  /** Files of its runs, other than what their machines have. */
  readonly directory: string;
  readonly counts: Counts = { runs: 0, kills: 0, restarts: 0, cuts: 0 };
  /** What could not be done here. */
  readonly skipped = new Set<string>();
  #controlPlane = Promise.resolve();

  private constructor(
    environment: TestEnvironment,
    schedule: Schedule,
    parts: Pick<Round, 'jobs' | 'machines' | 'runs' | 'api' | 'alerts' | 'expected' | 'directory'>,
  ) {
    this.environment = environment;
    this.schedule = schedule;
    this.jobs = parts.jobs;
    this.machines = parts.machines;
    this.runs = parts.runs;
    this.api = parts.api;
    this.alerts = parts.alerts;
    this.expected = parts.expected;
    this.alerts.receiver.onMessage = ({ id, alert, kind }) => this.log.write(`alert ${id} of ${alert.name}: ${kind}`);
    this.directory = parts.directory;
    const machines = this.machines.map(({ name }) => name);
    this.operator = new Operator(this.api, this.log, { runs: this.runs, jobs: this.jobs, machines });
    this.brakes = new Brakes(this.api, this.log, { jobs: this.jobs, machines });
    this.gone = new GoneCheck(this.runs, this.log);
  }

  static async create(environment: TestEnvironment, schedule: Schedule, clockLibrary: string | null): Promise<Round> {
    const { seed } = schedule;
    const directory = join(environment.directory, `round-${seed}`);
    await mkdir(directory);
    const jobs = Array.from({ length: JOBS }, (_, index) => `chaos-${seed}-${index}`);
    const machines: Machine[] = [];
    for (let index = 0; index < MACHINES; index += 1)
      machines.push(await Machine.create(environment, `m${index}-${seed}.example.com`, clockLibrary));
    const expected = `chaos-${seed}-expected`;
    await expectRuns(environment, expected, machines);
    const runs = schedule.runs.map((plan) => {
      const [machine, job] = [machines[plan.machine], jobs[plan.job]];
      if (machine === undefined || job === undefined) throw new Error('a run has a machine and a job');
      return new ChaosRun(plan, machine, {
        job,
        instance: `run-${plan.index}`,
        tag: `chaos-${seed}-${plan.index}`,
        directory,
      });
    });
    // One of its own: kills are counted by token.
    const { secret } = await environment.admin.createToken({ name: `operator-${seed}`, scopes: ['read', 'kill'] });
    return new Round(environment, schedule, {
      jobs,
      machines,
      runs,
      api: new ApiClient(environment.url, secret),
      alerts: await Alerts.create(
        environment.admin,
        runs.map(({ tag }) => tag),
        expected,
      ),
      expected,
      directory,
    });
  }

  /** Starts the runs and does everything that is planned; each trouble ends by itself. */
  async play(): Promise<void> {
    const since = performance.now();
    const until = (atMs: number) => sleep(Math.max(0, since + atMs - performance.now()));
    const starts = this.runs.map(async (run) => {
      await until(run.plan.atMs);
      run.start(this.environment);
      this.counts.runs += 1;
      this.log.write(`${run.name} starts: ${run.job} on ${run.machine.name}`);
    });
    const actions = this.schedule.actions.map(async (action) => {
      await until(action.atMs);
      await this.#act(action);
    });
    const watch = new AbortController();
    const watching = this.#watchKills(watch.signal);
    // All of them, whatever becomes of one: none may go on into the next round.
    const done = await Promise.allSettled([...starts, ...actions]);
    watch.abort();
    await watching;
    for (const each of done) if (each.status === 'rejected') throw each.reason;
  }

  /** All kills of the round, from the index; looks whether what they say is true. */
  async kills() {
    const kills = (await Promise.all(this.jobs.map((job) => listedKills(this.api, job)))).flat();
    this.gone.look(kills);
    return kills;
  }

  async end(): Promise<void> {
    await this.alerts.end();
    await this.environment.clear();
    for (const { disk } of this.machines) await disk.remove();
  }

  async #watchKills(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // It may be away.
      await this.kills().catch(() => null);
      await sleep(LOOK_EVERY_MS);
    }
  }

  async #act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'crash':
        return this.#crash(action);
      case 'freeze':
        return this.#freeze(action.forMs);
      case 'link':
        return this.#troubleLink(action);
      case 'disk':
        return this.#troubleDisk(action);
      case 'clock':
        return this.#moveClock(action);
      case 'kill':
        return this.operator.kill(action);
      case 'receiver':
        return this.#troubleReceiver(action);
      case 'brake':
        return this.brakes.set(action);
      case 'kill_wrapper':
      case 'stop_wrapper':
      case 'signal_command':
        return this.#hit(action);
    }
  }

  /** One thing at a time happens to the control plane. */
  #crash({ forMs, isInDelivery }: Extract<Action, { kind: 'crash' }>): Promise<void> {
    const { receiver } = this.alerts;
    this.#controlPlane = this.#controlPlane.then(async () => {
      if (isInDelivery) {
        receiver.begin('hangs');
        await Promise.race([receiver.heldOne(), sleep(DELIVERY_MS)]);
      }
      await this.environment.crash();
      if (isInDelivery) receiver.mend();
      this.log.write('the control plane has crashed');
      await sleep(forMs);
      await this.environment.restart();
      this.counts.restarts += 1;
      this.log.write('the control plane is back');
    });
    return this.#controlPlane;
  }

  #freeze(forMs: number): Promise<void> {
    this.#controlPlane = this.#controlPlane.then(async () => {
      const { group } = this.environment.controlPlane;
      signalGroup(group, 'SIGSTOP');
      this.log.write('the control plane is stopped');
      await sleep(forMs);
      signalGroup(group, 'SIGCONT');
      this.log.write('the control plane goes on');
    });
    return this.#controlPlane;
  }

  async #troubleLink({ machine: index, condition, forMs }: Extract<Action, { kind: 'link' }>): Promise<void> {
    const machine = this.#machine(index);
    machine.setLinkCondition(condition);
    this.counts.cuts += 1;
    this.log.write(`the link of ${machine.name} is ${condition}`);
    await sleep(forMs);
    machine.setLinkCondition('open');
    this.log.write(`the link of ${machine.name} is open again`);
  }

  async #troubleDisk({ machine: index, trouble, forMs }: Extract<Action, { kind: 'disk' }>): Promise<void> {
    const { name, disk } = this.#machine(index);
    const why = whyNot(trouble);
    if (why !== null) {
      this.skipped.add(`disks were never ${trouble}: ${why}`);
      return;
    }
    await disk.begin(trouble);
    this.log.write(`the disk of ${name} is ${trouble}`);
    await sleep(forMs);
    await disk.mend();
    this.log.write(`the disk of ${name} is well again`);
  }

  async #troubleReceiver({ trouble, forMs }: Extract<Action, { kind: 'receiver' }>): Promise<void> {
    const { receiver } = this.alerts;
    receiver.begin(trouble);
    this.log.write(`the receiver of alerts ${trouble}`);
    await sleep(forMs);
    receiver.mend();
    this.log.write('the receiver of alerts is well again');
  }

  async #moveClock({ machine: index, byMs }: Extract<Action, { kind: 'clock' }>): Promise<void> {
    const { name, clock } = this.#machine(index);
    if (clock === null) {
      this.skipped.add('clocks were never moved: there is no C compiler, or what it makes can not be preloaded');
      return;
    }
    clock.move(byMs);
    this.log.write(`the clock of ${name} jumps by ${byMs} ms`);
  }

  async #hit(action: Extract<Action, { kind: 'kill_wrapper' | 'stop_wrapper' | 'signal_command' }>): Promise<void> {
    const run = this.runs[action.run];
    if (run === undefined) throw new Error(`there is no run ${action.run}`);
    if (action.kind === 'kill_wrapper') {
      if (await run.killWrapper()) this.log.write(`the wrapper of ${run.name} gets SIGKILL`);
    } else if (action.kind === 'signal_command') {
      if (await run.signalCommand(action.signal)) this.log.write(`the command of ${run.name} gets ${action.signal}`);
    } else if (await run.signalWrapper('SIGSTOP')) {
      this.log.write(`the wrapper of ${run.name} is stopped`);
      await sleep(action.forMs);
      if (await run.signalWrapper('SIGCONT')) this.log.write(`the wrapper of ${run.name} goes on`);
    }
  }

  #machine(index: number): Machine {
    const machine = this.machines[index];
    if (machine === undefined) throw new Error(`there is no machine ${index}`);
    return machine;
  }
}

/** Has a job run once, and again in ten seconds: what is to notice that it does not come lives through the troubles. */
async function expectRuns(environment: TestEnvironment, job: string, [machine]: readonly Machine[]): Promise<void> {
  if (machine === undefined) throw new Error('there are machines');
  environment.wrapper({
    job,
    machine: machine.name,
    url: machine.link.url,
    flags: ['--every', '10s', '--late-after', '1s'],
    command: ['true'],
    env: machine.environment,
  });
  await environment.runOf(job, ({ final }) => final);
}
