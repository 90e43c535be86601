/** The directory in memory: the journals from which a successor continues, and ends of runs that no disk takes. */
import fs from 'node:fs';
import { formatBytes } from '#shared/format-bytes';
import { hasCode } from '../../host/error-code.ts';
import { LEAST_FREE_BYTES, MEMORY } from '../../host/memory-directory.ts';
import { pathOwnersSync } from '../../host/path-owners.ts';
import { type Finding, note, ok, problem, warning } from '../finding.ts';

export type Memory =
  | { readonly kind: 'there'; readonly freeBytes: number; readonly isWritable: boolean; readonly shared: string | null }
  | { readonly kind: 'missing' };

export function checkMemory(): Finding[] {
  return [judgeMemory(probeMemory(), process.platform)];
}

export function judgeMemory(memory: Memory, platform: string): Finding {
  const without = 'a wrapper that is killed takes its unsent output with it';
  if (memory.kind === 'missing') {
    if (platform !== 'linux') return note('memory', `${MEMORY} exists on Linux only: ${without}`);
    return warning(
      'memory',
      `${MEMORY} does not exist: ${without}`,
      `Mount a tmpfs there (mount -t tmpfs tmpfs ${MEMORY}).`,
    );
  }
  if (memory.shared !== null) {
    return problem('memory', memory.shared, `Give ${MEMORY} back to root, with its usual mode: chmod 1777 ${MEMORY}`);
  }
  if (!memory.isWritable) {
    return warning(
      'memory',
      `this user can't write to ${MEMORY}: ${without}`,
      `Restore its usual mode: chmod 1777 ${MEMORY}`,
    );
  }
  if (memory.freeBytes < LEAST_FREE_BYTES) {
    return warning(
      'memory',
      `${MEMORY} has ${formatBytes(memory.freeBytes)} free, and leash leaves the last ${formatBytes(LEAST_FREE_BYTES)} to commands: ${without}`,
      `Remove what fills it (ls -l ${MEMORY}), or make it larger (docker run --shm-size=256m).`,
    );
  }
  return ok('memory', `${MEMORY}, ${formatBytes(memory.freeBytes)} free`);
}

function probeMemory(): Memory {
  try {
    const { bavail, bsize } = fs.statfsSync(MEMORY);
    const owners = pathOwnersSync(MEMORY);
    return {
      kind: 'there',
      freeBytes: bavail * bsize,
      isWritable: isWritable(),
      shared: owners.kind === 'shared' ? owners.why : null,
    };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { kind: 'missing' };
    throw error;
  }
}

function isWritable(): boolean {
  try {
    fs.accessSync(MEMORY, fs.constants.W_OK);
    return true;
  } catch {
    // EACCES, EROFS.
    return false;
  }
}
