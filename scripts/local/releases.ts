/**
 * The last releases, kept in releases/VERSION/: the wrapper and the Worker as they were built, compressed, so that tests can
 * put them together with this build on any clone, without a network.
 */
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import * as v from 'valibot';
import type { Deployment } from './deployment.ts';
import { ROOT } from './paths.ts';

const RELEASES = join(ROOT, 'releases');
/** The releases that tests put together with this build. */
const KEPT = 2;
const DESCRIPTION = 'release.json';
const WRAPPER = 'leash.cjs';
const WORKER = 'worker.js';

/** How its wrangler.toml wanted a Worker run. Null: only the wrapper is kept. */
const WorkerSettings = v.object({
  compatibility_date: v.string(),
  compatibility_flags: v.array(v.string()),
  vars: v.record(v.string(), v.string()),
});

const ReleaseDescription = v.object({
  version: v.string(),
  released_at: v.pipe(v.string(), v.isoTimestamp()),
  worker: v.nullable(WorkerSettings),
  /** The SHA-256 of each file, as it was built. */
  sha256: v.record(v.string(), v.string()),
});
type ReleaseDescription = v.InferOutput<typeof ReleaseDescription>;

/** The Worker of another build, with what its wrangler.toml says. */
export interface WorkerBuild {
  readonly bundle: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly vars: Readonly<Record<string, string>>;
}

export interface Release {
  readonly version: string;
  readonly hasWorker: boolean;
  /** Writes its wrapper into a directory. @returns the program's path */
  unpackWrapper(directory: string): Promise<string>;
  /** Writes its Worker into a directory. */
  unpackWorker(directory: string): Promise<WorkerBuild>;
}

/** The releases that are kept, the last one first. */
export async function listReleases(): Promise<Release[]> {
  return (await readDescriptions()).map((description) => ({
    version: description.version,
    hasWorker: description.worker !== null,
    unpackWrapper: (directory) => unpack(description, WRAPPER, directory),
    unpackWorker: async (directory) => {
      const { worker, version } = description;
      if (worker === null) throw new Error(`of Leash ${version} only the wrapper is kept`);
      return {
        bundle: await unpack(description, WORKER, directory),
        compatibilityDate: worker.compatibility_date,
        compatibilityFlags: worker.compatibility_flags,
        vars: worker.vars,
      };
    },
  }));
}

export interface NewRelease {
  readonly version: string;
  /** The built files. */
  readonly wrapper: string;
  readonly worker: string;
  readonly deployment: Deployment;
}

/**
 * Keeps what was built as a release, and removes releases that are too old. The same version again replaces it.
 *
 * @returns the versions that are kept now, the last one first
 */
export async function keepRelease({ version, wrapper, worker, deployment }: NewRelease): Promise<string[]> {
  const { compatibilityDate, compatibilityFlags, bindings } = deployment.workerOptions;
  const directory = join(RELEASES, version);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const description: ReleaseDescription = {
    version,
    released_at: new Date().toISOString(),
    worker: v.parse(WorkerSettings, {
      compatibility_date: compatibilityDate,
      compatibility_flags: compatibilityFlags,
      vars: bindings,
    }),
    sha256: {
      [WRAPPER]: await pack(wrapper, join(directory, `${WRAPPER}.br`)),
      [WORKER]: await pack(worker, join(directory, `${WORKER}.br`)),
    },
  };
  await writeFile(join(directory, DESCRIPTION), `${JSON.stringify(description, null, 2)}\n`);
  const versions = (await readDescriptions()).map((kept) => kept.version);
  for (const old of versions.slice(KEPT)) await rm(join(RELEASES, old), { recursive: true });
  return versions.slice(0, KEPT);
}

async function readDescriptions(): Promise<ReleaseDescription[]> {
  const entries = await readdir(RELEASES, { withFileTypes: true });
  const descriptions = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory())
      .map(async ({ name }) => {
        const text = await readFile(join(RELEASES, name, DESCRIPTION), 'utf8');
        return v.parse(ReleaseDescription, JSON.parse(text));
      }),
  );
  return descriptions.sort((one, other) => Date.parse(other.released_at) - Date.parse(one.released_at));
}

/** @returns the SHA-256 of what was compressed */
async function pack(from: string, to: string): Promise<string> {
  const bytes = await readFile(from);
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  await writeFile(to, await promisify(brotliCompress)(bytes, { params }));
  return sha256(bytes);
}

async function unpack({ version, sha256: digests }: ReleaseDescription, name: string, to: string): Promise<string> {
  const bytes = await promisify(brotliDecompress)(await readFile(join(RELEASES, version, `${name}.br`)));
  if (sha256(bytes) !== digests[name]) throw new Error(`releases/${version}/${name}.br is not what was released`);
  await mkdir(to, { recursive: true });
  const path = join(to, name);
  await writeFile(path, bytes);
  await chmod(path, 0o755);
  return path;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
