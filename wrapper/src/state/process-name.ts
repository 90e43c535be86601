/** A process as part of a file name, so that who finds the file knows whether its owner lives. */
import type { ProcessRef } from '../processes/process-ref.ts';

export function processName({ bootId, pid, startTime, pidNamespace }: ProcessRef): string {
  const parts = [bootId, String(pid), startTime, ...(pidNamespace === undefined ? [] : [pidNamespace])];
  return parts.map(encodeURIComponent).join('@');
}

/** The other way round; null when it is none. An older leash's says nothing of the namespace. */
export function parseProcess(text: string): ProcessRef | null {
  const [boot, pid, start, namespace, ...rest] = text.split('@');
  if (boot === undefined || start === undefined || rest.length > 0 || !/^[1-9]\d*$/.test(pid ?? '')) return null;
  try {
    const known = namespace === undefined ? {} : { pidNamespace: decodeURIComponent(namespace) };
    return { bootId: decodeURIComponent(boot), pid: Number(pid), startTime: decodeURIComponent(start), ...known };
  } catch {
    // URIError: not a name that we gave.
    return null;
  }
}
