import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { WATCH_SUBPROTOCOL } from '#protocol/watch-link';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { ROOT } from '../scripts/local/paths.ts';
import { groupMembers, processTree } from '../scripts/local/process-group.ts';
import { freePort, usePrograms } from './support/programs.ts';

const programs = usePrograms();

test.runIf(IS_PROOF)(
  'npm run dev serves page, API and sockets on one origin, builds what is saved, and ends whole',
  async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const script = join(ROOT, 'scripts', 'dev.ts');
    const program = programs.start('node', [script, '--port', String(port), '--state', 'state']);
    await waitFor('the greeting', () => program.printed.includes('Ctrl-C stops'));

    expect(await (await fetch(`${url}/jobs/backup`)).text()).toContain('/@vite/client');
    expect(await (await fetch(`${url}/leash.cjs`)).text()).toMatch(/^#!\/bin\/sh\n/);
    const inspector = /127\.0\.0\.1:\d+ \(chrome/.exec(program.printed)?.[0].split(' ')[0];
    expect(await (await fetch(`http://${inspector}/json`)).json()).toHaveLength(1);

    // Signed in as the page is: with a cookie, which counts from its own origin only.
    const token = /#token=(\S+)/.exec(program.printed)?.[1];
    const signedIn = await fetch(`${url}/api/v1/session`, {
      method: 'POST',
      headers: { origin: url, 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    });
    expect(signedIn.status).toBe(200);
    const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
    const watch = new WebSocket(`${url.replace('http', 'ws')}/api/v1/watch`, WATCH_SUBPROTOCOL, {
      headers: { cookie, origin: url },
    });
    await new Promise((resolve, reject) => watch.once('open', resolve).once('error', reject));
    watch.terminate();

    // As an editor that saves a file as it was.
    await utimes(join(ROOT, 'worker', 'index.ts'), new Date(), new Date());
    await waitFor('the build', () => program.printed.includes('The Worker has not changed'));

    const tree = processTree(program.pid);
    program.signal('SIGINT');
    expect(await program.exit).toBe(0);
    expect(program.printed).toMatch(/Stopped\.\n$/);
    expect(tree.flatMap((pid) => groupMembers(pid))).toEqual([]);
  },
);
