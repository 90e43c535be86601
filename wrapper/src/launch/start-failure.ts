/**
 * A file by which the shell that is to become the command says that it could not (shim.ts): its exit codes for that, 126 and
 * 127, may be the command's own. The file has no name: the shell opens it by our descriptor.
 */
import fs from 'node:fs';
import path from 'node:path';
import { DIRECTORIES } from '../output/output-pipe.ts';

export interface StartFailure {
  readonly file: string;
  /** @returns whether something has been said in it; false when it is closed already */
  close(): boolean;
}

/** @returns null when there is no way to say it */
export function openStartFailure(): StartFailure | null {
  if (!fs.existsSync('/proc/self/fd')) return null;
  for (const directory of DIRECTORIES) {
    try {
      return openIn(directory);
    } catch {
      // No such directory, read-only, full: perhaps another will do.
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
