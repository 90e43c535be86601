/**
 * The first lines of the shipped program, read by both /bin/sh and Node, and its last line.
 *
 * Node raises the soft limit of open files and resets every ignored signal before any of our code runs, so what the
 * command gets back must be noted before Node starts. A shell does that, then becomes Node (same process). It also notes
 * the environment, because some shells drop variables whose names are not identifiers, and add their own, and the open
 * descriptors: in its children Node closes those up to 15, and those that follow without a gap. (A descriptor with
 * O_CLOEXEC, 02000000, is the shell's own: the script that it reads.)
 *
 * The shell also looks for a Node that runs leash and checks that the program is complete; otherwise it becomes the
 * command. One `od` reads both the end of the program and the environment.
 *
 * glibc gives each of Node's threads its own memory arena, which wastes a tenth of our memory; that can only be changed
 * before the program starts.
 *
 * launch-state.ts reads the notes; scripts/bundle-wrapper.ts puts these lines around the bundle.
 */
import fs from 'node:fs';
import { HIDDEN_VARIABLES } from './hidden-variables.ts';

/** A longer record does not fit into one environment variable. It holds an environment of about 40 KB. */
const MAX_RECORD_CHARS = 120_000;

/** With fewer, a run fails at some point. */
const LEAST_OPEN_FILES = 64;

/** Exactly the bytes of one line of `od`, with which it is compared. */
const END_MARK = '//end of leash.\n';

/** In addition to those that launcher.sh matches by pattern. */
const TOUCHED_BY_SHELLS = [
  'COMP_WORDBREAKS',
  'DIRSTACK',
  'EPOCHREALTIME',
  'FUNCNAME',
  'GROUPS',
  'HISTCMD',
  'IFS',
  'LINENO',
  'PIPESTATUS',
  'POSIXLY_CORRECT',
  'PPID',
  'SHELLOPTS',
  'SHLVL',
  '_',
];

/*
 * To JavaScript the script is a comment after a string. To the shell the first line is a command that only fails, so a
 * program truncated right after it fails, too. The script execs before it reaches the end of the comment.
 */
const FIRST_LINES = `#!/bin/sh
"false" /*
{
`;
const LAST_LINES = `}
exit 255
*/;`;

const SIZE_PLACEHOLDER = '@SIZE____@';

/** The beginning of a program; `seal` must be called on the whole. */
export function launcherHeader(): string {
  const script = readScript();
  if (script.includes('*/')) throw new Error('launcher.sh must not contain the end of a JavaScript comment');
  return FIRST_LINES + script + LAST_LINES;
}

/**
 * Makes a program that begins with the launcher's header recognisable as complete: adds the end mark, and its position to
 * the header.
 */
export function seal(program: string): string {
  const whole = `${program}\n`;
  const size = String(Buffer.byteLength(whole)).padEnd(SIZE_PLACEHOLDER.length);
  return whole.replace(SIZE_PLACEHOLDER, size) + END_MARK;
}

function readScript(): string {
  const mark = Buffer.from(END_MARK).toString('hex').replace(/../g, '*$&');
  return fs
    .readFileSync(new URL('launcher.sh', import.meta.url), 'utf8')
    .replaceAll(/^\s*#.*\n|^\s+|^\n/gm, '')
    .replace('@SIZE@', SIZE_PLACEHOLDER)
    .replace('@HIDDEN@', HIDDEN_VARIABLES.join(' '))
    .replace('@TOUCHED@', TOUCHED_BY_SHELLS.map((name) => `/^${name}=/bkeep`).join('\n'))
    .replaceAll('@MARKER@', mark)
    .replaceAll('@FILES@', String(LEAST_OPEN_FILES))
    .replaceAll('@MAX_RECORD@', String(MAX_RECORD_CHARS));
}
