/** What a package installs, as a tree of files, and what it says about itself. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { findSubcommand } from '../../wrapper/src/cli/registry.ts';
import { bundleWrapper } from '../bundle-wrapper.ts';
import { ROOT } from '../local/paths.ts';
import { buildExecutable } from './executable.ts';
import { manualPage } from './manual-page.ts';
import type { Arch } from './node-binary.ts';

const run = promisify(execFile);

export interface Staged {
  /** What is in here goes to `/`. */
  readonly root: string;
  /** As both kinds of package compare them: with a tilde, 0.3.0~rc.1 comes before 0.3.0; with a dash it would come after. */
  readonly version: string;
  readonly summary: string;
  /** null: the package needs a Node.js, and runs on every architecture. */
  readonly arch: Arch | null;
  /** Seconds since 1970, of every file. */
  readonly time: number;
}

export const CONFIG_FILE = '/etc/leash.conf';

export async function stagePackage(aside: string, arch: Arch | null): Promise<Staged> {
  const root = join(aside, 'root');
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  const time = await sourceTime();
  const program = await place(root, 'usr/bin/leash');
  if (arch === null) await bundleProgram(program, aside);
  else await buildExecutable(program, arch, aside);
  await copyFile(join(ROOT, 'scripts/package/files/leash.conf'), await place(root, CONFIG_FILE.slice(1)));
  await copyFile(join(ROOT, 'LICENSE'), await place(root, 'usr/share/doc/leash/copyright'));
  const page = gzipSync(await manualPage(version, time), { level: 9 });
  await writeFile(await place(root, 'usr/share/man/man1/leash.1.gz'), page);
  await stageCompletions(root);
  await settle(root, time);
  return {
    root,
    version: version.replaceAll('-', '~'),
    summary: 'see what runs on your machines, read its output live, and stop it',
    arch,
    time,
  };
}

/** Without the source map that is made beside it. */
async function bundleProgram(program: string, aside: string): Promise<void> {
  const bundle = join(aside, 'leash.cjs');
  await bundleWrapper(bundle);
  await copyFile(bundle, program);
}

/** Where each shell looks for them. */
const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/leash',
  zsh: 'usr/share/zsh/vendor-completions/_leash',
  fish: 'usr/share/fish/vendor_completions.d/leash.fish',
} as const;

/** As the program prints them. */
async function stageCompletions(root: string): Promise<void> {
  if (findSubcommand('completion') === null) return;
  for (const [shell, file] of Object.entries(COMPLETIONS)) {
    const { stdout } = await run(process.execPath, [join(root, 'usr/bin/leash'), 'completion', shell]);
    await writeFile(await place(root, file), stdout);
  }
}

/** Whatever the umask is, and whenever they were made. */
async function settle(root: string, time: number): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    await chmod(path, entry.isDirectory() || path === join(root, 'usr/bin/leash') ? 0o755 : 0o644);
    await utimes(path, time, time);
  }
  await chmod(root, 0o755);
  await utimes(root, time, time);
}

/** Makes the directory of a file. */
async function place(root: string, file: string): Promise<string> {
  const path = join(root, file);
  await mkdir(dirname(path), { recursive: true });
  return path;
}

/** SOURCE_DATE_EPOCH, else the time of the last commit; now, where this isn't a clone. */
async function sourceTime(): Promise<number> {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined) {
    if (!/^\d+$/.test(given)) throw new Error('SOURCE_DATE_EPOCH must be a number of seconds since 1970');
    return Number(given);
  }
  try {
    const { stdout } = await run('git', ['log', '-1', '--format=%ct'], { cwd: ROOT });
    return Number(stdout);
  } catch {
    // No git, or no repository.
    return Math.floor(Date.now() / 1_000);
  }
}
