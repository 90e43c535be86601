import { expect, test, vi } from 'vitest';
import { subcommand } from '../../../src/cli/subcommands/open.ts';
import { aRun } from '../../support/api-resources.ts';
import { OperatorPlane } from '../../support/operator-plane.ts';

test('a run is opened with its job: another one may have reported the same id', async () => {
  const plane = await OperatorPlane.start();
  const run = aRun({ job: 'backup' });
  plane.setRuns(run);
  let printed = '';
  const write = vi
    .spyOn(process.stdout, 'write')
    .mockImplementation((chunk: string | Uint8Array, ...rest: unknown[]) => {
      printed += String(chunk);
      for (const done of rest) if (typeof done === 'function') done();
      return true;
    });
  try {
    const env = { LEASH_URL: plane.url, LEASH_TOKEN: 'secret', LEASH_CONFIG: '/dev/null' };
    expect(await subcommand.start([run.id, '--print'], { version: '1.2.3', env })).toBe(0);
  } finally {
    write.mockRestore();
  }
  expect(printed).toBe(`${plane.url}/runs/${run.id}?job=backup\n`);
});
