/**
 * `npm run dev -- --port N --state DIR`: the page with live reload, in front of a control plane on this machine. What is
 * changed is built and runs a moment later; what was stored stays.
 */
import { DevBuild } from './dev/dev-build.ts';
import { DevControlPlane } from './dev/dev-control-plane.ts';
import { servePage } from './dev/page-server.ts';
import { Rebuilder, WATCHED } from './dev/rebuilder.ts';
import { greeting } from './local/greeting.ts';
import { StartError } from './local/start-error.ts';
import { type DevSettings, readDevSettings } from './local/start-settings.ts';
import { chooseAdminToken, ensureRunToken, makeStateDir } from './local/state-dir.ts';
import { onStopRequest } from './local/stop-request.ts';

const USAGE = 'usage: npm run dev -- [--port N] [--state DIR]';
const HELP = `${USAGE}

Starts the control plane on this machine, on 127.0.0.1 only, and the page in front of it. A change of the page shows in
the browser at once; a change of the Worker, of protocol/, shared/, wrangler.toml or migrations/ restarts the control
plane, with what it has stored; a change of the wrapper builds it again. Ctrl-C stops all of it.

  --port N     listen on this port (8787)
  --state DIR  keep tokens, runs and output there (.leash/state in the repository)
  --help       print this help

LEASH_ADMIN_TOKEN sets the first admin token. Without it, one is created and saved in the state directory.
npm start uses the same tokens.`;

try {
  const settings = readDevSettings(process.argv.slice(2), USAGE);
  if (settings === 'help') console.log(HELP);
  else await develop(settings);
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function develop({ port, stateDir }: DevSettings): Promise<void> {
  await makeStateDir(stateDir);
  const adminToken = await chooseAdminToken(stateDir);
  const stopRequested = onStopRequest();
  const started: { close(): Promise<void> }[] = [];
  try {
    const build = await DevBuild.create();
    started.push(build);
    await build.all();
    const controlPlane = await DevControlPlane.start({ stateDir, adminToken: adminToken.secret });
    started.push(controlPlane);
    const page = await servePage(port, controlPlane);
    started.push(page);
    const rebuilder = new Rebuilder(build, controlPlane);
    started.push(rebuilder);
    page.watch(WATCHED, (path) => rebuilder.changed(path));
    const runToken = await ensureRunToken(controlPlane.url, adminToken.secret, stateDir);
    console.log(greeting({ url: page.url, stateDir, adminToken, runToken }));
    console.log(hints(controlPlane));
    await stopRequested;
  } finally {
    // What was started last uses what was started before it.
    for (const part of started.toReversed()) await part.close();
  }
  console.log('Stopped.');
}

function hints(controlPlane: DevControlPlane): string {
  return `To debug the Worker, attach to 127.0.0.1:${controlPlane.inspectorPort} (chrome://inspect, or your editor).

Ctrl-C stops everything. Running jobs keep running, and reconnect once the control plane is started again.
`;
}
