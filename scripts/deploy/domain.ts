/** Host names of the operator's own zones, at which the Worker is served. */
import * as v from 'valibot';
import { type CloudflareApi, CloudflareError, SCRIPTS_EDIT } from './cloudflare-api.ts';
import { DeployError } from './deploy-error.ts';

const Domains = v.array(v.object({ hostname: v.string(), service: v.string() }));

/** The Worker's host names, apart from that at workers.dev. */
export async function findDomains(api: CloudflareApi, accountId: string, name: string): Promise<string[]> {
  const domains = await api.call(Domains, {
    path: `/accounts/${accountId}/workers/domains?service=${name}`,
    what: 'list the custom domains of the Worker',
    permission: SCRIPTS_EDIT,
  });
  return domains.filter(({ service }) => service === name).map(({ hostname }) => hostname);
}

/**
 * Adds a host name. It takes none from another Worker and replaces no DNS record: wrangler would do both without a question
 * when it has no terminal.
 */
export async function addDomains(api: CloudflareApi, accountId: string, name: string, hosts: readonly string[]) {
  try {
    await api.call(v.unknown(), {
      method: 'PUT',
      path: `/accounts/${accountId}/workers/scripts/${name}/domains/records`,
      what: `serve the Worker at ${hosts.join(', ')}`,
      permission: 'Workers Routes: Edit',
      body: {
        override_scope: true,
        override_existing_origin: false,
        override_existing_dns_record: false,
        origins: hosts.map((hostname) => ({ hostname })),
      },
    });
  } catch (error) {
    if (!(error instanceof CloudflareError)) throw error;
    throw new DeployError(
      `${error.message}\nThe zone must be in this account, and the host name must have neither DNS records nor another Worker. All else is deployed.`,
    );
  }
}
