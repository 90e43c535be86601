/** What on this machine would stop working without `leash`: crontabs and units that name it, and processes that run it. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { leashPrograms } from '../crontab/leash-line.ts';
import { readableCrontabs } from '../crontab/readable-crontabs.ts';

/** Scripts that cron runs, and units of the administrator. Those that can't be read are left out. */
const DIRECTORIES = [
  '/etc/cron.hourly',
  '/etc/cron.daily',
  '/etc/cron.weekly',
  '/etc/cron.monthly',
  '/etc/systemd/system',
];

/** Names the crontabs and files that run the program. */
export async function placesThatRun(program: string): Promise<string[]> {
  const files = (await Promise.all(DIRECTORIES.map(filesIn))).flat();
  const texts = await Promise.all(
    files.map(async (name) => ({ name, text: await readFile(name, 'utf8').catch(() => '') })),
  );
  return [...readableCrontabs(), ...texts].filter(({ text }) => runsIt(text, program)).map(({ name }) => name);
}

/** Whether a line that is no comment runs `leash run`, by its path or by its name. */
export function runsIt(text: string, program: string): boolean {
  return text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .some((line) => leashPrograms(line.replace('~/', '')).some((word) => isProgram(word, program)));
}

function isProgram(word: string, program: string): boolean {
  return word === 'leash' || word === program || (word.endsWith('/leash') && program.endsWith(`/${word}`));
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(directory, entry.name));
}

const SUPERVISING: ReadonlySet<string | undefined> = new Set(['run', 'adopt', 'flush']);

/** Not `sudo leash uninstall`, which has the program among its arguments, too. @param words a process's arguments */
export function isSupervising(words: readonly string[], program: string): boolean {
  return words.some((word, index) => word === program && SUPERVISING.has(words[index + 1]));
}

/** Processes of any user that supervise something by the program, other than this one. Only on Linux, and only those that can be seen. */
export async function processesThatRun(program: string): Promise<number[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      return isSupervising(words, program) ? [Number(pid)] : [];
    }),
  );
  return found.flat().filter((pid) => pid !== process.pid);
}
