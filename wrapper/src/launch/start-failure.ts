/**
 * A file in which the shell reports that it could not become the command (shim.ts): its exit codes for that, 126 and 127,
 * may be the command's own. The file is unlinked: the shell opens it by our descriptor.
 */
import fs from 'node:fs';
import path from 'node:path';
import { DIRECTORIES } from '../output/output-pipe.ts';

export interface StartFailure {
  readonly file: string;
  /** @returns whether a failure was reported; false if it was closed before */
  close(): boolean;
}

/** @returns null if such a file can't be created */
export function openStartFailure(): StartFailure | null {
  if (!fs.existsSync('/proc/self/fd')) return null;
  for (const directory of DIRECTORIES) {
    try {
      return openIn(directory);
    } catch {
      // Missing, read-only or full: another directory may work.
    }
  }
  return null;
}

function openIn(directory: string): StartFailure {
  const place = fs.mkdtempSync(path.join(directory, 'leash-'));
  try {
    let isClosed = false;
    const fd = fs.openSync(path.join(place, 'failure'), 'wx+', 0o600);
    return {
      file: `/proc/${process.pid}/fd/${fd}`,
      close: () => {
        if (isClosed) return false;
        isClosed = true;
        const { size } = fs.fstatSync(fd);
        fs.closeSync(fd);
        return size > 0;
      },
    };
  } finally {
    fs.rmSync(place, { recursive: true, force: true });
  }
}
