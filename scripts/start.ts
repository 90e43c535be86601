/**
 * `npm start -- --port N --state DIR`: the control plane alone, on this machine. What it stores stays in the state
 * directory, the tokens made here included.
 */
import { spawnControlPlane } from './local/control-plane-child.ts';
import { greeting, greetingWithoutTokens } from './local/greeting.ts';
import { StartError } from './local/start-error.ts';
import { readStartSettings, type StartSettings } from './local/start-settings.ts';
import { chooseAdminToken, ensureRunToken, makeStateDir } from './local/state-dir.ts';
import { onStopRequest } from './local/stop-request.ts';

const USAGE =
  'usage: npm start -- [--port N] [--state DIR] [--host ADDRESS] [--url URL] [--hide-tokens] [--allow-private-alerts]';
const HELP = `${USAGE}

Starts the control plane on 127.0.0.1, and prints a link to the dashboard and a command line that runs a first job.
Ctrl-C or SIGTERM stops it.

  --port N        listen on this port (8787)
  --state DIR     keep tokens, runs and output there (.leash/state in the repository)
  --host ADDRESS  listen on this address (127.0.0.1). It speaks HTTP: put a reverse proxy with TLS in front of it
  --url URL       the address of that proxy, such as https://leash.example.com
  --hide-tokens   print no tokens, because the output goes to a log
  --allow-private-alerts
                  send alerts to any address, also on this machine and in private networks, and by plain HTTP
  --help          print this help

LEASH_ADMIN_TOKEN sets the first admin token. Without it, one is created and saved in the state directory.
The API is described in docs/protocol.md and, while the control plane runs, at /openapi.json.`;

try {
  const settings = readStartSettings(process.argv.slice(2), USAGE);
  if (settings === 'help') console.log(HELP);
  else await start(settings);
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function start(settings: StartSettings): Promise<void> {
  const { port, stateDir, host, publicUrl, hidesTokens, allowsPrivateAlerts } = settings;
  // A stop that is requested while it starts counts, too.
  const stopRequested = onStopRequest();
  await makeStateDir(stateDir);
  const adminToken = await chooseAdminToken(stateDir);
  const controlPlane = await spawnControlPlane({
    port,
    host,
    stateDir,
    adminToken: adminToken.secret,
    ...(publicUrl === null ? {} : { publicUrl }),
    ...(allowsPrivateAlerts ? { vars: { ALLOW_PRIVATE_ALERTS: 'true' } } : {}),
  });
  try {
    const facts = { url: publicUrl ?? controlPlane.url, stateDir, adminToken };
    if (hidesTokens) console.log(greetingWithoutTokens(facts));
    else {
      const runToken = await ensureRunToken(controlPlane.url, adminToken.secret, stateDir);
      console.log(greeting({ ...facts, runToken }));
    }
    console.log('Ctrl-C stops the control plane. Running jobs keep running, and reconnect once it is started again.\n');
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
  const why = await Promise.race([stopRequested, controlPlane.ended.then(() => 'ended' as const)]);
  await controlPlane.stop();
  if (why === 'ended') throw new StartError('The control plane ended unexpectedly: see above.');
  console.log('Stopped.');
}
