/** `leash token`. */
import * as v from 'valibot';
import { SCOPES, type Scope, Token, TokenBody } from '#protocol/api';
import { MAX_OLD_SECRET_SECONDS } from '#protocol/limits';
import { Glob } from '#protocol/names';
import { NewToken } from '#protocol/new-token';
import type { ApiClient, Received } from '../../operator/api-client.ts';
import { EXIT, type ExitCode } from '../../operator/exit-codes.ts';
import { OperatorError } from '../../operator/operator-error.ts';
import type { Output } from '../../operator/output.ts';
import { canAsk, confirm } from '../../operator/prompt.ts';
import { exactTime, relativeTime } from '../../operator/relative-time.ts';
import type { Column } from '../../operator/table.ts';
import { duration, listed, type Moment, moment, name, oneOf, UsageError } from '../flags.ts';
import { defineOperatorSubcommand, operatorHelp, type SharedArguments } from '../operator-subcommand.ts';

const HELP = `leash token: list, create, rotate and delete tokens.

Usage:
  leash token list [options]
  leash token create NAME --scope SCOPES [options]
  leash token rotate ID [options]
  leash token delete ID [options]

All of them require a token with the scope admin for all jobs. ID is a token's id, or its name if
only one has it. create and rotate print the secret, which is not shown again: alone on stdout when
that is no terminal, so that it can go to a file:

  leash token create web-1 --scope run --machines 'web-1*' > token

Options of create:
  --scope SCOPES         what it may do: run (report runs), saltpeter (report runs of Saltpeter's
                         wrapper), read, kill, admin; several with commas
  --jobs GLOB            only for these jobs; default all
  --machines GLOB        only for runs on these machines; not with read, kill, admin
  --expires TIME         when it expires: 30d, 2026-12-31; default never

Options of rotate:
  --old-valid DURATION   how long the old secret stays valid; default 1h; 0 ends it at once

Options of delete:
  -y, --yes              don't ask

Options:
${operatorHelp()}`;

type Action =
  | { readonly kind: 'list' }
  | {
      readonly kind: 'create';
      readonly name: string;
      readonly scopes: readonly Scope[];
      readonly jobs: string;
      readonly machines: string;
      readonly expires: Moment | null;
    }
  | { readonly kind: 'rotate'; readonly word: string; readonly oldValidMs: number | null }
  | { readonly kind: 'delete'; readonly word: string; readonly isSure: boolean };

interface TokenOptions extends SharedArguments {
  readonly action: Action;
}

const text = { type: 'string' } as const;
const FLAGS = {
  scope: { type: 'string', multiple: true },
  jobs: text,
  machines: text,
  expires: text,
  'old-valid': text,
  yes: { type: 'boolean', short: 'y' },
} as const;

/** The flags that only one of them has. */
const OWN_FLAGS: Readonly<Record<string, Action['kind']>> = {
  scope: 'create',
  jobs: 'create',
  machines: 'create',
  expires: 'create',
  'old-valid': 'rotate',
  yes: 'delete',
};

type Flags = Readonly<{
  scope?: string[] | undefined;
  jobs?: string | undefined;
  machines?: string | undefined;
  expires?: string | undefined;
  'old-valid'?: string | undefined;
  yes?: boolean | undefined;
}>;

function parseAction(verb: string, words: readonly string[], flags: Flags): Action {
  switch (verb) {
    case 'list':
      if (words.length > 0) throw new UsageError('leash token list takes no arguments');
      return { kind: 'list' };
    case 'create':
      return parseCreate(onlyWord(verb, 'a name', words), flags);
    case 'rotate': {
      const oldValidMs = duration('--old-valid', flags['old-valid']);
      if (oldValidMs !== null && oldValidMs > MAX_OLD_SECRET_SECONDS * 1_000)
        throw new UsageError('--old-valid must be at most 30d');
      return { kind: 'rotate', word: onlyWord(verb, 'the id or the name of a token', words), oldValidMs };
    }
    case 'delete':
      return {
        kind: 'delete',
        word: onlyWord(verb, 'the id or the name of a token', words),
        isSure: flags.yes ?? false,
      };
    default:
      throw new UsageError(`leash token ${verb}: must be list, create, rotate or delete`);
  }
}

function onlyWord(verb: string, what: string, [word, ...others]: readonly string[]): string {
  if (word === undefined || others.length > 0) throw new UsageError(`leash token ${verb} takes one argument: ${what}`);
  return word;
}

function parseCreate(tokenName: string, flags: Flags): Action {
  const scopes = listed(flags.scope).flatMap((scope) => oneOf('--scope', SCOPES, scope) ?? []);
  if (scopes.length === 0) throw new UsageError(`--scope is required: ${SCOPES.join(', ')}, several with commas`);
  const expires = moment('--expires', flags.expires);
  const jobs = name('--jobs', Glob, flags.jobs ?? '*');
  const machines = name('--machines', Glob, flags.machines ?? '*');
  const checked = v.safeParse(NewToken, { name: tokenName, scopes, jobs, machines });
  if (!checked.success) throw new UsageError(checked.issues[0].message);
  return { kind: 'create', name: tokenName, scopes, jobs, machines, expires };
}

export const subcommand = defineOperatorSubcommand({
  help: HELP,
  flags: FLAGS,
  read: (flags, [verb = 'list', ...words]) => {
    const action = parseAction(verb, words, flags);
    const foreign = Object.keys(flags).find((flag) => (OWN_FLAGS[flag] ?? action.kind) !== action.kind);
    if (foreign !== undefined) throw new UsageError(`--${foreign} is for leash token ${OWN_FLAGS[foreign]}`);
    return { action };
  },
  run: (options, { api, output }) => act(options, api, output),
});

function act({ action, asJson }: TokenOptions, api: ApiClient, output: Output): Promise<ExitCode> {
  switch (action.kind) {
    case 'list':
      return list(asJson, api, output);
    case 'create':
      return create(action, asJson, api, output);
    case 'rotate':
      return rotate(action, asJson, api, output);
    case 'delete':
      return remove(action, api, output);
  }
}

async function list(asJson: boolean, api: ApiClient, output: Output): Promise<ExitCode> {
  const tokens = await allTokens(api);
  if (asJson) output.json(tokens.map(({ raw }) => raw));
  else if (tokens.length === 0) output.note('no tokens, except the one that the deployment is set up with');
  else
    output.table(
      tokenColumns(api.now()),
      tokens.map(({ value }) => value),
    );
  return EXIT.done;
}

async function create(
  { name: tokenName, scopes, jobs, machines, expires }: Extract<Action, { kind: 'create' }>,
  asJson: boolean,
  api: ApiClient,
  output: Output,
): Promise<ExitCode> {
  // A duration means how long from now on.
  const expiresAt =
    expires === null ? null : new Date(expires.kind === 'ago' ? api.now() + expires.ms : expires.ms).toISOString();
  const body = { name: tokenName, scopes, jobs, machines, expires_at: expiresAt };
  show(await api.call(TokenBody, { method: 'POST', path: '/tokens', body }), 'created', asJson, api, output);
  return EXIT.done;
}

async function rotate(
  { word, oldValidMs }: Extract<Action, { kind: 'rotate' }>,
  asJson: boolean,
  api: ApiClient,
  output: Output,
): Promise<ExitCode> {
  const { id } = await findToken(api, word);
  const body = oldValidMs === null ? {} : { old_valid_seconds: Math.ceil(oldValidMs / 1_000) };
  show(
    await api.call(TokenBody, { method: 'POST', path: `/tokens/${id}/rotate`, body }),
    'rotated',
    asJson,
    api,
    output,
  );
  return EXIT.done;
}

async function remove(
  { word, isSure }: Extract<Action, { kind: 'delete' }>,
  api: ApiClient,
  output: Output,
): Promise<ExitCode> {
  if (!isSure && !canAsk()) throw new OperatorError('There is no terminal to ask on. Use --yes.', EXIT.usage);
  const token = await findToken(api, word);
  const question = `Delete the token ${token.name} (${token.scopes.join(', ')})? What uses it is refused from then on.`;
  const answer = isSure ? 'yes' : await confirm(question);
  if (answer !== 'yes')
    throw new OperatorError('Nothing was deleted.', answer === 'interrupted' ? EXIT.interrupted : EXIT.failed);
  await api.send({ method: 'DELETE', path: `/tokens/${token.id}` });
  output.note(`deleted the token ${token.name} (${token.id})`);
  return EXIT.done;
}

function show(
  { value, raw }: Received<v.InferOutput<typeof TokenBody>>,
  deed: string,
  asJson: boolean,
  api: ApiClient,
  output: Output,
): void {
  const { token, secret } = value;
  if (asJson) output.json(raw);
  else if (output.terminal.columns === null) {
    output.note(`${deed} the token ${token.name} (${token.id})`);
    output.line(secret);
  } else {
    output.fields([
      [deed, { text: token.name, style: 'bold' }],
      ['id', token.id],
      ['may', token.scopes.join(', ')],
      ['jobs', token.jobs === '*' ? 'all' : token.jobs],
      ['machines', token.machines === '*' ? 'all' : token.machines],
      ['expires', token.expires_at === null ? 'never' : exactTime(token.expires_at, api.now())],
      // It can't be read again.
      ['secret', { text: secret, style: 'bold' }],
    ]);
    output.note('the secret is not shown again');
  }
}

export function tokenColumns(nowMs: number): readonly Column<Token>[] {
  return [
    { header: 'ID', text: ({ id }) => id, style: () => 'dim' },
    { header: 'NAME', text: (token) => token.name, style: () => 'bold', leastWidth: 12 },
    { header: 'MAY', text: ({ scopes }) => scopes.join(',') },
    { header: 'JOBS', text: ({ jobs }) => jobs, leastWidth: 6 },
    { header: 'MACHINES', text: ({ machines }) => machines, leastWidth: 8 },
    { header: 'CREATED', text: ({ created_at }) => relativeTime(created_at, nowMs), leaveOut: 3 },
    {
      header: 'USED',
      text: ({ last_used_at }) => (last_used_at === null ? 'never' : relativeTime(last_used_at, nowMs)),
      leaveOut: 2,
    },
    {
      header: 'EXPIRES',
      text: ({ expires_at }) => (expires_at === null ? 'never' : relativeTime(expires_at, nowMs)),
      style: ({ expires_at }) => (expires_at !== null && Date.parse(expires_at) < nowMs ? 'red' : null),
      leaveOut: 1,
    },
  ];
}

async function allTokens(api: ApiClient): Promise<Received<Token>[]> {
  const tokens: Received<Token>[] = [];
  for await (const token of api.list(Token, 'tokens', { path: '/tokens' })) tokens.push(token);
  return tokens;
}

/** @param word its id, or its name if only one has it */
async function findToken(api: ApiClient, word: string): Promise<Token> {
  const tokens = (await allTokens(api)).map(({ value }) => value);
  const byId = tokens.find(({ id }) => id === word.toUpperCase());
  if (byId !== undefined) return byId;
  const named = tokens.filter((token) => token.name === word);
  const [only] = named;
  if (only === undefined)
    throw new OperatorError(`No token has the id or the name ${word}. leash token list shows them.`, EXIT.notFound);
  if (named.length === 1) return only;
  throw new OperatorError(
    `${named.length} tokens are called ${word}: ${named.map(({ id }) => id).join(', ')}. Name one by its id.`,
    EXIT.usage,
  );
}
