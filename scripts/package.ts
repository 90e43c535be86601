/**
 * `npm run package -- executable|deb|rpm`: what is installed by other means than the line of the control plane, into
 * dist/packages/.
 *
 *     executable            leash with Node.js in one file, for machines without Node.js
 *     deb, rpm              a package of the program, which needs the distribution's Node.js (18 or later)
 *     deb, rpm --with-node  a package of the executable
 *
 * --arch x64|arm64 (default: this machine's) matters where Node.js is inside. The same sources give the same bytes:
 * SOURCE_DATE_EPOCH is the time in the packages, by default that of the last commit.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { DIST, ROOT } from './local/paths.ts';
import { buildDeb } from './package/deb.ts';
import { buildExecutable } from './package/executable.ts';
import { type Arch, isArch } from './package/node-binary.ts';
import { buildRpm } from './package/rpm.ts';
import { stagePackage } from './package/stage.ts';

const USAGE = 'usage: npm run package -- executable|deb|rpm [--with-node] [--arch x64|arm64]';

interface Request {
  readonly kind: 'executable' | 'deb' | 'rpm';
  readonly withNode: boolean;
  readonly arch: Arch;
}

const out = join(DIST, 'packages');
const aside = join(ROOT, `.building-${process.pid}`);

const request = readRequest(process.argv.slice(2));
if (request === null) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  try {
    await Promise.all([out, aside].map((directory) => mkdir(directory, { recursive: true })));
    console.log(`built ${relative(ROOT, await build(request))}`);
  } catch (error) {
    console.error(`no package was built: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

async function build({ kind, withNode, arch }: Request): Promise<string> {
  if (kind === 'executable') return buildExecutable(join(out, `leash-linux-${arch}`), arch, aside);
  const staged = await stagePackage(aside, withNode ? arch : null);
  return kind === 'deb' ? buildDeb(staged, out) : buildRpm(staged, out, aside);
}

function readRequest(words: readonly string[]): Request | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { arch: { type: 'string', default: process.arch }, 'with-node': { type: 'boolean', default: false } },
    });
    const [kind, ...rest] = positionals;
    const { arch, 'with-node': withNode } = values;
    const isKind = kind === 'executable' || kind === 'deb' || kind === 'rpm';
    return isKind && rest.length === 0 && isArch(arch) ? { kind, withNode, arch } : null;
  } catch (error) {
    // An unknown option.
    console.error(error instanceof Error ? error.message : String(error));
    return null;
  }
}
