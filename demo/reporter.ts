/** Prints what happens: a line for each event, with the time since the start, who it is about, and what happened. */

/** What a line is, which decides how it is highlighted. */
export type Tone = 'plain' | 'command' | 'output' | 'signal' | 'end';

const ACTOR_WIDTH = 18;
const TONE_CODES: Record<Tone, string> = { plain: '', command: '1', output: '36', signal: '33', end: '1' };
const DIM = '2';
const GREEN = '32';
const RED = '31';

export class Reporter {
  readonly #startedAt = performance.now();
  readonly #colour: boolean;
  readonly #write: (text: string) => void;
  #scenarios = 0;
  #paused = false;

  constructor(write: (text: string) => void, colour: boolean) {
    this.#write = (text) => {
      if (!this.#paused) write(text);
    };
    this.#colour = colour;
  }

  /** Seconds since the start. */
  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  scenario(title: string): void {
    this.#scenarios += 1;
    this.#write(`\n${this.#paint('1', `${this.#scenarios} · ${title}`)}\n`);
  }

  event(actor: string, text: string, tone: Tone = 'plain'): void {
    const time = this.#paint(DIM, `${this.seconds.toFixed(1).padStart(6)} s`);
    this.#write(`${time}  ${this.#paint(DIM, actor.padEnd(ACTOR_WIDTH))} ${this.#paint(TONE_CODES[tone], text)}\n`);
  }

  check(text: string, passed: boolean, detail: string | null): void {
    const indent = ' '.repeat(10);
    if (passed) this.#write(`${indent}${this.#paint(GREEN, '✓')} ${this.#paint(DIM, text)}\n`);
    else this.#write(`${indent}${this.#paint(RED, `✗ ${text}`)}${detail === null ? '' : `\n${indent}  ${detail}`}\n`);
  }

  /** Lines that aren't an event. */
  print(text: string): void {
    this.#write(`${text}\n`);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  #paint(code: string, text: string): string {
    return this.#colour && code !== '' ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/** Whether the terminal behind a stream shows colours, and wants them (https://no-color.org). */
export function wantsColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && (process.env.NO_COLOR ?? '') === '' && process.env.TERM !== 'dumb';
}
