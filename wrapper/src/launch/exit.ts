/** How a command ended, in the protocol's terms. */
import os from 'node:os';
import type { RawExit } from '#protocol/run-state';

/** Converts Node's code and signal of a child's exit. */
export function rawExit(code: number | null, signal: string | null): RawExit {
  if (code !== null) return { kind: 'exited', code };
  const name = signal ?? 'SIGKILL';
  return { kind: 'signaled', signal: name, signalNumber: signalNumber(name) };
}

function signalNumber(name: string): number {
  const numbers: Readonly<Record<string, number>> = os.constants.signals;
  return numbers[name] ?? 0;
}
