/** What the operating system knows of its processes, as far as finding and ending a run's needs it. */
import { procTable } from './proc-table.ts';
import { psTable } from './ps-table.ts';

export interface ProcessEntry {
  readonly pid: number;
  readonly ppid: number;
  /** The process group it is in. */
  readonly pgid: number;
  /** The session it is in; 0 where that can't be told. */
  readonly sid: number;
  /** When it started: tells it apart from another that had or will have its pid. Compared for equality only. */
  readonly startTime: string;
  /** Zombies are not alive: they are dead, whoever has yet to notice. */
  readonly isAlive: boolean;
  /** A thread of the kernel's own: it has no environment, and no signal reaches it. */
  readonly isKernel: boolean;
}

export interface ProcessTable {
  /** One look at all processes, the dead that nobody has collected included. Throws when nothing can be seen. */
  list(): ProcessEntry[];
  /** Pids of all processes, at a far lower cost than all there is to read of them; null where that is impossible. */
  pids(): number[] | null;
  /**
   * A number that no other process with this pid has had or will have: as long as it is the same, so is the process, and
   * it costs less to read than the entry. It may change without cause. Null when there is no such process or number.
   */
  inode(pid: number): number | null;
  /** One process, dead or alive; null when there is none with this pid. */
  entry(pid: number): ProcessEntry | null;
  /** Pids of the children of one process at a cost that does not grow with the machine; null where that is impossible. */
  children(pid: number): number[] | null;
  /** The same of its main thread alone, to which the system gives orphans that the process adopts: cheaper still. */
  adopted(pid: number): number[] | null;
  /**
   * Whether the environment that the process was started with has a variable called `name`, with this value if one is
   * given. False when it may never be seen because the process is another user's; null when it can't be seen now, because
   * it is just being replaced.
   */
  hasVariable(pid: number, name: string, value?: string): boolean | null;
  /**
   * Whether the stdout or stderr of the process is one of `pipes`, as `nameOfPipe` names them. False where that can't be
   * told.
   */
  printsInto(pid: number, pipes: readonly string[]): boolean;
  /**
   * Whether any descriptor of the process may be one of `pipes`. False only where that can be told: with what may not be
   * looked at, nothing is known.
   */
  mayHold(pid: number, pipes: readonly string[]): boolean;
  /** What tells a pipe of ours apart from all others; null where there is no such thing. */
  nameOfPipe(fd: number): string | null;
  /** The pid that was given out last; null where that can't be told. */
  newestPid(): number | null;
  /** Milliseconds in which this machine can't give out all pids once around, however busy it is. */
  readonly noTurnMs: number;
}

/** This machine's. Elsewhere than on Linux it knows neither sessions nor environments. */
export const processTable: ProcessTable = process.platform === 'linux' ? procTable : psTable;
