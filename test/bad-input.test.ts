import { ulid } from 'ulid';
import { describe, expect, test } from 'vitest';
import { CLOSE_CODES } from '#protocol/close-codes';
import { ApiClient } from '../scripts/local/api-client.ts';
import { FOREVER } from './support/commands.ts';
import { RawLink, refusedUpgrade } from './support/raw-link.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();

interface Call {
  readonly method?: string;
  readonly path: string;
  readonly token?: string | null;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** Makes a call, and returns the problem it is answered with. */
async function problem({ method = 'POST', path, token, body, headers = {} }: Call): Promise<unknown> {
  const bearer = token === undefined ? environment().operatorToken : token;
  const response = await fetch(`${environment().url}/api/v1${path}`, {
    method,
    headers: {
      ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  const answer = (await response.json()) as { status: number; code: string; detail: string };
  expect(answer.status).toBe(response.status);
  expect(answer.detail).not.toBe('');
  return { status: answer.status, code: answer.code };
}

describe('a call is refused', () => {
  test('without a token, or with a wrong one', async () => {
    expect(await problem({ path: '/jobs/backup/kill', token: null })).toEqual({ status: 401, code: 'unauthenticated' });
    expect(await problem({ path: '/jobs/backup/kill', token: 'leash_no' })).toEqual({
      status: 401,
      code: 'unauthenticated',
    });
    expect(await problem({ method: 'GET', path: '/runs', token: null })).toEqual({
      status: 401,
      code: 'unauthenticated',
    });
  });

  test('with an expired token', async () => {
    const { token, secret } = await environment().admin.createToken({ name: 'short', scopes: ['read'] });
    // One that is to end in a moment may be refused as ended by then.
    await environment().controlPlane.query('UPDATE tokens SET expires_at = ? WHERE id = ?', Date.now() - 1, token.id);
    expect(await problem({ method: 'GET', path: '/runs', token: secret })).toEqual({
      status: 401,
      code: 'token_expired',
    });
  });

  test('with a token that lacks the scope, or the job', async () => {
    const { secret: reader } = await environment().admin.createToken({ name: 'reader', scopes: ['read'] });
    const { secret: narrow } = await environment().admin.createToken({ name: 'n', scopes: ['kill'], jobs: 'web-*' });
    const forbidden = { status: 403, code: 'forbidden' };
    expect(await problem({ path: '/jobs/backup/kill', token: reader })).toEqual(forbidden);
    expect(await problem({ path: '/jobs/backup/kill', token: narrow })).toEqual(forbidden);
    expect(await problem({ path: '/jobs/backup/kill', token: environment().machineToken })).toEqual(forbidden);
    expect(await problem({ method: 'GET', path: '/runs', token: environment().machineToken })).toEqual(forbidden);
    expect(await problem({ path: '/tokens', body: '{"name":"mine","scopes":["admin"]}' })).toEqual(forbidden);
  });

  test.each(['.hidden', '-rf', 'a%20b', 'a%2Fb', 'x'.repeat(129), '%00'])('for a job named %s', async (name) => {
    expect(await problem({ path: `/jobs/${name}/kill` })).toEqual({ status: 400, code: 'bad_request' });
  });

  test('for a job that was never seen', async () => {
    expect(await problem({ path: '/jobs/never-seen/kill' })).toEqual({ status: 404, code: 'unknown_job' });
    expect(await problem({ method: 'GET', path: '/jobs/never-seen' })).toEqual({ status: 404, code: 'unknown_job' });
  });

  test('for a run, or a kill, that is not there', async () => {
    const id = ulid();
    expect(await problem({ method: 'GET', path: `/runs/${id}` })).toEqual({ status: 404, code: 'unknown_run' });
    expect(await problem({ method: 'GET', path: `/runs/${id}/output` })).toEqual({ status: 404, code: 'unknown_run' });
    expect(await problem({ method: 'GET', path: `/kills/${id}` })).toEqual({ status: 404, code: 'unknown_kill' });
  });

  test('with a body that cannot be read', async () => {
    const path = '/jobs/backup/kill';
    expect(await problem({ path, body: '{"grace_seconds":' })).toEqual({ status: 400, code: 'bad_json' });
    expect(await problem({ path, body: '{"grace_seconds":-1}' })).toEqual({ status: 400, code: 'bad_request' });
    expect(await problem({ path, body: '{"signal":"SIGSTOP"}' })).toEqual({ status: 400, code: 'bad_request' });
    // A misspelt filter must not become a kill of everything.
    expect(await problem({ path, body: '{"machin":"m1"}' })).toEqual({ status: 400, code: 'bad_request' });
    expect(await problem({ path, body: '[]' })).toEqual({ status: 400, code: 'bad_request' });
    expect(await problem({ path, body: 'machine=m1', headers: { 'content-type': 'text/plain' } })).toEqual({
      status: 415,
      code: 'unsupported_media_type',
    });
  });

  test('with a body without end', async () => {
    const body = JSON.stringify({ reason: 'x'.repeat(200_000) });
    expect(await problem({ path: '/jobs/backup/kill', body })).toEqual({ status: 413, code: 'too_large' });
  });

  test('with a wait, or a limit, out of bounds', async () => {
    expect(await problem({ path: '/jobs/backup/kill?wait=61' })).toEqual({ status: 400, code: 'bad_request' });
    expect(await problem({ path: '/jobs/backup/kill?wait=soon' })).toEqual({ status: 400, code: 'bad_request' });
    expect(await problem({ method: 'GET', path: '/runs?limit=0' })).toEqual({ status: 400, code: 'bad_request' });
  });

  test('at a path, or with a method, that is not there', async () => {
    expect(await problem({ method: 'GET', path: '/nothing/here' })).toEqual({ status: 404, code: 'not_found' });
  });
});

describe("a wrapper's upgrade is refused", () => {
  const target = () => ({ url: environment().url, job: 'backup', run: ulid(), token: environment().machineToken });

  test('without the right to run', async () => {
    expect(await refusedUpgrade({ ...target(), token: null })).toMatchObject({ status: 401 });
    expect(await refusedUpgrade({ ...target(), token: 'wrong' })).toMatchObject({ status: 401 });
    expect(await refusedUpgrade({ ...target(), token: environment().operatorToken })).toMatchObject({ status: 403 });
  });

  test('for a job or a machine that the token is not for', async () => {
    const { secret } = await environment().admin.createToken({
      name: 'narrow',
      scopes: ['run'],
      jobs: 'web-*',
      machines: 'w*',
    });
    expect(await refusedUpgrade({ ...target(), token: secret, machine: 'w1' })).toMatchObject({ status: 403 });
    expect(await refusedUpgrade({ ...target(), token: secret, job: 'web-1', machine: 'db1' })).toMatchObject({
      status: 403,
    });
  });

  test('with names that are none', async () => {
    expect(await refusedUpgrade({ ...target(), job: '../jobs' })).toMatchObject({ status: 400 });
    expect(await refusedUpgrade({ ...target(), run: 'x' })).toMatchObject({ status: 400 });
    expect(await refusedUpgrade({ ...target(), machine: 'a b' })).toMatchObject({ status: 400 });
    expect(await refusedUpgrade({ ...target(), instance: '' })).toMatchObject({ status: 400 });
  });

  test('when it is none', async () => {
    const call = { method: 'GET', token: environment().machineToken };
    const query = `run=${ulid()}&instance=i&machine=m`;
    expect(await problem({ ...call, path: `/jobs/backup/connect?${query}` })).toEqual({
      status: 426,
      code: 'upgrade_required',
    });
  });
});

describe("on a wrapper's link", () => {
  /** A link that speaks for a run of its own. */
  async function started(): Promise<{ link: RawLink; run: string }> {
    const run = ulid();
    const link = await RawLink.open({ url: environment().url, token: environment().machineToken, job: 'raw', run });
    link.start(run);
    await link.message('ack', (ack) => ack.of === 'start');
    return { link, run };
  }

  test('a type of a newer version is reported as unknown, and harms nothing', async () => {
    const { link } = await started();
    link.send('{"type":"dance"}');
    expect(await link.message('error')).toMatchObject({ code: 'unknown_type', retry: null });
    link.output(0, 'still here\n');
    expect(await link.message('ack', (ack) => ack.of === 'output')).toMatchObject({ offset: 11 });
    link.close();
  });

  test.each([
    ['no JSON', 'nonsense'],
    ['a field of the wrong kind', '{"type":"gap","from":"0","to":1}'],
  ])('%s is rejected as a bad frame', async (_what, frame) => {
    const { link } = await started();
    link.send(frame);
    expect(await link.message('error')).toMatchObject({ code: 'bad_frame' });
    link.close();
  });

  test('a binary frame of an unknown format is rejected as a bad frame', async () => {
    const { link } = await started();
    link.send(Uint8Array.from([9, 9, 9, 9, 9, 9, 9, 9, 9]));
    expect(await link.message('error')).toMatchObject({ code: 'bad_frame' });
    link.close();
  });

  test('a frame that is too large is rejected as such', async () => {
    const { link } = await started();
    link.send(new Uint8Array(300 * 1024).fill(1));
    expect(await link.message('error')).toMatchObject({ code: 'frame_too_large' });
    link.close();
  });

  test('output before the start is rejected until the start is acknowledged', async () => {
    const link = await RawLink.open({
      url: environment().url,
      token: environment().machineToken,
      job: 'raw',
      run: ulid(),
    });
    link.output(0, 'too early');
    expect(await link.message('error')).toMatchObject({ code: 'start_expected' });
    link.close();
  });

  test('output that leaves a gap is answered with where to continue; what overlaps is stored once', async () => {
    const { link, run } = await started();
    link.output(0, 'abcde');
    await link.message('ack', (ack) => ack.of === 'output' && ack.offset === 5);
    link.output(9, 'too far');
    expect(await link.message('error')).toMatchObject({ code: 'gap', expected: 5 });
    link.output(3, 'defgh');
    await link.message('ack', (ack) => ack.of === 'output' && ack.offset === 8);
    expect((await environment().operator.output(run)).text).toBe('abcdefgh');
    link.close();
  });

  test('a start for another run than the one it connected as is refused', async () => {
    const link = await RawLink.open({
      url: environment().url,
      token: environment().machineToken,
      job: 'raw',
      run: ulid(),
    });
    link.start(ulid());
    expect(await link.message('error')).toMatchObject({ code: 'run_mismatch' });
    link.close();
  });
});

test('a second wrapper that claims a run with another key is turned away, and the first continues', async () => {
  const wrapper = environment().wrapper({ job: 'claimed', command: FOREVER });
  const run = await environment().runOf('claimed');
  await environment().output(run.id, 'ready');

  const thief = await RawLink.open({
    url: environment().url,
    token: environment().machineToken,
    job: 'claimed',
    run: run.id,
    instance: run.instance,
    machine: run.machine,
  });
  thief.start(run.id);
  expect(await thief.message('error')).toMatchObject({ code: 'run_conflict', retry: 'never' });
  expect(await thief.closed()).toBe(CLOSE_CODES.conflict);

  expect(await environment().operator.run(run.id)).toMatchObject({ state: 'running', connected: true });
  const kill = await environment().kill('claimed');
  expect(kill).toMatchObject({ state: 'settled', targets: [{ state: 'gone', exit_code: 143 }] });
  expect((await wrapper.exit).code).toBe(143);
  expect(environment().log).toContain('run_conflict');
});

test('what was refused harms nobody: a run goes through it all', async () => {
  const wrapper = environment().wrapper({ job: 'bystander', command: ['sh', '-c', 'echo fine'] });
  expect((await wrapper.exit).code).toBe(0);
  const run = await environment().runOf('bystander', ({ final }) => final);
  expect(run).toMatchObject({ state: 'succeeded', exit_code: 0 });
  expect((await new ApiClient(environment().url, environment().operatorToken).output(run.id)).text).toBe('fine\n');
});
