/**
 * The credentials that an object's sockets were opened with: a socket is closed when its token is revoked or expires,
 * when its secret has been replaced, when its session is signed out or expires.
 *
 * Each credential has a row here and a tag on its sockets. With the first socket of a credential the object registers
 * in D1, where a revocation finds it, and learns when the credential expires. That time is a deadline; of all else the
 * object is notified, and checks again.
 */
import { CLOSE_CODES } from '#protocol/close-codes';
import { withJitter } from '#shared/with-jitter';
import { ADMIN_TOKEN_ID, type Credential } from '../../shared/credential.ts';
import { earlier, type ValidCredentials } from '../../shared/d1/open-sockets.ts';
import type { Env } from '../../shared/env.ts';
import { equalDigests, sha256 } from '../../shared/hash.ts';
import { log } from '../../shared/log.ts';
import { registerSockets } from '../../shared/rpc/d1-gateway.ts';
import type { AlarmScheduler } from '../job/alarm-scheduler.ts';

export const CREDENTIALS_TABLE = `
  -- The credentials of the open sockets.
  CREATE TABLE IF NOT EXISTS credentials (
    -- Never used again: it is on the sockets, as a tag.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL,
    secret TEXT NOT NULL,
    -- Empty if the token itself was presented.
    session TEXT NOT NULL,
    -- Null while unknown.
    ends_at INTEGER,
    UNIQUE (token, secret, session)
  ) STRICT;
`;

interface Row {
  readonly [column: string]: SqlStorageValue;
  readonly id: number;
  readonly token: string;
  readonly secret: string;
  readonly session: string;
}

/** A Durable Object that holds sockets. */
interface SocketHolder {
  readonly state: DurableObjectState;
  readonly env: Env;
  readonly deadlines: AlarmScheduler;
}

const RETRY_MS = 10_000;
const tagOf = (id: number) => `credential:${id}`;

export class Credentials {
  readonly #holder: SocketHolder;
  readonly #object: string;
  readonly #closed: (socket: WebSocket) => void;
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

  /** The tag for a socket that is about to be accepted. The Worker has just found the credential valid. */
  tagFor(credential: Credential): string {
    const { token, secret } = credential;
    const session = credential.session ?? '';
    const [known] = this.#select('WHERE token = ? AND secret = ? AND session = ?', token, secret, session);
    if (known !== undefined) return tagOf(known.id);
    this.#holder.state.storage.sql.exec(
      'INSERT INTO credentials (token, secret, session) VALUES (?, ?, ?)',
      token,
      secret,
      session,
    );
    this.#holder.state.waitUntil(this.check(token));
    return this.tagFor(credential);
  }

  /**
   * Asks D1 which of a token's credentials are still valid, and closes the sockets of the others. Never throws: after a
   * failure the alarm tries again.
   */
  async check(token: string): Promise<void> {
    this.#holder.deadlines.arm('credential_check', token, Date.now() + withJitter(RETRY_MS));
    const asked = this.#select('WHERE token = ?', token);
    this.#checks += 1;
    try {
      const sessions = [...new Set(asked.map(({ session }) => session))];
      const valid = await registerSockets(this.#holder.env, { token, object: this.#object, sessions });
      this.#holder.state.storage.transactionSync(() => {
        for (const row of asked) this.#apply(row, endOf(row, valid, this.#holder.env));
        this.#armEnd();
        const isComplete = this.#select('WHERE token = ?', token).every(({ id }) => asked.some((row) => row.id === id));
        if (isComplete) this.#holder.deadlines.cancel('credential_check', token);
        // A credential that was added meanwhile has its own check. If that one has overtaken this, this has undone its
        // registration, and nothing else would check again.
        else this.#holder.deadlines.arm('credential_check', token, Date.now() + withJitter(RETRY_MS));
      });
    } catch (error) {
      log.error('credential_check_failed', error, { object: this.#object, token });
      this.#holder.deadlines.arm('credential_check', token, Date.now() + withJitter(RETRY_MS));
    } finally {
      this.#checks -= 1;
    }
  }

  /** No socket is left, and the object is about to be cleared: unregisters all. Never throws. */
  async unregisterAll(): Promise<void> {
    const tokens = new Set(this.#select('').map(({ token }) => token));
    // First: a socket that is accepted meanwhile registers again.
    this.#holder.state.storage.sql.exec('DELETE FROM credentials');
    await Promise.all([...tokens].map((token) => this.check(token)));
  }

  /** The `credential_end` deadline. */
  endDue(): void {
    const due = this.#select('WHERE ends_at <= ?', Date.now());
    for (const row of due) this.#end(row);
    this.#armEnd();
    // D1 need not keep their registrations.
    for (const token of new Set(due.map((row) => row.token))) this.#holder.state.waitUntil(this.check(token));
  }

  #apply(row: Row, end: number | null | 'ended'): void {
    if (end === 'ended' || (end !== null && end <= Date.now())) this.#end(row);
    else if (end !== null) {
      // Responses may overtake each other; an end can only come nearer.
      const sooner = 'UPDATE credentials SET ends_at = min(coalesce(ends_at, ?1), ?1) WHERE id = ?2';
      this.#holder.state.storage.sql.exec(sooner, end, row.id);
    }
  }

  #end({ id, token }: Row): void {
    this.#holder.state.storage.sql.exec('DELETE FROM credentials WHERE id = ?', id);
    const open = this.#holder.state.getWebSockets(tagOf(id)).filter(({ readyState }) => readyState === WebSocket.OPEN);
    for (const socket of open) {
      socket.close(CLOSE_CODES.unauthorized, 'the credential of this connection has ended');
      this.#closed(socket);
    }
    log.info('credential_ended', { object: this.#object, token, sockets: open.length });
  }

  #armEnd(): void {
    const { next } = this.#holder.state.storage.sql
      .exec<{ next: number | null }>('SELECT min(ends_at) AS next FROM credentials')
      .one();
    if (next !== null) this.#holder.deadlines.arm('credential_end', '', next);
  }

  #select(clause: string, ...bindings: SqlStorageValue[]): Row[] {
    return this.#holder.state.storage.sql
      .exec<Row>(`SELECT id, token, secret, session FROM credentials ${clause}`, ...bindings)
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
