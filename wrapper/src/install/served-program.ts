/** The program that a control plane serves. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { MIB } from '#protocol/limits';
import { parseJson } from '../http/json.ts';
import { request } from '../http/request.ts';
import { describeError } from '../logging/log.ts';
import { sha256 } from './installed-program.ts';

export interface Source {
  /** `http:` or `https:`, without a slash at the end. */
  readonly url: string;
  readonly proxyEnv: Readonly<Record<string, string | undefined>>;
  readonly caFile: string | null;
}

/** It is not to be had, or not to be used. */
export class ServedProgramError extends Error {
  readonly kind: 'out_of_reach' | 'unusable';

  constructor(kind: ServedProgramError['kind'], why: string) {
    super(why);
    this.kind = kind;
  }
}

const TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 60_000;
const MAX_PROGRAM_BYTES = 64 * MIB;

/** @throws {ServedProgramError} */
export async function servedDigest(source: Source): Promise<string> {
  const text = new TextDecoder().decode(await get(source, '/leash.cjs.sha256'));
  const digest = /^[0-9a-f]{64}(?=\s|$)/.exec(text)?.[0];
  if (digest === undefined) throw unusable(`${source.url} does not look like a Leash control plane`);
  return digest;
}

const Health = v.object({ version: v.string() });

/** What version the control plane has, which is also that of the program; null when it doesn't say. @throws {ServedProgramError} */
export async function servedVersion(source: Source): Promise<string | null> {
  return parseJson(Health, new TextDecoder().decode(await get(source, '/healthz')))?.version ?? null;
}

/** Downloads it and compares it with its digest. @throws {ServedProgramError} */
export async function servedProgram(source: Source, digest: string): Promise<Uint8Array> {
  const bytes = await get(source, '/leash.cjs');
  const found = sha256(bytes);
  if (found === digest) return bytes;
  throw unusable(
    `the downloaded program is damaged: its SHA-256 is ${found}, and should be ${digest}. If the control plane is just being deployed, try again in a minute`,
  );
}

/** Starts it, to see that it runs here. @returns its version @throws {ServedProgramError} */
export async function versionOf(program: Uint8Array): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'leash-upgrade-'));
  try {
    const file = join(directory, 'leash');
    await writeFile(file, program, { mode: 0o700 });
    // By a shell, because programs may not be started from where temporary files are.
    const { stdout } = await promisify(execFile)('/bin/sh', [file, '--version'], { timeout: START_TIMEOUT_MS });
    return stdout.trim().replace(/^leash /, '');
  } catch (error) {
    throw unusable(`the downloaded program does not start here: ${describeError(error)}`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function get({ url, proxyEnv, caFile }: Source, path: string): Promise<Uint8Array> {
  const result = await request({ method: 'GET', url: new URL(url + path), proxyEnv, caFile, timeoutMs: TIMEOUT_MS });
  if (result.kind === 'failure') throw outOfReach(`cannot reach ${url}: ${result.failure.why}`);
  const { response } = result;
  if (response.status !== 200) {
    response.discard();
    const why = `${url}${path} responded with status ${response.status}`;
    throw response.status >= 500 ? outOfReach(why) : unusable(`${why}: is this the control plane?`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_PROGRAM_BYTES) throw unusable(`${url}${path} is too large for a program`);
    }
  } catch (error) {
    if (error instanceof ServedProgramError) throw error;
    throw outOfReach(`the download from ${url} broke off: ${describeError(error)}`);
  }
  return Buffer.concat(chunks);
}

function outOfReach(why: string): ServedProgramError {
  return new ServedProgramError('out_of_reach', why);
}

function unusable(why: string): ServedProgramError {
  return new ServedProgramError('unusable', why);
}
