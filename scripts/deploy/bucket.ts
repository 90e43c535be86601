/** The R2 bucket to which the output of ended runs moves. */
import * as v from 'valibot';
import { type CloudflareApi, CloudflareError } from './cloudflare-api.ts';
import { DeployError } from './deploy-error.ts';

export interface Bucket {
  readonly name: string;
  /** Empty: none. Buckets of different jurisdictions have names of their own. */
  readonly jurisdiction: string;
}

const PERMISSION = 'Workers R2 Storage: Edit';
const R2_IS_OFF = 10042;

export async function hasBucket(api: CloudflareApi, accountId: string, bucket: Bucket): Promise<boolean> {
  return explained(async () => {
    const found = await api.find(v.object({ name: v.string() }), {
      path: `/accounts/${accountId}/r2/buckets/${bucket.name}`,
      what: `read the R2 bucket ${bucket.name}`,
      permission: PERMISSION,
      headers: headersOf(bucket),
    });
    return found !== null;
  }, accountId);
}

export async function createBucket(api: CloudflareApi, accountId: string, bucket: Bucket): Promise<void> {
  await explained(async () => {
    await api.call(v.unknown(), {
      method: 'POST',
      path: `/accounts/${accountId}/r2/buckets`,
      what: `create the R2 bucket ${bucket.name}`,
      permission: PERMISSION,
      headers: headersOf(bucket),
      body: { name: bucket.name },
    });
  }, accountId);
}

function headersOf({ jurisdiction }: Bucket): Record<string, string> {
  return jurisdiction === '' ? {} : { 'cf-r2-jurisdiction': jurisdiction };
}

async function explained<Result>(call: () => Promise<Result>, accountId: string): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof CloudflareError && error.has(R2_IS_OFF))) throw error;
    throw new DeployError(
      `The account doesn’t use R2 yet. Turn it on at https://dash.cloudflare.com/${accountId}/r2, or deploy without --bucket.`,
    );
  }
}
