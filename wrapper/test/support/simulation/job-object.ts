/**
 * A job's object in virtual time: what it stores of one run and answers is `stored-run.ts`; here it answers only when that
 * is on disk, and may be restarted at any moment.
 */
import { HEARTBEAT, KIB } from '#protocol/limits';
import type { KillMessage, ObjectMessage, WrapperMessage } from '#protocol/wrapper-link';
import type { Random } from '#testing/random';
import {
  type LinkTerms,
  type Reaction,
  readFrame,
  receiveMessage,
  receiveOutput,
  requestKill,
  type StoredRun,
  UNKNOWN_RUN,
} from '#testing/stored-run';
import type { Printed } from './printed.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { Frame, Wire } from './wire.ts';

interface State {
  readonly run: StoredRun;
  /** Of the connection that speaks for the run: the newest that said `start`. */
  readonly generation: number;
}

interface Socket {
  readonly wire: Wire;
  /** Null before its start. */
  generation: number | null;
}

export class JobObject {
  /** What may never happen. */
  readonly faults: string[] = [];
  /** What it had to refuse: on a wire that carries each frame once, nothing. */
  readonly refused: string[] = [];
  /** Called with each message that was taken, before it is stored. */
  onTaken: (message: WrapperMessage) => void = () => {};
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #printed: Printed;
  #state: State = { run: UNKNOWN_RUN, generation: 0 };
  #stored = this.#state;
  /** Answers that wait until what they confirm is stored. */
  #answers: (() => void)[] = [];
  #cancelStoring: (() => void) | null = null;
  #sockets: Socket[] = [];

  constructor(time: VirtualTime, random: Random, printed: Printed) {
    this.#time = time;
    this.#random = random;
    this.#printed = printed;
  }

  /** What would survive a restart now. */
  get stored(): StoredRun {
    return this.#stored.run;
  }

  connect(wire: Wire): void {
    const socket: Socket = { wire, generation: null };
    this.#sockets.push(socket);
    wire.attach('object', {
      received: (frame) => {
        if (this.#sockets.includes(socket)) this.#receive(socket, frame);
      },
      closed: () => this.#forget(socket),
    });
  }

  /** Everything that was not stored is forgotten, and all connections end. */
  restart(noticed: boolean): void {
    this.#state = this.#stored;
    this.#answers = [];
    this.#cancelStoring?.();
    this.#cancelStoring = null;
    for (const { wire } of this.#sockets.splice(0)) wire.cut(noticed ? ['wrapper'] : []);
  }

  /** An operator's kill; stored before it is sent. */
  kill(id: string): void {
    const kill: KillMessage = {
      type: 'kill',
      kill: id,
      signal: 'SIGTERM',
      grace_ms: 1_000,
      include: null,
      requested_by: 'model',
      reason: null,
    };
    this.#change({ run: requestKill(this.#state.run, kill) });
    this.#whenStored(() => {
      for (const socket of this.#sockets) if (this.#speaks(socket)) this.#send(socket, kill);
    });
  }

  #receive(socket: Socket, frame: Frame): void {
    const read = readFrame(frame);
    switch (read.kind) {
      case 'fault':
        this.faults.push(read.fault);
        return;
      case 'heartbeat':
        socket.wire.send('wrapper', HEARTBEAT);
        return;
      case 'output': {
        const { stream, start, bytes } = read.output;
        if (!this.#maySpeak(socket)) return;
        if (!this.#printed.isRight(stream, start, bytes)) this.faults.push(`wrong bytes at ${start}`);
        this.#react(socket, receiveOutput(this.#state.run, read.output));
        return;
      }
      case 'message':
        this.onTaken(read.message);
        if (read.message.type === 'start') this.#introduce(socket);
        else if (!this.#maySpeak(socket)) return;
        this.#react(socket, receiveMessage(this.#state.run, read.message, this.#terms()));
        return;
    }
  }

  /** From its start on the newest connection speaks for the run, and no other. */
  #introduce(socket: Socket): void {
    if (socket.generation !== null && socket.generation === this.#state.generation) return;
    socket.generation = this.#state.generation + 1;
    this.#change({ generation: socket.generation });
    for (const other of this.#sockets.filter((each) => each !== socket)) {
      this.#forget(other);
      other.wire.cut(['wrapper']);
    }
  }

  #react(socket: Socket, { run, answers, faults }: Reaction): void {
    this.faults.push(...faults);
    this.#change({ run });
    for (const answer of answers) {
      if (answer.type === 'error') this.#refuse(socket, answer);
      else this.#whenStored(() => this.#send(socket, answer));
    }
  }

  #terms(): LinkTerms {
    const flow = this.#random.percent(50) ? 'eager' : 'lazy';
    const pacing = { delay_ms: 1_000, interval_ms: 10_000, max_bytes: 256 * KIB };
    return {
      flow,
      // A newer control plane says when to send.
      ...(this.#random.percent(50) && { pacing }),
      heartbeat_ms: 5_000,
      silence_ms: 15_000,
      reconnect_cap_ms: 10_000,
    };
  }

  #maySpeak(socket: Socket): boolean {
    if (socket.generation === null) {
      this.#refuse(socket, { type: 'error', code: 'start_expected', message: '', retry: null });
    }
    return this.#speaks(socket);
  }

  #speaks(socket: Socket): boolean {
    return socket.generation !== null && socket.generation === this.#state.generation;
  }

  #refuse(socket: Socket, error: Extract<ObjectMessage, { type: 'error' }>): void {
    this.refused.push(error.code);
    this.#send(socket, error);
  }

  #send(socket: Socket, message: ObjectMessage): void {
    socket.wire.send('wrapper', JSON.stringify(message));
  }

  #forget(socket: Socket): void {
    this.#sockets = this.#sockets.filter((each) => each !== socket);
  }

  #change(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
  }

  /** Answers when everything up to now is stored. */
  #whenStored(answer: () => void): void {
    this.#answers.push(answer);
    this.#cancelStoring ??= this.#time.after(this.#random.below(20), () => {
      this.#cancelStoring = null;
      this.#stored = this.#state;
      for (const each of this.#answers.splice(0)) each();
    });
  }
}
