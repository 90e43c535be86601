/** Deployments against a fake of Cloudflare's API that refuses what the real one refuses. */
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { runWrangler } from '../../scripts/deploy/wrangler.ts';
import { DIST, ROOT } from '../../scripts/local/paths.ts';
import { ACCOUNT_ID, type FakeBinding, type Fault } from './fake-cloudflare.ts';
import { splitNaively } from './naive-split.ts';
import { shownToken, useTrial } from './trial-deploy.ts';

const trial = useTrial();

const GIVEN_TOKEN = 'an-admin-token-that-somebody-gave';

function bindings(worker = 'leash'): ReadonlyMap<string, FakeBinding> {
  return new Map(trial.cloudflare.workers.get(worker)?.bindings.map((binding) => [binding.name, binding]));
}

function uploadedToken(worker = 'leash'): unknown {
  return bindings(worker).get('LEASH_ADMIN_TOKEN')?.text;
}

function schemaOf(database: DatabaseSync | undefined): unknown {
  const sql =
    "SELECT name, sql FROM sqlite_schema WHERE name <> 'd1_migrations' AND name NOT LIKE 'sqlite%' ORDER BY name";
  return [database?.prepare(sql).all(), database?.prepare('SELECT * FROM counters').all()];
}

const wholeSchema = () => {
  const database = new DatabaseSync(':memory:');
  for (const statement of splitNaively(readFileSync(join(ROOT, 'schema.sql'), 'utf8'))) database.exec(statement);
  return schemaOf(database);
};

/** What must hold after a deployment, whatever happened before. */
function expectDeployed(worker = 'leash'): void {
  const { databases, workers } = trial.cloudflare;
  const named = [...databases.values()].filter(({ name }) => name === worker);
  expect(named).toHaveLength(1);
  expect(schemaOf(named[0]?.sqlite)).toEqual(wholeSchema());
  const applied = named[0]?.sqlite.prepare('SELECT name FROM d1_migrations ORDER BY id').all();
  expect(applied).toEqual(trial.built.migrations.map(({ name }) => ({ name })));
  expect(workers.has(worker)).toBe(true);
  expect(bindings(worker).get('DB')?.id).toBe(named[0]?.id);
}

async function leftFiles(): Promise<string[]> {
  const entries = await readdir(join(trial.dist, 'state'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe('npm run deploy', () => {
  test('makes everything in an empty account, and says how to go on', async () => {
    const printed = await trial.deploy();
    expectDeployed();
    expect(shownToken(printed)).toBe(uploadedToken());
    expect(printed).toContain(`https://leash.example.workers.dev/#token=${uploadedToken()}`);
    expect(printed).toContain('curl -fsSL https://leash.example.workers.dev/install.sh | sh');
    expect(bindings().get('D1_LOCATION')?.text).toBe('weur');
    expect(await leftFiles()).toEqual([]);
  });

  test('a second time changes nothing but the code, and shows no token', async () => {
    await trial.deploy();
    const before = [bindings(), [...trial.cloudflare.databases.keys()]];
    trial.cloudflare.calls.length = 0;
    const printed = await trial.deploy();
    expectDeployed();
    expect([bindings(), [...trial.cloudflare.databases.keys()]]).toEqual(before);
    expect(trial.cloudflare.workers.get('leash')?.uploads).toBe(2);
    expect(printed).not.toContain('leash_admin_');
    expect(trial.cloudflare.calls.filter((call) => !/^GET |\/query$/.test(call))).toEqual([
      `PUT /accounts/${ACCOUNT_ID}/workers/scripts/leash`,
    ]);
  });

  test('--dry-run changes nothing, with and without an account', async () => {
    const printed = await trial.deploy(['--dry-run', '--bucket', '--name', 'staging', '--jurisdiction', 'eu']);
    expect(printed).toMatch(/would create the D1 database staging in the jurisdiction eu/);
    expect(printed).toMatch(/would create the R2 bucket staging-output/);
    expect(printed).toMatch(/https:\/\/staging\.example\.workers\.dev/);
    const unknown = await trial.deploy(['--dry-run'], { env: { CLOUDFLARE_API_TOKEN: '' } });
    expect(unknown).toMatch(/not signed in/);
    expect(trial.cloudflare.calls.filter((call) => !call.startsWith('GET '))).toEqual([]);
  });

  test('--name deploys a second one, apart from the first', async () => {
    await trial.deploy(['--bucket']);
    const first = bindings();
    await trial.deploy(['--name', 'staging', '--bucket']);
    expectDeployed('staging');
    expect(bindings()).toEqual(first);
    for (const name of ['DB', 'OUTPUT_BUCKET', 'FAILED_SIGN_INS', 'KILLS', 'LEASH_ADMIN_TOKEN']) {
      const { type: _, ...second } = bindings('staging').get(name) ?? { type: 'missing' };
      expect(second).not.toEqual({ ...first.get(name), type: undefined });
      expect(first.get(name)).not.toMatchObject(second);
    }
    const ids = ['leash', 'staging'].flatMap((name) =>
      ['FAILED_SIGN_INS', 'KILLS'].map((limit) => bindings(name).get(limit)?.namespace_id),
    );
    expect(new Set(ids).size).toBe(4);
    await trial.deploy(['--name', 'staging']);
    expect(bindings('staging').get('KILLS')?.namespace_id).toBe(ids[3]);
  });

  test('keeps jurisdiction, bucket, domain and location without being told again', async () => {
    await trial.deploy(['--jurisdiction', 'eu', '--bucket', '--domain', 'leash.example.com']);
    expect(trial.cloudflare.databaseNamed('leash')?.jurisdiction).toBe('eu');
    expect(trial.cloudflare.buckets.get('leash-output')).toBe('eu');
    const before = bindings();
    expect(before.get('LEASH_JURISDICTION')?.text).toBe('eu');
    expect(await trial.deploy()).toContain('Leash is deployed to https://leash.example.com');
    expect(bindings()).toEqual(before);
  });

  test('replaces the admin token when asked', async () => {
    const first = shownToken(await trial.deploy());
    const second = shownToken(await trial.deploy(['--new-admin-token']));
    expect(second).not.toBe(first);
    expect(uploadedToken()).toBe(second);
  });

  test('takes the admin token that is given, and does not show it', async () => {
    const printed = await trial.deploy([], { env: { CI: 'true', LEASH_ADMIN_TOKEN: GIVEN_TOKEN } });
    expect(uploadedToken()).toBe(GIVEN_TOKEN);
    expect(printed).not.toContain(GIVEN_TOKEN);
    await trial.deploy([], { env: { CI: 'true' } });
    expect(uploadedToken()).toBe(GIVEN_TOKEN);
    expect(await leftFiles()).toEqual([]);
  });

  test('the deploy button: takes over what the button has created', async () => {
    const id = 'LEASH_ADMIN_TOKEN';
    trial.cloudflare.workers.set('leash', {
      bindings: [{ type: 'secret_text', name: id, text: GIVEN_TOKEN }],
      uploads: 0,
      migrationTag: null,
      observability: null,
    });
    await trial.deploy([], { env: { CI: 'true', WORKERS_CI: '1' } });
    expectDeployed();
    expect(uploadedToken()).toBe(GIVEN_TOKEN);
  });

  test('applies only the migrations that are missing', async () => {
    await trial.deploy();
    const { migrations } = trial.built;
    const added = { name: '9999_more.sql', statements: ['CREATE TABLE IF NOT EXISTS more (id TEXT) STRICT'] };
    await trial.rebuild({ ...trial.built, migrations: [...migrations, added] });
    expect(await trial.deploy()).toContain('applied 9999_more.sql');
    // The version before bears it.
    await trial.rebuild(trial.built);
    expect(await trial.deploy()).toContain('9999_more.sql');
    const applied = trial.cloudflare.databaseNamed('leash')?.sqlite.prepare('SELECT name FROM d1_migrations').all();
    expect(applied).toHaveLength(migrations.length + 1);
  });

  test('lists settings that it changes', async () => {
    await trial.deploy();
    const config = { ...trial.built.config, vars: { ...(trial.built.config.vars as object), RUN_DAYS: '7' } };
    await trial.rebuild({ ...trial.built, config });
    expect(await trial.deploy(['--dry-run'])).toContain('RUN_DAYS: "90" becomes "7"');
  });

  test('registers the workers.dev subdomain of an account that has none', async () => {
    trial.cloudflare.subdomain = null;
    await expect(trial.deploy()).rejects.toThrow(/--subdomain leash-[0-9a-f]{6}\n/);
    expect(await trial.deploy([], { ask: async () => 'chosen' })).toContain('https://leash.chosen.workers.dev');
  });
});

describe('refuses, in words that say what to do, and changes nothing:', () => {
  type Prepare = () => unknown;
  const cases: [what: string, prepare: Prepare, flags: string[], env: Record<string, string>, words: RegExp][] = [
    [
      'a wrong token',
      () => 0,
      [],
      { CLOUDFLARE_API_TOKEN: 'wrong' },
      /refused to list your accounts: Authentication error.*“Account Settings: Read”/,
    ],
    ['no token', () => 0, [], { CLOUDFLARE_API_TOKEN: '' }, /npx wrangler login.*CLOUDFLARE_API_TOKEN/],
    ['an unknown account', () => 0, [], { CLOUDFLARE_ACCOUNT_ID: 'ffff' }, /Could not route/],
    [
      'several accounts',
      () => trial.cloudflare.accounts.push({ id: 'f'.repeat(32), name: 'Other' }),
      [],
      {},
      /CLOUDFLARE_ACCOUNT_ID=f{32} npm run deploy {4}# Other/,
    ],
    ['a token that CI would show', () => 0, [], { CI: 'true' }, /Set LEASH_ADMIN_TOKEN as a secret/],
    ['a short token', () => 0, [], { LEASH_ADMIN_TOKEN: 'short' }, /fewer than 24 characters/],
    [
      'another Worker of that name',
      () =>
        trial.cloudflare.workers.set('leash', { bindings: [], uploads: 1, migrationTag: null, observability: null }),
      [],
      {},
      /isn’t Leash.*--name/,
    ],
    [
      'a database of another program',
      async () => {
        await trial.deploy(['--name', 'other']);
        const { sqlite, ...database } = trial.cloudflare.databaseNamed('other') ?? raise('there is one');
        sqlite.exec('DROP TABLE d1_migrations; CREATE TABLE invoices (id TEXT)');
        trial.cloudflare.databases.set(database.id, { ...database, name: 'leash', sqlite });
      },
      [],
      {},
      /belongs to another program: it has invoices/,
    ],
    [
      'another jurisdiction than before',
      () => trial.deploy(['--jurisdiction', 'eu']),
      [],
      { LEASH_JURISDICTION: 'us' },
      /in the jurisdiction eu, and that can’t change/,
    ],
    [
      'a jurisdiction later',
      () => trial.deploy(),
      ['--jurisdiction', 'fedramp'],
      {},
      /without a jurisdiction, and that can’t change/,
    ],
    [
      'no R2',
      () => {
        trial.cloudflare.isR2On = false;
      },
      ['--bucket'],
      {},
      /doesn’t use R2 yet/,
    ],
    [
      'an unknown database_id',
      () => {
        const [database] = trial.built.config.d1_databases as object[];
        return trial.rebuild({
          ...trial.built,
          config: { ...trial.built.config, d1_databases: [{ ...database, database_id: 'abcdef01' }] },
        });
      },
      [],
      {},
      /no D1 database with the id abcdef01.*Remove that line/,
    ],
  ];

  test.each(cases)('%s', async (_what, prepare, flags, env, words) => {
    await prepare();
    trial.cloudflare.calls.length = 0;
    await expect(trial.deploy(flags, { env })).rejects.toThrow(words);
    expect(trial.cloudflare.calls.filter((call) => !/^GET |\/query$/.test(call))).toEqual([]);
  });

  test.each([
    [['--nmae', 'x'], /Unknown option '--nmae'/],
    [['--name', 'Not_A_Name'], /--name must consist of lower-case letters/],
    [['--jurisdiction', 'mars'], /--jurisdiction must be one of eu, us, fedramp, not "mars"/],
    [['--location', 'moon'], /--location must be one of/],
    [['--domain', 'https://x.example.com/'], /--domain must be a host name/],
  ])('the flags %j', async (flags, words) => {
    await expect(trial.deploy(flags)).rejects.toThrow(words);
    expect(trial.cloudflare.calls).toEqual([]);
  });

  test('a host name that is taken: all else is deployed', async () => {
    trial.cloudflare.takenHosts.add('www.example.com');
    await expect(trial.deploy(['--domain', 'www.example.com'])).rejects.toThrow(/already has.*DNS records/);
    expectDeployed();
    // The token has not been shown yet.
    expect(shownToken(await trial.deploy())).toBe(uploadedToken());
  });
});

function raise(message: string): never {
  throw new Error(message);
}

describe('interrupted, and run again', () => {
  const flags = ['--jurisdiction', 'eu', '--bucket', '--domain', 'leash.example.com'];

  /** Runs it until it is done. @returns the admin tokens that were shown */
  async function deployUntilDone(options: Parameters<typeof trial.deploy>[1] = {}): Promise<(string | null)[]> {
    const shown: (string | null)[] = [];
    let interrupted = 0;
    for (const context of [options, {}]) {
      try {
        shown.push(shownToken(await trial.deploy(flags, context)));
        break;
      } catch {
        interrupted += 1;
      }
    }
    expect(interrupted).toBeLessThan(2);
    return shown;
  }

  function expectWhole(shown: readonly (string | null)[]): void {
    expectDeployed();
    expect(shown).toEqual([uploadedToken()]);
    expect(trial.cloudflare.databases.size).toBe(1);
    expect([...trial.cloudflare.buckets]).toEqual([['leash-output', 'eu']]);
    expect([...trial.cloudflare.domains]).toEqual([['leash.example.com', 'leash']]);
  }

  // As many as a first deployment makes, which the last test of these checks.
  const calls = Array.from({ length: 11 }, (_, index) => index + 1);
  const faults: readonly Fault[] = ['refused', 'failed after', 'lost'];
  test.each(sampleOf(faults).flatMap((fault) => calls.map((call) => [fault, call] as const)))(
    '%s: call %i',
    async (fault, number) => {
      trial.cloudflare.fault = (_call, count) => (count === number ? fault : null);
      expectWhole(await deployUntilDone());
    },
  );

  test('these are all calls', async () => {
    await trial.deploy(flags);
    expect(trial.cloudflare.calls).toHaveLength(calls.length);
  });

  test.each(Array.from({ length: 8 }, (_, index) => index + 1))('killed after line %i of its output', async (line) => {
    let printed = 0;
    const print = () => {
      printed += 1;
      if (printed === line) throw new Error('killed');
    };
    expectWhole(await deployUntilDone({ print }));
  });

  test('in the middle of the schema, by a server that does not make one transaction of it', async () => {
    trial.cloudflare.isAtomic = false;
    for (const statement of sampleOf([...trial.built.schema.keys()], 5)) {
      trial.cloudflare.databases.clear();
      trial.cloudflare.workers.clear();
      trial.cloudflare.failingStatement = statement;
      await expect(trial.deploy()).rejects.toThrow(/interrupted/);
      trial.cloudflare.failingStatement = null;
      await trial.deploy();
      expectDeployed();
    }
  });
});

describe('with the real wrangler', () => {
  async function realWrangler() {
    const home = await mkdtemp(join(tmpdir(), 'leash-wrangler-'));
    onTestFinished(() => rm(home, { recursive: true }));
    const env = { ...trial.cloudflare.env, HOME: home, XDG_CONFIG_HOME: home };
    return { dist: DIST, run: ((args, more) => runWrangler(args, { ...env, ...more })) satisfies typeof runWrangler };
  }

  test('a first deployment', async () => {
    const printed = await trial.deploy([], await realWrangler());
    expectDeployed();
    expect(shownToken(printed)).toBe(uploadedToken());
    expect(trial.cloudflare.workers.get('leash')).toMatchObject({
      uploads: 1,
      migrationTag: 'v3',
      observability: { enabled: true, logs: { invocation_logs: false } },
    });
    expect(bindings().get('JOBS')).toMatchObject({ class_name: 'JobObject' });
    expect(trial.cloudflare.calls).toContain(`PUT /accounts/${ACCOUNT_ID}/workers/scripts/leash/schedules`);
  });

  test.runIf(IS_PROOF).each([
    ['before the upload', 'POST', /\/assets-upload-session$/],
    ['by the upload', 'PUT', /\/scripts\/leash$/],
    ['after the upload', 'POST', /\/scripts\/leash\/subdomain$/],
    ['by the last call', 'PUT', /\/schedules$/],
  ])('interrupted %s, and run again', async (_when, method, path) => {
    const context = await realWrangler();
    // What wrangler calls again is interrupted again.
    trial.cloudflare.fault = (call) => (call.startsWith(method) && path.test(call) ? 'failed after' : null);
    await expect(trial.deploy([], context)).rejects.toThrow(/could not be uploaded/);
    trial.cloudflare.fault = () => null;
    const printed = await trial.deploy([], context);
    expectDeployed();
    expect(shownToken(printed)).toBe(uploadedToken());
  });
});
