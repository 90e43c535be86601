/** The install script that a control plane serves, from an empty home to the first kill, and all that can be in its way. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, chown, readFile, readlink, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { DIST, ROOT } from '../scripts/local/paths.ts';
import { type BareUser, useBareUser } from './support/bare-user.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const user = useBareUser();

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

/** What the machine has of leash. */
function installed({ home }: BareUser): string[] {
  return ['.local/bin/leash', '.config/leash/leash.conf', '.config/leash/token'].filter((each) =>
    existsSync(join(home, each)),
  );
}

/** Nothing of a failed install is left, whole or half. */
function expectUntouched(machine: BareUser): void {
  expect(existsSync(join(machine.home, '.local'))).toBe(false);
  expect(existsSync(join(machine.home, '.config'))).toBe(false);
  expect(readdirSync('/tmp').filter((name) => name.startsWith('leash-install.'))).toEqual([]);
}

test('from an empty home to the first job, the first kill and back, each with one line', async () => {
  const since = performance.now();
  const { url, adminToken, admin } = environment();
  const machine = user();

  // The page calls the same.
  const body = JSON.stringify({ name: 'first machine', scopes: ['run'], jobs: 'install-*' });
  const created = await machine.sh(
    `curl -fsS -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '${body}' ${url}/api/v1/tokens`,
    { env: { TOKEN: adminToken } },
  );
  const { secret } = JSON.parse(created.printed) as { secret: string };

  // On a terminal: there stdin of `sh` is the script, and the token is typed.
  const install = machine.start(`script -qec 'curl -fsSL ${url}/install.sh | sh -s -- --token-stdin' /dev/null`);
  await waitFor('the question', () => install.printed.includes('it is not shown'));
  install.type(`${secret}\n`);
  const { code, printed } = await install.ended;
  expect({ code, printed }).toEqual({
    code: 0,
    printed: expect.stringContaining('self-test  the control plane has seen a run of install-leash-test'),
  });
  expect(printed).not.toContain(secret);

  expect(await readFile(join(machine.home, '.local/bin/leash'), 'utf8')).toBe(
    await readFile(join(DIST, 'leash.cjs'), 'utf8'),
  );
  const modes = await Promise.all(
    installed(machine).map(async (each) => ((await stat(join(machine.home, each))).mode & 0o777).toString(8)),
  );
  expect(modes).toEqual(['755', '600', '600']);
  expect(await readFile(join(machine.home, '.config/leash/leash.conf'), 'utf8')).toBe(
    `LEASH_URL=${url}\nLEASH_TOKEN_FILE=${machine.home}/.config/leash/token\n`,
  );

  const job = machine.sh(`~/.local/bin/leash run --job install-first -- sh -c 'echo hello; sleep 600'`);
  await waitFor('the job', async () => (await admin.runs({ job: 'install-first', state: 'running' })).length === 1);
  const killed = await machine.sh(
    `curl -fsS -X POST -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"reason": "the first kill"}' '${url}/api/v1/jobs/install-first/kill?wait=30'`,
    { env: { TOKEN: adminToken } },
  );
  expect(JSON.parse(killed.printed)).toMatchObject({ kill: { state: 'settled', targets: [{ exit_code: 143 }] } });
  expect(await job).toEqual({ code: 143, printed: expect.stringMatching(/^hello\nleash: killed .*the first kill/) });

  const seconds = ((performance.now() - since) / 1_000).toFixed(1);
  console.info(`${machine.transcript}\nFrom nothing to the first kill: ${seconds} s`);

  expect(await machine.sh('~/.local/bin/leash uninstall')).toMatchObject({ code: 0 });
  expect(installed(machine)).toEqual([]);
  expect(existsSync(join(machine.home, '.config/leash'))).toBe(false);
});

test.runIf(IS_PROOF)('again: what is there is kept, and what is new is exchanged', async () => {
  const { url, machineToken, admin } = environment();
  const machine = user();
  await machine.write(
    '.config/leash/leash.conf',
    '# ours\nLEASH_LOG=/tmp/x\nLEASH_URL=http://old\nLEASH_TOKEN=old',
    0o644,
  );
  const install = `curl -fsSL ${url}/install.sh | sh -s -- --no-test --machine web-1`;
  const first = await machine.sh(install, {
    env: { LEASH_TOKEN: machineToken, NO_PROXY: '127.0.0.1', HTTPS_PROXY: 'http://me:secret@proxy:3128' },
  });
  expect(first).toMatchObject({ code: 0 });
  const conf = join(machine.home, '.config/leash/leash.conf');
  const settings = [
    '# ours',
    'LEASH_LOG=/tmp/x',
    `LEASH_URL=${url}`,
    `LEASH_TOKEN_FILE=${machine.home}/.config/leash/token`,
    'LEASH_MACHINE=web-1',
    'HTTPS_PROXY=http://me:secret@proxy:3128',
    'NO_PROXY=127.0.0.1',
  ];
  expect(await readFile(conf, 'utf8')).toBe(`${settings.join('\n')}\n`);
  // It holds a password now.
  expect((await stat(conf)).mode & 0o777).toBe(0o600);
  expect(await readFile(join(machine.home, '.config/leash/token'), 'utf8')).toBe(`${machineToken}\n`);

  const again = await machine.sh(install);
  expect(again.code).toBe(0);
  expect(again.printed.match(/\(unchanged\)/g)).toHaveLength(2);
  expect(await readFile(conf, 'utf8')).toBe(`${settings.join('\n')}\n`);

  // An image got its token later, for some jobs only, and nobody wrote the setting.
  const limited = await admin.createToken({ name: 'some jobs', scopes: ['run'], jobs: 'install-kept-*' });
  await machine.write('.config/leash/token', `${limited.secret}\n`, 0o600);
  await machine.sh(`grep -v LEASH_TOKEN_FILE ${conf} > without && cat without > ${conf}`);
  const later = await machine.sh(`curl -fsSL ${url}/install.sh | sh`);
  expect(later.printed).toContain('has seen a run of install-kept-leash-test');
  expect(await readFile(conf, 'utf8')).toContain(`\nLEASH_TOKEN_FILE=${machine.home}/.config/leash/token\n`);

  // However a program hands the token over; bash reads a script from stdin otherwise than dash.
  const script = `curl -fsSL ${url}/install.sh`;
  const handedOver = [
    `{ ${script}; cat; } | dash -s -- --token-stdin --no-test`,
    `{ ${script}; cat; } | bash -s -- --token-stdin --no-test`,
    `${script} > install.sh && sh install.sh --token-stdin --no-test`,
    `${script} > install.sh && bash install.sh --token-file /dev/stdin --no-test`,
    `sh -c "$(${script})" - --token-stdin --no-test`,
  ];
  for (const line of sampleOf(handedOver, 1)) {
    const rotated = await machine.sh(line, { input: 'exchanged\n' });
    expect(rotated).toMatchObject({ code: 0, printed: expect.not.stringContaining('here-document') });
    expect(await readFile(join(machine.home, '.config/leash/token'), 'utf8')).toBe('exchanged\n');
    await machine.sh(`echo other > .config/leash/token`);
  }
});

test.runIf(IS_PROOF)(
  'leash upgrade and leash uninstall: never half, and not while something needs what goes',
  async () => {
    const { url, machineToken, admin } = environment();
    const machine = user();
    const installing = `curl -fsSL ${url}/install.sh | sh -s -- --no-test`;
    expect((await machine.sh(installing, { env: { LEASH_TOKEN: machineToken } })).code).toBe(0);
    const program = join(machine.home, '.local/bin/leash');
    const served = await readFile(program, 'utf8');
    const leash = (args: string, env: Record<string, string> = {}) => machine.sh(`~/.local/bin/leash ${args}`, { env });

    // Of the same length: the program knows where it ends.
    const old = served.replaceAll(`"${version}"`, `"${version.replace(/^\d/, '9')}"`);
    expect(old).not.toBe(served);
    await machine.write('.local/bin/leash', old, 0o755);
    const job = leash(`run --job install-upgrade -- sh -c 'sleep 600'`);
    await waitFor('the job', async () => (await admin.runs({ job: 'install-upgrade', state: 'running' })).length === 1);

    const check = await leash('upgrade --check');
    expect(check).toEqual({
      code: 1,
      printed: `${url} serves leash ${version}; ${program} is leash ${version.replace(/^\d/, '9')}: run leash upgrade\n`,
    });
    const unreachable = await leash('upgrade --url http://127.0.0.1:1');
    expect(unreachable.printed).toMatch(/^leash: not upgraded: cannot reach http:\/\/127.0.0.1:1: /);
    expect(unreachable.code).toBe(6);
    expect(await readFile(program, 'utf8')).toBe(old);

    expect(await leash('upgrade')).toMatchObject({
      code: 0,
      printed: expect.stringContaining('running jobs are not affected'),
    });
    expect(await readFile(program, 'utf8')).toBe(served);
    expect((await stat(program)).mode & 0o777).toBe(0o755);
    expect(await leash('upgrade')).toMatchObject({
      code: 0,
      printed: expect.stringMatching(/is the one that .* serves/),
    });

    // The run goes on under the leash that has started it.
    const refused = await leash('uninstall');
    expect(refused.printed).toMatch(
      /^leash: not removed, .*\nleash: {3}1 run is running: install-upgrade \(\w{26}\)\n$/,
    );
    expect(refused.code).toBe(1);
    expect(installed(machine)).toHaveLength(3);
    await admin.kill('install-upgrade', {}, 30);
    expect((await job).code).toBe(143);
    if (process.getuid?.() === 0) {
      const { uid, gid } = await stat(program);
      await chown(program, 0, 0);
      expect(await leash('uninstall')).toEqual({
        code: 1,
        printed: `leash: not removed: ${program} belongs to another user (uid 0): run it as that user\n`,
      });
      expect(installed(machine)).toHaveLength(3);
      await chown(program, uid, gid);
    }
    expect(await leash('uninstall')).toMatchObject({ code: 0 });
    expect(installed(machine)).toEqual([]);
    expect(existsSync(join(machine.home, '.config/leash'))).toBe(false);
  },
);

const UNTOUCHED: readonly (readonly [string, (url: string) => string, RegExp])[] = [
  [
    'no token, and no terminal to ask for it',
    (url) => `curl -fsSL ${url}/install.sh | sh -s -- --token-stdin`,
    /^leash: not installed: no token came on stdin\n/,
  ],
  [
    'a token file that cannot be read',
    (url) => `curl -fsSL ${url}/install.sh | sh -s -- --token-file nowhere`,
    /^leash: not installed: cannot read nowhere\n$/,
  ],
  [
    'a token that is none',
    (url) => `{ curl -fsSL ${url}/install.sh; echo two words; } | sh -s -- --token-stdin`,
    /^leash: not installed: this is not a token: it has spaces/,
  ],
  [
    'a token that the control plane does not know',
    (url) => `{ curl -fsSL ${url}/install.sh; echo leash_unknown; } | sh -s -- --token-stdin`,
    /^leash: not installed: the control plane does not accept this token: it is wrong, expired or deleted\n/,
  ],
  [
    'an unknown argument, which may be a token',
    (url) => `curl -fsSL ${url}/install.sh | sh -s -- --token=leash_secret`,
    /^leash: unknown argument: --token \(see --help\)\n$/,
  ],
  [
    'a control plane that is out of reach',
    (url) => `curl -fsSL ${url}/install.sh | LEASH_TOKEN=x sh -s -- --url http://127.0.0.1:1`,
    /^leash: not installed: cannot download http:\/\/127.0.0.1:1\/leash.cjs.sha256\n {2}curl: \(7\) Failed to connect/,
  ],
  [
    'another service at that address',
    (url) => `curl -fsSL ${url}/install.sh | LEASH_TOKEN=x sh -s -- --url ${url}/assets`,
    /^leash: not installed: cannot download .*\n {2}curl: \(22\) The requested URL returned error: 404/,
  ],
  [
    'a directory that others can write to',
    (url) => `mkdir -m 777 open; curl -fsSL ${url}/install.sh | LEASH_TOKEN=x sh -s -- --dir open/bin`,
    /^leash: not installed: other users can write to \S+\/open, and so replace what is installed there\n {2}Run: chmod o-w \S+\/open\n$/,
  ],
];

test.each(sampleOf(UNTOUCHED, 3))('%s: clear words, and nothing is installed', async (_what, line, words) => {
  const machine = user();
  const { code, printed } = await machine.sh(line(environment().url));
  expect(printed).toMatch(words);
  expect(code).toBe(printed.includes('see --help') ? 2 : 1);
  expectUntouched(machine);
});

test('--dry-run says what would be done, and does nothing', async () => {
  const machine = user();
  const { url } = environment();
  const { code, printed } = await machine.sh(`curl -fsSL ${url}/install.sh | sh -s -- --dry-run`);
  expect(printed).toContain(`settings   ${machine.home}/.config/leash/leash.conf: LEASH_URL=${url}`);
  expect(printed).toMatch(/Nothing was changed\.\n$/);
  expect(code).toBe(0);
  expectUntouched(machine);
});

test('a program that is damaged on the way is not installed', async () => {
  const machine = user();
  const script = await (await fetch(`${environment().url}/install.sh`)).text();
  const program = 'half of it';
  const server = createServer((request, response) => {
    response.end(request.url === '/leash.cjs' ? program : `${'0'.repeat(64)}  leash.cjs\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const { code, printed } = await machine.sh(`sh -s -- --url http://127.0.0.1:${port}`, {
    input: script,
    env: { LEASH_TOKEN: 'x' },
  });
  expect(printed).toMatch(
    /^leash: not installed: the downloaded program is damaged.*\n {2}SHA-256 is [0-9a-f]{64}, and/,
  );
  expect(code).toBe(1);
  expectUntouched(machine);
});

test('a script that is cut off anywhere does nothing', async () => {
  const machine = user();
  const script = await (await fetch(`${environment().url}/install.sh`)).text();
  const last = script.lastIndexOf('main "$@"');
  const places = [
    ...sampleOf(
      Array.from({ length: Math.floor(last / 97) }, (_, index) => index * 97),
      IS_PROOF ? 60 : 3,
    ),
    ...sampleOf([last - 3, last, last + 2, last + 6, last + 14], 2),
  ];
  for (const at of places) {
    // Were it to run, it would say that there is no token.
    const { printed } = await machine.sh('sh -s -- --token-stdin', { input: script.slice(0, at) });
    expect({ at, isRun: printed.includes('not installed') }).toEqual({ at, isRun: false });
  }
  expectUntouched(machine);
});

/** The script, on a machine whose Node.js are those in a directory of the user. */
async function withoutNode(machine: BareUser): Promise<string> {
  const script = await (await fetch(`${environment().url}/install.sh`)).text();
  const changed = script
    .replace('/usr/bin /bin /usr/local/bin /opt/node/bin /opt/homebrew/bin /snap/bin', `${machine.home}/usual`)
    .replace('/opt/*/bin', '')
    .replace('$(command -v node)', '$(false)');
  expect(changed.length).toBeLessThan(script.length + machine.home.length);
  return changed;
}

const UNFIT = [
  ['no Node.js', null, /^leash: not installed: leash needs Node\.js 18 or later, and none was found\n/],
  [
    'Node.js 12',
    'echo v12.22.12',
    /^leash: not installed: leash needs Node\.js 18 or later, and \S+\/usual\/node is v12/,
  ],
  [
    'a broken Node.js',
    'exit 127',
    /^leash: not installed: leash needs Node\.js 18 or later, and \S+\/node does not start/,
  ],
] as const;

test.each(sampleOf(UNFIT, 1))('%s: it says how to get one, and nothing is installed', async (_what, node, words) => {
  const machine = user();
  if (node !== null) await machine.write('usual/node', `#!/bin/sh\n${node}\n`, 0o755);
  const { code, printed } = await machine.sh('sh -s', { input: await withoutNode(machine), env: { LEASH_TOKEN: 'x' } });
  expect(printed).toMatch(words);
  expect(printed).toMatch(/\n {2}Install it.*\n {2}Or build the executable of Leash that contains Node\.js/);
  expect(code).toBe(1);
  expectUntouched(machine);
});

test('a Node.js of nvm is found, and linked for leash: cron would not find it', async () => {
  const { url, machineToken } = environment();
  const machine = user();
  const node = (await machine.sh('command -v node')).printed.trim() || process.execPath;
  for (const version of ['v8.1.0', 'v20.1.0', 'v22.1.0']) {
    const isOld = version.startsWith('v8');
    const text = isOld ? '#!/bin/sh\necho v8.1.0\n' : `#!/bin/sh\nexec ${node} "$@"\n`;
    await machine.write(`.nvm/versions/node/${version}/bin/node`, text, 0o755);
  }
  // Whoever may write to its directory could put another one there.
  const open = await machine.write('.nvm/versions/node/v24.1.0/bin/node', `#!/bin/sh\nexec ${node} "$@"\n`, 0o755);
  await chmod(dirname(open), 0o777);
  const script = await withoutNode(machine);
  const link = join(machine.home, '.local/lib/leash/node');
  const found = `${machine.home}/.nvm/versions/node/v22.1.0/bin/node`;
  const planned = await machine.sh('sh -s -- --dry-run', { input: script });
  expect(planned.printed).toMatch(new RegExp(`Node\\.js +v\\S+ \\(${found}\\), linked as ${link}\\n`));
  if (!IS_PROOF) return;
  const { code, printed } = await machine.sh(`sh -s -- --no-test`, {
    input: script,
    env: { LEASH_TOKEN: machineToken },
  });
  expect({ code, printed }).toMatchObject({ code: 0 });
  expect(printed).toContain(`${link} leads to ${found}`);
  expect(await readlink(link)).toBe(found);
  // Once there is one that cron finds, the link goes.
  const later = await machine.sh(`curl -fsSL ${url}/install.sh | sh -s -- --no-test`);
  expect(later.code).toBe(0);
  expect(existsSync(link)).toBe(!existsSync('/usr/bin/node'));
});
