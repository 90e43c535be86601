/**
 * What a job's object should do, as simply as possible: plain data, no storage, no sockets, no waiting.
 *
 * Written from the documents. It knows the deadlines of wrangler.toml, and lists for each socket what must have been sent
 * on it.
 */
import type { Question } from '#protocol/admission';
import { isProgress, isTargetEnded, type KillPhase, type KillState, type TargetState } from '#protocol/kill';
import { type EndReason, isLive, type RunState, reportedEnd, type SkipReason, stateOfEnd } from '#protocol/run-state';
import { type ExpectedName, ModelExpectations } from './expectations.ts';
import type { StepOf } from './steps.ts';

const WRAPPER_SILENCE_MS = 15_000;
const SILENCE_MS = 30_000;
const START_MS = 30_000;
const PROBE_MS = 5_000;
const DISCONNECT_MS = 30_000;
const KILL_ANSWER_MS = 3_000;
const KILL_TTL_MS = 600_000;
const DRAIN_MS = 10_000;
const LOST_TARGET_MS = 86_400_000;
const CLOCK_SKEW_MS = 1_000;

/** A brake, or maintenance, which kills nothing. */
export interface ModelOrder {
  readonly id: string;
  readonly kills: boolean;
  readonly until: number;
}

export interface ModelSocket {
  /** Which of the run's sockets; null before `start`. */
  generation: number | null;
  open: boolean;
  /** Whether its `start` said that the run had ended. */
  isKeeper: boolean;
  acceptedAt: number;
  lastReceivedAt: number;
  /** Those that match its run, as far as it was told. */
  orders: ModelOrder[];
  /** What must have been sent on it, in order. */
  expected: string[];
}

export interface ModelRun {
  readonly id: string;
  readonly instance: string;
  readonly machine: string;
  /** What the wrapper knows. */
  readonly applied: Map<string, KillPhase>;
  readonly received: string[];
  /** Whether the command was started. */
  begun: boolean;
  /** What it asks before that; null if it does not ask. */
  question: Question | null;
  /** What the object knows. */
  known: boolean;
  startedAt: number;
  /** As of what is known: null, if it may be alive. */
  endedAt: number | null;
  /** Since when it takes longer than expected. */
  slowSince: number | null;
  askedAt: number | null;
  /** What it was told: to start, with this number, or not to, for this reason. */
  fence: number | null;
  refusal: SkipReason | null;
  blockedBy: string[];
  state: RunState;
  final: boolean;
  connected: boolean;
  disconnectedSince: number | null;
  suspectedSince: number | null;
  exitCode: number | null;
  reason: EndReason | null;
  outputEnd: number;
  finalOffset: number | null;
  generation: number;
  successor: number;
  /** How many processes it has left running. */
  left: number;
  sockets: ModelSocket[];
  events: string[];
  recordedSteps: Set<string>;
  lost: { start: number; end: number }[];
}

export interface ModelTarget {
  run: string;
  state: TargetState;
  sends: number;
  acknowledged: boolean;
}

export interface ModelKill {
  /** Of a kill that the object makes, what it is made for, until the id is known. */
  id: string;
  readonly run: string | null;
  readonly instance: string | null;
  readonly machine: string | null;
  readonly signal: string;
  readonly requestedAt: number;
  readonly expiresAt: number;
  /** Whether the object has it, or only the queue. */
  accepted: boolean;
  /** Whether the object took it while D1 was away. */
  isTakenAlone: boolean;
  /** The run or the brake that the object made it for; null: an operator requested it. */
  readonly madeFor: string | null;
  state: KillState;
  targets: ModelTarget[];
}

interface Deadline {
  readonly kind: 'silence' | 'probe' | 'disconnect' | 'kill_answer' | 'expire' | 'drain' | 'expectation' | 'slow';
  readonly subject: string;
  readonly armedAt: number;
  readonly dueAt: number;
}

export class Model {
  readonly runs: ModelRun[];
  readonly kills: ModelKill[] = [];
  readonly silentSockets: ModelSocket[] = [];
  readonly expectations: ModelExpectations;
  #deadlines = new Map<string, Deadline>();
  #drainedAt = 0;
  /** A drain is running: it ends after everything else of the step. */
  #draining = false;
  now: number;
  /** The last number that a run was told to start with. */
  fence = 0;
  /** Whether D1 is unavailable, and whether it refused what this instance of the object last sent. */
  d1 = { away: false, refused: false };

  constructor(now: number, runs: readonly { id: string; instance: string; machine: string }[]) {
    this.now = now;
    this.expectations = new ModelExpectations(now);
    this.runs = runs.map((run) => ({
      ...run,
      applied: new Map(),
      received: [],
      begun: false,
      question: null,
      known: false,
      startedAt: 0,
      endedAt: null,
      slowSince: null,
      askedAt: null,
      fence: null,
      refusal: null,
      blockedBy: [],
      state: 'running',
      final: false,
      connected: false,
      disconnectedSince: null,
      suspectedSince: null,
      exitCode: null,
      reason: null,
      outputEnd: 0,
      finalOffset: null,
      generation: 0,
      successor: 0,
      left: 0,
      sockets: [],
      events: [],
      recordedSteps: new Set(),
      lost: [],
    }));
  }

  // --- a wrapper ---

  connect(run: ModelRun | null, orders: readonly ModelOrder[]): ModelSocket {
    const socket = {
      generation: null,
      open: true,
      isKeeper: false,
      acceptedAt: this.now,
      lastReceivedAt: this.now,
      orders: [...orders],
      expected: [],
    };
    (run === null ? this.silentSockets : run.sockets).push(socket);
    return socket;
  }

  start(run: ModelRun, socket: ModelSocket, step: StepOf<'connect'>, outputTo: number): void {
    const { phase, ageMs, successor, expected } = step;
    const isNew = !run.known;
    const before = { state: run.state, isUnderway: run.known && isUnderway(run) };
    for (const other of run.sockets) if (other.open && other !== socket) this.#close(other, 4001);
    run.generation += 1;
    socket.generation = run.generation;
    socket.isKeeper = phase === 'ended';
    if (isNew) {
      this.#open(run, { phase, ageMs, successor });
      this.expectations.runStarted(run, expected, this.runs, this.now);
    } else if (run.final) {
      if (phase === 'ended' && run.left > 0 && !run.connected) {
        run.connected = true;
        this.#reopen(run);
      }
    } else {
      run.connected = true;
      run.disconnectedSince = null;
      run.suspectedSince = null;
      run.events.push('connected');
      this.#adopt(run, phase, successor);
      if (phase === 'running') this.#begin(run, ageMs);
      if ((phase === 'running' || phase === 'waiting') && run.state === 'lost') {
        this.#setEnd(run, phase, null, null, null);
        if (phase === 'waiting') run.fence = null;
        run.events.push('returned');
        this.#reopen(run);
      }
    }
    socket.expected.push(`ack start ${run.outputEnd}`);
    if (!run.final || (phase === 'ended' && run.left > 0)) {
      for (const [kill, applied] of run.applied) this.#progress(run, kill, applied);
      if (phase === 'abandoned') this.#abandon(run, Math.max(outputTo, run.outputEnd));
      else this.#connected(run, new Set(run.applied.keys()));
    }
    this.#admit(run, phase, before);
    if (phase === 'running') this.#brake(run, socket);
    this.#scheduleDrain();
  }

  #open(run: ModelRun, { phase, ageMs, successor }: Pick<StepOf<'connect'>, 'phase' | 'ageMs' | 'successor'>): void {
    run.known = true;
    run.startedAt = this.now - ageMs;
    run.connected = true;
    if (run.question !== null && (phase === 'waiting' || phase === 'ended')) {
      run.state = 'waiting';
      run.askedAt = run.startedAt;
      run.events.push('asked', 'connected');
      this.#judge(run, this.#line());
    } else {
      run.begun = phase !== 'abandoned';
      run.events.push('started', 'connected');
      this.#adopt(run, phase, successor);
    }
    run.successor = successor;
  }

  /** A `start` that is repeated on the same socket, when the command has been started. */
  beginOnLink(run: ModelRun, socket: ModelSocket, ageMs: number): void {
    const before = { state: run.state, isUnderway: isUnderway(run) };
    this.#received(run, socket);
    this.#begin(run, ageMs);
    socket.expected.push(`ack start ${run.outputEnd}`);
    for (const [kill, applied] of run.applied) this.#progress(run, kill, applied);
    this.#connected(run, new Set(run.applied.keys()));
    this.#admit(run, 'running', before);
    this.#brake(run, socket);
  }

  #begin(run: ModelRun, ageMs: number): void {
    if (run.question === null || run.begun) return;
    run.begun = true;
    run.startedAt = Math.max(run.askedAt ?? run.startedAt, this.now - ageMs);
    run.events.push('started');
    if (run.state === 'waiting') run.state = 'running';
  }

  // --- who may start ---

  #admit(run: ModelRun, phase: StepOf<'connect'>['phase'], before: { state: RunState; isUnderway: boolean }): void {
    if (run.final) return;
    if (phase === 'waiting') {
      const line = this.#line();
      this.#judge(run, line);
      this.#killOld(run, line);
      this.#answer(run);
    } else if (phase === 'running' && !before.isUnderway && isUnderway(run)) {
      const isAlone = run.fence !== null && isExclusive(run) && run.question?.scope === 'job';
      if (before.state === 'lost' || !isAlone) this.#recordOverlaps(run);
    }
  }

  /** Those that are in the way of others, and those that wait, as they asked. */
  #line(): { holders: ModelRun[]; waiting: ModelRun[] } {
    const known = this.runs.filter((run) => run.known).sort(byTurn);
    return { holders: known.filter(holds), waiting: known.filter(isWaiting) };
  }

  /** @returns whether it was told something else */
  #judge(run: ModelRun, { holders, waiting }: { holders: ModelRun[]; waiting: ModelRun[] }): boolean {
    const socket = current(run);
    if (run.question === null || !isWaiting(run) || !run.connected || socket === null || socket.isKeeper) return false;
    const order = this.#activeOrder(socket);
    if (order !== null) {
      run.refusal = order.kills ? 'brake' : 'maintenance';
      run.blockedBy = [];
      run.events.push('skipped');
      return true;
    }
    const { overlap, scope } = run.question;
    const inWay = overlap === 'allow' ? [] : holders.filter((other) => isInWay(other, run, scope));
    if (inWay.length === 0) {
      const isAimedAt =
        this.#bindings(run).length > 0 ||
        this.kills.some((kill) => kill.accepted && this.now < kill.expiresAt && matches(kill, run));
      if (isAimedAt) return false;
      this.fence = Math.max(this.fence + 1, this.now);
      run.fence = this.fence;
      run.events.push('admitted');
      return true;
    }
    if (overlap === 'skip') {
      run.refusal = 'overlap';
      run.blockedBy = inWay.map(({ id }) => id);
      run.events.push('skipped');
      return true;
    }
    const ahead = [...inWay, ...waiting.filter((other) => byTurn(other, run) < 0)];
    if (ahead.some(({ id }) => run.blockedBy.includes(id))) return false;
    const inFront = waiting.filter((other) => byTurn(other, run) < 0 && isInScope(other, run, scope)).at(-1);
    run.blockedBy = inFront === undefined ? inWay.map(({ id }) => id) : [inFront.id];
    run.events.push('blocked');
    return true;
  }

  #killOld(run: ModelRun, { holders }: { holders: ModelRun[] }): void {
    const { question } = run;
    const socket = current(run);
    if (question?.overlap !== 'kill-old' || !isWaiting(run) || socket === null || socket.isKeeper) return;
    if (this.#bindings(run).length > 0) return;
    if (this.kills.some((kill) => kill.accepted && this.now < kill.expiresAt && matches(kill, run))) return;
    for (const old of holders) {
      if (!isInWay(old, run, question.scope) || byTurn(old, run) > 0) continue;
      if (this.#targetsAt(old).some(({ state }) => !isTargetEnded(state))) continue;
      if (this.kills.some(({ madeFor, run: target }) => madeFor === run.id && target === old.id)) continue;
      this.#makeKill(run.id, old);
    }
  }

  // --- brakes and maintenance ---

  /** The one that counts: a brake before maintenance. */
  #activeOrder({ orders }: ModelSocket): ModelOrder | null {
    const active = orders.filter(({ until }) => until > this.now);
    return active.find(({ kills }) => kills) ?? active[0] ?? null;
  }

  /** A run that runs has connected, or has begun. */
  #brake(run: ModelRun, socket: ModelSocket): void {
    const order = this.#activeOrder(socket);
    if (order?.kills && run.state === 'running') this.#killOnce(order, run);
  }

  #killOnce(order: ModelOrder, run: ModelRun): void {
    const isDone = this.kills.some((kill) => kill.madeFor === order.id && kill.run === run.id);
    if (!isDone) this.#makeKill(order.id, run);
  }

  /** An order is given to the runs of a machine that are connected. */
  enforce(order: ModelOrder, machine: string): void {
    if (order.until <= this.now) return;
    const matching = this.runs.filter((run) => run.known && (machine === '*' || machine === run.machine));
    if (order.kills) {
      for (const run of matching) {
        if (run.connected && (run.state === 'running' || run.state === 'waiting')) this.#killOnce(order, run);
      }
      return;
    }
    for (const run of matching.filter(isWaiting)) {
      const socket = current(run);
      if (socket !== null && !socket.orders.some(({ id }) => id === order.id)) socket.orders.push(order);
    }
    this.#moveUp();
  }

  #makeKill(by: string, old: ModelRun): void {
    const kill: ModelKill = {
      id: `by ${by} at ${old.id}`,
      madeFor: by,
      run: old.id,
      instance: null,
      machine: null,
      signal: 'SIGTERM',
      requestedAt: this.now,
      expiresAt: this.now + KILL_TTL_MS,
      accepted: false,
      isTakenAlone: false,
      state: 'queued',
      targets: [],
    };
    this.kills.push(kill);
    this.accept(kill);
  }

  /** The id of a kill that the object has made is known. */
  nameKill(kill: ModelKill, id: string): void {
    const before = kill.id;
    kill.id = id;
    for (const run of this.runs) {
      const at = run.received.indexOf(before);
      if (at !== -1) run.received[at] = id;
      for (const { expected } of run.sockets) {
        expected.forEach((message, index) => {
          if (message.startsWith(`kill ${before} `)) expected[index] = message.replace(before, id);
        });
      }
    }
    const deadline = this.#deadlines.get(`expire ${before}`);
    this.#cancel('expire', before);
    if (deadline !== undefined) this.#deadlines.set(`expire ${id}`, { ...deadline, subject: id });
  }

  #answer(run: ModelRun): void {
    const socket = current(run);
    if (socket === null) return;
    if (run.state === 'running' || (run.state === 'waiting' && run.fence !== null)) {
      socket.expected.push(['answer start', run.fence].filter((part) => part !== null).join(' '));
    } else if (run.state === 'waiting') {
      const decision = run.refusal === null ? ['answer wait'] : ['answer skip', run.refusal];
      socket.expected.push([...decision, ...run.blockedBy].join(' '));
    }
  }

  /** Whoever waits is looked at again, in the order of asking. */
  #moveUp(): void {
    for (const run of this.#line().waiting) {
      const line = this.#line();
      const isNews = this.#judge(run, line);
      this.#killOld(run, line);
      if (isNews) this.#answer(run);
    }
  }

  #recordOverlaps(run: ModelRun): void {
    const { holders } = this.#line();
    for (const holder of holders) {
      const { question } = holder;
      if (question === null || question.overlap === 'allow') continue;
      const others = holder === run ? holders : [run];
      if (others.some((other) => isInWay(other, holder, question.scope))) holder.events.push('overlapped');
    }
    this.#moveUp();
  }

  /** Another wrapper has taken the run over, unless it only uploads. */
  #adopt(run: ModelRun, phase: StepOf<'connect'>['phase'], successor: number): void {
    if (phase === 'abandoned' || successor <= run.successor) return;
    run.successor = successor;
    run.events.push('adopted');
  }

  #reopen(run: ModelRun): void {
    for (const target of this.#targetsAt(run)) if (target.state === 'lost') target.state = 'pending';
    this.#updateAt(run);
  }

  /** @param applied the kills that it has applied; null if it was connected before, so that none is sent */
  #connected(run: ModelRun, applied: ReadonlySet<string> | null): void {
    this.#cancel('disconnect', run.id);
    this.#cancel('probe', run.id);
    this.#watchSilence();
    if (applied === null) return;
    for (const kill of this.kills) {
      if (kill.accepted && this.now < kill.expiresAt && matches(kill, run) && this.#bind(kill, run)) {
        this.#update(kill);
      }
    }
    for (const [kill, target] of this.#bindings(run)) {
      if (isTargetEnded(target.state) || applied.has(kill.id)) continue;
      target.sends = 0;
      this.#send(kill, target, run);
      this.#update(kill);
    }
  }

  #abandon(run: ModelRun, finalOffset: number): void {
    this.#setEnd(run, 'lost', 253, 'wrapper_died', run.endedAt ?? this.now);
    run.final = true;
    run.connected = false;
    run.disconnectedSince = null;
    run.finalOffset = finalOffset;
    run.events.push('ended');
    this.#targetsLost(run);
    this.#moveUp();
  }

  /** Any frame of the run's current socket. */
  #received(run: ModelRun, socket: ModelSocket): void {
    socket.lastReceivedAt = this.now;
    if (run.suspectedSince === null) return;
    this.#cancel('probe', run.id);
    run.suspectedSince = null;
    run.events.push('answered');
  }

  alive(run: ModelRun, socket: ModelSocket): void {
    this.#received(run, socket);
  }

  /** Bytes, or a gap. @returns where the new part starts, if any */
  output(run: ModelRun, socket: ModelSocket, start: number, end: number, lost: boolean): number | null {
    this.#received(run, socket);
    if (run.finalOffset !== null && end > run.finalOffset) {
      socket.expected.push('error bad_offset');
      return null;
    }
    if (start > run.outputEnd) {
      socket.expected.push(`error gap ${run.outputEnd}`);
      return null;
    }
    const from = run.outputEnd;
    if (end > from) {
      run.outputEnd = end;
      if (lost) {
        const last = run.lost.at(-1);
        // Gaps that touch are one.
        if (last?.end === from) last.end = end;
        else run.lost.push({ start: from, end });
        run.events.push('output_gap');
      }
    }
    socket.expected.push(`ack output ${run.outputEnd}`);
    return end > from ? from : null;
  }

  killing(run: ModelRun, socket: ModelSocket, kill: string | null, phase: KillPhase): void {
    this.#received(run, socket);
    if (!run.final || (kill !== null && run.left > 0)) this.#progress(run, kill, phase);
  }

  complete(run: ModelRun, socket: ModelSocket, { reason, left }: StepOf<'complete'>, finalOffset: number): void {
    this.#received(run, socket);
    if (!run.final || run.left > 0) {
      for (const [kill, phase] of run.applied) this.#progress(run, kill, phase);
    }
    if (!run.final) this.#end(run, reason, left, finalOffset, socket.isKeeper);
    socket.expected.push('ack complete');
  }

  #end(
    run: ModelRun,
    reason: StepOf<'complete'>['reason'],
    left: number,
    finalOffset: number,
    isKeeper: boolean,
  ): void {
    const { exitCode } = reportedEnd(reason, { kind: 'exited', code: 0 });
    const slowAt = this.#slowAt(run);
    if (run.slowSince === null && hasBegun(run) && slowAt !== null && this.now > slowAt) this.#isSlow(run, slowAt);
    this.#setEnd(run, stateOfEnd(reason, exitCode), exitCode, reason, this.now);
    run.final = true;
    run.left = left;
    run.connected = left > 0 && isKeeper;
    run.disconnectedSince = null;
    run.finalOffset = Math.max(finalOffset, run.outputEnd);
    run.events.push('ended');
    if (left > 0) run.events.push('left_running');
    if (!run.connected) this.#cancel('kill_answer', run.id);
    for (const [kill, target] of this.#bindings(run)) {
      target.state = endOfTarget(target.state, run);
      if (target.state !== 'pending' || !run.connected) continue;
      target.sends = 0;
      this.#send(kill, target, run);
    }
    if (!run.connected) this.#giveUpExpired(run);
    this.#updateAt(run);
    this.#moveUp();
  }

  /** What an ended run has left running waits for its kills only until they expire. */
  #giveUpExpired(run: ModelRun): void {
    for (const [kill, target] of this.#bindings(run)) {
      if (this.now >= kill.expiresAt && !isTargetEnded(target.state)) target.state = 'lost';
    }
  }

  leftRunning(run: ModelRun, socket: ModelSocket, count: number): void {
    this.#received(run, socket);
    if (!run.final) {
      socket.expected.push('error bad_frame');
      return;
    }
    const wasConnected = run.connected;
    if (count !== run.left) run.events.push('left_running');
    else if (wasConnected === count > 0) return;
    run.left = count;
    run.connected = count > 0;
    if (count > 0) {
      if (!wasConnected) this.#reopen(run);
      this.#connected(run, wasConnected ? null : new Set());
      return;
    }
    this.#cancel('kill_answer', run.id);
    for (const target of this.#targetsAt(run)) {
      if (!isTargetEnded(target.state)) target.state = endOfTarget(target.state, run);
    }
    this.#updateAt(run);
  }

  wrongKey(socket: ModelSocket): void {
    socket.expected.push('error run_conflict');
    this.#close(socket, 4409);
  }

  /** The object saw the socket close. */
  disconnected(run: ModelRun, socket: ModelSocket): void {
    socket.open = false;
    if (run.connected && socket.generation === run.generation) this.#linkLost(run);
  }

  // --- kills ---

  /** A kill that may be in no queue. @returns whether the object takes it */
  offer(kill: ModelKill): boolean {
    const isKnown = this.runs.some(({ id, known }) => known && (kill.run === null || kill.run === id));
    if (isKnown) this.accept(kill);
    return isKnown;
  }

  accept(kill: ModelKill): void {
    if (kill.accepted) return;
    kill.accepted = true;
    this.#arm('expire', kill.id, kill.expiresAt);
    const named = this.runs.find((run) => run.known && run.final && run.id === kill.run);
    if (named !== undefined && !matches(kill, named) && matches(kill, { ...named, final: false })) {
      kill.targets.push({ run: named.id, state: 'refused', sends: 0, acknowledged: false });
    }
    if (this.now < kill.expiresAt) {
      for (const run of this.runs) {
        const passedOver =
          kill.run === null &&
          kill.instance === null &&
          run.state === 'lost' &&
          run.disconnectedSince !== null &&
          kill.requestedAt - run.disconnectedSince > LOST_TARGET_MS;
        if (!run.known || passedOver || !matches(kill, run)) continue;
        this.#bind(kill, run);
        const target = kill.targets.find((bound) => bound.run === run.id);
        if (target !== undefined && !isTargetEnded(target.state)) this.#send(kill, target, run);
      }
    }
    this.#update(kill);
  }

  #bind(kill: ModelKill, run: ModelRun): boolean {
    if (kill.targets.some((target) => target.run === run.id)) return false;
    const state = run.final || isLive(run.state) ? 'pending' : 'lost';
    kill.targets.push({ run: run.id, state, sends: 0, acknowledged: false });
    run.events.push('kill_requested');
    return true;
  }

  #send(kill: ModelKill, target: ModelTarget, run: ModelRun): void {
    const socket = current(run);
    if (socket === null) return;
    socket.expected.push(`kill ${kill.id} ${kill.signal}`);
    if (!run.received.includes(kill.id)) run.received.push(kill.id);
    target.sends += 1;
    if (!this.#has('kill_answer', run.id)) this.#arm('kill_answer', run.id, this.now + KILL_ANSWER_MS);
    if (target.state !== 'pending') return;
    target.state = 'sent';
    run.events.push('kill_sent');
  }

  #progress(run: ModelRun, id: string | null, phase: KillPhase): void {
    const kill = this.kills.find((one) => one.id === id) ?? null;
    const target = kill?.targets.find((one) => one.run === run.id);
    if (id !== null && target === undefined) return;
    const isNew = target === undefined || isProgress(target.state, phase);
    if (target !== undefined && isNew) {
      target.state = phase;
      if (!target.acknowledged) run.events.push('kill_delivered');
      target.acknowledged = true;
      if (this.#targetsAt(run).every(({ state }) => state !== 'sent')) this.#cancel('kill_answer', run.id);
    }
    if (phase !== 'refused' && (run.state === 'running' || run.state === 'waiting')) run.state = 'killing';
    const recorded = `${id} ${phase}`;
    if (isNew && !run.recordedSteps.has(recorded)) {
      run.recordedSteps.add(recorded);
      run.events.push('kill_progress');
    }
    if (kill !== null && isNew) this.#update(kill);
  }

  #targetsLost(run: ModelRun): void {
    this.#cancel('kill_answer', run.id);
    for (const target of this.#targetsAt(run)) if (!isTargetEnded(target.state)) target.state = 'lost';
    this.#updateAt(run);
  }

  #update(kill: ModelKill): void {
    const isOver = (target: ModelTarget) => isTargetEnded(target.state) && !isLive(this.#run(target.run).state);
    if (kill.targets.length === 0) kill.state = this.now >= kill.expiresAt ? 'expired' : 'queued';
    else if (kill.targets.every(isOver)) kill.state = 'settled';
    else kill.state = kill.targets.some(({ acknowledged }) => acknowledged) ? 'delivered' : 'queued';
  }

  #updateAt(run: ModelRun): void {
    for (const [kill] of this.#bindings(run)) this.#update(kill);
  }

  // --- time ---

  /** The alarm fires. */
  fireAlarm(): void {
    const due = [...this.#deadlines.values()]
      .filter(({ dueAt }) => dueAt <= this.now)
      .sort((a, b) => a.dueAt - b.dueAt || compare(a.kind, b.kind) || compare(a.subject, b.subject));
    for (const { kind, subject } of due) this.#cancel(kind, subject);
    for (const deadline of due) this.#handle(deadline);
  }

  #handle(deadline: Deadline): void {
    const isLate = this.now - deadline.dueAt > (deadline.dueAt - deadline.armedAt) / 2;
    switch (deadline.kind) {
      case 'silence':
        this.#checkSilence();
        return;
      case 'probe': {
        const run = this.#run(deadline.subject);
        const socket = current(run);
        if (run.suspectedSince === null || !isLive(run.state) || socket === null) return;
        if (isLate) {
          this.#suspect(run, socket, run.suspectedSince);
          return;
        }
        this.#declareLost(run, run.suspectedSince);
        this.#close(socket, 4002);
        return;
      }
      case 'disconnect': {
        const run = this.#run(deadline.subject);
        if (run.connected || !isLive(run.state)) return;
        if (isLate || this.d1.refused) this.#awaitReturn(run);
        else this.#declareLost(run, deadline.armedAt);
        return;
      }
      case 'kill_answer':
        this.#unanswered(this.#run(deadline.subject));
        return;
      case 'expire': {
        const kill = this.kills.find(({ id }) => id === deadline.subject);
        if (kill === undefined) return;
        for (const target of kill.targets) {
          const run = this.#run(target.run);
          if (run.final && !run.connected && !isTargetEnded(target.state)) target.state = 'lost';
        }
        this.#update(kill);
        return;
      }
      case 'drain':
        this.#drain();
        return;
      case 'expectation':
        this.expectations.look(deadline.dueAt, this.d1.away || this.d1.refused, this.now);
        return;
      case 'slow': {
        const run = this.#run(deadline.subject);
        const slowAt = this.#slowAt(run);
        if (this.#isWatched(run) && slowAt !== null) this.#isSlow(run, slowAt);
        return;
      }
    }
  }

  #checkSilence(): void {
    for (const run of this.runs) {
      const socket = current(run);
      if (!run.connected || socket === null || socket.lastReceivedAt + SILENCE_MS > this.now) continue;
      if (isLive(run.state)) {
        if (run.suspectedSince === null) this.#suspect(run, socket, socket.lastReceivedAt);
      } else {
        this.#close(socket, 4002);
        this.#linkLost(run);
      }
    }
    const next = this.#nextCheck();
    if (next !== null) this.#arm('silence', '', Math.max(next, this.now + 250));
  }

  #unannounced(): ModelSocket[] {
    return [...this.silentSockets, ...this.runs.flatMap(({ sockets }) => sockets)].filter(
      ({ open, generation }) => open && generation === null,
    );
  }

  #nextCheck(): number | null {
    const checks: number[] = [];
    for (const run of this.runs) {
      const socket = current(run);
      if (!run.connected || socket === null) continue;
      const heardAt = socket.lastReceivedAt;
      if (heardAt > this.now - WRAPPER_SILENCE_MS) checks.push(this.now + 2 * SILENCE_MS);
      else checks.push((run.suspectedSince === null ? heardAt : this.now) + SILENCE_MS);
    }
    return checks.length === 0 ? null : Math.min(...checks);
  }

  #suspect(run: ModelRun, socket: ModelSocket, since: number): void {
    run.suspectedSince = since;
    run.events.push('suspected');
    socket.expected.push('probe');
    this.#arm('probe', run.id, this.now + PROBE_MS);
  }

  #declareLost(run: ModelRun, since: number): void {
    this.#setEnd(run, 'lost', 253, 'silence', this.now);
    run.connected = false;
    run.disconnectedSince ??= since;
    run.events.push('lost');
    this.#targetsLost(run);
    this.#moveUp();
  }

  #unanswered(run: ModelRun): void {
    if (run.final && run.left === 0) return;
    const waiting = this.#bindings(run).filter(([, { state }]) => state === 'sent');
    if (waiting.some(([, { sends }]) => sends >= 2)) {
      const socket = current(run);
      if (socket !== null) this.#close(socket, 4002);
      this.#linkLost(run);
      return;
    }
    for (const [kill, target] of waiting) this.#send(kill, target, run);
  }

  #linkLost(run: ModelRun): void {
    this.#cancel('probe', run.id);
    this.#cancel('kill_answer', run.id);
    if (isLive(run.state)) this.#awaitReturn(run);
    run.connected = false;
    if (run.final) {
      this.#giveUpExpired(run);
      this.#updateAt(run);
      return;
    }
    run.disconnectedSince = this.now;
    run.suspectedSince = null;
    run.events.push('disconnected');
  }

  #awaitReturn(run: ModelRun): void {
    this.#arm('disconnect', run.id, this.now + DISCONNECT_MS);
  }

  // --- what is expected ---

  expect(machine: string | null, expected: ExpectedName): void {
    this.expectations.set(machine, expected, this.runs, this.now);
  }

  #slowAt({ machine, startedAt }: ModelRun): number | null {
    const slowAfterMs = this.expectations.slowAfterMs(machine);
    return slowAfterMs === null ? null : startedAt + slowAfterMs;
  }

  #isSlow(run: ModelRun, slowAt: number): void {
    run.slowSince = slowAt;
    run.events.push('slow');
  }

  /** Whether it is slow is known only while its wrapper is connected. */
  #isWatched(run: ModelRun): boolean {
    return run.known && isLive(run.state) && hasBegun(run) && run.connected && run.slowSince === null;
  }

  /** Sets what follows from the state after a step. @returns whether some of it is due at once */
  settle(): boolean {
    const dueTimes: number[] = [];
    const arm = (kind: 'expectation' | 'slow', subject: string, dueAt: number | null) => {
      this.#cancel(kind, subject);
      if (dueAt === null) return;
      this.#arm(kind, subject, dueAt);
      dueTimes.push(dueAt);
    };
    arm('expectation', '', this.expectations.nextLook(this.now));
    for (const run of this.runs) arm('slow', run.id, this.#isWatched(run) ? this.#slowAt(run) : null);
    return dueTimes.some((dueAt) => dueAt <= this.now);
  }

  // --- the object and D1 ---

  /** The object is constructed again. */
  objectReplaced(keepsSockets: boolean): void {
    if (!keepsSockets) {
      for (const socket of [...this.silentSockets, ...this.runs.flatMap(({ sockets }) => sockets)]) socket.open = false;
    }
    // The timer of a socket without `start` is a real one: it fires in no trial, but the next instance looks.
    for (const socket of this.#unannounced()) {
      if (socket.acceptedAt + START_MS <= this.now) this.#close(socket, 4002);
    }
    this.expectations.objectReplaced(this.now);
    this.#drainedAt = 0;
    this.d1.refused = false;
    for (const run of this.runs) {
      if (!run.known || (run.final && run.left === 0)) continue;
      if (run.connected && current(run) === null) this.#linkLost(run);
      else if (!run.connected && isLive(run.state)) this.#awaitReturn(run);
    }
    this.#cancel('silence', '');
    const next = this.#nextCheck();
    if (next !== null) this.#arm('silence', '', next);
  }

  sweep(): void {
    this.#drain();
    this.finishDrain();
    this.fireAlarm();
    this.finishDrain();
  }

  #scheduleDrain(): void {
    if (this.now >= this.#drainedAt + DRAIN_MS) this.#drain();
    else if (!this.#has('drain', '')) this.#arm('drain', '', this.#drainedAt + DRAIN_MS);
  }

  #drain(): void {
    this.#drainedAt = this.now;
    this.#draining = true;
  }

  /** D1 has answered, or has not. */
  finishDrain(): void {
    if (!this.#draining) return;
    this.#draining = false;
    if (this.d1.away) this.#arm('drain', '', this.now + DRAIN_MS);
    else for (const kill of this.kills) this.accept(kill);
  }

  // --- details ---

  #setEnd(
    run: ModelRun,
    state: RunState,
    exitCode: number | null,
    reason: EndReason | null,
    endedAt: number | null,
  ): void {
    run.state = state;
    run.endedAt = endedAt;
    run.exitCode = exitCode;
    run.reason = reason;
    run.suspectedSince = null;
  }

  #close(socket: ModelSocket, code: number): void {
    if (!socket.open) return;
    socket.open = false;
    socket.expected.push(`close ${code}`);
  }

  #watchSilence(): void {
    if (!this.#has('silence', '')) this.#arm('silence', '', this.now + SILENCE_MS);
  }

  /** By their ids: those that the object has made have real ones, which come after all that the test makes up. */
  #bindings(run: ModelRun): [ModelKill, ModelTarget][] {
    return this.kills
      .toSorted((one, other) => compare(one.id, other.id))
      .flatMap((kill) =>
        kill.targets
          .filter((target) => target.run === run.id)
          .map((target): [ModelKill, ModelTarget] => [kill, target]),
      );
  }

  #targetsAt(run: ModelRun): ModelTarget[] {
    return this.#bindings(run).map(([, target]) => target);
  }

  #run(id: string): ModelRun {
    const run = this.runs.find((one) => one.id === id);
    if (run === undefined) throw new Error(`the model has no run ${id}`);
    return run;
  }

  #arm(kind: Deadline['kind'], subject: string, dueAt: number): void {
    this.#deadlines.set(`${kind} ${subject}`, { kind, subject, armedAt: this.now, dueAt });
  }

  #cancel(kind: Deadline['kind'], subject: string): void {
    this.#deadlines.delete(`${kind} ${subject}`);
  }

  #has(kind: Deadline['kind'], subject: string): boolean {
    return this.#deadlines.has(`${kind} ${subject}`);
  }
}

export const KILL_LIFE_MS = KILL_TTL_MS;

/** The run's current socket, if it is open. */
export function current(run: ModelRun): ModelSocket | null {
  return (
    run.sockets.find(({ open, generation }) => open && generation !== null && generation === run.generation) ?? null
  );
}

function matches(kill: ModelKill, run: ModelRun): boolean {
  return (
    (run.final ? kill.run === run.id && run.left > 0 : kill.run === null || kill.run === run.id) &&
    (kill.instance === null || kill.instance === run.instance) &&
    (kill.machine === null || kill.machine === run.machine) &&
    (run.askedAt ?? run.startedAt) <= kill.requestedAt + CLOCK_SKEW_MS
  );
}

/** Whether it is in the way of others. */
function holds(run: ModelRun): boolean {
  if (run.state === 'waiting') return run.fence !== null;
  if (run.state === 'killing') return run.question === null || run.fence !== null || run.begun;
  return run.state === 'running';
}

function isUnderway(run: ModelRun): boolean {
  return run.state !== 'waiting' && holds(run);
}

function isWaiting(run: ModelRun): boolean {
  return run.state === 'waiting' && run.fence === null && run.refusal === null;
}

/** A run that waits takes no time yet. */
function hasBegun({ askedAt, begun }: ModelRun): boolean {
  return askedAt === null || begun;
}

function isExclusive({ question }: ModelRun): boolean {
  return question !== null && question.overlap !== 'allow';
}

function isInWay(other: ModelRun, run: ModelRun, scope: Question['scope']): boolean {
  return other !== run && holds(other) && isInScope(other, run, scope);
}

function isInScope(other: ModelRun, run: ModelRun, scope: Question['scope']): boolean {
  return scope === 'job' || other.machine === run.machine;
}

function byTurn(one: ModelRun, other: ModelRun): number {
  return (one.askedAt ?? one.startedAt) - (other.askedAt ?? other.startedAt) || compare(one.id, other.id);
}

function endOfTarget(state: TargetState, run: ModelRun): TargetState {
  if (state === 'gone' || state === 'refused') return state;
  if (state === 'term' || state === 'kill') return 'gone';
  if (state === 'lost' && run.reason === 'operator') return 'gone';
  if (run.left === 0) return 'refused';
  return state === 'lost' ? 'pending' : state;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
