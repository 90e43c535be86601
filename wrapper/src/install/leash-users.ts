/** What on this machine would stop working without `leash`: crontabs and units that name it, and processes that run it. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Crontabs of the system and, for root, of all users; units of the administrator. Those that can't be read are left out. */
const DIRECTORIES = [
  '/etc/cron.d',
  '/etc/cron.hourly',
  '/etc/cron.daily',
  '/etc/cron.weekly',
  '/etc/cron.monthly',
  '/var/spool/cron',
  '/var/spool/cron/crontabs',
  '/var/spool/cron/tabs',
  '/etc/systemd/system',
];
const FILES = ['/etc/crontab'];

/** Names the files that run the program, and `crontab -l` for the user's own crontab. */
export async function placesThatRun(program: string): Promise<string[]> {
  const files = [...FILES, ...(await Promise.all(DIRECTORIES.map(filesIn))).flat()];
  const found = await Promise.all(
    files.map(async (file) => (runsIt(await readFile(file, 'utf8').catch(() => ''), program) ? [file] : [])),
  );
  const own = await ownCrontab();
  return [...(runsIt(own, program) ? ['your crontab (crontab -l)'] : []), ...found.flat()];
}

/** Whether a line that is no comment runs `leash run`, by its path or by its name. */
export function runsIt(text: string, program: string): boolean {
  return text.split('\n').some((line) => {
    if (line.trimStart().startsWith('#')) return false;
    const words = line.replace('~/', '').split(/[\s=;&|("']+/);
    return words.some((word, index) => words[index + 1] === 'run' && isProgram(word, program));
  });
}

function isProgram(word: string, program: string): boolean {
  return word === 'leash' || word === program || (word.endsWith('/leash') && program.endsWith(`/${word}`));
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(directory, entry.name));
}

async function ownCrontab(): Promise<string> {
  // It fails if there is none, or no cron.
  return promisify(execFile)('crontab', ['-l']).then(
    ({ stdout }) => stdout,
    () => '',
  );
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
