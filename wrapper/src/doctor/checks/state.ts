/** The state directory: where runs are recorded, and what the control plane doesn't have yet is spooled. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { MIB } from '#protocol/limits';
import { formatBytes } from '#shared/format-bytes';
import type { Environment } from '../../config/config-file.ts';
import type { ControlPlane } from '../../config/control-plane.ts';
import { findUnsentRuns, type UnsentRuns } from '../../flush/unsent-runs.ts';
import { describeError } from '../../logging/log.ts';
import { findOrphans } from '../../orphans/orphans.ts';
import { openState } from '../../state/state-directory.ts';
import { type Finding, note, ok, problem, warning } from '../finding.ts';

/** What a run may keep of its output by default is more; with less than this, hardly anything is kept. */
const LEAST_FREE_BYTES = 64 * MIB;

export type StateFacts =
  | { readonly kind: 'unusable'; readonly why: string }
  | {
      readonly kind: 'usable';
      readonly directory: string;
      readonly freeBytes: number;
      readonly fileSystem: number;
      /** Why no file could be written; null when one could. */
      readonly writeError: string | null;
      readonly unsent: UnsentRuns | null;
      readonly orphans: number;
    };

export async function checkState(settings: Environment, controlPlane: ControlPlane | null): Promise<Finding[]> {
  return judgeState(await probeState(settings, controlPlane));
}

export function judgeState(state: StateFacts): Finding[] {
  if (state.kind === 'unusable') {
    return [
      problem(
        'state.directory',
        `unusable: ${state.why}. What the control plane doesn’t take at once is lost`,
        'Correct that, or set LEASH_STATE_DIR to a directory that belongs to the user who runs the jobs.',
      ),
    ];
  }
  return [directoryFinding(state), ...fileSystemFindings(state), ...leftoverFindings(state)];
}

type Usable = Extract<StateFacts, { kind: 'usable' }>;

function directoryFinding({ directory, freeBytes, writeError }: Usable): Finding {
  if (writeError !== null) {
    return problem(
      'state.directory',
      `${directory} can’t be written to: ${writeError}. What the control plane doesn’t take at once is lost`,
      'Free space, or set LEASH_STATE_DIR to a directory on a disk that can be written to.',
    );
  }
  const shown = `${directory}, writable, ${formatBytes(freeBytes)} free`;
  return freeBytes < LEAST_FREE_BYTES
    ? warning('state.directory', `${shown}: in an outage hardly any output can be kept`, 'Free space on that disk.')
    : ok('state.directory', shown);
}

/** statfs(2) */
const NETWORK: Readonly<Record<number, string>> = {
  26985: 'NFS',
  4283649346: 'CIFS',
  4266872130: 'SMB',
  20859: 'SMB',
  1702057286: 'FUSE',
  1397113167: 'AFS',
  12805120: 'Ceph',
};
const MEMORY: Readonly<Record<number, string>> = { 16914836: 'tmpfs', 2240043254: 'ramfs' };

function fileSystemFindings({ directory, fileSystem }: Usable): Finding[] {
  const network = NETWORK[fileSystem];
  const memory = MEMORY[fileSystem];
  if (network !== undefined) {
    return [
      warning(
        'state.file_system',
        `it is on a network file system (${network}): if that hangs, runs end seconds late; and machines must not share it`,
        'Set LEASH_STATE_DIR to a directory on a local disk.',
      ),
    ];
  }
  if (memory !== undefined) {
    return [
      warning(
        'state.file_system',
        `it is in memory (${memory}): a reboot loses what has not been sent`,
        `Mount a disk or a volume at ${directory}, or set LEASH_STATE_DIR to a directory on one.`,
      ),
    ];
  }
  return [];
}

function leftoverFindings({ unsent, orphans, directory }: Usable): Finding[] {
  const findings: Finding[] = [];
  if (orphans > 0) {
    findings.push(
      warning(
        'state.orphans',
        `${count(orphans, 'command')} of earlier runs still ${orphans === 1 ? 'runs' : 'run'} without a wrapper, so that no kill reaches ${orphans === 1 ? 'it' : 'them'}`,
        'Run leash orphans: it starts a wrapper for each.',
      ),
    );
  }
  if (unsent === null) return findings;
  const { waiting, beingSent, foreign, unreadable } = unsent;
  if (waiting.length > 0) {
    findings.push(
      warning(
        'state.unsent',
        `${count(waiting.length, 'ended run')} not sent to the control plane yet`,
        'Run leash flush: it sends them, or says what prevents that.',
      ),
    );
  }
  if (beingSent > 0)
    findings.push(note('state.being_sent', `${count(beingSent, 'ended run')} being sent in the background`));
  for (const each of foreign) {
    findings.push(
      warning(
        'state.foreign',
        `${count(each.count, 'ended run')} for another control plane, ${each.url}`,
        `Run leash flush --url ${each.url} with its token; or delete them from ${path.join(directory, 'runs')}.`,
      ),
    );
  }
  if (unreadable.length > 0) {
    findings.push(
      warning(
        'state.unreadable',
        `${count(unreadable.length, 'record')} of another version, or damaged`,
        'Run leash flush: it says what to do with each.',
      ),
    );
  }
  return findings.length === 0 ? [ok('state.unsent', 'nothing is left to send')] : findings;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

async function probeState(settings: Environment, controlPlane: ControlPlane | null): Promise<StateFacts> {
  const opened = await openState(settings);
  if (opened.kind === 'unusable') return opened;
  const { directory } = opened;
  const { bavail, bsize, type } = await fs.statfs(directory);
  return {
    kind: 'usable',
    directory,
    freeBytes: bavail * bsize,
    fileSystem: type,
    writeError: await tryToWrite(directory),
    unsent: controlPlane === null ? null : await findUnsentRuns(opened, controlPlane),
    orphans: (await findOrphans(opened)).length,
  };
}

/** Writes through to the disk: a full one may accept a file and fail at that. */
async function tryToWrite(directory: string): Promise<string | null> {
  const file = path.join(directory, `doctor-${randomBytes(4).toString('hex')}`);
  try {
    const handle = await fs.open(file, 'wx', 0o600);
    try {
      await handle.writeFile(Buffer.alloc(4096));
      await handle.sync();
    } finally {
      await handle.close();
    }
    return null;
  } catch (error) {
    // ENOSPC, EROFS, EDQUOT, EIO …
    return describeError(error);
  } finally {
    await fs.rm(file, { force: true }).catch(() => {});
  }
}
