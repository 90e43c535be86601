/// <reference path="./postject.d.ts" />
/**
 * `leash` with its Node.js in one file, as Node's single executable application.
 *
 * There is no launcher: Node starts first. Therefore NODE_OPTIONS, which is meant for the command, is switched off by the
 * executable itself, and docs/packages.md says what else differs.
 */
import { execFile } from 'node:child_process';
import { chmod, copyFile, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'postject';
import { bundleWrapper } from '../bundle-wrapper.ts';
import { type Arch, nodeBinary } from './node-binary.ts';

const run = promisify(execFile);

/** Node looks for these in its own file. */
const RESOURCE = 'NODE_SEA_BLOB';
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** @returns `outfile` */
export async function buildExecutable(outfile: string, arch: Arch, aside: string): Promise<string> {
  const node = await nodeBinary(arch);
  const bundle = join(aside, 'leash.cjs');
  const blob = join(aside, 'leash.blob');
  const config = join(aside, 'executable.json');
  await bundleWrapper(bundle);
  await writeFile(
    config,
    JSON.stringify({
      main: bundle,
      output: blob,
      disableExperimentalSEAWarning: true,
      execArgvExtension: 'none',
      // Only the Node that made it can use it.
      useCodeCache: arch === process.arch,
    }),
  );
  await run(process.execPath, ['--experimental-sea-config', config]);
  const made = join(aside, 'leash');
  await copyFile(node, made);
  await chmod(made, 0o755);
  await withoutNotices(async () => inject(made, RESOURCE, await readFile(blob), { sentinelFuse: FUSE }));
  // Whoever copies it while it is made gets the old one, or the new one.
  await rename(made, outfile);
  return outfile;
}

/** Node's file has many notes with debugging probes, and of each the library that writes ELF files complains. */
async function withoutNotices<Result>(work: () => Promise<Result>): Promise<Result> {
  const { warn, log } = console;
  console.warn = () => {};
  console.log = () => {};
  try {
    return await work();
  } finally {
    console.warn = warn;
    console.log = log;
  }
}
