/** One run at the fake control plane: what it has said, and what is stored of it. */
import type { WebSocket } from 'ws';
import type { OutputFrame, StreamName } from '#protocol/output-frame';
import type { Complete, Killing, ObjectMessage, Start, WrapperMessage } from '#protocol/wrapper-link';
import { type StoredRun, UNKNOWN_RUN } from '#testing/stored-run';

export type MessageOf<Type extends WrapperMessage['type']> = Extract<WrapperMessage, { type: Type }>;

export class FakeRun {
  readonly id: string;
  readonly messages: WrapperMessage[] = [];
  /** The tokens by which it came. */
  readonly tokens = new Set<string>();
  stored: StoredRun = UNKNOWN_RUN;
  /** The newest, while it is open. */
  socket: WebSocket | null = null;
  #pieces: OutputFrame[] = [];
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

  /** The end that is stored, if it is one: never more, however often it was said. */
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

  /** Whether its wrapper died and all that was left of it is stored. */
  get isLost(): boolean {
    return this.stored.end === 'abandoned' && this.#isWhole;
  }

  get #isWhole(): boolean {
    return this.stored.outputEnd >= (this.stored.finalOffset ?? 0);
  }

  /** What is stored of one stream, without gaps. */
  bytes(stream: StreamName): Buffer {
    return Buffer.concat(this.#pieces.flatMap((each) => (each.stream === stream ? [each.bytes] : [])));
  }

  /** The same as text, a character for each byte. */
  text(stream: StreamName): string {
    return this.bytes(stream).toString('latin1');
  }

  /** What is stored of both streams, as it was merged, with zeros in gaps. */
  get output(): Buffer {
    // Asked again and again by who waits.
    if (this.#merged.length === this.end) return this.#merged;
    this.#merged = Buffer.alloc(this.end);
    for (const { start, bytes } of this.#pieces) this.#merged.set(bytes, start);
    return this.#merged;
  }

  /** Keeps the bytes of new output. */
  keep({ stream, start, bytes }: OutputFrame): void {
    this.#pieces.push({ stream, start, bytes: Buffer.from(bytes) });
  }

  /** As an object does that was restored from nothing. */
  forgetOutput(): void {
    this.#pieces = [];
    this.#merged = Buffer.alloc(0);
    this.stored = { ...this.stored, outputEnd: 0, gaps: [] };
  }

  send(message: ObjectMessage): void {
    if (this.socket === null) throw new Error(`the run ${this.id} is not connected`);
    this.socket.send(JSON.stringify(message));
  }
}
