/** This user's limits (`ulimit`): a wrapper is one Node.js, with the usual appetite of one. */
import fs from 'node:fs';
import { MIB } from '#protocol/limits';
import { formatBytes } from '#shared/format-bytes';
import { type Finding, note, ok, problem, warning } from '../finding.ts';

/** As launcher.sh refuses to start with. */
const LEAST_FILES = 64;
const COMFORTABLE_FILES = 256;
/** A wrapper has about 12 threads, and each counts. */
const COMFORTABLE_PROCESSES = 100;
/** Node reserves this much address space at its start, most of it never used. */
const COMFORTABLE_ADDRESS_SPACE = 2048 * MIB;

export interface Limits {
  /** null: unlimited. */
  readonly files: number | null;
  readonly processes: number | null;
  readonly addressSpaceBytes: number | null;
  readonly isRoot: boolean;
}

export function checkLimits(): Finding[] {
  const limits = readLimits();
  return limits === null ? [note('limits', 'not checked: this system has no /proc')] : judgeLimits(limits);
}

export function judgeLimits({ files, processes, addressSpaceBytes, isRoot }: Limits): Finding[] {
  const findings: Finding[] = [];
  if (files !== null && files < LEAST_FILES) {
    findings.push(
      problem(
        'limits.files',
        `only ${files} open files are allowed, and leash needs ${LEAST_FILES}: commands run unsupervised`,
        'Raise the limit "nofile" in /etc/security/limits.conf, or LimitNOFILE= of the unit.',
      ),
    );
  } else if (files !== null && files < COMFORTABLE_FILES) {
    findings.push(
      warning(
        'limits.files',
        `only ${files} open files are allowed: a command with many descriptors leaves too few for leash`,
        'Raise the limit "nofile" in /etc/security/limits.conf, or LimitNOFILE= of the unit.',
      ),
    );
  }
  // The kernel doesn't apply it to root.
  if (!isRoot && processes !== null && processes < COMFORTABLE_PROCESSES) {
    findings.push(
      warning(
        'limits.processes',
        `only ${processes} processes and threads are allowed for this user, and each wrapper has about 12`,
        'Raise the limit "nproc" in /etc/security/limits.conf, or TasksMax= of the unit.',
      ),
    );
  }
  if (addressSpaceBytes !== null && addressSpaceBytes < COMFORTABLE_ADDRESS_SPACE) {
    findings.push(
      warning(
        'limits.memory',
        `the address space is limited to ${formatBytes(addressSpaceBytes)}, and Node.js reserves more than it uses`,
        "Limit the memory of a command inside the run: leash run … -- sh -c 'ulimit -v …; exec COMMAND'.",
      ),
    );
  }
  if (findings.length > 0) return findings;
  const shown = [files === null ? 'any number of open files' : `${files} open files`];
  if (processes !== null && !isRoot) shown.push(`${processes} processes`);
  return [ok('limits', `${shown.join(', ')}, and no limit on memory that matters`)];
}

function readLimits(): Limits | null {
  try {
    return parseLimits(fs.readFileSync('/proc/self/limits', 'latin1'), process.getuid?.() === 0);
  } catch {
    // Not on Linux.
    return null;
  }
}

/** The hard limits: Node raises its own soft limit of open files to that. */
export function parseLimits(text: string, isRoot: boolean): Limits {
  const hard = (name: string) => {
    const value = new RegExp(`^${name} +\\S+ +(\\S+)`, 'm').exec(text)?.[1];
    return value === undefined || value === 'unlimited' ? null : Number(value);
  };
  const soft = (name: string) => {
    const value = new RegExp(`^${name} +(\\S+)`, 'm').exec(text)?.[1];
    return value === undefined || value === 'unlimited' ? null : Number(value);
  };
  return {
    files: hard('Max open files'),
    processes: soft('Max processes'),
    addressSpaceBytes: soft('Max address space'),
    isRoot,
  };
}
