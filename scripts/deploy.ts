/**
 * `npm run deploy`: the database's schema first, then the Worker with its page. A new Worker must never meet an old
 * schema; an old Worker bears a new one, because migrations only add.
 *
 * `npm run deploy -- --dry-run` shows what would be uploaded and changes nothing.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './local/paths.ts';

const args = process.argv.slice(2);

if (args.includes('--dry-run')) {
  console.log('Dry run: no migrations are applied and nothing is uploaded.');
} else {
  // By binding name, so that a deployment with a database name of its own works too.
  wrangler('d1', 'migrations', 'apply', 'DB', '--remote');
}
wrangler('deploy', ...args);

function wrangler(...wranglerArgs: string[]): void {
  const { status, error } = spawnSync(join(ROOT, 'node_modules', '.bin', 'wrangler'), wranglerArgs, {
    cwd: ROOT,
    stdio: 'inherit',
  });
  if (error !== undefined) throw error;
  if (status !== 0) {
    console.error(`wrangler ${wranglerArgs.join(' ')} failed: see above. The steps after it did not run.`);
    process.exit(status ?? 1);
  }
}
