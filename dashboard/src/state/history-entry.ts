/**
 * What is remembered of each entry of the browser's history, so that "back" leads to where the reader was: a page that is
 * shown again begins with it. It outlives a reload, and ends with the tab.
 */
import { signal } from '@preact/signals';
import { newKey } from '../api/idempotency-key.ts';

const KEY = 'leash.entries';
/** Who goes back further finds the page as it is opened. */
const KEPT_ENTRIES = 50;

type Memory = Readonly<Record<string, unknown>>;

/** The entry that is shown. */
export const entry = signal('');

const memories = new Map<string, Memory>();
/** What a view saves of itself when the reader leaves it. */
const savers = new Map<string, () => unknown>();

export function startEntries(): void {
  history.scrollRestoration = 'manual';
  for (const [id, memory] of readKept()) memories.set(id, memory);
  addEventListener('pagehide', () => {
    rememberEntry();
    writeKept();
  });
  showEntry();
}

/** Before another one is shown. */
export function rememberEntry(): void {
  if (savers.size === 0) return;
  const saved = Object.fromEntries([...savers].map(([name, save]) => [name, save()]));
  memories.delete(entry.peek());
  memories.set(entry.peek(), saved);
  for (const id of memories.keys()) {
    if (memories.size <= KEPT_ENTRIES) break;
    memories.delete(id);
  }
}

/** Another entry of the browser's history is the current one. */
export function showEntry(): void {
  const known: unknown = history.state?.entry;
  entry.value = typeof known === 'string' ? known : newEntry();
}

/** Makes a name for the current entry, which has none yet. */
function newEntry(): string {
  const id = newKey();
  history.replaceState({ ...history.state, entry: id }, '');
  return id;
}

/** What was saved under that name when the reader left the entry. */
export function remembered(name: string): unknown {
  return memories.get(entry.peek())?.[name];
}

/** @returns ends the saving */
export function saveOnLeaving(name: string, save: () => unknown): () => void {
  savers.set(name, save);
  return () => {
    if (savers.get(name) === save) savers.delete(name);
  };
}

function readKept(): [string, Memory][] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isEntry) : [];
  } catch {
    // Refused by the browser, or not ours: then there is nothing to go back to.
    return [];
  }
}

function isEntry(kept: unknown): kept is [string, Memory] {
  return Array.isArray(kept) && typeof kept[0] === 'string' && typeof kept[1] === 'object' && kept[1] !== null;
}

function writeKept(): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...memories]));
  } catch {
    // Refused by the browser: then a reload leads to the top.
  }
}
