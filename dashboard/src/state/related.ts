/** What a kill leaves alone although it has to do with the run, in words. Pure. */
import type { Run, Target } from '#protocol/api';

export type Related = Target['related'][number];

/** `4711 tmux (child of 1 systemd, LEASH_KEEP=1)`. */
export function relatedText({ pid, command_line, parent, kept }: Related): string {
  const why = [
    ...(parent === null ? [] : [`child of ${named({ ...parent, command_line: programOf(parent.command_line) })}`]),
    ...(kept ? ['LEASH_KEEP=1'] : []),
  ];
  return why.length === 0 ? named({ pid, command_line }) : `${named({ pid, command_line })} (${why.join(', ')})`;
}

function programOf(commandLine: string): string {
  return /^\S*/.exec(commandLine)?.[0].split('/').at(-1) ?? '';
}

function named({ pid, command_line }: Pick<Related, 'pid' | 'command_line'>): string {
  return `${pid} ${command_line}`.trimEnd();
}

export function relatedTexts(related: readonly Related[]): string {
  return related.map(relatedText).join(', ');
}

/** What of a run still runs after its end: what a kill that names the run ends, and what it leaves alone. */
export function sortLeft(left: Run['left_running']): {
  readonly own: Run['left_running'];
  readonly related: readonly Related[];
} {
  return {
    own: left.filter(({ relation }) => relation === undefined),
    related: left.flatMap(({ pid, command_line, relation }) =>
      relation === undefined ? [] : [{ pid, command_line, ...relation }],
    ),
  };
}
