/** What `leash doctor` says where something is wrong: real faults, on this machine. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSettings } from '../../src/doctor/checks/settings.ts';
import { examine } from '../../src/doctor/doctor.ts';
import type { Section } from '../../src/doctor/finding.ts';
import { exitCodeFor } from '../../src/doctor/report.ts';
import { authorityFile } from '../support/authority-file.ts';
import { EXPIRED, GOOD, KEY, OTHER_NAME } from '../support/certificates.ts';
import { proxyTo } from '../support/connect-proxy.ts';
import { doctorPlane, problemBody } from '../support/doctor-plane.ts';
import { leash, stateDirectory } from '../support/leash.ts';

const TOKEN = `leash_${'a'.repeat(49)}`;

/** Without a test run: that needs a whole control plane. */
async function diagnose(
  env: Record<string, string>,
): Promise<{ sections: Section[]; lines: string[]; exitCode: number }> {
  const all = { LEASH_CONFIG: '/dev/null', LEASH_TOKEN: TOKEN, LEASH_STATE_DIR: stateDirectory(), ...env };
  const settings = readSettings({ url: null, tokenFile: null }, all, () => 'web1');
  const sections: Section[] = [];
  const examination = {
    version: '1.2.3',
    program: null,
    settings,
    job: null,
    machine: 'web1',
    flags: [],
    isOffline: false,
    withTrial: false,
    operator: { kind: 'none' } as const,
  };
  for await (const section of examine(examination)) sections.push(section);
  const lines = sections.flatMap(({ findings }) =>
    findings.map((each) => `${each.check} ${each.status}: ${each.what}${'remedy' in each ? ` → ${each.remedy}` : ''}`),
  );
  return { sections, lines, exitCode: exitCodeFor(sections) };
}

/** The findings on the way that something is wrong with. */
function wrongIn(lines: readonly string[], about: RegExp): string[] {
  return lines.filter((line) => about.test(line) && !/^\S+ (ok|note): /.test(line));
}

describe('the way to the control plane', () => {
  test('each step is named when all of them work', async () => {
    const { lines, exitCode } = await diagnose({ LEASH_URL: await doctorPlane() });
    expect(lines.filter((line) => /^(way|rights|clock)\./.test(line) || line.startsWith('clock'))).toEqual([
      expect.stringMatching(/^way\.tcp ok: 127\.0\.0\.1:\d+, connected in /),
      'way.https ok: GET /healthz: the control plane works',
      'way.upgrade ok: a WebSocket opens; the token may run job leash-doctor here',
      expect.stringMatching(/^way\.round_trip ok: a heartbeat takes /),
      'rights.scopes ok: token “web1” may run for all jobs on machines web1',
      'clock ok: agrees with the control plane’s',
    ]);
    expect(exitCode).toBe(0);
  });

  test('TLS by a private authority, through a proxy', async () => {
    const url = await doctorPlane({ tls: { key: KEY, cert: GOOD } });
    const proxy = await proxyTo(Number(new URL(url).port));
    const { lines } = await diagnose({
      LEASH_URL: url,
      LEASH_CA_FILE: authorityFile(),
      HTTPS_PROXY: proxy.url('operator:hunter2@'),
    });
    expect(lines.find((line) => line.startsWith('way.proxy'))).toMatch(
      /^way\.proxy ok: proxy http:\/\/127\.0\.0\.1:\d+ lets/,
    );
    expect(lines.find((line) => line.startsWith('way.tls'))).toMatch(
      /ok: TLSv1\.3, certificate by Leash test authority, valid/,
    );
    expect(lines.join('\n')).not.toContain('hunter2');
  });

  test.each([
    [
      'an unknown authority',
      GOOD,
      {},
      /^way\.tls problem: .* from an unknown authority .* → Set LEASH_CA_FILE to a file/,
    ],
    [
      'an expired certificate',
      EXPIRED,
      { LEASH_CA_FILE: 'ours' },
      /^way\.tls problem: .* has expired\. Here it is \d{4}-.* → Renew it, or correct/,
    ],
    [
      'another host’s certificate',
      OTHER_NAME,
      { LEASH_CA_FILE: 'ours' },
      /^way\.tls problem: .* for other names → Set LEASH_URL to one of them/,
    ],
  ])('%s', async (_what, cert, env, said) => {
    const url = await doctorPlane({ tls: { key: KEY, cert } });
    const trusted = 'LEASH_CA_FILE' in env ? { LEASH_CA_FILE: authorityFile() } : {};
    const { lines, exitCode } = await diagnose({ LEASH_URL: url, ...trusted });
    expect(wrongIn(lines, /^way/)).toEqual([expect.stringMatching(said)]);
    expect(exitCode).toBe(6);
  });

  test('a port that refuses', async () => {
    // No service of the tests has it.
    const { lines, exitCode } = await diagnose({ LEASH_URL: 'http://127.0.0.1:1' });
    expect(wrongIn(lines, /^way/)).toEqual([
      expect.stringMatching(
        /^way\.tcp problem: 127\.0\.0\.1:\d+ refuses connections: .* → Check host and port in LEASH_URL\./,
      ),
    ]);
    expect(exitCode).toBe(6);
  });

  test.each([
    [
      407,
      /^way\.proxy problem: the proxy requires authentication \(407\) .*→ Set HTTPS_PROXY to http:\/\/user:password@host:port\./,
    ],
    [
      403,
      /^way\.proxy problem: the proxy does not allow connections to .* \(403\) .*→ Allow them there, or set NO_PROXY\./,
    ],
    [502, /^way\.proxy problem: the proxy could not connect to .* → Check HTTPS_PROXY/],
  ])('a proxy that answers %s', async (status, said) => {
    const proxy = await proxyTo(1);
    proxy.answer = status;
    const { lines } = await diagnose({ LEASH_URL: 'https://leash.test', HTTPS_PROXY: proxy.url() });
    expect(wrongIn(lines, /^way/)).toEqual([expect.stringMatching(said)]);
  });

  test('a proxy that has no valid URL', async () => {
    const { lines } = await diagnose({ LEASH_URL: 'https://leash.test', HTTPS_PROXY: 'ftp://hunter2@proxy' });
    expect(wrongIn(lines, /^way/)).toEqual([
      expect.stringMatching(/^way\.proxy problem: HTTPS_PROXY is not a proxy URL/),
    ]);
    expect(lines.join('\n')).not.toContain('hunter2');
  });

  test.each([
    [
      'drops upgrades',
      'drop' as const,
      /^way\.upgrade problem: HTTPS works, and a WebSocket does not open: .* → Something on the way/,
    ],
    [
      'answers them itself',
      403,
      /^way\.upgrade problem: the WebSocket was answered with status 403 by middlebox, not by the control plane → /,
    ],
  ])('a middlebox that %s', async (_what, upgrade, said) => {
    const { lines, exitCode } = await diagnose({ LEASH_URL: await doctorPlane({ upgrade }) });
    expect(wrongIn(lines, /^way/)).toEqual([expect.stringMatching(said)]);
    expect(exitCode).toBe(6);
  });

  test.each([
    [
      'a redirect',
      { status: 302, body: '', location: 'https://login.example.com/' },
      /redirects to https:\/\/login\.example\.com\/ → Set LEASH_URL/,
    ],
    [
      'another web page',
      { status: 200, body: '<html>' },
      /does not look like a Leash control plane \(200 at \/healthz\)/,
    ],
    [
      'one that says what is wrong',
      { status: 503, body: problemBody(503, 'unavailable', 'The schema is missing.') },
      /does not work \(503\): The schema is missing\./,
    ],
  ])('%s in place of the control plane', async (_what, health, said) => {
    const { lines } = await diagnose({ LEASH_URL: await doctorPlane({ health }) });
    expect(wrongIn(lines, /^way/)).toEqual([expect.stringMatching(said)]);
  });
});

test('a token that the control plane does not know', async () => {
  const detail = 'Unknown token. Check it, or ask for a new one.';
  const url = await doctorPlane({
    session: { status: 401, body: problemBody(401, 'unauthenticated', detail) },
    upgrade: { status: 401, detail },
  });
  const { lines, exitCode } = await diagnose({ LEASH_URL: url });
  expect(wrongIn(lines, /^(way|rights)/)).toEqual([
    `rights.scopes problem: the control plane does not accept it: ${detail} → Create a token with the scope run, limited to this machine, and write it into the token file.`,
  ]);
  expect(exitCode).toBe(1);
  expect(lines.join('\n')).not.toContain(TOKEN);
});

test('a token that no header can hold is not sent, and not shown', async () => {
  const { lines, exitCode } = await diagnose({ LEASH_URL: await doctorPlane(), LEASH_TOKEN: 'two words' });
  expect(wrongIn(lines, /^(token|way|rights)/)).toEqual([
    expect.stringContaining('token.text problem: it contains spaces'),
  ]);
  expect(lines).toContain('way.upgrade note: no WebSocket was opened: that needs a valid token');
  expect(lines.join('\n')).not.toContain('two words');
  expect(exitCode).toBe(1);
});

test('a token that may not run the job on this machine', async () => {
  const detail = 'This token may not run job leash-doctor on web1.';
  const { lines } = await diagnose({ LEASH_URL: await doctorPlane({ upgrade: { status: 403, detail } }) });
  expect(wrongIn(lines, /^(way|rights)/)).toEqual([
    expect.stringContaining(`rights.scopes problem: ${detail} → Create`),
  ]);
});

test('a token for some jobs only is asked about one of them', async () => {
  const session = { name: 'web1', scopes: ['run'], jobs: 'backup-*', machines: null, expires_at: null };
  const { lines } = await diagnose({ LEASH_URL: await doctorPlane({ session: { status: 200, body: { session } } }) });
  expect(lines).toContain('way.upgrade ok: a WebSocket opens; the token may run job backup-leash-doctor here');
});

test('a clock that is an hour ahead', async () => {
  const { lines } = await diagnose({ LEASH_URL: await doctorPlane({ date: new Date(Date.now() - 3_600_000) }) });
  expect(wrongIn(lines, /^clock/)).toEqual([
    expect.stringMatching(/^clock warning: this machine’s clock is (1h|59m 5\ds) ahead of .* → Let/),
  ]);
});

test('a token file that everyone can read, and a settings file with unknown keys', async () => {
  const directory = stateDirectory();
  const [token, conf] = [path.join(directory, 'token'), path.join(directory, 'leash.conf')];
  fs.writeFileSync(token, `${TOKEN}\n`);
  fs.chmodSync(token, 0o644);
  fs.writeFileSync(conf, `LEASH_URL=${await doctorPlane()}\nLEASH_TOKEN_FILE=${token}\nLEASH_TOKN=x\n`);
  const { lines, exitCode } = await diagnose({ LEASH_CONFIG: conf, LEASH_TOKEN: '' });
  expect(wrongIn(lines, /^(settings|token)/)).toEqual([
    expect.stringContaining(`settings.file warning: ${conf}, line 3: unknown setting LEASH_TOKN, ignored`),
    expect.stringContaining(
      `token.file problem: every user of this machine can read ${token} (mode 644) → Run chmod 600 ${token}`,
    ),
  ]);
  expect(exitCode).toBe(1);
});

test('a state directory that others can write to', async () => {
  const directory = stateDirectory();
  fs.chmodSync(directory, 0o777);
  const { lines } = await diagnose({ LEASH_URL: await doctorPlane(), LEASH_STATE_DIR: directory });
  expect(wrongIn(lines, /^state/)).toEqual([
    expect.stringMatching(/^state\.directory problem: unusable: other users can write to .* → /),
  ]);
});

test('the program: offline, as JSON, from the path that cron has', async () => {
  const run = leash(['doctor', '--offline', '--json'], { plane: { url: 'http://127.0.0.1:1' } });
  // This machine may well have something to mend.
  const { code } = await run.exited();
  const report = JSON.parse(run.stdout.toString());
  expect(report).toMatchObject({ url: 'http://127.0.0.1:1', findings: expect.any(Array) });
  expect(code).toBe(report.problems === 0 ? 0 : 1);
  expect(report.findings.map(({ check }: { check: string }) => check)).toEqual(
    expect.arrayContaining([
      'program.version',
      'program.cron',
      'settings.url',
      'token.file',
      'state.directory',
      'cgroup',
      'limits',
      'trial',
    ]),
  );
  expect(run.stdout.toString()).not.toContain('secret-token');
});

test('an invalid argument exits with 2', async () => {
  const run = leash(['doctor', '--job', '-']);
  expect(await run.exited()).toMatchObject({ code: 2 });
  expect(run.stderr).toContain('--job -: must start with a letter');
});
