/** What `diff -u` prints, for texts that have the same number of lines. */
import type { TextLine } from './crontab-lines.ts';

export interface ChangedLine {
  readonly before: TextLine;
  readonly after: TextLine;
}

export type DiffLine = {
  readonly kind: 'header' | 'hunk' | 'context' | 'removed' | 'added' | 'no_newline';
  readonly text: string;
};

const CONTEXT = 3;

/** Without lines when nothing differs. A carriage return is part of its line, as for `diff`. */
export function unifiedDiff(lines: readonly ChangedLine[], from: string, to: string): readonly DiffLine[] {
  const hunks = hunksOf(lines);
  if (hunks.length === 0) return [];
  return [
    { kind: 'header', text: `--- ${from}` },
    { kind: 'header', text: `+++ ${to}` },
    ...hunks.flatMap(([start, end]) => hunk(lines.slice(start, end), start)),
  ];
}

/** First and last line (exclusive) of each. */
function hunksOf(lines: readonly ChangedLine[]): readonly (readonly [number, number])[] {
  const hunks: [number, number][] = [];
  for (const [index, line] of lines.entries()) {
    if (isSame(line)) continue;
    const [start, end] = [Math.max(0, index - CONTEXT), Math.min(lines.length, index + 1 + CONTEXT)];
    const last = hunks.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = end;
    else hunks.push([start, end]);
  }
  return hunks;
}

function isSame({ before, after }: ChangedLine): boolean {
  return before.text === after.text;
}

function hunk(lines: readonly ChangedLine[], start: number): DiffLine[] {
  const range = `${start + 1}${lines.length === 1 ? '' : `,${lines.length}`}`;
  const body: DiffLine[] = [];
  for (let at = 0; at < lines.length; ) {
    const changed = lines.slice(at);
    const next = changed.findIndex(isSame);
    const run = changed.slice(0, next === -1 ? undefined : next);
    body.push(...run.flatMap(({ before }) => shown('removed', '-', before)));
    body.push(...run.flatMap(({ after }) => shown('added', '+', after)));
    at += run.length;
    const same = lines[at];
    if (run.length === 0 && same !== undefined) {
      body.push(...shown('context', ' ', same.before));
      at += 1;
    }
  }
  return [{ kind: 'hunk', text: `@@ -${range} +${range} @@` }, ...body];
}

function shown(kind: 'context' | 'removed' | 'added', sign: string, { text, ending }: TextLine): DiffLine[] {
  const line: DiffLine = { kind, text: sign + text + ending.replace('\n', '') };
  return ending.endsWith('\n') ? [line] : [line, { kind: 'no_newline', text: '\\ No newline at end of file' }];
}
