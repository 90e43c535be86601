/** The account that is deployed to. */
import * as v from 'valibot';
import { type CloudflareApi, CloudflareError, SCRIPTS_EDIT } from './cloudflare-api.ts';
import { DeployError } from './deploy-error.ts';

export interface Account {
  readonly id: string;
  /** Unknown if it was given by its id. */
  readonly name: string | null;
}

const Accounts = v.array(v.object({ id: v.string(), name: v.string() }));

/** Cloudflare lists at most this many at once. */
const LISTED = 50;

/** @throws DeployError when there are several and none was chosen */
export async function chooseAccount(api: CloudflareApi, given: string | null): Promise<Account> {
  if (given !== null) return { id: given, name: null };
  const accounts = await api.call(Accounts, {
    path: `/accounts?per_page=${LISTED}`,
    what: 'list your accounts',
    permission: 'Account Settings: Read',
  });
  const [account, ...others] = accounts;
  if (account === undefined) {
    throw new DeployError('These credentials have access to no account. Set CLOUDFLARE_ACCOUNT_ID, or use others.');
  }
  if (others.length > 0) {
    const lines = accounts.map(({ id, name }) => `  CLOUDFLARE_ACCOUNT_ID=${id} npm run deploy    # ${name}`);
    throw new DeployError(
      `You have access to ${accounts.length} Cloudflare accounts. Choose one, and repeat your options:\n\n${lines.join('\n')}`,
    );
  }
  return account;
}

/** The account's workers.dev subdomain; null if it has none yet. */
export async function findSubdomain(api: CloudflareApi, accountId: string): Promise<string | null> {
  const found = await api.find(v.object({ subdomain: v.nullish(v.string()) }), {
    path: `/accounts/${accountId}/workers/subdomain`,
    what: 'read the account’s workers.dev subdomain',
    permission: SCRIPTS_EDIT,
  });
  return found?.subdomain ?? null;
}

/** @throws DeployError when another account has it */
export async function registerSubdomain(api: CloudflareApi, accountId: string, subdomain: string): Promise<void> {
  try {
    await api.call(v.unknown(), {
      method: 'PUT',
      path: `/accounts/${accountId}/workers/subdomain`,
      what: `register ${subdomain}.workers.dev`,
      permission: SCRIPTS_EDIT,
      body: { subdomain },
    });
  } catch (error) {
    if (!(error instanceof CloudflareError)) throw error;
    throw new DeployError(`${error.message}\nChoose another: npm run deploy -- --subdomain NAME`);
  }
}
