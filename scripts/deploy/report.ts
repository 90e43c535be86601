/** What a deployment prints. */
import type { Health } from './health.ts';

const LABEL_WIDTH = 13;

export function stepLine(label: string, text: string): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${text}`;
}

/** Its custom domain, or that at workers.dev; null while that is not known. */
export function addressOf(
  worker: string,
  { subdomain, domains }: { readonly subdomain: string | null; readonly domains: readonly string[] },
): string | null {
  const [domain] = domains;
  if (domain !== undefined) return `https://${domain}`;
  return subdomain === null ? null : `https://${worker}.${subdomain}.workers.dev`;
}

/** The address, the admin token if it was made now, and what to do next. */
export function describeOutcome(outcome: {
  readonly address: string;
  readonly isFirst: boolean;
  readonly secret: string | null;
  readonly health: Health;
}): string {
  const { address, isFirst, secret, health } = outcome;
  return [
    `\n${healthLine(address, health)}`,
    ...(secret === null
      ? []
      : [
          `\nThe admin token. It is shown only now, so keep it in a password manager:\n\n  ${secret}`,
          `\nSign in with it:\n\n  ${address}/#token=${secret}`,
        ]),
    ...(isFirst
      ? [
          `\nNext, on each machine, install the wrapper. The line asks for a token, which you create at ${address}/add-machine\n\n  curl -fsSL ${address}/install.sh | sh -s -- --token-stdin`,
        ]
      : []),
  ].join('\n');
}

function healthLine(address: string, health: Health): string {
  switch (health.kind) {
    case 'healthy':
      return `Leash is running at ${address}`;
    case 'unasked':
      return `Leash is deployed to ${address}`;
    case 'unreached':
      return `Leash is deployed to ${address}, which does not respond here yet (${health.detail}). A new address takes some minutes.`;
    case 'unhealthy':
      return `Leash is deployed to ${address}.`;
  }
}
