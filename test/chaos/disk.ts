/** The disk of a machine: a small file system of its own where mounting is allowed. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Set by scripts/test-proof.ts where this program has mounts of its own, which end with it. */
const OWN_MOUNTS_VARIABLE = 'LEASH_CHAOS_OWN_MOUNTS';
const canMount = process.env[OWN_MOUNTS_VARIABLE] === '1';
/** Memory that is a file system, in which runs keep their journals. */
const MEMORY = '/dev/shm';

/** Takes care that nobody else on this machine sees, or tidies up, what the runs keep in memory. */
export async function ownMemory(): Promise<void> {
  if (canMount) await run('mount', ['-t', 'tmpfs', '-o', 'mode=1777', 'leash-chaos', MEMORY]);
}

/** Rights mean nothing to root. */
const rightsCount = process.getuid?.() !== 0;

const SIZE = '32m';
const PAGE_BYTES = 4_096;
const FILLER = 'filler';

export type DiskTrouble = 'full' | 'read_only';

/** Why this trouble can't be made here; null if it can. */
export function whyNot(trouble: DiskTrouble): string | null {
  if (canMount || (trouble === 'read_only' && rightsCount)) return null;
  return 'nothing can be mounted here';
}

export class Disk {
  readonly path: string;
  #trouble: DiskTrouble | null = null;
  #hadTrouble = false;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(path: string): Promise<Disk> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    if (canMount) await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=700`, 'leash-chaos', path]);
    return new Disk(path);
  }

  /** Whether it was ever in trouble. */
  get hadTrouble(): boolean {
    return this.#hadTrouble;
  }

  async begin(trouble: DiskTrouble): Promise<void> {
    this.#trouble = trouble;
    this.#hadTrouble = true;
    if (trouble === 'full') await this.#fill();
    else if (canMount) {
      // Made elsewhere and put on top: a mount that somebody writes to can't become read-only.
      const aside = `${this.path}.read-only`;
      await mkdir(aside, { recursive: true });
      await run('mount', ['--bind', this.path, aside]);
      await run('mount', ['-o', 'remount,bind,ro', aside]);
      await run('mount', ['--move', aside, this.path]);
    } else {
      await this.#setModes(0o500);
    }
  }

  async mend(): Promise<void> {
    if (this.#trouble === 'full') await rm(join(this.path, FILLER), { force: true });
    else if (this.#trouble === 'read_only' && canMount) await run('umount', ['--lazy', this.path]);
    else if (this.#trouble === 'read_only') await this.#setModes(0o700);
    this.#trouble = null;
  }

  async remove(): Promise<void> {
    await this.mend();
    if (canMount) await run('umount', ['--lazy', this.path]);
  }

  async #fill(): Promise<void> {
    const filler = await open(join(this.path, FILLER), 'w');
    try {
      for (const bytes of [256 * PAGE_BYTES, PAGE_BYTES]) await fillBy(filler, Buffer.alloc(bytes, 1));
    } finally {
      await filler.close();
    }
  }

  async #setModes(mode: number): Promise<void> {
    await mkdir(join(this.path, 'runs'), { recursive: true, mode: 0o700 });
    for (const directory of [this.path, join(this.path, 'runs')]) await chmod(directory, mode);
  }
}

async function fillBy(file: Awaited<ReturnType<typeof open>>, chunk: Buffer): Promise<void> {
  try {
    for (;;) {
      const { bytesWritten } = await file.write(chunk);
      if (bytesWritten < chunk.length) return;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
