/** Keeps what a crontab was before it is changed. Not beside the file: cron might read the copy as well. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { hasCode } from '../host/error-code.ts';
import { makeDirectory, syncPath } from '../state/files.ts';

const FOLDER = 'crontab-backups';

/**
 * @param source how the crontab is called
 * @returns the path of the copy
 * @throws what the file system says
 */
export async function backUpCrontab(stateDirectory: string, source: string, text: string, now: Date): Promise<string> {
  const directory = path.join(stateDirectory, FOLDER);
  await makeDirectory(directory);
  const name = source.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replace(/^-+/, '');
  const time = now.toISOString().replaceAll(/[-:]|\..*/g, '');
  const file = await writeNew(path.join(directory, `${name}.${time}`), text);
  await syncPath(file);
  return file;
}

/** A second one in the same second gets a number: a backup is never replaced. */
async function writeNew(file: string, text: string, number = 1): Promise<string> {
  const numbered = number === 1 ? file : `${file}.${number}`;
  try {
    await fs.writeFile(numbered, text, { encoding: 'latin1', flag: 'wx', mode: 0o600 });
    return numbered;
  } catch (error) {
    if (number < 100 && hasCode(error, 'EEXIST')) return writeNew(file, text, number + 1);
    throw error;
  }
}
