/** Makes a package for Fedora, RHEL, SUSE and their relatives. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { hasProgram } from './has-program.ts';
import type { Arch } from './node-binary.ts';
import { CONFIG_FILE, type Staged } from './stage.ts';

const run = promisify(execFile);

const ARCHITECTURES: Readonly<Record<Arch, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** @returns the path of the package, in the directory `out` */
export async function buildRpm(staged: Staged, out: string, aside: string): Promise<string> {
  if (!(await hasProgram('rpmbuild'))) {
    throw new Error('rpmbuild was not found; install it (dnf install rpm-build, apt install rpm)');
  }
  const { root, arch, time } = staged;
  const architecture = arch === null ? 'noarch' : ARCHITECTURES[arch];
  const top = join(aside, 'rpm');
  const spec = join(aside, 'leash.spec');
  await mkdir(top);
  await writeFile(spec, await specFile(staged, architecture));
  const settings = {
    _topdir: top,
    // Nothing of the machine that builds.
    _buildhost: 'localhost',
    _build_id_links: 'none',
    use_source_date_epoch_as_buildtime: '1',
    clamp_mtime_to_source_date_epoch: '1',
    _binary_payload: 'w6.xzdio',
    // Node.js is in the program as it was published, and what was appended to it must stay.
    __os_install_post: '%{nil}',
    debug_package: '%{nil}',
  };
  const defines = Object.entries(settings).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
  await run(
    'rpmbuild',
    ['-bb', ...defines, '--target', `${architecture}-linux`, '--buildroot', join(aside, 'buildroot'), spec],
    {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(time), LEASH_STAGED: root },
    },
  );
  const directory = join(top, 'RPMS', architecture);
  const [made] = await readdir(directory);
  if (made === undefined) throw new Error('rpmbuild has made no package');
  const file = join(out, basename(made));
  await copyFile(join(directory, made), file);
  return file;
}

async function specFile({ root, version, summary, arch }: Staged, architecture: string): Promise<string> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .sort();
  // What Node.js is linked with is found by rpmbuild; the script's interpreter is Node.js, although it says /bin/sh.
  const needs = arch === null ? 'Requires: nodejs >= 18\nRequires: /bin/sh' : 'AutoReq: yes';
  return `Name: leash
Version: ${version}
Release: 1
Summary: ${summary}
License: MIT
BuildArch: ${architecture}
${needs}

%description
\`leash run\` supervises a command: it reports what the command prints and how
it ends to a control plane, and ends it when an operator requests that. The
machine opens no port.

%install
cp -a "$LEASH_STAGED/." "%{buildroot}"

%files
${files.map(fileLine).join('\n')}
`;
}

function fileLine(file: string): string {
  const mode = file === '/usr/bin/leash' ? '0755' : '0644';
  const kind = file === CONFIG_FILE ? '%config(noreplace) ' : '';
  return `%attr(${mode}, root, root) ${kind}${file}`;
}
