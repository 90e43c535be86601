/** What `npm start` prints once the control plane is up. */
import { isAbsolute, join, relative } from 'node:path';
import type { AdminToken } from './state-dir.ts';

export interface GreetingFacts {
  readonly url: string;
  readonly stateDir: string;
  readonly adminToken: AdminToken;
  readonly runToken: string;
}

/** Its address, a link to the dashboard with the admin token, and a command line that runs a first job. */
export function greeting({ url, stateDir, adminToken, runToken }: GreetingFacts): string {
  const link = adminToken.origin === 'given' ? `${url}/` : `${url}/#token=${adminToken.secret}`;
  return `
Leash is running at ${url}. Its state is in ${shown(stateDir)}.

Dashboard, with the admin token (${whereToken(adminToken, stateDir)}):

  ${link}

To run a first job, paste this line into a terminal (Node.js 18 or later):

  ${pasteLine(url, runToken)}

To install leash on a machine that reaches this address, open ${url}/add-machine
`;
}

/** The same without tokens, for a log. */
export function greetingWithoutTokens({ url, stateDir, adminToken }: Omit<GreetingFacts, 'runToken'>): string {
  return `
Leash is running at ${url}. Its state is in ${shown(stateDir)}.
Sign in to the dashboard with the admin token (${whereToken(adminToken, stateDir)}).
`;
}

function whereToken({ origin }: AdminToken, stateDir: string): string {
  const file = shown(join(stateDir, 'admin-token'));
  return { given: 'LEASH_ADMIN_TOKEN', made: `just created, saved in ${file}`, kept: `saved in ${file}` }[origin];
}

/** Downloads the wrapper from this control plane, and runs a job that can be watched for some seconds. */
function pasteLine(url: string, runToken: string): string {
  const job = `sh -c 'for i in 1 2 3 4 5; do echo "hello $i from $(uname -n)"; sleep 1; done'`;
  return `curl -fsSo leash.cjs ${url}/leash.cjs && LEASH_URL=${url} LEASH_TOKEN=${runToken} node leash.cjs run --job hello -- ${job}`;
}

function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') || isAbsolute(fromHere) ? path : fromHere;
}
