/** A machine's clock of the day, which can be moved while its processes run: by a library that is preloaded into them. */
import { execFile } from 'node:child_process';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCE = fileURLToPath(new URL('./clock.c', import.meta.url));

/** Compiles the library. @returns its path; null where there is no compiler, or what it makes can't be loaded */
export async function buildClockLibrary(directory: string): Promise<string | null> {
  const library = join(directory, 'clock.so');
  try {
    await promisify(execFile)('cc', ['-shared', '-fPIC', '-O2', '-o', library, SOURCE, '-ldl']);
    const file = join(directory, 'clock-try');
    const clock = new Clock(library, file);
    clock.move(A_DAY_MS);
    const env = { ...process.env, ...clock.environment };
    const { stdout } = await promisify(execFile)(process.execPath, ['-p', 'Date.now()'], { env });
    return Number(stdout) > Date.now() + A_DAY_MS / 2 ? library : null;
  } catch {
    return null;
  }
}

const A_DAY_MS = 86_400_000;

export class Clock {
  readonly environment: Readonly<Record<string, string>>;
  readonly #file: string;
  #shiftMs = 0;

  constructor(library: string, file: string) {
    this.#file = file;
    this.environment = { LD_PRELOAD: library, LEASH_CHAOS_CLOCK: file };
    writeFileSync(file, Buffer.alloc(8));
  }

  move(byMs: number): void {
    this.#shiftMs += byMs;
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(this.#shiftMs));
    // In its place: the processes have it mapped.
    const fd = openSync(this.#file, 'r+');
    writeSync(fd, bytes, 0, bytes.length, 0);
    closeSync(fd);
  }
}
