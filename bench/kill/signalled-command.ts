/** A command that is killed once, and what is known of it outside of its process. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { waitFor } from '#testing/wait-for';

const PROGRAM = fileURLToPath(new URL('./signalled-command.mjs', import.meta.url));

/** How long a signal may take before it counts as one that did not arrive. */
const LIMIT_MS = 10_000;
const LIMIT_AFTER_REFUSAL_MS = 500;
const POLL_MS = 5;

/** Milliseconds since the call was made. */
export interface SignalTimes {
  readonly responseMs: number;
  readonly signalMs: number;
}

export class SignalledCommand {
  readonly argv: readonly string[];
  readonly #file: string;

  constructor(directory: string, name: string) {
    this.#file = join(directory, name);
    this.argv = [process.execPath, PROGRAM, this.#file];
  }

  async isReady(): Promise<void> {
    await waitFor('a command to be ready', () => existsSync(`${this.#file}.ready`));
  }

  /**
   * @param call has it signalled; resolves with whether it was accepted
   * @returns null if the call fails or the signal doesn't come
   */
  async time(call: () => Promise<boolean>): Promise<SignalTimes | null> {
    const beganAt = process.hrtime.bigint();
    const isAccepted = await call();
    const responseMs = milliseconds(process.hrtime.bigint() - beganAt);
    const deadline = performance.now() + (isAccepted ? LIMIT_MS : LIMIT_AFTER_REFUSAL_MS);
    while (!existsSync(this.#file)) {
      if (performance.now() > deadline) return null;
      await sleep(POLL_MS);
    }
    const signalledAt = BigInt(readFileSync(this.#file, 'utf8'));
    return { responseMs, signalMs: milliseconds(signalledAt - beganAt) };
  }
}

function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e6;
}
