/**
 * `npm run deploy`: finds or creates what the control plane needs in a Cloudflare account, and uploads it. Safe to run again,
 * whatever happened to the run before.
 *
 * The schema goes up before the Worker: a new Worker must never meet an old schema; an old Worker bears a new one, because
 * migrations only add.
 */
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { isCi } from './deploy/admin-token.ts';
import { CloudflareError } from './deploy/cloudflare-api.ts';
import { type DeployContext, deploy } from './deploy/deploy.ts';
import { DeployError } from './deploy/deploy-error.ts';
import { HELP, readOptions } from './deploy/options.ts';
import { runProgram } from './deploy/run-program.ts';
import { runWrangler, signInByBrowser } from './deploy/wrangler.ts';
import { DIST, ROOT } from './local/paths.ts';

const isInteractive = process.stdin.isTTY === true && process.stdout.isTTY === true && !isCi(process.env);

const context: DeployContext = {
  env: process.env,
  run: runWrangler,
  dist: DIST,
  stateDir: join(ROOT, '.leash', 'deploy'),
  print: (line) => {
    clearProgress();
    console.log(line);
  },
  progress: (line) => {
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line.slice(0, (process.stdout.columns || 80) - 1)}`);
  },
  build: async () => {
    const { status, output } = await runProgram(process.execPath, [join(ROOT, 'scripts', 'build.ts')], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (status !== 0) throw new DeployError(`Nothing was deployed, because the build failed:\n\n${output.trim()}`);
  },
  signIn: async () => {
    if (!isInteractive) return false;
    console.log('Not signed in to Cloudflare. wrangler opens the browser for that …');
    return signInByBrowser();
  },
  ask: async (question, suggestion) => {
    if (!isInteractive) return null;
    clearProgress();
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    try {
      return (await terminal.question(`${question} [${suggestion}]: `)).trim() || suggestion;
    } finally {
      terminal.close();
    }
  },
};

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === 'help') console.log(HELP);
  else await deploy(options, context);
} catch (error) {
  if (!(error instanceof DeployError || error instanceof CloudflareError)) throw error;
  clearProgress();
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}

function clearProgress(): void {
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
}
