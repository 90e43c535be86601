/** What a deployment is called in the account: one name for all of it. */
import type { DeployConfig } from './config.ts';
import type { DeployedWorker } from './worker-state.ts';

export interface Names {
  readonly worker: string;
  readonly database: string;
  readonly bucket: string;
}

/**
 * @param given by --name; without it, everything is called as wrangler.toml says
 * @param deployed keeps its bucket, whatever that is called: output is in it
 */
export function namesOf(config: DeployConfig, given: string | null, deployed: DeployedWorker | null): Names {
  const worker = given ?? config.name;
  const isWritten = worker === config.name;
  const writtenBucket = config.r2_buckets.find(({ binding }) => binding === 'OUTPUT_BUCKET')?.bucket_name;
  return {
    worker,
    database: isWritten ? config.d1_databases[0].database_name : worker,
    bucket: deployed?.bucket ?? (isWritten ? writtenBucket : undefined) ?? `${worker}-output`,
  };
}
