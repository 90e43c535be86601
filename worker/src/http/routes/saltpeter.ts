/** `/compat/saltpeter`: for wrappers of Saltpeter, which can't be replaced on all machines at once. */
import { matchesGlob } from '#protocol/glob';
import { toValidName } from '#protocol/names';
import type { SaltpeterNames } from '#protocol/saltpeter-link';
import { credentialParameter } from '../../../shared/credential.ts';
import { callJob } from '../../../shared/rpc/job-object.ts';
import { openingParameter, SALTPETER_PATH, type SaltpeterOpening } from '../../../shared/rpc/saltpeter-opening.ts';
import { ordersParameter } from '../../../shared/rpc/standing-orders.ts';
import { ApiError } from '../../api-error.ts';
import { ordersFor } from '../../brakes/orders-for.ts';
import { SaltpeterRelay } from '../../saltpeter/saltpeter-relay.ts';
import { type Caller, credentialOf, requireScope } from '../authentication.ts';
import type { AppContext } from '../context.ts';
import { auditDenied } from '../denied-requests.ts';
import { operation, socket } from '../operation.ts';

export const saltpeterOperations = [
  operation({
    id: 'connectSaltpeterWrapper',
    method: 'get',
    path: '/compat/saltpeter',
    summary: 'Connect a wrapper of Saltpeter',
    description:
      'For wrappers that can’t be replaced yet: `SP_WEBSOCKET_URL=wss://leash:<token>@<host>/compat/saltpeter`. The token needs the scope `saltpeter`. Which job it is for is known with the first frame: see docs/migrating.md.',
    access: { kind: 'scope', scopes: ['saltpeter'] },
    authentication: 'basic',
    comesInCrowds: true,
    errors: ['busy'],
    responses: { 101: socket(null, 'The link of a wrapper of Saltpeter.') },
    handle: ({ c, caller }) => {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      new SaltpeterRelay(server, {
        authorise: (names) => whyForbidden(c, caller, names),
        connect: (opening) => connectObject(c, caller, opening),
      });
      return new Response(null, { status: 101, webSocket: client });
    },
  }),
];

/** Why the token isn't valid for the run that the first frame names; null if it is. */
function whyForbidden(c: AppContext, caller: Caller, { job_name, machine }: SaltpeterNames): string | null {
  const [job, on] = [toValidName(job_name), toValidName(machine)];
  try {
    requireScope(caller.token, ['saltpeter'], job);
    if (matchesGlob(caller.token.machines, on)) return null;
    throw new ApiError('forbidden', `The token is not valid for runs on machine ${on}.`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    auditDenied(c, error);
    return error.message;
  }
}

/** The link to the job's object; null if that did not take it. */
async function connectObject(c: AppContext, caller: Caller, opening: SaltpeterOpening): Promise<WebSocket | null> {
  const job = toValidName(opening.names.job_name);
  const orders = await ordersFor(c.env, caller.brakes, { job, machine: toValidName(opening.names.machine) });
  const parameters = new URLSearchParams({
    ...openingParameter(opening),
    ...credentialParameter(credentialOf(caller)),
    ...ordersParameter(orders),
  });
  const upgrade = { headers: { Upgrade: 'websocket' } };
  const response = await callJob(c.env, job, (object) =>
    object.fetch(`https://object${SALTPETER_PATH}?${parameters}`, upgrade),
  );
  return response.webSocket;
}
