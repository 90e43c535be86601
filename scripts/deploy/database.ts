/** The D1 database of a deployment, and the SQL that is run on it. */
import * as v from 'valibot';
import { type CloudflareApi, CloudflareError } from './cloudflare-api.ts';
import { DeployError } from './deploy-error.ts';
import type { D1Location, Jurisdiction } from './options.ts';

export interface Database {
  readonly id: string;
  readonly name: string;
  /** Unknown in what the API lists. */
  readonly jurisdiction?: string | null | undefined;
  /** Where it runs, as a location hint in upper case. */
  readonly region?: string | null | undefined;
}

export interface Statement {
  readonly sql: string;
  readonly params?: readonly string[];
}

const DatabaseResource = v.pipe(
  v.object({
    uuid: v.string(),
    name: v.string(),
    jurisdiction: v.nullish(v.string()),
    running_in_region: v.nullish(v.string()),
    created_in_region: v.nullish(v.string()),
  }),
  v.transform(
    ({ uuid, name, jurisdiction, running_in_region, created_in_region }): Database => ({
      id: uuid,
      name,
      jurisdiction,
      region: running_in_region ?? created_in_region,
    }),
  ),
);

const PERMISSION = 'D1: Edit';
/** A database of this name is there: somebody else was faster. */
const NAME_TAKEN = 7502;
const TOO_MANY_DATABASES = 7406;

/** @param key its id or its name, which the API takes alike */
export async function findDatabase(api: CloudflareApi, accountId: string, key: string): Promise<Database | null> {
  return api.find(DatabaseResource, {
    path: `/accounts/${accountId}/d1/database/${encodeURIComponent(key)}`,
    what: `read the D1 database ${key}`,
    permission: PERMISSION,
  });
}

/** Creates it, or finds the one that another deployment has created meanwhile. */
export async function createDatabase(
  api: CloudflareApi,
  accountId: string,
  wanted: { readonly name: string; readonly jurisdiction: Jurisdiction | null; readonly location: D1Location | null },
): Promise<Database> {
  const { name, jurisdiction, location } = wanted;
  try {
    return await api.call(DatabaseResource, {
      method: 'POST',
      path: `/accounts/${accountId}/d1/database`,
      what: `create the D1 database ${name}`,
      permission: PERMISSION,
      body: {
        name,
        ...(jurisdiction === null ? {} : { jurisdiction }),
        ...(location === null ? {} : { primary_location_hint: location }),
      },
    });
  } catch (error) {
    if (!(error instanceof CloudflareError)) throw error;
    if (error.has(TOO_MANY_DATABASES)) {
      throw new DeployError(`${error.message}\nDelete a database that is no longer needed, or upgrade the plan.`);
    }
    const found = error.has(NAME_TAKEN) ? await findDatabase(api, accountId, name) : null;
    if (found === null) throw error;
    return found;
  }
}

const Results = v.array(v.object({ results: v.optional(v.array(v.record(v.string(), v.unknown())), []) }));

/**
 * Runs statements in one transaction.
 *
 * @param what in words, for the error
 * @returns the rows of each statement
 */
export async function runStatements(
  api: CloudflareApi,
  target: { readonly accountId: string; readonly databaseId: string },
  statements: readonly Statement[],
  what: string,
): Promise<Record<string, unknown>[][]> {
  const results = await api.call(Results, {
    method: 'POST',
    path: `/accounts/${target.accountId}/d1/database/${target.databaseId}/query`,
    what,
    permission: PERMISSION,
    // One element each: the server splits what it gets as one.
    body: { batch: statements.map(({ sql, params = [] }) => ({ sql, params })) },
  });
  return results.map((result) => result.results);
}
