/**
 * The credentials that an object's sockets were opened with: a socket is closed when its token is revoked or expires,
 * when its secret has been replaced, when its session is signed out or expires.
 *
 * Each credential has a tag on its sockets. With the first socket of a credential the object registers in D1, where a
 * revocation finds it, and learns when the credential expires. With that answer it gets a row here. Its end is a
 * deadline; of all else the object is notified, and checks again.
 *
 * So a job's object also knows whom it may trust while D1 is away: those that D1 has confirmed a short while ago, and of whose
 * end it would have been notified.
 */
import { CLOSE_CODES } from '#protocol/close-codes';
import { withJitter } from '#shared/with-jitter';
import { ADMIN_TOKEN_ID, allows, type Credential, type Grant } from '../../shared/credential.ts';
import type { Actor } from '../../shared/d1/audit.ts';
import { earlier, type ValidCredentials } from '../../shared/d1/open-sockets.ts';
import type { Presented } from '../../shared/d1/tokens.ts';
import type { Env } from '../../shared/env.ts';
import { equalDigests, sha256 } from '../../shared/hash.ts';
import { log } from '../../shared/log.ts';
import { registerSockets } from '../../shared/rpc/d1-gateway.ts';
import type { ConfirmedCaller } from '../../shared/rpc/job-object.ts';
import { readSettings } from '../../shared/settings.ts';
import type { AlarmScheduler } from '../job/alarm-scheduler.ts';

export const CREDENTIALS_TABLE = `
  -- The credentials of the open sockets.
  CREATE TABLE IF NOT EXISTS credentials (
    token TEXT NOT NULL,
    secret TEXT NOT NULL,
    -- Empty if the token itself was presented.
    session TEXT NOT NULL,
    -- Null: never, or unknown.
    ends_at INTEGER,
    -- JSON: what the token may do; null if an older Worker has presented it.
    "grant" TEXT,
    -- When D1 was last asked and confirmed it; null while that is open.
    confirmed_at INTEGER,
    PRIMARY KEY (token, secret, session)
  ) STRICT, WITHOUT ROWID;
`;

type Row = {
  readonly token: string;
  readonly secret: string;
  /** Empty if the token itself was presented. */
  readonly session: string;
  /** JSON: what the token may do. */
  readonly grant: string | null;
};

/** A Durable Object that holds sockets. */
interface SocketHolder {
  readonly state: DurableObjectState;
  readonly env: Env;
  readonly deadlines: AlarmScheduler;
}

const RETRY_MS = 10_000;

/** The tag of the sockets that were opened with a credential. */
export function credentialTag(credential: Credential): string {
  return tagOf(rowOf(credential));
}

/** The runtime limits the length of a tag. */
const TAG_DIGITS = 32;
const tagOf = (row: Row) => `credential:${sha256(keyOf(row)).slice(0, TAG_DIGITS)}`;
const keyOf = ({ token, secret, session }: Omit<Row, 'grant'>) => JSON.stringify([token, secret, session]);
const rowOf = ({ token, secret, session, grant }: Credential): Row => ({
  token,
  secret,
  session: session ?? '',
  grant: grant === undefined ? null : JSON.stringify(grant),
});

export class Credentials {
  readonly #holder: SocketHolder;
  readonly #object: string;
  readonly #closed: (socket: WebSocket) => void;
  /**
   * Credentials that D1 has not answered for yet, by their keys. Only in memory: if the object fails meanwhile, their
   * sockets are closed.
   */
  readonly #unanswered = new Map<string, Row>();
  /** How often each token was suspended: what D1 was asked before says nothing. */
  readonly #suspensions = new Map<string, number>();
  #checks = 0;

  /**
   * @param object the name of the holder in D1
   * @param closed is called with each socket that is closed here: its peer may never answer
   */
  constructor(holder: SocketHolder, object: string, closed: (socket: WebSocket) => void) {
    this.#holder = holder;
    this.#object = object;
    this.#closed = closed;
  }

  /** Whether D1 is being queried. */
  get isChecking(): boolean {
    return this.#checks > 0;
  }

  /** A socket was opened with a credential, which the Worker has just found valid. */
  opened(credential: Credential): void {
    const row = rowOf(credential);
    if (this.#isKnown(row)) {
      this.#setGrant(row);
      return;
    }
    this.#unanswered.set(keyOf(row), row);
    this.#holder.state.waitUntil(this.check(row.token));
  }

  /** D1 has just confirmed a caller. If it isn't registered here yet, it is from now on, so that this object is told its end. */
  confirm({ credential, at }: ConfirmedCaller): void {
    const trustMs = readSettings(this.#holder.env).tokenTrustMs;
    if (trustMs === 0) return;
    this.opened(credential);
    const { token, secret, session } = rowOf(credential);
    // Not one whose check is open; and not with each kill, because each is a row.
    this.#holder.state.storage.sql.exec(
      'UPDATE credentials SET confirmed_at = ?1 WHERE token = ?2 AND secret = ?3 AND session = ?4 AND confirmed_at < ?5',
      at,
      token,
      secret,
      session,
      at - trustMs / 4,
    );
  }

  /** Who presents this, if D1 has confirmed it a short while ago, nothing has ended it since, and it may kill the job. */
  trusted({ secret, session }: Presented, job: string): Actor | null {
    const now = Date.now();
    const [row] = this.#stored(
      `WHERE iif(?1 IS NULL, session = ?2, secret = ?1) AND confirmed_at > ?3 AND "grant" IS NOT NULL
         AND (ends_at IS NULL OR ends_at > ?4) LIMIT 1`,
      secret,
      session,
      now - readSettings(this.#holder.env).tokenTrustMs,
      now,
    );
    if (row === undefined || row.grant === null) return null;
    const grant = JSON.parse(row.grant) as Grant;
    return allows(grant, 'kill', job) ? { id: row.token, name: grant.name } : null;
  }

  /** Something of a token has ended: until D1 has said what, none of it is trusted. */
  suspend(token: string): void {
    this.#suspensions.set(token, (this.#suspensions.get(token) ?? 0) + 1);
    this.#holder.state.storage.sql.exec(
      'UPDATE credentials SET confirmed_at = NULL WHERE token = ? AND confirmed_at IS NOT NULL',
      token,
    );
  }

  /**
   * Asks D1 which of a token's credentials are still valid, and closes the sockets of the others. Never throws: after a
   * failure the alarm tries again.
   */
  async check(token: string): Promise<void> {
    // If the object fails meanwhile, credentials with a row would not be checked again.
    if (this.#stored('WHERE token = ?', token).length > 0) this.#checkLater(token);
    const asked = this.#ofToken(token);
    const askedAt = Date.now();
    const suspensions = this.#suspensions.get(token);
    this.#checks += 1;
    try {
      const sessions = [...new Set(asked.map(({ session }) => session))];
      const valid = await registerSockets(this.#holder.env, { token, object: this.#object, sessions });
      this.#holder.state.storage.transactionSync(() => {
        const confirmedAt = this.#suspensions.get(token) === suspensions ? askedAt : null;
        for (const row of asked) this.#apply(row, endOf(row, valid, this.#holder.env), confirmedAt);
        this.#armEnd();
        const keys = new Set(asked.map(keyOf));
        if (this.#ofToken(token).every((row) => keys.has(keyOf(row)))) {
          this.#holder.deadlines.cancel('credential_check', token);
        }
        // A credential that was added meanwhile has its own check. If that one has overtaken this, this has undone its
        // registration, and nothing else would check again.
        else this.#checkLater(token);
      });
    } catch (error) {
      log.error('credential_check_failed', error, { object: this.#object, token });
      for (const row of asked) this.#store(row, null);
      this.#checkLater(token);
    } finally {
      this.#checks -= 1;
    }
  }

  /** No socket is left, and the object is about to be cleared: unregisters all. Never throws. */
  async unregisterAll(): Promise<void> {
    const tokens = new Set(this.#stored('').map(({ token }) => token));
    // First: a socket that is accepted meanwhile registers again.
    this.#holder.state.storage.sql.exec('DELETE FROM credentials');
    await Promise.all([...tokens].map((token) => this.check(token)));
  }

  /** The `credential_end` deadline. */
  endDue(): void {
    const due = this.#stored('WHERE ends_at <= ?', Date.now());
    for (const row of due) this.#end(row);
    this.#armEnd();
    // D1 need not keep their registrations.
    for (const token of new Set(due.map((row) => row.token))) this.#holder.state.waitUntil(this.check(token));
  }

  #checkLater(token: string): void {
    this.#holder.deadlines.arm('credential_check', token, Date.now() + withJitter(RETRY_MS));
  }

  #apply(row: Row, end: number | null | 'ended', confirmedAt: number | null): void {
    // Ended by another answer meanwhile.
    if (!this.#isKnown(row)) return;
    if (end === 'ended' || (end !== null && end <= Date.now())) {
      this.#end(row);
      return;
    }
    const isNew = this.#store(row, confirmedAt);
    if (end === null && (isNew || confirmedAt === null)) return;
    // Responses may overtake each other; an end can only come nearer.
    this.#holder.state.storage.sql.exec(
      `UPDATE credentials SET ends_at = coalesce(min(coalesce(ends_at, ?1), ?1), ends_at),
         confirmed_at = coalesce(?5, confirmed_at) WHERE token = ?2 AND secret = ?3 AND session = ?4`,
      end,
      row.token,
      row.secret,
      row.session,
      confirmedAt,
    );
  }

  /** @returns whether it was not stored before */
  #store({ token, secret, session, grant }: Row, confirmedAt: number | null): boolean {
    if (!this.#unanswered.delete(keyOf({ token, secret, session }))) return false;
    this.#holder.state.storage.sql.exec(
      'INSERT OR IGNORE INTO credentials (token, secret, session, "grant", confirmed_at) VALUES (?, ?, ?, ?, ?)',
      token,
      secret,
      session,
      grant,
      confirmedAt,
    );
    return true;
  }

  /** A token's name and scopes never change, but an older Worker has presented it without them. */
  #setGrant({ token, secret, session, grant }: Row): void {
    this.#holder.state.storage.sql.exec(
      'UPDATE credentials SET "grant" = ?1 WHERE token = ?2 AND secret = ?3 AND session = ?4 AND "grant" IS NULL AND ?1 IS NOT NULL',
      grant,
      token,
      secret,
      session,
    );
  }

  #end(row: Row): void {
    this.#unanswered.delete(keyOf(row));
    this.#holder.state.storage.sql.exec(
      'DELETE FROM credentials WHERE token = ? AND secret = ? AND session = ?',
      row.token,
      row.secret,
      row.session,
    );
    const open = this.#holder.state.getWebSockets(tagOf(row)).filter(({ readyState }) => readyState === WebSocket.OPEN);
    for (const socket of open) {
      socket.close(CLOSE_CODES.unauthorized, 'the credential of this connection has ended');
      this.#closed(socket);
    }
    log.info('credential_ended', { object: this.#object, token: row.token, sockets: open.length });
  }

  #armEnd(): void {
    const { next } = this.#holder.state.storage.sql
      .exec<{ next: number | null }>('SELECT min(ends_at) AS next FROM credentials')
      .one();
    if (next !== null) this.#holder.deadlines.arm('credential_end', '', next);
  }

  #isKnown(row: Row): boolean {
    if (this.#unanswered.has(keyOf(row))) return true;
    const { token, secret, session } = row;
    return this.#stored('WHERE token = ? AND secret = ? AND session = ?', token, secret, session).length > 0;
  }

  /** A token's credentials, with or without an answer of D1. */
  #ofToken(token: string): Row[] {
    const unanswered = [...this.#unanswered.values()].filter((row) => row.token === token);
    return [...this.#stored('WHERE token = ?', token), ...unanswered];
  }

  #stored(clause: string, ...bindings: SqlStorageValue[]): Row[] {
    return this.#holder.state.storage.sql
      .exec<Row>(`SELECT token, secret, session, "grant" FROM credentials ${clause}`, ...bindings)
      .toArray();
  }
}

function endOf({ token, secret, session }: Row, valid: ValidCredentials, env: Env): number | null | 'ended' {
  const secretEnd = token === ADMIN_TOKEN_ID ? adminSecretEnd(secret, env) : valid.secrets.get(secret);
  if (secretEnd === undefined) return 'ended';
  if (session === '') return secretEnd;
  const sessionEnd = valid.sessions.get(session);
  return sessionEnd === undefined ? 'ended' : earlier(secretEnd, sessionEnd);
}

/** The first admin token is in no table: it is valid as long as the deployment's secret is the same. */
function adminSecretEnd(secret: string, env: Env): null | undefined {
  return equalDigests(secret, sha256(env.LEASH_ADMIN_TOKEN)) ? null : undefined;
}
