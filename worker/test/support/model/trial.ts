/** One sequence of steps, applied to a real job and to the model of it, and compared. */
import { expect, vi } from 'vitest';
import type { Kill, Run } from '#protocol/api';
import type { StandingOrder } from '#protocol/brakes';
import type { Expectation } from '#protocol/expectations';
import { KILL_PHASES } from '#protocol/kill';
import { withTimeout } from '#shared/with-timeout';
import { WAIT_LIMIT_MS } from '#testing/patience';
import {
  completeMessage,
  killingMessage,
  outputFrame,
  type StartMessage,
  startMessage,
} from '#testing/wrapper-messages';
import { EXPECTED, type ExpectedName, expecting, type ModelExpectation } from './expectations.ts';
import {
  current,
  KILL_LIFE_MS,
  Model,
  type ModelKill,
  type ModelOrder,
  type ModelRun,
  type ModelSocket,
} from './model.ts';
import { d1, RealJob, type RealSocket } from './real-job.ts';
import type { Step, StepOf } from './steps.ts';

const KEY = 'a'.repeat(32);
/** How long a kill's idempotency key is known. */
const KEY_MS = 24 * 60 * 60 * 1000 - 1;
const LEFT = [
  { pid: 4711, command_line: 'sleep 1000' },
  { pid: 4712, command_line: 'sleep 2000' },
];
let ids = 0;

/** Applies the steps, one after the other, and compares after each that had an effect. */
export async function runTrial(name: string, steps: readonly Step[]): Promise<void> {
  const trial = new Trial(name);
  for (const step of steps) {
    const before = trial.calls;
    await withTimeout(trial.runStep(step), WAIT_LIMIT_MS, { what: step.kind });
    await withTimeout(trial.settle(), WAIT_LIMIT_MS, { what: 'what is due at once' });
    if (trial.calls > before) await withTimeout(trial.compare(), WAIT_LIMIT_MS, { what: 'the comparison' });
  }
  await withTimeout(trial.finish(), WAIT_LIMIT_MS, { what: 'the end' });
}

class Trial {
  readonly #job: RealJob;
  readonly #model: Model;
  readonly #sockets = new Map<ModelSocket, RealSocket>();
  /** What was printed, by run. */
  readonly #printed = new Map<string, string>();
  #lastBrake: { readonly order: ModelOrder; readonly machine: string } | null = null;

  constructor(name: string) {
    d1.job = name;
    d1.away = false;
    d1.wasCalled = false;
    d1.refused = false;
    d1.changes = [];
    d1.told = new Set();
    d1.queue = [];
    d1.holdsKills = false;
    this.#job = new RealJob(name);
    this.#model = new Model(Date.now(), [
      { id: newId(), instance: 'i1', machine: 'm1' },
      { id: newId(), instance: 'i1', machine: 'm2' },
      { id: newId(), instance: 'i2', machine: 'm1' },
    ]);
  }

  /** How often the object was called: a step may find nothing to do. */
  get calls(): number {
    return this.#job.calls;
  }

  async runStep(step: Step): Promise<void> {
    this.#model.d1 = { away: d1.away, refused: d1.refused };
    switch (step.kind) {
      case 'connect':
        return this.#connect(step);
      case 'begin':
        return this.#begin(step);
      case 'output':
        return this.#output(step);
      case 'alive':
        return this.#send(this.#run(step.run), { type: 'alive' }, (run, socket) => this.#model.alive(run, socket));
      case 'killing':
        return this.#killing(step);
      case 'complete':
        return this.#complete(step);
      case 'leftRunning':
        return this.#leftRunning(step);
      case 'kill':
        return this.#kill(step);
      case 'enforce':
        return this.#enforce(step);
      case 'push':
        return this.#pushAgain(step);
      case 'repeat':
        return this.#repeat(step);
      case 'disconnect':
        return this.#disconnect(step);
      case 'lateFrame':
        return this.#lateFrame(step);
      case 'connectSilently':
        await this.#connectSocket(null);
        return;
      case 'wrongKey':
        return this.#wrongKey(step);
      case 'expect':
        return this.#expect(step);
      case 'unexpect':
        return this.#unexpect(step);
      case 'passTime':
        return this.#passTime(step.ms);
      case 'passTimeToLook': {
        const lookAt = this.#model.expectations.nextLook(this.#model.now);
        if (lookAt !== null) await this.#passTime(lookAt - this.#model.now);
        return;
      }
      case 'hibernate':
        return this.#replaceObject('sleep');
      case 'restart':
        return this.#replaceObject(step.crash ? 'crash' : 'away');
      case 'd1':
        return this.#d1(step.away);
      case 'sweep':
        return this.#sweep();
    }
  }

  // --- wrappers ---

  async #connect(step: StepOf<'connect'>): Promise<void> {
    const run = this.#run(step.run);
    const phase = phaseOf(run, step);
    const ageMs = phase === 'waiting' ? 0 : step.ageMs;
    if (!run.known && (phase === 'waiting' || (step.asksLate && phase !== 'abandoned'))) {
      run.question = { overlap: step.overlap, scope: step.scope };
    }
    const orders = step.orders.map((kills) => this.#order(kills, step.heldMs));
    const socket = await this.#connectSocket(run, orders);
    const to = run.outputEnd + 3;
    const frame = startFrame(run, KEY, phase, ageMs, to, step);
    this.#model.start(run, socket, { ...step, phase, ageMs }, to);
    await this.#job.deliver(run.id, null, frame);
    await this.#afterDrain();
  }

  async #begin({ run: place, ageMs }: StepOf<'begin'>): Promise<void> {
    const run = this.#run(place);
    const socket = current(run);
    // One that was told not to start, or was killed before, does not.
    if (socket === null || run.question === null || run.begun || run.refusal !== null || run.final) return;
    if (socket.isKeeper) return;
    const frame = startFrame(run, KEY, 'running', ageMs, run.outputEnd + 3, run);
    this.#model.beginOnLink(run, socket, ageMs);
    await this.#job.deliver(run.id, socket.generation, frame);
  }

  async #output({ run: place, from, length, lost }: StepOf<'output'>): Promise<void> {
    const run = this.#run(place);
    const socket = current(run);
    if (socket === null) return;
    const start = Math.max(0, run.outputEnd + from);
    const end = start + length;
    const taken = this.#model.output(run, socket, start, end, lost);
    const printed = this.#printed.get(run.id) ?? '';
    if (taken !== null) this.#printed.set(run.id, printed + (lost ? '_'.repeat(end - taken) : text(taken, end)));
    const frame = lost ? JSON.stringify({ type: 'gap', from: start, to: end }) : printedFrame(start, text(start, end));
    await this.#job.deliver(run.id, socket.generation, frame);
  }

  async #killing({ run: place, which, phase, sent }: StepOf<'killing'>): Promise<void> {
    const run = this.#run(place);
    const kill = run.received[which] ?? null;
    // A wrapper reports its current phase, and that never goes back.
    if (kill !== null) {
      const before = run.applied.get(kill);
      if (before !== undefined && KILL_PHASES.indexOf(before) >= KILL_PHASES.indexOf(phase) && sent) return;
      if (before === undefined || KILL_PHASES.indexOf(before) < KILL_PHASES.indexOf(phase))
        run.applied.set(kill, phase);
    }
    if (!sent) return;
    await this.#send(run, killingMessage(kill, phase), (known, socket) =>
      this.#model.killing(known, socket, kill, phase),
    );
  }

  async #complete(step: StepOf<'complete'>): Promise<void> {
    const { reason, owed, left } = step;
    const run = this.#run(step.run);
    const finalOffset = run.outputEnd + owed;
    const message = completeMessage({
      exit_code: { exited: 0, operator: 143, timeout: 124, overlap: 75 }[reason],
      command_exit_code: reason === 'exited' ? 0 : null,
      signal: null,
      reason,
      final_offset: finalOffset,
      duration_ms: this.#model.now - run.startedAt,
      applied_kills: appliedKills(run),
      left_running: LEFT.slice(0, left),
    });
    await this.#send(run, message, (known, socket) => this.#model.complete(known, socket, step, finalOffset));
  }

  async #leftRunning({ run, count }: StepOf<'leftRunning'>): Promise<void> {
    const message = { type: 'left_running', processes: LEFT.slice(0, count) };
    await this.#send(this.#run(run), message, (known, socket) => this.#model.leftRunning(known, socket, count));
  }

  async #send(run: ModelRun, message: object, expect: (run: ModelRun, socket: ModelSocket) => void): Promise<void> {
    const socket = current(run);
    if (socket === null) return;
    expect(run, socket);
    await this.#job.deliver(run.id, socket.generation, JSON.stringify(message));
  }

  async #disconnect({ run: place }: StepOf<'disconnect'>): Promise<void> {
    const run = this.#run(place);
    const socket = current(run);
    if (socket === null) return;
    this.#real(socket).close();
    await this.#job.socketClosed(run.id, socket.generation ?? 0);
    this.#model.disconnected(run, socket);
  }

  async #lateFrame({ run: place, frame }: StepOf<'lateFrame'>): Promise<void> {
    const run = this.#run(place);
    const socket = run.sockets.find(
      ({ open, generation }) => !open && generation !== null && generation < run.generation,
    );
    if (socket === undefined) return;
    const complete = completeMessage({ exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' });
    const frames = {
      output: printedFrame(run.outputEnd, 'stale'),
      complete: JSON.stringify(complete),
      start: startFrame(run, KEY, 'running', 0, 0),
    };
    await this.#job.deliver(run.id, socket.generation, frames[frame]);
  }

  async #wrongKey({ run: place }: StepOf<'wrongKey'>): Promise<void> {
    const run = this.#run(place);
    if (!run.known) return;
    const socket = await this.#connectSocket(run);
    this.#model.wrongKey(socket);
    await this.#job.deliver(run.id, null, startFrame(run, 'b'.repeat(32), 'running', 0, 0));
    // It was never one of the run's sockets.
    await this.#compareSocket(socket, await this.#job.sendMarker());
    run.sockets.splice(run.sockets.indexOf(socket), 1);
    this.#real(socket).close();
    await this.#job.socketClosed(run.id, null);
  }

  async #connectSocket(run: ModelRun | null, orders: readonly ModelOrder[] = []): Promise<ModelSocket> {
    const mute = { id: '00000000000000000000000000', instance: 'i1', machine: 'm1' };
    const real = await this.#job.connect(run ?? mute, orders.map(standing));
    const socket = this.#model.connect(run, orders);
    this.#sockets.set(socket, real);
    return socket;
  }

  // --- operators ---

  async #kill({ run, instance, machine, signal, reaches }: StepOf<'kill'>): Promise<void> {
    const kill: ModelKill = {
      id: newId(),
      run: run === null ? null : this.#run(run).id,
      instance,
      machine,
      signal,
      requestedAt: this.#model.now,
      expiresAt: this.#model.now + KILL_LIFE_MS,
      accepted: false,
      madeFor: null,
      isTakenAlone: d1.away,
      state: 'queued',
      targets: [],
    };
    if (d1.away) {
      // Only the object may take it. If it doesn't, the call fails: nothing was promised.
      if (reaches === 'nothing') return;
      if (await this.#offer(kill)) this.#model.kills.push(kill);
      return;
    }
    this.#model.kills.push(kill);
    this.#job.enqueue(queued(this.#job.name, kill));
    const isTaken = reaches === 'offered' && (await this.#offer(kill));
    if (reaches !== 'nothing' && !isTaken) await this.#push(kill);
  }

  async #offer(kill: ModelKill): Promise<boolean> {
    const isTaken = this.#model.offer(kill);
    expect(await this.#job.offer(queued(this.#job.name, kill), kill.id)).toBe(isTaken ? 'taken' : 'passed');
    return isTaken;
  }

  #order(kills: boolean, heldMs: number): ModelOrder {
    return { id: newId(), kills, until: this.#model.now + heldMs };
  }

  async #enforce({ kills, machine, heldMs, again }: StepOf<'enforce'>): Promise<void> {
    const brake = (again ? this.#lastBrake : null) ?? { order: this.#order(kills, heldMs), machine };
    this.#lastBrake = brake;
    this.#model.enforce(brake.order, brake.machine);
    await this.#job.enforce({ order: standing(brake.order), machines: [brake.machine] });
    await this.#afterDrain();
  }

  /** Whatever D1 makes of it, the object knows the call. */
  async #repeat({ which }: StepOf<'repeat'>): Promise<void> {
    const kill = this.#model.kills[which];
    if (kill === undefined || !kill.isTakenAlone || this.#model.now - kill.requestedAt > KEY_MS) return;
    const again = { ...queued(this.#job.name, kill), id: newId() };
    if (!d1.away) this.#job.enqueue(again, kill.id);
    expect(await this.#job.offer(again, kill.id)).toBe('repeated');
  }

  async #pushAgain({ which }: StepOf<'push'>): Promise<void> {
    const kill = this.#model.kills[which];
    if (kill !== undefined) await this.#push(kill);
  }

  async #push(kill: ModelKill): Promise<void> {
    this.#model.accept(kill);
    await this.#job.withObject((object) => void object.acceptKills([queued(this.#job.name, kill)]));
  }

  async #expect({ machine, expected }: StepOf<'expect'>): Promise<void> {
    const { isImpossible = false, sent } = EXPECTED[expected];
    const isJobKnown = this.#model.runs.some(({ known }) => known);
    const answer = await this.#job.withObject((object) => object.setExpectation(machine, sent));
    if (!isJobKnown || isImpossible) {
      expect(answer.kind).toBe(isJobKnown ? 'refused' : 'unknown_job');
      return;
    }
    expect(answer.kind).toBe('set');
    this.#model.expect(machine, expected);
  }

  async #unexpect({ machine }: StepOf<'unexpect'>): Promise<void> {
    const isKnown = this.#model.expectations.list().some((each) => each.machine === machine);
    expect(await this.#job.withObject((object) => object.removeExpectation(machine))).toBe(isKnown);
    this.#model.expectations.remove(machine);
  }

  // --- time, the object, and D1 ---

  /** The alarm fires at once for what is due at once. */
  async settle(): Promise<void> {
    if (this.#model.settle()) await this.#passTime(0);
    this.#model.settle();
  }

  async #passTime(ms: number): Promise<void> {
    if (d1.away || d1.refused) await this.#job.outboxSettled();
    this.#model.d1.refused = d1.refused;
    vi.setSystemTime(Date.now() + ms);
    this.#model.now = Date.now();
    this.#model.fireAlarm();
    await this.#job.fireAlarm();
    await this.#job.looked();
    await this.#afterDrain();
  }

  async #replaceObject(how: 'sleep' | 'away' | 'crash'): Promise<void> {
    await this.#job.outboxSettled();
    if (how !== 'crash') {
      if (how === 'away') await this.#job.closeSockets();
      for (const [socket, real] of this.#sockets) {
        if (how === 'sleep' && socket.open) continue;
        await real.ended();
        real.close();
        this.#sockets.delete(socket);
      }
      await this.#job.allSocketsClosed();
    }
    await this.#job.replaceObject(how === 'crash' ? 'crashed' : 'evicted');
    this.#model.objectReplaced(how === 'sleep');
    if (how !== 'sleep') this.#sockets.clear();
  }

  async #d1(away: boolean): Promise<void> {
    await this.#job.outboxSettled();
    d1.away = away;
  }

  async #sweep(): Promise<void> {
    await this.#job.outboxSettled();
    // Whether a change is accepted during the drain decides what follows: either is correct, and the model is simple.
    if (d1.refused && !d1.away) return;
    this.#model.d1.refused = d1.refused;
    this.#model.sweep();
    await this.#job.withObject((object) => object.reconcile());
    await this.#afterDrain();
  }

  async #afterDrain(): Promise<void> {
    await this.#job.d1Answered();
    this.#model.finishDrain();
  }

  // --- what is compared ---

  /** The ids of the kills that the object has made are known to it alone. */
  async #nameKills(): Promise<void> {
    for (const kill of this.#model.kills) {
      if (kill.madeFor === null || kill.run === null || !kill.id.startsWith('by ')) continue;
      const id = await this.#job.killFor(kill.madeFor, kill.run);
      if (id !== null) this.#model.nameKill(kill, id);
    }
  }

  async compare(): Promise<void> {
    await this.#nameKills();
    const { runs, kills } = this.#model;
    const seen = await this.#job.look(
      runs.map(({ id }) => id),
      kills.map(({ id }) => id),
    );
    expect(seen.runs.map((run) => run && pick(run))).toEqual(runs.map((run) => (run.known ? expectedRun(run) : null)));
    expect(seen.events).toEqual(runs.map(({ events }) => events));
    expect(seen.expectations.map(pickExpectation)).toEqual(this.#model.expectations.list().map(expectedExpectation));
    expect(seen.kills.map((kill) => kill && { state: kill.state, targets: kill.targets.map(pickTarget) })).toEqual(
      kills.map((kill) => (kill.accepted ? this.#expectedKill(kill) : null)),
    );
    for (const socket of this.#sockets.keys()) await this.#compareSocket(socket, seen.marker);
  }

  async #compareSocket(socket: ModelSocket, marker: number): Promise<void> {
    const real = this.#real(socket);
    await real.receivedUpTo(marker);
    // A peer that closes first receives nothing more, or the echo of the close.
    const said =
      socket.open || socket.expected.at(-1)?.startsWith('close')
        ? real.received
        : real.received.slice(0, socket.expected.length);
    expect(said).toEqual(socket.expected);
  }

  #expectedKill({ state, targets }: ModelKill) {
    const shown = targets.map(({ run, state: target }) => ({ run, state: target, exit_code: this.#exitCodeOf(run) }));
    return { state, targets: shown.sort((one, two) => (one.run < two.run ? -1 : 1)) };
  }

  #exitCodeOf(run: string): number | null {
    return this.#model.runs.find(({ id }) => id === run)?.exitCode ?? null;
  }

  /** When D1 is available and nothing else happens, it gets all changes, and the object gets all of the queue. */
  async finish(): Promise<void> {
    await this.#d1(false);
    await this.runStep({ kind: 'passTime', ms: 10_001 });
    await this.#job.outboxSettled();
    if (d1.refused) await this.runStep({ kind: 'passTime', ms: 5_001 });
    await this.#job.outboxSettled();
    await this.runStep({ kind: 'sweep' });
    await this.compare();
    await this.#job.outboxSettled();
    const { runs, kills } = this.#model;
    const known = runs.filter((run) => run.known).map(({ id }) => id);
    const seen = await this.#job.look(
      known,
      kills.map(({ id }) => id),
    );
    const index = await this.#job.index();
    expect(kills.every(({ accepted }) => accepted)).toBe(true);
    expect(index.kills).toEqual(seen.kills.toSorted((one, other) => ((one?.id ?? '') < (other?.id ?? '') ? -1 : 1)));
    // What changes at each run that comes, D1 does not need.
    const verdict = ({ machine, state, since, source }: Expectation) => ({ machine, state, since, source });
    expect(index.expectations.map(verdict)).toEqual(seen.expectations.map(verdict));
    this.#compareOccurrences();
    const withoutSize = (run: object | null) => ({ ...run, output_bytes: null });
    expect(index.runs.map(withoutSize)).toEqual(seen.runs.map(withoutSize));
    const output = await this.#job.output(runs.map(({ id }) => id));
    expect(output).toEqual(runs.map(({ id, lost }) => ({ text: this.#printed.get(id) ?? '', lost })));
    for (const socket of this.#sockets.values()) socket.close();
  }

  /** Alerts are told nothing else, and always how it is now: earlier verdicts may have been out of date when D1 was back. */
  #compareOccurrences(): void {
    for (const [machine, { all, last }] of this.#model.expectations.said) {
      const prefix = `${this.#job.name}/${machine ?? ''}:`;
      const told = [...d1.told].filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length));
      expect(told.filter((id) => !all.has(id))).toEqual([]);
      if (last !== null) expect(told).toContain(last);
    }
  }

  #run(place: number): ModelRun {
    const run = this.#model.runs[place];
    if (run === undefined) throw new Error(`there is no run at ${place}`);
    return run;
  }

  #real(socket: ModelSocket): RealSocket {
    const real = this.#sockets.get(socket);
    if (real === undefined) throw new Error('the model has a socket that is not there');
    return real;
  }
}

function expectedRun(run: ModelRun) {
  return {
    id: run.id,
    state: run.state,
    final: run.final,
    connected: run.connected,
    exit_code: run.exitCode,
    reason: run.reason,
    output_bytes: run.outputEnd,
    disconnected_since: run.disconnectedSince === null ? null : new Date(run.disconnectedSince).toISOString(),
    successor: run.successor,
    left_running: LEFT.slice(0, run.left),
    started_at: new Date(run.startedAt).toISOString(),
    ended_at: timestamp(run.endedAt),
    slow_since: timestamp(run.slowSince),
    asked_at: run.askedAt === null ? null : new Date(run.askedAt).toISOString(),
    fence: run.fence,
    blocked_by: run.blockedBy,
  };
}

/** A wrapper asks only until its command was started, and only if it was told to ask. */
function phaseOf(run: ModelRun, { phase }: StepOf<'connect'>): StepOf<'connect'>['phase'] {
  return phase === 'waiting' && run.known && (run.question === null || run.begun) ? 'running' : phase;
}

function pick(run: Run) {
  const { id, state, final, connected, exit_code, reason, output_bytes, disconnected_since, successor, left_running } =
    run;
  return {
    id,
    state,
    final,
    connected,
    exit_code,
    reason,
    output_bytes,
    disconnected_since,
    successor,
    left_running,
    started_at: run.started_at,
    ended_at: run.ended_at,
    slow_since: run.slow_since,
    asked_at: run.asked_at,
    fence: run.fence,
    blocked_by: run.blocked_by.map((blocking) => blocking.run),
  };
}

function expectedExpectation(each: ModelExpectation) {
  const { machine, state, since, dueAt, last, lastStartedAt, fromOperator } = each;
  return {
    machine,
    ...expecting(each).sent,
    source: fromOperator === null ? 'run' : 'operator',
    state,
    since: new Date(since).toISOString(),
    due_at: timestamp(dueAt),
    last_started_at: timestamp(lastStartedAt),
    last_run: last?.id ?? null,
    last_run_skipped: last?.state === 'skipped',
    isImpossible: expecting(each).isImpossible ?? false,
  };
}

function pickExpectation({ job: _, seq: __, problem, ...expectation }: Expectation) {
  return { ...expectation, isImpossible: problem !== null };
}

function timestamp(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function pickTarget({ run, state, exit_code }: Kill['targets'][number]) {
  return { run, state, exit_code };
}

function standing({ id, kills, until }: ModelOrder): StandingOrder {
  return { id, kill: kills, until_ms: until, reason: null, created_by: 'model', created_by_id: 'operator' };
}

/** Ids in a fixed order: random ones could not be reproduced. */
function newId(): string {
  ids += 1;
  return String(ids).padStart(26, '0');
}

/** The text that a run prints: each offset has its letter. */
function text(start: number, end: number): string {
  return Array.from({ length: end - start }, (_, index) => String.fromCharCode(97 + ((start + index) % 26))).join('');
}

function printedFrame(start: number, bytes: string): ArrayBuffer {
  return outputFrame(start, bytes, start % 2 === 0 ? 'stdout' : 'stderr').slice().buffer as ArrayBuffer;
}

function appliedKills(run: ModelRun): StartMessage['applied_kills'] {
  return [...run.applied].map(([kill, phase]) => {
    const { type: _, reason: __, ...progress } = killingMessage(kill, phase);
    return { ...progress, kill };
  });
}

function startFrame(
  run: ModelRun,
  runKey: string,
  phase: StartMessage['phase'],
  ageMs: number,
  to: number,
  { successor = 0, expected = null }: { successor?: number; expected?: ExpectedName | null } = {},
): string {
  const hasPid = run.question === null ? phase !== 'waiting' : run.begun || phase === 'running';
  const fields = {
    phase,
    age_ms: ageMs,
    output: { from: 0, to },
    applied_kills: appliedKills(run),
    successor,
    ...(expected !== null && { expected: EXPECTED[expected].sent }),
    ...(!hasPid && { pid: null }),
    ...(run.question !== null && { question: run.question }),
  };
  return JSON.stringify(startMessage({ run: run.id, runKey }, fields));
}

function queued(job: string, kill: ModelKill): Kill {
  const { id, run, instance, machine } = kill;
  return {
    id,
    job,
    kind: 'kill',
    state: 'queued',
    run,
    instance,
    machine,
    signal: kill.signal as Kill['signal'],
    grace_ms: 5000,
    include: null,
    reason: null,
    requested_by: 'model',
    request_id: null,
    batch: null,
    requested_at: new Date(kill.requestedAt).toISOString(),
    expires_at: new Date(kill.expiresAt).toISOString(),
    targets: [],
    stored_ms: null,
    found_nothing: false,
    seq: 0,
  };
}
