/** `leash crontab` as a program: a user's crontab by a `crontab` of the test's, and files. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { GROWN_CRONTAB } from '../support/crontabs.ts';
import { leash, stateDirectory } from '../support/leash.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** A directory with a program `crontab`, which keeps the table in the file `table` beside it. */
function fakeCrontab(table: string): string {
  const directory = temporaryDirectory();
  const script = `#!/bin/sh
cd "\${0%/*}"
case $1 in
  -l) if [ -e table ]; then exec cat table; fi; echo "no crontab for me" >&2; exit 1 ;;
  -) exec cat >table ;;
esac
exit 2
`;
  fs.writeFileSync(path.join(directory, 'crontab'), script, { mode: 0o755 });
  fs.writeFileSync(path.join(directory, 'table'), table, 'latin1');
  return directory;
}

test("a user's crontab is shown, converted, and changed back byte for byte, with copies", async () => {
  const directory = fakeCrontab(GROWN_CRONTAB);
  const state = stateDirectory();
  const table = () => fs.readFileSync(path.join(directory, 'table'), 'latin1');
  const crontab = async (...flags: string[]) => {
    const env = { PATH: `${directory}:${process.env.PATH}`, LEASH_STATE_DIR: state };
    const started = leash(['crontab', ...flags], { env });
    const { code } = await started.exited();
    return { code, stdout: started.stdout.toString(), stderr: started.stderr };
  };

  const shown = await crontab('--program', '/usr/bin/leash');
  expect(shown.code).toBe(0);
  expect(shown.stdout).toContain('\n+0 3 * * *\t/usr/bin/leash run --cron --job backup -- /usr/bin/backup --all\n');
  expect(shown.stdout).not.toContain('\u001b');
  expect(shown.stderr).toContain('line 20 is left alone: “61” is not a valid minute');
  expect(shown.stderr).toContain('Nothing was changed');
  expect(table()).toBe(GROWN_CRONTAB);

  expect((await crontab('--apply', '--splay', '5m')).code).toBe(0);
  const converted = table();
  expect(converted).toContain('run --cron --job backup --splay 5m -- /usr/bin/backup --all\n');
  expect((await crontab('--undo', '--apply')).code).toBe(0);
  expect(table()).toBe(GROWN_CRONTAB);
  const folder = path.join(state, 'crontab-backups');
  const copies = fs
    .readdirSync(folder)
    .toSorted()
    .map((name) => fs.readFileSync(path.join(folder, name), 'latin1'));
  expect(copies).toEqual([GROWN_CRONTAB, converted]);
});

test('what could not be changed is not said to be changed back', async () => {
  const directory = fakeCrontab(GROWN_CRONTAB);
  const env = { PATH: `${directory}:${process.env.PATH}`, LEASH_STATE_DIR: '/dev/null/state' };
  const started = leash(['crontab', '--apply'], { env });
  expect((await started.exited()).code).toBe(1);
  expect(started.stderr).toContain('not changed, because no copy can be kept');
  expect(started.stderr).not.toContain('--undo');
});
