/** One run at the fake control plane: what it has sent, and what is stored of it. */
import type { WebSocket } from 'ws';
import type { OutputFrame, StreamName } from '#protocol/output-frame';
import type { Complete, Killing, ObjectMessage, Start, WrapperMessage } from '#protocol/wrapper-link';
import { type StoredRun, UNKNOWN_RUN } from '#testing/stored-run';

export type MessageOf<Type extends WrapperMessage['type']> = Extract<WrapperMessage, { type: Type }>;

export class FakeRun {
  readonly id: string;
  readonly messages: WrapperMessage[] = [];
  /** The tokens with which it connected. */
  readonly tokens = new Set<string>();
  stored: StoredRun = UNKNOWN_RUN;
  /** The newest connection, while it is open. */
  socket: WebSocket | null = null;
  #frames: OutputFrame[] = [];
  #merged = Buffer.alloc(0);

  constructor(id: string) {
    this.id = id;
  }

  of<Type extends WrapperMessage['type']>(type: Type): MessageOf<Type>[] {
    return this.messages.filter((each): each is MessageOf<Type> => each.type === type);
  }

  get starts(): Start[] {
    return this.of('start');
  }

  get killings(): Killing[] {
    return this.of('killing');
  }

  /** The stored end, if any: at most one, however often it was reported. */
  get completions(): Complete[] {
    const { end } = this.stored;
    return end === null || end === 'abandoned' ? [] : [end];
  }

  get gaps(): StoredRun['gaps'] {
    return this.stored.gaps;
  }

  /** The output is stored up to here. */
  get end(): number {
    return this.stored.outputEnd;
  }

  /** Whether its end and all of its output are stored. */
  get isComplete(): boolean {
    return this.completions.length > 0 && this.#isWhole;
  }

  /** Whether its wrapper died and all that it left is stored. */
  get isLost(): boolean {
    return this.stored.end === 'abandoned' && this.#isWhole;
  }

  get #isWhole(): boolean {
    return this.stored.outputEnd >= (this.stored.finalOffset ?? 0);
  }

  /** What is stored of one stream, without gaps. */
  bytes(stream: StreamName): Buffer {
    return Buffer.concat(this.#frames.flatMap((each) => (each.stream === stream ? [each.bytes] : [])));
  }

  /** The same as text, a character for each byte. */
  text(stream: StreamName): string {
    return this.bytes(stream).toString('latin1');
  }

  /** What is stored of both streams, as it was merged, with zeros in gaps. */
  get output(): Buffer {
    // Waiting tests read this repeatedly.
    if (this.#merged.length === this.end) return this.#merged;
    this.#merged = Buffer.alloc(this.end);
    for (const { start, bytes } of this.#frames) this.#merged.set(bytes, start);
    return this.#merged;
  }

  /** Keeps the bytes of new output. */
  keep({ stream, start, bytes }: OutputFrame): void {
    this.#frames.push({ stream, start, bytes: Buffer.from(bytes) });
  }

  /** Like a Durable Object whose storage was lost. */
  forgetOutput(): void {
    this.#frames = [];
    this.#merged = Buffer.alloc(0);
    this.stored = { ...this.stored, outputEnd: 0, gaps: [] };
  }

  send(message: ObjectMessage): void {
    if (this.socket === null) throw new Error(`the run ${this.id} is not connected`);
    this.socket.send(JSON.stringify(message));
  }
}
