/** What a kill leaves alone although it has to do with the run, in words. Pure. */
import type { Run, Target } from '#protocol/api';

export type Marked = Target['marked'][number];

/** `4711 tmux (child of 1 systemd, LEASH_KEEP=1)`. */
export function markedText({ pid, command, parent, kept }: Marked): string {
  const why = [
    ...(parent === null ? [] : [`child of ${named({ ...parent, command: programOf(parent.command) })}`]),
    ...(kept ? ['LEASH_KEEP=1'] : []),
  ];
  return why.length === 0 ? named({ pid, command }) : `${named({ pid, command })} (${why.join(', ')})`;
}

function programOf(command: string): string {
  return /^\S*/.exec(command)?.[0].split('/').at(-1) ?? '';
}

function named({ pid, command }: Pick<Marked, 'pid' | 'command'>): string {
  return `${pid} ${command}`.trimEnd();
}

export function markedTexts(marked: readonly Marked[]): string {
  return marked.map(markedText).join(', ');
}

/** What of a run still runs after its end: what a kill that names the run ends, and what it leaves alone. */
export function sortLeft(left: Run['left_running']): {
  readonly own: Run['left_running'];
  readonly marked: readonly Marked[];
} {
  return {
    own: left.filter(({ mark }) => mark === undefined),
    marked: left.flatMap(({ pid, command, mark }) => (mark === undefined ? [] : [{ pid, command, ...mark }])),
  };
}
