import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { ROOT } from '../scripts/local/paths.ts';
import { webhookRequest } from '../worker/durable/alerts/channels/webhook.ts';
import type { Message } from '../worker/durable/alerts/message.ts';
import { freePort } from './support/programs.ts';

/** The receiver in docs/alert-channels.md, as it stands there. */
const [, RECEIVER = ''] =
  /^```js\n(.*?)^```$/ms.exec(readFileSync(join(ROOT, 'docs', 'alert-channels.md'), 'utf8')) ?? [];
const SECRET = 'between us';
const MAX_AGE_MS = 300_000;

let directory: string;
let url: string;
let receiver: ChildProcess;
let printed = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leash-receiver-'));
  const file = join(directory, 'receiver.mjs');
  await writeFile(file, RECEIVER);
  const port = await freePort();
  url = `http://127.0.0.1:${port}/`;
  receiver = spawn(process.execPath, [file], {
    env: { SECRET, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  receiver.stdout?.on('data', (chunk) => {
    printed += String(chunk);
  });
  await waitFor('the receiver to listen', async () => {
    // Refused until then.
    const response = await fetch(url, { method: 'POST' }).catch(() => null);
    return response !== null;
  });
});
beforeEach(() => {
  printed = '';
});
afterAll(async () => {
  receiver.kill();
  await rm(directory, { recursive: true, force: true });
});

/** What it has printed since `printed` was emptied. It prints in order: what was sent before is there when this is. */
async function everythingPrinted(): Promise<string> {
  expect(await send(signed(randomUUID(), { job: 'last' }))).toBe(204);
  const lastLine = /^failed: last on .*\n/m;
  await waitFor('the last line', () => lastLine.test(printed));
  return printed.replace(lastLine, '');
}

function message(id: string, job: string): Message {
  const first = {
    id: 'one',
    kind: 'failed',
    at: Date.now(),
    job,
    machine: 'db1.example.com',
    run: '01JABCDEFGHJKMNPQRSTVWXYZ0',
    summary: 'exit code 2',
    exitCode: 2,
    durationMs: 1,
    isAlive: false,
    tags: [],
    owner: 'größte Datenbank 🔥',
    runbook: null,
    pageUrl: 'https://leash.example.com/runs/01JABCDEFGHJKMNPQRSTVWXYZ0',
    killUrl: null,
  } as const;
  return {
    id,
    alert: { id: 'a', name: 'on call' },
    at: Date.now(),
    occurrences: [first],
    count: 1,
    tail: null,
    isTest: false,
  };
}

function signed(id: string, { at = Date.now(), secret = SECRET, job = 'backup' } = {}) {
  return webhookRequest({ kind: 'webhook', url, secret }, url, message(id, job), at);
}

async function send({ headers, body }: Pick<ReturnType<typeof signed>, 'headers' | 'body'>): Promise<number> {
  return (await fetch(url, { method: 'POST', headers, body })).status;
}

test('the documented receiver has 15 lines, and takes what is signed', async () => {
  expect(RECEIVER.trimEnd().split('\n')).toHaveLength(15);
  expect(await send(signed('taken'))).toBe(204);
  expect(await everythingPrinted()).toBe(
    'failed: backup on db1.example.com, exit code 2: https://leash.example.com/runs/01JABCDEFGHJKMNPQRSTVWXYZ0 (1 of 1)\n',
  );
});

test('the same message again, as after a lost answer or by a replay, is not taken twice', async () => {
  const request = signed('twice');
  expect(await send(request)).toBe(204);
  expect(await send(request)).toBe(204);
  expect((await everythingPrinted()).match(/backup/g)).toHaveLength(1);
});

test('what is changed, unsigned, signed by another or old is refused', async () => {
  const request = signed('refused');
  const { 'Leash-Signature': signature = '', ...unsigned } = request.headers;
  const attempts = [
    { ...request, body: request.body.replace('backup', 'backup2') },
    { ...request, headers: unsigned },
    { ...request, headers: { ...unsigned, 'Leash-Signature': 'nonsense' } },
    {
      ...request,
      headers: { ...unsigned, 'Leash-Signature': signature.replace(/t=(\d+)/, (_, t) => `t=${Number(t) + 1}`) },
    },
    signed('refused', { secret: 'another' }),
    signed('refused', { at: Date.now() - 2 * MAX_AGE_MS }),
  ];
  for (const attempt of attempts) expect(await send(attempt)).toBe(401);
  expect(await everythingPrinted()).toBe('');
});
