/** This user's state directory on this machine, and ourselves as one who may own things in it. */
import os from 'node:os';
import type { Environment } from '../cli/config-file.ts';
import { ownProcess, type Processes } from '../spool/owner.ts';
import { openStateDirectory, type Whereabouts } from '../spool/state-directory.ts';

export interface State {
  readonly kind: 'usable';
  readonly directory: string;
  readonly processes: Processes;
}

/** Never fails. */
export async function openState(
  settings: Environment,
): Promise<State | { readonly kind: 'unusable'; readonly why: string }> {
  const opened = await openStateDirectory(settings, whereabouts());
  if (opened.kind === 'unusable') return opened;
  const processes = ownProcess();
  if (processes === null) return { kind: 'unusable', why: 'this process can not be told from others' };
  return { kind: 'usable', directory: opened.path, processes };
}

function whereabouts(): Whereabouts {
  return { uid: process.getuid?.() ?? null, home: home(), hostname: os.hostname() };
}

function home(): string | null {
  try {
    return os.homedir() || null;
  } catch {
    // A user that the system doesn't know, without $HOME.
    return null;
  }
}
