/**
 * Names the sources in stack traces of what was bundled. Done where a trace is read, and not by Node or the runtime: they
 * would need the map named in what is shipped, Node would take longer to start, and workerd can't.
 */
import { readFileSync, statSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { DIST, ROOT } from './paths.ts';

/** A file of ours in a trace, with line and column: a path, a file URL, or the address of a script of the page. */
const PLACE = /(?:file:\/\/|https?:\/\/[\w.:[\]-]+)?(\/[^\s:()]+\.c?js):(\d+):(\d+)/g;

interface BundleMap {
  readonly map: SourceMap;
  /** From where it says where its sources are. */
  readonly directory: string;
  /** A bundle may be built again while it runs. */
  readonly modifiedMs: number;
}

const known = new Map<string, BundleMap>();

/** The same text, in which each place in a bundle that has a map is the place in its source. */
export function nameSources(text: string): string {
  return text.replace(PLACE, (place, path: string, line: string, column: string) => {
    // Those of the page are apart from what is uploaded.
    const found = readMap(`${path}.map`) ?? readMap(join(DIST, 'page-maps', `${path}.map`));
    return (found === null ? null : sourceOf(found, Number(line), Number(column))) ?? place;
  });
}

function sourceOf({ map, directory }: BundleMap, line: number, column: number): string | null {
  const entry = map.findEntry(line - 1, column - 1);
  // What the bundler has added itself has no source.
  if (!('originalSource' in entry) || entry.originalSource === undefined) return null;
  const file = relative(ROOT, resolve(directory, entry.originalSource));
  return `${file}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}

function readMap(file: string): BundleMap | null {
  const modifiedMs = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  if (modifiedMs === undefined) return null;
  const before = known.get(file);
  if (before?.modifiedMs === modifiedMs) return before;
  const payload = JSON.parse(readFileSync(file, 'utf8')) as SourceMapPayload;
  const read = { map: new SourceMap(payload), directory: dirname(file), modifiedMs };
  known.set(file, read);
  return read;
}
