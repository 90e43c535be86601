/** A machine on which wrappers run: its way to the control plane, its disk and its clock. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MEMORY } from '../../wrapper/src/host/memory-directory.ts';
import { fallbackPrefix } from '../../wrapper/src/state/fallback-directory.ts';
import type { LinkCondition, TcpProxy } from '../support/tcp-proxy.ts';
import type { TestEnvironment } from '../support/test-environment.ts';
import { Clock } from './clock.ts';
import { Disk } from './disk.ts';

export class Machine {
  readonly name: string;
  readonly link: TcpProxy;
  readonly disk: Disk;
  /** Null where clocks can't be moved. */
  readonly clock: Clock | null;

  private constructor(name: string, parts: Pick<Machine, 'link' | 'disk' | 'clock'>) {
    this.name = name;
    this.link = parts.link;
    this.disk = parts.disk;
    this.clock = parts.clock;
  }

  static async create(environment: TestEnvironment, name: string, clockLibrary: string | null): Promise<Machine> {
    const link = await environment.proxy();
    // Where a wrapper of this machine keeps its state (WrapperProcess).
    const disk = await Disk.create(join(environment.directory, 'machines', name));
    const clock = clockLibrary === null ? null : new Clock(clockLibrary, join(environment.directory, `${name}.clock`));
    return new Machine(name, { link, disk, clock });
  }

  get environment(): Readonly<Record<string, string>> {
    return this.clock?.environment ?? {};
  }

  setLinkCondition(condition: LinkCondition): void {
    if (condition === 'open') this.link.restore();
    else if (condition === 'cut') this.link.cut();
    else if (condition === 'stalled') this.link.stall();
    else this.link.slow();
  }

  /** What is left of runs in its state directory, and in what stands in for it in memory: paths. */
  leftovers(): string[] {
    const prefix = fallbackPrefix(this.disk.path);
    const inMemory = pathsIn(MEMORY).filter((place) => basename(place).startsWith(prefix));
    return [...inMemory, this.disk.path].flatMap((root) => pathsIn(join(root, 'runs')));
  }
}

function pathsIn(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name));
  } catch {
    // No run has got there.
    return [];
  }
}
