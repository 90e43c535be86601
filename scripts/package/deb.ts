/** Makes a package for Debian and its relatives. */
import { execFile } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasProgram } from './has-program.ts';
import type { Arch } from './node-binary.ts';
import { CONFIG_FILE, type Staged } from './stage.ts';

const run = promisify(execFile);

const ARCHITECTURES: Readonly<Record<Arch, string>> = { x64: 'amd64', arm64: 'arm64' };

/** What Node.js is linked with, and how old that may be. */
const LIBRARIES = 'libc6 (>= 2.28), libstdc++6 (>= 8.3), libgcc-s1 | libgcc1';

/** Settings go with --purge by themselves; what the program has made since is removed here. */
const POSTRM = `#!/bin/sh
set -e
if [ "$1" = purge ]; then
  rm -rf "\${DPKG_ROOT:-}/var/lib/leash"
  rm -f "\${DPKG_ROOT:-}/etc/leash.token"
fi
`;

/** @returns the path of the package, in the directory `out` */
export async function buildDeb(staged: Staged, out: string): Promise<string> {
  if (!(await hasProgram('dpkg-deb')))
    throw new Error('dpkg-deb was not found; install it (apt install dpkg, dnf install dpkg)');
  const { root, version, arch, time } = staged;
  const architecture = arch === null ? 'all' : ARCHITECTURES[arch];
  const metadata = join(root, 'DEBIAN');
  await mkdir(metadata);
  await writeFile(join(metadata, 'control'), await controlFile(staged, architecture));
  await writeFile(join(metadata, 'conffiles'), `${CONFIG_FILE}\n`);
  await writeFile(join(metadata, 'postrm'), POSTRM, { mode: 0o755 });
  for (const path of [...(await readdir(metadata)).map((name) => join(metadata, name)), metadata]) {
    await utimes(path, time, time);
  }
  await Promise.all([
    chmod(metadata, 0o755),
    chmod(join(metadata, 'control'), 0o644),
    chmod(join(metadata, 'conffiles'), 0o644),
  ]);
  const file = join(out, `leash_${version}_${architecture}.deb`);
  // xz: that is what every dpkg reads. One thread, because the bytes depend on how many there are.
  await run('dpkg-deb', ['--root-owner-group', '-Zxz', '--threads-max=1', '--build', root, file], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(time) },
  });
  return file;
}

async function controlFile({ root, version, summary, arch }: Staged, architecture: string): Promise<string> {
  return `Package: leash
Version: ${version}
Architecture: ${architecture}
Maintainer: Leash contributors <leash@localhost>
Installed-Size: ${Math.ceil((await sizeOf(root)) / 1024)}
Depends: ${arch === null ? 'nodejs (>= 18)' : LIBRARIES}
Recommends: util-linux
Section: admin
Priority: optional
Description: ${summary}
 \`leash run\` supervises a command: it reports what the command prints and how
 it ends to a control plane, and ends it when an operator requests that. The
 machine opens no port.
`;
}

async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async (entry) => (await lstat(join(entry.parentPath, entry.name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
