/** What a kill link can do at the moment, and using it. */
import type { Run } from '#protocol/api';
import { KIB } from '#protocol/limits';
import { withTimeout } from '#shared/with-timeout';
import type { Env } from '../../shared/env.ts';
import { sha256 } from '../../shared/hash.ts';
import { log } from '../../shared/log.ts';
import { type OutputTail, readOutputTail } from '../../shared/output-tail.ts';
import { plainOutput } from '../../shared/plain-output.ts';
import { callAlerts, type KillLink } from '../../shared/rpc/alerts-object.ts';
import { callJob } from '../../shared/rpc/job-object.ts';
import type { KillCall } from '../kills/kill-call.ts';
import { killJob } from '../kills/kill-job.ts';
import type { KillLinkPage } from './page.ts';

/** No other text can be a secret of a link. */
const SECRET = /^[\w-]{20,200}$/;

/** As much as a phone shows, and somewhat more. */
const MAX_TAIL_BYTES = 4 * KIB;
/** A running wrapper is asked for what it has not sent yet. The page must not wait long for one that doesn't answer. */
const TAIL_LIMIT_MS = 2_000;

/** The link with its run: what both GET and POST begin with. */
type Found =
  | { readonly kind: 'found'; readonly link: KillLink; readonly run: Run; readonly hash: string }
  | { readonly kind: 'expired'; readonly link: KillLink }
  | { readonly kind: 'unknown' };

/** What the page of a link shows. Changes nothing, however often and by whatever it is fetched. */
export async function viewKillLink(env: Env, secret: string, now: number): Promise<KillLinkPage> {
  const found = await findLink(env, secret, now);
  switch (found.kind) {
    case 'unknown':
      return found;
    case 'expired':
      return { kind: 'expired', job: found.link.job, run: found.link.run, expiredAt: found.link.expiresAt };
    case 'found': {
      const { link, run } = found;
      const tail = await tailOf(env, run);
      if (link.usedAt !== null) return { kind: 'used', run, tail, usedAt: link.usedAt };
      return canEnd(run) ? { kind: 'ready', run, tail, expiresAt: link.expiresAt } : { kind: 'over', run, tail };
    }
  }
}

/** What a use of a link needs of the call. */
export type LinkCall = Pick<KillCall, 'env' | 'address' | 'requestId' | 'waitUntil'>;

/**
 * Kills the run of a link that can still be used, and uses it up. @returns whether it existed
 *
 * The kill comes first: of a link that was used up by a call that then failed, no one would get the kill. Its idempotency key
 * is the link's, so that two calls at once, and a call that is repeated because the second step failed, are one kill.
 *
 * @throws ApiError if the kill could not be stored
 */
export async function killByLink(call: LinkCall, secret: string, now: number): Promise<boolean> {
  const found = await findLink(call.env, secret, now);
  if (found.kind === 'unknown') return false;
  if (found.kind === 'expired' || found.link.usedAt !== null || !canEnd(found.run)) return true;
  const { link, hash } = found;
  await killJob(killCallOf(call, link, hash), link.job, { run: link.run, reason: 'kill link in a message' }, 0);
  try {
    await callAlerts(call.env, async (object) => await object.useKillLink(hash));
  } catch (error) {
    log.error('kill_link_not_used_up', error, { request: call.requestId, job: link.job, run: link.run });
  }
  return true;
}

/** A kill by whoever has the message: in the audit log and in events it is the alert's. */
function killCallOf(call: LinkCall, { job, alert }: KillLink, hash: string): KillCall {
  return {
    ...call,
    presented: { secret: hash, session: null },
    known: {
      id: 'kill-link',
      name: `alert ${alert}`,
      hash,
      scopes: ['kill'],
      jobs: job,
      machines: '*',
      createdAt: 0,
      expiresAt: null,
      secretExpiresAt: null,
      lastUsedAt: null,
    },
    idempotencyKey: hash,
    verify: () => {
      throw new Error('a kill by a link presents nothing');
    },
  };
}

async function findLink(env: Env, secret: string, now: number): Promise<Found> {
  if (!SECRET.test(secret)) return { kind: 'unknown' };
  const hash = sha256(secret);
  const link = await callAlerts(env, async (object) => await object.killLink(hash));
  if (link === null) return { kind: 'unknown' };
  if (link.usedAt === null && link.expiresAt <= now) return { kind: 'expired', link };
  const run = await callJob(env, link.job, async (object) => await object.run(link.run));
  return run === null ? { kind: 'unknown' } : { kind: 'found', link, run, hash };
}

/** A run that was declared lost may come back: then the kill reaches it. One that has ended may have left processes running. */
function canEnd({ final, left_running: left }: Run): boolean {
  return !final || left.length > 0;
}

/** Null if it can't be read now: the link must work all the same. */
async function tailOf(env: Env, run: Run): Promise<OutputTail | null> {
  try {
    return await withTimeout(readTail(env, run), TAIL_LIMIT_MS, { what: `the output of ${run.id}` });
  } catch (error) {
    log.error('kill_link_without_output', error, { job: run.job, run: run.id });
    return null;
  }
}

async function readTail(env: Env, run: Run): Promise<OutputTail> {
  const { text, isCut } = await readOutputTail(env, { job: run.job, run: run.id }, MAX_TAIL_BYTES);
  const plain = plainOutput(text);
  // The first line is cut somewhere.
  return { text: isCut ? plain.slice(plain.indexOf('\n') + 1) : plain, isCut };
}
