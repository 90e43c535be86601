/** What a control plane on this machine says when it is up. */
import { isAbsolute, join, relative } from 'node:path';
import type { AdminToken } from './state-dir.ts';

export interface GreetingFacts {
  readonly url: string;
  readonly stateDir: string;
  readonly adminToken: AdminToken;
  readonly runToken: string;
}

/** Where it is, the page's link with the admin token, and the line that puts a first job on the leash. */
export function greeting({ url, stateDir, adminToken, runToken }: GreetingFacts): string {
  const link = adminToken.origin === 'given' ? `${url}/` : `${url}/#token=${adminToken.secret}`;
  const signIn = {
    given: 'sign in with your LEASH_ADMIN_TOKEN',
    made: `made now, kept in ${shown(join(stateDir, 'admin-token'))}`,
    kept: `kept in ${shown(join(stateDir, 'admin-token'))}`,
  }[adminToken.origin];
  return `
Leash is up at ${url}, its state in ${shown(stateDir)}.

The page, with the admin token (${signIn}):

  ${link}

Paste this line in a terminal to put a first job on the leash (Node 18 or later):

  ${pasteLine(url, runToken)}
`;
}

/** Fetches the wrapper from this control plane, and runs a job that can be watched for some seconds. */
function pasteLine(url: string, runToken: string): string {
  const job = `sh -c 'for i in 1 2 3 4 5; do echo "hello $i from $(uname -n)"; sleep 1; done'`;
  return `curl -fsSo leash.cjs ${url}/leash.cjs && LEASH_URL=${url} LEASH_TOKEN=${runToken} node leash.cjs run --job hello -- ${job}`;
}

function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') || isAbsolute(fromHere) ? path : fromHere;
}
