/**
 * `npm start -- --port N --state DIR`: the control plane alone, on this machine. What it stores stays in the state
 * directory, the tokens made here included.
 */
import { spawnControlPlane } from './local/control-plane-child.ts';
import { greeting } from './local/greeting.ts';
import { StartError } from './local/start-error.ts';
import { readStartSettings, type StartSettings } from './local/start-settings.ts';
import { chooseAdminToken, ensureRunToken, makeStateDir } from './local/state-dir.ts';
import { onStopRequest } from './local/stop-request.ts';

const USAGE = 'usage: npm start -- [--port N] [--state DIR]';
const HELP = `${USAGE}

Starts the control plane on this machine, on 127.0.0.1 only, and prints the page's link and the line that puts a
first job on the leash. Ctrl-C stops it.

  --port N     listen on this port (8787)
  --state DIR  keep tokens, runs and output there (.leash/state in the repository)
  --help       this

LEASH_ADMIN_TOKEN in the environment is the first admin token; without it one is made and kept in the state
directory. The API is described by /openapi.json, once it runs, and in docs/protocol.md.`;

try {
  const settings = readStartSettings(process.argv.slice(2), USAGE);
  if (settings === 'help') console.log(HELP);
  else await start(settings);
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function start({ port, stateDir }: StartSettings): Promise<void> {
  await makeStateDir(stateDir);
  const adminToken = await chooseAdminToken(stateDir);
  const controlPlane = await spawnControlPlane({ port, stateDir, adminToken: adminToken.secret });
  const stopRequested = onStopRequest();
  try {
    const runToken = await ensureRunToken(controlPlane.url, adminToken.secret, stateDir);
    console.log(greeting({ url: controlPlane.url, stateDir, adminToken, runToken }));
    console.log('Ctrl-C stops the control plane. Jobs that run go on, and come back by themselves.\n');
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
  const why = await Promise.race([stopRequested, controlPlane.ended.then(() => 'ended' as const)]);
  await controlPlane.stop();
  if (why === 'ended') throw new StartError('The control plane ended by itself: see above.');
  console.log('Stopped.');
}
