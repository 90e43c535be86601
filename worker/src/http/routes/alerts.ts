/** `/alerts`: who is notified of what, and whether that works. */
import type * as v from 'valibot';
import { AlertBody, AlertChanges, AlertList, AlertTestBody, NewAlert } from '#protocol/alerts';
import { AlertId } from '#protocol/names';
import {
  type AlertAuthor,
  type AlertChange,
  type AlertCreation,
  alertsObject,
  callAlerts,
} from '../../../shared/rpc/alerts-object.ts';
import { ApiError } from '../../api-error.ts';
import type { Caller } from '../authentication.ts';
import { callOrigin } from '../client-address.ts';
import type { AppContext } from '../context.ts';
import { pageOf } from '../list-page.ts';
import { empty, json, operation } from '../operation.ts';
import { cursor, limit } from '../parameters.ts';

const access = { kind: 'full_admin' } as const;

/** What all operations on one alert have in common. */
const ofAlert = { path: '/alerts/{id}', access, params: { id: AlertId }, errors: ['unknown_alert'] } as const;

export const alertOperations = [
  operation({
    id: 'listAlerts',
    method: 'get',
    path: '/alerts',
    summary: 'List alerts, oldest first',
    access,
    query: { limit, cursor: cursor(AlertId) },
    responses: { 200: json(AlertList, 'A page of alerts, each with its newest deliveries and without its secret.') },
    handle: async ({ c, query }) => {
      const rows = await callAlerts(c.env, async (object) => await object.list(query.cursor ?? '', query.limit + 1));
      const { page, next } = pageOf(rows, query.limit, ({ id }) => id);
      return c.json<v.InferOutput<typeof AlertList>>({ alerts: [...page], next_cursor: next });
    },
  }),
  operation({
    id: 'createAlert',
    method: 'post',
    path: '/alerts',
    summary: 'Create an alert',
    description:
      'It reports what happens from now on. `channel.secret` is never returned, nor is a URL that is a secret by itself.',
    access,
    body: NewAlert,
    responses: { 201: json(AlertBody, 'The alert.') },
    errors: ['too_many_alerts'],
    handle: async ({ c, caller, body }) => {
      // Not repeated: a second call would create a second one.
      const change = await alertsObject(c.env).create(body, author(c, caller));
      return c.json<v.InferOutput<typeof AlertBody>>({ alert: stored(change) }, 201);
    },
  }),
  operation({
    ...ofAlert,
    id: 'getAlert',
    method: 'get',
    summary: 'Get an alert with its deliveries',
    responses: { 200: json(AlertBody, 'The alert.') },
    handle: async ({ c, params: { id } }) => {
      const alert = await callAlerts(c.env, async (object) => await object.alert(id));
      if (alert === null) throw unknownAlert(id);
      return c.json<v.InferOutput<typeof AlertBody>>({ alert });
    },
  }),
  operation({
    ...ofAlert,
    id: 'changeAlert',
    method: 'patch',
    summary: 'Change or mute an alert',
    description:
      'What is absent stays as it is. A `channel` replaces the old one; without `secret` it keeps that, if the kind stays. `muted_until: null` ends a mute.',
    body: AlertChanges,
    responses: { 200: json(AlertBody, 'The alert as it is now.') },
    handle: async ({ c, caller, params: { id }, body }) => {
      const by = author(c, caller);
      const change = await callAlerts(c.env, async (object) => await object.change(id, body, by));
      if (change.kind === 'unknown') throw unknownAlert(id);
      return c.json<v.InferOutput<typeof AlertBody>>({ alert: stored(change) });
    },
  }),
  operation({
    ...ofAlert,
    id: 'deleteAlert',
    method: 'delete',
    summary: 'Delete an alert',
    description: 'With its messages that were not sent yet, and its kill links.',
    responses: { 204: empty('Deleted.') },
    handle: async ({ c, caller, params: { id } }) => {
      if (!(await alertsObject(c.env).remove(id, author(c, caller)))) throw unknownAlert(id);
      return c.body(null, 204);
    },
  }),
  operation({
    ...ofAlert,
    id: 'testAlert',
    method: 'post',
    path: '/alerts/{id}/test',
    summary: 'Send a test message',
    description: 'At once, also while the alert is muted, and once: it is not sent again if it fails.',
    responses: { 200: json(AlertTestBody, 'Whether the receiver has taken it.') },
    handle: async ({ c, caller, params: { id } }) => {
      const test = await alertsObject(c.env).sendTest(id, author(c, caller));
      if (test === null) throw unknownAlert(id);
      return c.json<v.InferOutput<typeof AlertTestBody>>({ ...test });
    },
  }),
];

function author(c: AppContext, caller: Caller): AlertAuthor {
  const { id, name } = caller.token;
  return { actor: { id, name }, ...callOrigin(c), origin: new URL(c.req.url).origin };
}

/** The alert as it is stored now. */
function stored(change: AlertCreation | Exclude<AlertChange, { readonly kind: 'unknown' }>) {
  switch (change.kind) {
    case 'done':
      return change.alert;
    case 'too_many':
      throw new ApiError('too_many_alerts', `There are ${change.limit} alerts already. Delete one that is not needed.`);
    case 'invalid':
      throw new ApiError('bad_request', change.why);
  }
}

function unknownAlert(id: string): ApiError {
  return new ApiError('unknown_alert', `No alert has the id ${id}.`);
}
