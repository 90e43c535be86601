/**
 * A small model of a job's object, written from docs/protocol.md: it takes one run's output and its end, each once,
 * answers only when that is stored, and may be restarted at any moment.
 */
import { HEARTBEAT } from '#protocol/limits';
import { decodeOutputFrame } from '#protocol/output-frame';
import { type AppliedKill, type ObjectMessage, readWrapperMessage, type WrapperMessage } from '#protocol/wrapper-link';
import type { Span } from './fetched-output.ts';
import type { Printed } from './printed.ts';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { Frame, Wire } from './wire.ts';

type Phase = AppliedKill['phase'] | 'pending' | 'lost';

const RANK: Readonly<Record<Phase, number>> = { pending: 0, term: 1, kill: 2, gone: 3, refused: 3, lost: 3 };

interface State {
  readonly outputEnd: number;
  readonly gaps: readonly Span[];
  readonly finalOffset: number | null;
  /** How the run ended, as often as that was decided. */
  readonly ends: readonly string[];
  readonly generation: number;
  readonly runKey: string | null;
  readonly kills: Readonly<Record<string, Phase>>;
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
  #state: State = {
    outputEnd: 0,
    gaps: [],
    finalOffset: null,
    ends: [],
    generation: 0,
    runKey: null,
    kills: {},
  };
  #stored = this.#state;
  /** Answers that wait until what they confirm is stored. */
  #answers: (() => void)[] = [];
  #storing: (() => void) | null = null;
  #sockets: Socket[] = [];

  constructor(time: VirtualTime, random: Random, printed: Printed) {
    this.#time = time;
    this.#random = random;
    this.#printed = printed;
  }

  /** What would survive a restart now. */
  get stored(): State {
    return this.#stored;
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
    this.#storing?.();
    this.#storing = null;
    for (const { wire } of this.#sockets.splice(0)) wire.cut(noticed ? ['wrapper'] : []);
  }

  /** An operator's kill; stored before it is sent. */
  kill(command: string): void {
    const phase = this.#state.finalOffset === null ? 'pending' : 'refused';
    this.#change({ kills: { ...this.#state.kills, [command]: phase } });
    this.#answer(() => {
      for (const socket of this.#sockets) if (this.#speaks(socket)) this.#sendKill(socket, command);
    });
  }

  say(message: ObjectMessage): void {
    for (const socket of this.#sockets) if (this.#speaks(socket)) this.#send(socket, message);
  }

  #receive(socket: Socket, frame: Frame): void {
    if (frame === HEARTBEAT) socket.wire.send('wrapper', HEARTBEAT);
    else if (typeof frame === 'string') this.#receiveText(socket, frame);
    else this.#takeOutput(socket, frame);
  }

  #receiveText(socket: Socket, frame: string): void {
    const read = readWrapperMessage(frame);
    if (read.kind !== 'message') return void this.faults.push(`unreadable: ${frame.slice(0, 100)}`);
    this.onTaken(read.message);
    const { message } = read;
    if (message.type === 'start') {
      this.#start(socket, message);
      return;
    }
    if (!this.#maySpeak(socket)) return;
    switch (message.type) {
      case 'gap':
        this.#place(socket, message.from, message.to, (from) => {
          this.#change({ gaps: [...this.#state.gaps, { from, to: message.to }] });
        });
        return;
      case 'killing':
        if (message.command !== null) this.#progress(message.command, message.phase);
        return;
      case 'complete':
        this.#complete(socket, message);
        return;
      case 'alive':
        return;
    }
  }

  #start(socket: Socket, message: Extract<WrapperMessage, { type: 'start' }>): void {
    if (this.#state.runKey !== null && this.#state.runKey !== message.run_key) {
      this.faults.push('another key');
      return;
    }
    if (socket.generation === null || socket.generation !== this.#state.generation) {
      socket.generation = this.#state.generation + 1;
      this.#change({ generation: socket.generation, runKey: message.run_key });
      for (const other of this.#sockets.filter((each) => each !== socket)) {
        this.#forget(other);
        other.wire.cut(['wrapper']);
      }
    }
    const offset = this.#state.outputEnd;
    this.#answer(() =>
      this.#send(socket, {
        type: 'ack',
        of: 'start',
        offset,
        flow: this.#random.percent(50) ? 'eager' : 'lazy',
        heartbeat_ms: 5_000,
        silence_ms: 15_000,
        reconnect_cap_ms: 10_000,
      }),
    );
    if (this.#state.finalOffset !== null) return;
    for (const applied of message.applied_kills) this.#progress(applied.command, applied.phase);
    if (message.phase === 'abandoned') {
      this.#end('abandoned', Math.max(message.output.to, offset), 'lost');
      return;
    }
    const known = new Set(message.applied_kills.map(({ command }) => command));
    for (const [command, phase] of Object.entries(this.#state.kills)) {
      if (RANK[phase] < RANK.gone && !known.has(command)) this.#answer(() => this.#sendKill(socket, command));
    }
  }

  #complete(socket: Socket, message: Extract<WrapperMessage, { type: 'complete' }>): void {
    if (this.#state.finalOffset === null) {
      for (const applied of message.applied_kills) this.#progress(applied.command, applied.phase);
      this.#end(message.reason, Math.max(message.final_offset, this.#state.outputEnd), 'refused');
    }
    this.#answer(() => this.#send(socket, { type: 'ack', of: 'complete' }));
  }

  #end(reason: string, finalOffset: number, left: 'lost' | 'refused'): void {
    const kills = Object.entries(this.#state.kills).map(([command, phase]) => [
      command,
      RANK[phase] < RANK.gone ? left : phase,
    ]);
    this.#change({ finalOffset, ends: [...this.#state.ends, reason], kills: Object.fromEntries(kills) });
  }

  #takeOutput(socket: Socket, frame: Uint8Array): void {
    const decoded = decodeOutputFrame(frame);
    if (!decoded.ok) return void this.faults.push(decoded.message);
    if (!this.#maySpeak(socket)) return;
    const { stream, start, bytes } = decoded.frame;
    if (!this.#printed.isRight(stream, start, bytes)) this.faults.push(`wrong bytes at ${start}`);
    this.#place(socket, start, start + bytes.length, () => {});
  }

  #place(socket: Socket, start: number, end: number, store: (from: number) => void): void {
    const { outputEnd, finalOffset } = this.#state;
    if (end <= start || (finalOffset !== null && end > finalOffset)) {
      this.#refuse(socket, 'bad_offset');
      return;
    }
    if (start > outputEnd) {
      this.#refuse(socket, 'gap', outputEnd);
      return;
    }
    if (end > outputEnd) {
      store(outputEnd);
      this.#change({ outputEnd: end });
    }
    const offset = this.#state.outputEnd;
    this.#answer(() => this.#send(socket, { type: 'ack', of: 'output', offset }));
  }

  #progress(command: string, phase: Phase): void {
    const known = this.#state.kills[command];
    if (known === undefined) return void this.faults.push(`progress of ${command}, which nobody asked for`);
    if (RANK[phase] > RANK[known]) this.#change({ kills: { ...this.#state.kills, [command]: phase } });
  }

  #maySpeak(socket: Socket): boolean {
    if (socket.generation === null) {
      this.#refuse(socket, 'start_expected');
    }
    return this.#speaks(socket);
  }

  #speaks(socket: Socket): boolean {
    return socket.generation !== null && socket.generation === this.#state.generation;
  }

  #refuse(socket: Socket, code: 'bad_offset' | 'gap' | 'start_expected', expected?: number): void {
    this.refused.push(code);
    this.#send(socket, {
      type: 'error',
      code,
      message: '',
      retry: null,
      ...(expected === undefined ? {} : { expected }),
    });
  }

  #sendKill(socket: Socket, command: string): void {
    this.#send(socket, {
      type: 'kill',
      command,
      signal: 'SIGTERM',
      grace_ms: 1_000,
      requested_by: 'model',
      reason: null,
    });
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
  #answer(answer: () => void): void {
    this.#answers.push(answer);
    this.#storing ??= this.#time.after(this.#random.below(20), () => {
      this.#storing = null;
      this.#stored = this.#state;
      for (const each of this.#answers.splice(0)) each();
    });
  }
}
