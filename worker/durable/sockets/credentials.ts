/**
 * What an object's sockets were opened with: a socket is closed when its token is revoked or expires, when its secret has
 * been replaced, when the page signs out or its session is over.
 *
 * Each credential has a row here and a tag on its sockets. With the first socket of a credential the object registers in
 * D1, where whoever ends something finds it, and learns when the credential ends. That time is a deadline; for all else
 * the object is told to look again.
 */
import { CLOSE_CODES } from '#protocol/close-codes';
import { withJitter } from '#shared/with-jitter';
import { ADMIN_TOKEN_ID, type Credential } from '../../shared/credential.ts';
import { earlier, type ValidCredentials } from '../../shared/d1/open-sockets.ts';
import type { Env } from '../../shared/env.ts';
import { equalDigests, sha256 } from '../../shared/hash.ts';
import { log } from '../../shared/log.ts';
import { registerSockets } from '../../shared/rpc/d1-gateway.ts';
import type { DeadlineBook } from '../job/deadlines.ts';

export const CREDENTIALS_TABLE = `
  -- What the open sockets were opened with.
  CREATE TABLE IF NOT EXISTS credentials (
    -- Never used again: it is on the sockets, as a tag.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL,
    secret TEXT NOT NULL,
    -- Empty where the token itself was shown.
    session TEXT NOT NULL,
    -- As far as it is known.
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

const RETRY_MS = 10_000;
const tagOf = (id: number) => `credential:${id}`;

export class Credentials {
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  readonly #object: string;
  readonly #deadlines: DeadlineBook;
  readonly #closed: (socket: WebSocket) => void;
  #checks = 0;

  /**
   * @param object its name in D1
   * @param closed told of each socket that was closed from here: its peer may never answer
   */
  constructor(
    ctx: DurableObjectState,
    env: Env,
    object: string,
    deadlines: DeadlineBook,
    closed: (socket: WebSocket) => void,
  ) {
    this.#ctx = ctx;
    this.#env = env;
    this.#object = object;
    this.#deadlines = deadlines;
    this.#closed = closed;
  }

  /** Whether D1 is being asked right now. */
  get isChecking(): boolean {
    return this.#checks > 0;
  }

  /** The tag for a socket that is to be accepted. The Worker has found the credential valid a moment ago. */
  tagFor(credential: Credential): string {
    const { token, secret } = credential;
    const session = credential.session ?? '';
    const [known] = this.#select('WHERE token = ? AND secret = ? AND session = ?', token, secret, session);
    if (known !== undefined) return tagOf(known.id);
    this.#ctx.storage.sql.exec(
      'INSERT INTO credentials (token, secret, session) VALUES (?, ?, ?)',
      token,
      secret,
      session,
    );
    this.#ctx.waitUntil(this.check(token));
    return this.tagFor(credential);
  }

  /**
   * Asks D1 which of a token's credentials still stand, and closes the sockets of those that don't. Never throws: what fails
   * is tried again by alarm.
   */
  async check(token: string): Promise<void> {
    this.#deadlines.arm('credential_check', token, Date.now() + withJitter(RETRY_MS));
    const asked = this.#select('WHERE token = ?', token);
    this.#checks += 1;
    try {
      const sessions = [...new Set(asked.map(({ session }) => session))];
      const standing = await registerSockets(this.#env, { token, object: this.#object, sessions });
      this.#ctx.storage.transactionSync(() => {
        for (const row of asked) this.#apply(row, endOf(row, standing, this.#env));
        this.#armEnd();
        const isComplete = this.#select('WHERE token = ?', token).every(({ id }) => asked.some((row) => row.id === id));
        if (isComplete) this.#deadlines.cancel('credential_check', token);
        // One that came meanwhile is asked about by a call of its own. Should that one have overtaken this, what it
        // registered is undone: then nobody else would ask again.
        else this.#deadlines.arm('credential_check', token, Date.now() + withJitter(RETRY_MS));
      });
    } catch (error) {
      log.error('credential_check_failed', error, { object: this.#object, token });
      this.#deadlines.arm('credential_check', token, Date.now() + withJitter(RETRY_MS));
    } finally {
      this.#checks -= 1;
    }
  }

  /** No socket is left, and the object is about to forget everything: takes back what is registered. Never throws. */
  async forget(): Promise<void> {
    const tokens = new Set(this.#select('').map(({ token }) => token));
    // First: a socket that comes meanwhile registers anew.
    this.#ctx.storage.sql.exec('DELETE FROM credentials');
    await Promise.all([...tokens].map((token) => this.check(token)));
  }

  /** The `credential_end` deadline. */
  endDue(): void {
    const due = this.#select('WHERE ends_at <= ?', Date.now());
    for (const row of due) this.#end(row);
    this.#armEnd();
    // D1 need not keep them any more.
    for (const token of new Set(due.map((row) => row.token))) this.#ctx.waitUntil(this.check(token));
  }

  #apply(row: Row, end: number | null | 'ended'): void {
    if (end === 'ended' || (end !== null && end <= Date.now())) this.#end(row);
    else if (end !== null) {
      // Answers may overtake each other; an end only ever comes nearer.
      const sooner = 'UPDATE credentials SET ends_at = min(coalesce(ends_at, ?1), ?1) WHERE id = ?2';
      this.#ctx.storage.sql.exec(sooner, end, row.id);
    }
  }

  #end({ id, token }: Row): void {
    this.#ctx.storage.sql.exec('DELETE FROM credentials WHERE id = ?', id);
    const open = this.#ctx.getWebSockets(tagOf(id)).filter(({ readyState }) => readyState === WebSocket.OPEN);
    for (const socket of open) {
      socket.close(CLOSE_CODES.unauthorized, 'what this was opened with has ended');
      this.#closed(socket);
    }
    log.info('credential_ended', { object: this.#object, token, sockets: open.length });
  }

  #armEnd(): void {
    const { next } = this.#ctx.storage.sql
      .exec<{ next: number | null }>('SELECT min(ends_at) AS next FROM credentials')
      .one();
    if (next !== null) this.#deadlines.arm('credential_end', '', next);
  }

  #select(clause: string, ...bindings: SqlStorageValue[]): Row[] {
    return this.#ctx.storage.sql
      .exec<Row>(`SELECT id, token, secret, session FROM credentials ${clause}`, ...bindings)
      .toArray();
  }
}

function endOf({ token, secret, session }: Row, standing: ValidCredentials, env: Env): number | null | 'ended' {
  const secretEnd = token === ADMIN_TOKEN_ID ? adminSecretEnd(secret, env) : standing.secrets.get(secret);
  if (secretEnd === undefined) return 'ended';
  if (session === '') return secretEnd;
  const sessionEnd = standing.sessions.get(session);
  return sessionEnd === undefined ? 'ended' : earlier(secretEnd, sessionEnd);
}

/** The first admin token is in no table: it stands as long as the deployment's secret does. */
function adminSecretEnd(secret: string, env: Env): null | undefined {
  return equalDigests(secret, sha256(env.LEASH_ADMIN_TOKEN)) ? null : undefined;
}
