/**
 * `npm run release`: keeps what was built as the release of the version in package.json, for the tests of later versions
 * (see docs/development.md, "Make a release"). It uploads nothing.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readDeployment } from './local/deployment.ts';
import { DIST, deploymentFile, LEASH_PROGRAM, ROOT, workerBundle } from './local/paths.ts';
import { keepRelease } from './local/releases.ts';

const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const changelog = await readFile(join(ROOT, 'CHANGELOG.md'), 'utf8');

if (!changelog.includes(`\n## ${version} (`)) {
  console.error(`CHANGELOG.md has no section "## ${version} (DATE)". Move what is under "Unreleased" there first.`);
  process.exitCode = 1;
} else {
  const kept = await keepRelease({
    version,
    wrapper: LEASH_PROGRAM,
    worker: workerBundle(DIST),
    deployment: await readDeployment(deploymentFile(DIST)),
  });
  console.log(`releases/${version} is written; commit it. Kept: ${kept.join(', ')}.`);
}
