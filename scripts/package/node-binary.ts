/** The Node.js that becomes part of an executable: of the same version as the one that builds, for any architecture. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../local/paths.ts';

const run = promisify(execFile);

const ARCHES = ['x64', 'arm64'] as const;
export type Arch = (typeof ARCHES)[number];

export function isArch(text: string): text is Arch {
  return (ARCHES as readonly string[]).includes(text);
}

/**
 * The path of a Node.js for Linux. npm has installed this machine's; another's is fetched in the version that
 * package-lock.json names, compared with the digest there, and kept.
 */
export async function nodeBinary(arch: Arch): Promise<string> {
  const name = `node-linux-${arch}`;
  const installed = join(ROOT, 'node_modules', name, 'bin', 'node');
  if (await exists(installed)) return installed;
  const { version, integrity } = await lockedPackage(name);
  const kept = join(ROOT, '.leash', 'packages', `${name}-${version}`);
  const binary = join(kept, 'bin', 'node');
  if (!(await exists(binary))) await fetchPackage(`${name}@${version}`, integrity, kept);
  return binary;
}

async function fetchPackage(spec: string, integrity: string, directory: string): Promise<void> {
  const aside = `${directory}.${process.pid}`;
  await mkdir(join(aside, 'unpacked'), { recursive: true });
  try {
    console.log(`fetching ${spec}`);
    const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', aside, spec], { cwd: ROOT });
    const archive = join(aside, stdout.trim());
    const digest = createHash('sha512')
      .update(await readFile(archive))
      .digest('base64');
    if (integrity !== `sha512-${digest}`) throw new Error(`${spec} is not the one that package-lock.json names`);
    await run('tar', ['-xzf', archive, '-C', join(aside, 'unpacked'), '--strip-components=1']);
    await rename(join(aside, 'unpacked'), directory);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

async function lockedPackage(name: string): Promise<{ version: string; integrity: string }> {
  const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string; integrity?: string }>;
  };
  const { version, integrity } = lock.packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined) throw new Error(`package-lock.json does not name ${name}`);
  return { version, integrity };
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
