/** The one place that gets Durable Objects. */
import type { Env } from '../env.ts';

/**
 * An object by its name, in the jurisdiction of the deployment. The same name in another jurisdiction is another object, so a
 * namespace of the environment must not be asked directly.
 */
export function objectByName<Class extends Rpc.DurableObjectBranded>(
  env: Pick<Env, 'LEASH_JURISDICTION'>,
  namespace: DurableObjectNamespace<Class>,
  name: string,
  options: DurableObjectNamespaceGetDurableObjectOptions = {},
): DurableObjectStub<Class> {
  const { LEASH_JURISDICTION: jurisdiction } = env;
  if (jurisdiction === '') return namespace.getByName(name, options);
  return namespace.jurisdiction(jurisdiction).getByName(name, options);
}
