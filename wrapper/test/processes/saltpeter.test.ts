/** `leash run` in the place of Saltpeter's wrapper. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leash, stateDirectory } from '../support/leash.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('it is started by variables alone, returns at once, and reports the run under Saltpeter’s names', async () => {
  const store = await controlPlane();
  const logs = path.join(temporaryDirectory(), 'sp_wrapper');
  const started = leash(['run'], {
    plane: store,
    env: {
      LEASH_STATE_DIR: stateDirectory(),
      SP_WEBSOCKET_URL: 'ws://leash:secret@saltpeter.example.com:8889',
      SP_JOB_NAME: 'backup',
      SP_JOB_INSTANCE: 'backup_1790000000',
      SP_MACHINE_ID: 'db-1',
      SP_CWD: '/usr',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell expands it
      SP_COMMAND: 'echo "$(pwd) $SP_JOB_NAME ${SP_COMMAND-hidden} ${SP_WEBSOCKET_URL-hidden}"; echo err >&2; exit 3',
      SP_TIMEOUT: 'soon',
      SP_ALLOW_OVERLAP: 'false',
      SP_LOCKFILE: path.join(temporaryDirectory(), 'lock'),
      SP_WRAPPER_LOGDIR: logs,
    },
  });
  expect(await started.exited()).toEqual({ code: 0, signal: null });
  expect(started.stderr).toContain('SP_TIMEOUT soon: not a number of seconds, ignored');
  const run = await store.run();
  expect(`${run.id}\n`).toBe(started.stdout.toString());
  await waitFor('its end', () => run.isComplete);
  expect(run.text('stdout')).toBe('/usr backup hidden hidden\nerr\n');
  expect(run.completions[0]).toMatchObject({ exit_code: 3, reason: 'exited' });
  const { pathname, searchParams } = new URL(store.requests[0]?.url ?? '', store.url);
  expect([pathname, searchParams.get('instance'), searchParams.get('machine')]).toEqual([
    '/api/v1/jobs/backup/connect',
    'backup_1790000000',
    'db-1',
  ]);
  expect(fs.readFileSync(path.join(logs, 'backup.log'), 'utf8')).toContain(`backup ${run.id}`);
});
