/** What any other user of the machine can see of a run: nothing of it may be the run's id, by which it can be taken for another's. */
import fs from 'node:fs';
import path from 'node:path';

/**
 * Where a text can be seen: in arguments, in the names of cgroups, and in names of files that everyone can list.
 *
 * @param directories where something of the run may be, besides memory
 */
export function placesShowing(text: string, directories: readonly string[]): string[] {
  const files = ['/dev/shm', ...directories].flatMap((directory) => [...listed(directory)]);
  return [...files.filter((file) => path.basename(file).includes(text)), ...processFiles().filter(shows(text))];
}

function processFiles(): string[] {
  const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => ['cmdline', 'comm', 'cgroup'].map((file) => `/proc/${pid}/${file}`));
}

const shows = (text: string) => (file: string) => {
  try {
    return fs.readFileSync(file, 'latin1').includes(text);
  } catch {
    // It has ended.
    return false;
  }
};

function* listed(directory: string): Generator<string> {
  for (const name of namesForOthers(directory)) {
    const file = path.join(directory, name);
    yield file;
    yield* listed(file);
  }
}

/** None where only the owner may look. */
function namesForOthers(directory: string): string[] {
  try {
    const stat = fs.lstatSync(directory);
    return stat.isDirectory() && (stat.mode & 0o005) !== 0 ? fs.readdirSync(directory) : [];
  } catch {
    // It has been removed.
    return [];
  }
}
