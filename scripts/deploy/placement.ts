/** Where a deployment stores its data: decided by the first deployment, because neither objects nor databases move. */
import { JURISDICTIONS } from '../../worker/shared/settings.ts';
import type { DeployConfig } from './config.ts';
import type { Database } from './database.ts';
import { DeployError } from './deploy-error.ts';
import type { Jurisdiction } from './options.ts';
import type { DeployedWorker } from './worker-state.ts';

/** @throws DeployError when another jurisdiction is wanted than what is there has */
export function decideJurisdiction(facts: {
  readonly wanted: Jurisdiction | null;
  readonly config: DeployConfig;
  readonly deployed: DeployedWorker | null;
  readonly database: Database | null;
}): Jurisdiction | null {
  const { config, deployed, database } = facts;
  const wanted = facts.wanted ?? asJurisdiction(config.vars.LEASH_JURISDICTION);
  if (deployed !== null) {
    const current = asJurisdiction(deployed.vars.LEASH_JURISDICTION);
    if (wanted === null || wanted === current) return current;
    throw new DeployError(
      `This control plane is deployed ${inJurisdiction(current)}, and that can’t change: its objects and its database don’t move. To start again ${inJurisdiction(wanted)}, deploy a second one: npm run deploy -- --name NAME --jurisdiction ${wanted}`,
    );
  }
  if (database === null || database.jurisdiction === undefined) return wanted;
  const current = asJurisdiction(database.jurisdiction);
  // An interrupted first deployment has created it.
  if (wanted === null || wanted === current) return current;
  throw new DeployError(
    `The D1 database ${database.name} is there already, ${inJurisdiction(current)}, and doesn’t move. Use another name (--name NAME), or delete it if it is not needed: npx wrangler d1 delete ${database.name}`,
  );
}

export function inJurisdiction(jurisdiction: Jurisdiction | null): string {
  return jurisdiction === null ? 'without a jurisdiction' : `in the jurisdiction ${jurisdiction}`;
}

/** D1_LOCATION: near the database, unless objects have been created elsewhere already. */
export function decideLocation(config: DeployConfig, deployed: DeployedWorker | null, database: Database): string {
  const written = config.vars.D1_LOCATION ?? '';
  if (written !== '') return written;
  return deployed === null ? (database.region ?? '').toLowerCase() : (deployed.vars.D1_LOCATION ?? '');
}

function asJurisdiction(text: string | null | undefined): Jurisdiction | null {
  return JURISDICTIONS.find((jurisdiction) => jurisdiction === text) ?? null;
}
