/** The check that every other test relies on: what does it find? */
import { expect, test } from 'vitest';
import { Conformance } from '#testing/conformance';

const conformance = new Conformance({
  paths: {
    '/things/{id}': {
      get: {
        operationId: 'getThing',
        responses: {
          200: {
            headers: { 'X-Always': { required: true }, 'X-Sometimes': { required: false } },
            content: {
              'application/json': { schema: { type: 'object', required: ['id'] } },
              'text/plain; charset=utf-8': {},
            },
          },
          204: {},
        },
      },
    },
  },
  components: { schemas: { Problem: { type: 'object', required: ['code'] } } },
});

const JSON_TYPE = { 'Content-Type': 'application/json', 'X-Always': 'yes' };
const TEXT_TYPE = { 'Content-Type': 'text/plain;charset=UTF-8', 'X-Always': 'yes' };
const PROBLEM_TYPE = { 'Content-Type': 'application/problem+json' };

function check(response: Response, method = 'GET', pathname = '/things/1'): Promise<string | null> {
  return conformance.check({ method, pathname }, response);
}

test('an answer that is what the document says conforms', async () => {
  expect(await check(new Response('{"id":1}', { headers: JSON_TYPE }))).toBeNull();
  expect(await check(new Response('text', { headers: TEXT_TYPE }))).toBeNull();
  expect(await check(new Response(null, { headers: JSON_TYPE }), 'HEAD')).toBeNull();
  expect(await check(new Response(null, { status: 204 }))).toBeNull();
  expect(
    await check(new Response('{"code":"not_found"}', { status: 404, headers: PROBLEM_TYPE }), 'GET', '/'),
  ).toBeNull();
});

test.each([
  ['a status of which the document says nothing', new Response(null, { status: 202 })],
  ['a header that is missing', new Response('{"id":1}', { headers: { 'Content-Type': 'application/json' } })],
  ['another content type', new Response('<p>', { headers: { ...JSON_TYPE, 'Content-Type': 'text/html' } })],
  ['another charset', new Response('x', { headers: { ...TEXT_TYPE, 'Content-Type': 'text/plain;charset=ascii' } })],
  ['no content type', new Response(null, { headers: { 'X-Always': 'yes' } })],
  ['a body that the schema forbids', new Response('{}', { headers: JSON_TYPE })],
])('%s is found', async (_what, response) => {
  expect(await check(response)).not.toBeNull();
});

test('what is not in the document must say so, as a problem', async () => {
  expect(await check(new Response('{}', { headers: JSON_TYPE }), 'GET', '/others')).not.toBeNull();
  expect(await check(new Response('gone', { status: 404 }), 'GET', '/others')).not.toBeNull();
  expect(await check(new Response('{}', { status: 404, headers: PROBLEM_TYPE }), 'GET', '/others')).not.toBeNull();
});
