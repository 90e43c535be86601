/**
 * What `leash login` keeps: a control plane, and a token for it. Only its owner may read the file; one that others could
 * read is refused, because its token may be known to them.
 */
import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as v from 'valibot';
import type { Environment } from '../config/config-file.ts';
import { hasCode } from '../host/error-code.ts';
import { describeError } from '../logging/log.ts';
import { makeDirectory, syncPath, writeFileAtomically } from '../state/files.ts';
import { OperatorError } from './operator-error.ts';

const Login = v.object({ url: v.string(), token: v.string() });
export type Login = v.InferOutput<typeof Login>;

const OTHERS = 0o077;

export function loginPath(env: Environment): string {
  const configured = env.XDG_CONFIG_HOME ?? '';
  // By its specification a relative path is invalid, and to be ignored.
  const directory = path.isAbsolute(configured) ? configured : path.join(env.HOME || os.homedir(), '.config');
  return path.join(directory, 'leash', 'login.json');
}

/**
 * @returns null when there is none
 * @throws {OperatorError} when it can't be used
 */
export async function readLogin(env: Environment): Promise<Login | null> {
  const file = loginPath(env);
  const text = await readOwn(file);
  if (text === null) return null;
  try {
    return v.parse(Login, JSON.parse(text));
  } catch {
    // Not JSON, or not of this form. What it says is not repeated: it has a token.
    throw new OperatorError(`${file} is damaged. Sign in again with leash login.`);
  }
}

async function readOwn(file: string): Promise<string | null> {
  try {
    // Checks what it has opened: a path could lead elsewhere by then.
    const handle = await fs.open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { uid, mode } = await handle.stat();
      const problem = whyNotOwn(uid, mode);
      if (problem !== null) throw new OperatorError(`${file} is not used: ${problem}`);
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return null;
    throw new OperatorError(`${file} can't be read: ${describeError(error)}`);
  }
}

function whyNotOwn(uid: number, mode: number): string | null {
  const own = process.getuid?.();
  if (own !== undefined && uid !== own) {
    return `it belongs to another user (uid ${uid}). Sign in as yourself with leash login.`;
  }
  if ((mode & OTHERS) === 0) return null;
  const shown = (mode & 0o777).toString(8).padStart(3, '0');
  return `others can read or change it (mode ${shown}), and may know its token. Rotate the token, then sign in again with leash login.`;
}

/** Replaces the file, whole or not at all. */
export async function writeLogin(env: Environment, login: Login): Promise<void> {
  const file = loginPath(env);
  await makeDirectory(path.dirname(file));
  await writeFileAtomically(file, `${JSON.stringify(login, null, 2)}\n`);
  await syncPath(file);
}

/** @returns whether there was one */
export async function removeLogin(env: Environment): Promise<boolean> {
  try {
    await fs.unlink(loginPath(env));
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return false;
    throw error;
  }
}
