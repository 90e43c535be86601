/** wrangler.toml as the deployment reads it, and the configuration that it derives from it for wrangler. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';

/** A placeholder for an id isn't one. */
const NO_ID = /^[0-]*$/;

export const DeployConfig = v.looseObject({
  name: v.string(),
  account_id: v.optional(v.string()),
  assets: v.looseObject({ directory: v.string() }),
  d1_databases: v.tuple([
    v.looseObject({
      binding: v.literal('DB'),
      database_name: v.string(),
      database_id: v.pipe(
        v.optional(v.string(), ''),
        v.transform((id) => (NO_ID.test(id) ? null : id)),
      ),
    }),
  ]),
  r2_buckets: v.optional(v.array(v.looseObject({ binding: v.string(), bucket_name: v.string() })), []),
  ratelimits: v.array(v.looseObject({ name: v.string(), namespace_id: v.string() })),
  vars: v.record(v.string(), v.string()),
});
export type DeployConfig = v.InferOutput<typeof DeployConfig>;

/** What the deployment decides, in place of what wrangler.toml leaves open. */
export interface DecidedConfig {
  readonly name: string;
  readonly accountId: string;
  readonly databaseName: string;
  readonly databaseId: string;
  readonly bucket: { readonly name: string; readonly jurisdiction: string } | null;
  readonly vars: Readonly<Record<string, string>>;
}

/**
 * The configuration for `wrangler deploy`, which uploads what is built as it is: what the tests ran with, byte for byte.
 *
 * @param paths of the built Worker and of the dashboard, from the file that this is written to
 */
export function deriveConfig(
  config: DeployConfig,
  decided: DecidedConfig,
  paths: { readonly worker: string; readonly assets: string },
): Record<string, unknown> {
  const { name, accountId, databaseName, databaseId, bucket, vars } = decided;
  const [{ migrations_dir: _, ...database }] = config.d1_databases;
  return {
    ...config,
    name,
    account_id: accountId,
    main: paths.worker,
    no_bundle: true,
    // With no_bundle, wrangler would upload whatever else lies beside the Worker.
    find_additional_modules: false,
    assets: { ...config.assets, directory: paths.assets },
    d1_databases: [{ ...database, database_name: databaseName, database_id: databaseId }],
    r2_buckets: [
      ...config.r2_buckets.filter(({ binding }) => binding !== 'OUTPUT_BUCKET'),
      ...(bucket === null
        ? []
        : [
            {
              binding: 'OUTPUT_BUCKET',
              bucket_name: bucket.name,
              ...(bucket.jurisdiction === '' ? {} : { jurisdiction: bucket.jurisdiction }),
            },
          ]),
    ],
    ratelimits: config.ratelimits.map((limit) => ({ ...limit, namespace_id: rateLimitId(name, limit.name) })),
    vars,
  };
}

/**
 * Workers of an account that name the same id share a rate limit. So each deployment has ids of its own, which follow from its
 * name: the same each time.
 */
function rateLimitId(name: string, binding: string): string {
  const hash = createHash('sha256').update(`${name}\0${binding}`).digest().readUInt32BE();
  // Away from the small numbers that people choose themselves.
  return String(1_000_000 + (hash % 2_000_000_000));
}
