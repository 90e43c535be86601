/** The file that holds the token. */
import { readBlockingFile } from './blocking-file.ts';

type Listener = (token: string) => void;

const listeners = new Map<string, Listener[]>();

/**
 * Reads the token; called for each connection, so that the token can be replaced while runs continue.
 *
 * @throws what the file system says
 */
export async function readTokenFile(path: string): Promise<string> {
  const token = (await readBlockingFile(path)).trim();
  for (const listener of listeners.get(path) ?? []) listener(token);
  return token;
}

/** `listener` is called with the token each time that it is read. */
export function onTokenRead(path: string, listener: Listener): void {
  listeners.set(path, [...(listeners.get(path) ?? []), listener]);
}
