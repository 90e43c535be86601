/** What is deployed under a name: the account itself is the memory of earlier deployments. */
import * as v from 'valibot';
import { type CloudflareApi, SCRIPTS_EDIT } from './cloudflare-api.ts';

export interface DeployedWorker {
  /** The id of the database that it is bound to. */
  readonly databaseId: string | null;
  readonly bucket: string | null;
  readonly hasAdminToken: boolean;
  /** Its `[vars]`. */
  readonly vars: Readonly<Record<string, string>>;
}

/**
 * - `empty`: it only has our secret: the deploy button or `wrangler secret put` has created it
 * - `foreign`: another program
 */
export type WorkerState =
  | { readonly kind: 'absent' | 'empty' | 'foreign' }
  | { readonly kind: 'deployed'; readonly worker: DeployedWorker };

export const ADMIN_TOKEN = 'LEASH_ADMIN_TOKEN';

const Binding = v.object({
  type: v.string(),
  name: v.string(),
  class_name: v.optional(v.string()),
  id: v.optional(v.string()),
  database_id: v.optional(v.string()),
  bucket_name: v.optional(v.string()),
  text: v.optional(v.string()),
});
const WorkerSettings = v.object({ bindings: v.optional(v.array(Binding), []) });

const Secrets = v.array(v.object({ name: v.string() }));

/** Looks at the Worker of this name, whoever deployed it. */
export async function readWorker(api: CloudflareApi, accountId: string, name: string): Promise<WorkerState> {
  const settings = await api.find(WorkerSettings, {
    path: `/accounts/${accountId}/workers/scripts/${name}/settings`,
    what: `read the settings of the Worker ${name}`,
    permission: SCRIPTS_EDIT,
  });
  if (settings === null) return { kind: 'absent' };
  const secrets = await api.call(Secrets, {
    path: `/accounts/${accountId}/workers/scripts/${name}/secrets`,
    what: `list the names of the secrets of the Worker ${name}`,
    permission: SCRIPTS_EDIT,
  });
  const hasAdminToken = secrets.some((secret) => secret.name === ADMIN_TOKEN);
  const bindings = settings.bindings.filter(({ type }) => !type.startsWith('secret_'));
  if (!bindings.some((binding) => binding.name === 'JOBS' && binding.class_name === 'JobObject')) {
    return { kind: bindings.length === 0 && hasAdminToken ? 'empty' : 'foreign' };
  }
  const database = bindings.find(({ type, name }) => type === 'd1' && name === 'DB');
  return {
    kind: 'deployed',
    worker: {
      databaseId: database?.id ?? database?.database_id ?? null,
      bucket: bindings.find(({ type, name }) => type === 'r2_bucket' && name === 'OUTPUT_BUCKET')?.bucket_name ?? null,
      hasAdminToken,
      vars: Object.fromEntries(
        bindings.flatMap(({ type, name, text }) => (type === 'plain_text' && text !== undefined ? [[name, text]] : [])),
      ),
    },
  };
}
