/**
 * Installs the dependencies unless node_modules already is what package-lock.json says. Runs before every npm script, so
 * that each of them works on a fresh clone. Plain JavaScript for whatever Node the machine has; everything after it runs
 * on the Node that is installed here.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, 'node_modules', '.leash-lock');
const wanted = createHash('sha256')
  .update(withoutOwnVersion(readFileSync(join(root, 'package-lock.json'), 'utf8')))
  .digest('hex');

if (installed() !== wanted) {
  console.error('Installing dependencies (first run only)…');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (result.status !== 0) {
    console.error('Installation failed: see above. Nothing was started.');
    process.exit(result.status ?? 1);
  }
  writeFileSync(stampFile, wanted);
}

function installed() {
  try {
    return readFileSync(stampFile, 'utf8');
  } catch {
    // No stamp: nothing is installed yet, or something else installed it.
    return null;
  }
}

/** The lock file names the version of Leash itself twice, first of all. A release changes that, and nothing that is installed. */
function withoutOwnVersion(lockFile) {
  let own = 2;
  return lockFile.replaceAll(/"version": "[^"]*"/g, (version) => (own-- > 0 ? '"version": "0.1.0"' : version));
}
