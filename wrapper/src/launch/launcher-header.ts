/**
 * The first lines of the program as it is shipped, read by /bin/sh and by Node both, and its last.
 *
 * Node raises the soft limit of open files and resets every ignored signal before any of our code runs, so what the
 * command is to get back must be noted before Node starts. A shell does that, then becomes Node (same process). It
 * notes the environment too, because some shells drop variables whose names are not identifiers, and add their own. And
 * it notes which descriptors are open: Node closes the first of them, to 15 and as far as they follow without a gap, for
 * what it starts. (What has O_CLOEXEC, 02000000, is the shell's own: the script that it reads.)
 *
 * It also sees whether there is a Node that runs leash, and whether the program is whole; if not, it becomes the command
 * instead. The end of the program comes with the note of the environment: one `od` reads both.
 *
 * glibc gives each of Node's threads memory of its own, of which a tenth of all that we hold is never used again. That
 * can only be set before the program starts.
 * launch-state.ts reads what is noted; scripts/bundle-wrapper.ts puts this around the bundle.
 */
import fs from 'node:fs';
import { HIDDEN_VARIABLES } from './hidden-variables.ts';

/** Longer than this would not fit into one environment variable; an environment of some 40 KB. */
const MAX_RECORD_CHARS = 120_000;

/** With fewer a run fails somewhere on its way. */
const LEAST_OPEN_FILES = 64;

/** As many bytes as `od` shows in a line: it is compared as such. */
const END_MARK = '//end of leash.\n';

/** Beside those that launcher.sh names by pattern. */
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
 * To JavaScript the script is a comment behind a string. To the shell the first line is a command that fails, and does
 * nothing else: all that is left of a program that was cut off right behind it. The script is gone (exec) before it
 * would reach the end of that comment.
 */
const FIRST_LINES = `#!/bin/sh
"false" /*
{
`;
const LAST_LINES = `}
exit 255
*/;`;

const SIZE_PLACEHOLDER = '@SIZE____@';

/** What a program begins with; `seal` must be called on the whole. */
export function launcherHeader(): string {
  const script = readScript();
  if (script.includes('*/')) throw new Error('launcher.sh must not contain the end of a JavaScript comment');
  return FIRST_LINES + script + LAST_LINES;
}

/**
 * Makes a program that begins with the launcher's header recognisable as whole: the header says at which byte the end mark
 * is, and there it is.
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
