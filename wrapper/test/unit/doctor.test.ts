/** What `leash doctor` makes of what it has found. */
import { expect, test } from 'vitest';
import { judgeCgroup } from '../../src/doctor/checks/cgroup.ts';
import { judgeClock } from '../../src/doctor/checks/clock.ts';
import { CRON_PATH, judgeCron } from '../../src/doctor/checks/cron.ts';
import { judgeLimits, parseLimits } from '../../src/doctor/checks/limits.ts';
import { judgeMemory } from '../../src/doctor/checks/memory.ts';
import { isOlder, judgeProgram, judgeServed, type ProgramFacts } from '../../src/doctor/checks/program.ts';
import { judgeSettings, type SettingsFacts } from '../../src/doctor/checks/settings.ts';
import { judgeState, type StateFacts } from '../../src/doctor/checks/state.ts';
import { judgeRights, judgeToken, type Rights } from '../../src/doctor/checks/token.ts';
import { judgeTrial } from '../../src/doctor/checks/trial.ts';
import { judgeTransport, judgeUpgrade, splitRemedy } from '../../src/doctor/checks/way.ts';
import { type Finding, ok, problem, warning } from '../../src/doctor/finding.ts';
import { exitCodeFor, reportJson, sectionText, summaryText, wrap } from '../../src/doctor/report.ts';

/** `check status`, of each. */
function outline(findings: Finding | readonly Finding[]): string[] {
  return [findings].flat().map(({ check, status }) => `${check} ${status}`);
}

const PROGRAM: ProgramFacts = {
  version: '1.0.0',
  node: 'v24.0.0',
  nodePath: '/usr/bin/node',
  isExecutable: false,
  path: '/usr/local/bin/leash',
  shared: null,
  fromCron: { kind: 'started' },
};

test('the program: who can replace it, and whether cron finds a Node.js', () => {
  expect(outline(judgeProgram(PROGRAM))).toEqual(['program.version ok', 'program.node ok', 'program.cron ok']);
  const open = judgeProgram({ ...PROGRAM, shared: 'other users can write to /opt/leash' });
  expect(outline(open)).toContain('program.owner problem');
  const [, , failed] = judgeProgram({
    ...PROGRAM,
    fromCron: { kind: 'failed', said: 'Node.js was not found on PATH' },
  });
  expect(failed).toMatchObject({ status: 'problem', what: expect.stringContaining('Node.js was not found on PATH') });
  const [, , unset] = judgeProgram({ ...PROGRAM, fromCron: { kind: 'not_executable' } });
  expect(unset).toMatchObject({ status: 'problem', remedy: expect.stringContaining('chmod 755 /usr/local/bin/leash') });
});

test('the program is compared with the one that the control plane serves', () => {
  const same = { own: 'a'.repeat(64), version: '1.2.0', servedVersion: null };
  expect(judgeServed({ ...same, served: same.own })).toMatchObject({ status: 'ok' });
  expect(judgeServed({ ...same, served: null })).toMatchObject({ status: 'note' });
  const other = { ...same, served: 'b'.repeat(64) };
  expect(judgeServed(other)).toMatchObject({ status: 'warning', remedy: expect.stringContaining('leash upgrade') });
  expect(judgeServed({ ...other, servedVersion: '1.10.0' })).toMatchObject({ status: 'warning' });
  expect(judgeServed({ ...other, servedVersion: '1.1.9' })).toMatchObject({ status: 'note' });
  expect([isOlder('1.9.0', '1.10.0'), isOlder('2.0.0', '1.10.0'), isOlder('1.0.0', '1.0.0')]).toEqual([
    true,
    false,
    false,
  ]);
});

const SETTINGS: SettingsFacts = {
  place: '/etc/leash.conf',
  file: {
    path: '/etc/leash.conf',
    keys: ['LEASH_URL', 'LEASH_TOKEN_FILE'],
    problems: [],
    mode: 0o100644,
    holdsToken: false,
  },
  fromEnvironment: [],
  configuration: {
    kind: 'supervised',
    controlPlane: { baseUrl: 'wss://leash.test', token: { kind: 'file', path: '/t' }, caFile: null, proxy: {} },
    warning: null,
  },
  machine: 'web1',
};

test('settings: where they come from, and who can read them', () => {
  expect(outline(judgeSettings(SETTINGS))).toEqual(['settings.file ok', 'settings.url ok', 'settings.machine ok']);
  expect(outline(judgeSettings({ ...SETTINGS, file: null, fromEnvironment: ['LEASH_URL'] }))).toEqual([
    'settings.file note',
    'settings.environment warning',
    'settings.url ok',
    'settings.machine ok',
  ]);
  const file = { path: '/etc/leash.conf', keys: ['LEASH_TOKEN'], problems: [], mode: 0o100644, holdsToken: true };
  expect(outline(judgeSettings({ ...SETTINGS, file }))).toContain('settings.mode problem');
  expect(outline(judgeSettings({ ...SETTINGS, file: { ...file, mode: 0o100640 } }))).not.toContain(
    'settings.mode problem',
  );
  // The file has a token file: a job would use that.
  expect(outline(judgeSettings({ ...SETTINGS, fromEnvironment: ['LEASH_TOKEN'] }))).toContain(
    'settings.environment note',
  );
  const unsupervised = judgeSettings({ ...SETTINGS, configuration: { kind: 'unsupervised', why: 'set LEASH_URL' } });
  expect(outline(unsupervised)).toContain('settings.url problem');
});

test('a token: its file, and its text, which is never repeated', () => {
  const good = `leash_${'a'.repeat(49)}`;
  const file = { kind: 'file', path: '/t', text: good } as const;
  expect(outline(judgeToken({ ...file, mode: 0o600 }))).toEqual(['token.file ok']);
  expect(outline(judgeToken({ ...file, mode: 0o640 }))).toEqual(['token.file ok']);
  expect(outline(judgeToken({ ...file, mode: 0o644 }))).toEqual(['token.file problem']);
  expect(outline(judgeToken({ ...file, mode: 0o600, text: '' }))).toEqual(['token.file ok', 'token.text problem']);
  expect(outline(judgeToken({ ...file, mode: 0o600, text: 'two words' }))).toEqual([
    'token.file ok',
    'token.text problem',
  ]);
  expect(outline(judgeToken({ ...file, mode: 0o600, text: good.slice(0, 20) }))).toEqual([
    'token.file ok',
    'token.text note',
  ]);
  expect(outline(judgeToken({ kind: 'unreadable', path: '/t', why: 'EACCES' }))).toEqual(['token.file problem']);
  expect(JSON.stringify(judgeToken({ ...file, mode: 0o644 }))).not.toContain('leash_a');
});

test('a token’s rights: run alone is right, more is a warning, less a problem; and when it expires', () => {
  const now = Date.UTC(2026, 0, 1);
  const day = 86_400_000;
  const rights: Rights = { name: 'web1', scopes: ['run'], jobs: '*', machines: null, expiresAtMs: null };
  const judged = (fields: Partial<Rights>) =>
    outline(judgeRights({ kind: 'known', rights: { ...rights, ...fields } }, now));
  expect(judged({})).toEqual(['rights.scopes ok']);
  expect(judged({ scopes: ['run', 'kill'] })).toEqual(['rights.scopes warning']);
  expect(judged({ scopes: ['admin'] })).toEqual(['rights.scopes warning']);
  expect(judged({ scopes: ['read'] })).toEqual(['rights.scopes problem']);
  expect(judged({ expiresAtMs: now + 90 * day })).toEqual(['rights.scopes ok', 'rights.expiry ok']);
  expect(judged({ expiresAtMs: now + 3 * day })).toEqual(['rights.scopes ok', 'rights.expiry warning']);
  expect(outline(judgeRights({ kind: 'rejected', detail: 'Unknown token.' }, now))).toEqual(['rights.scopes problem']);
});

test('the way: who did not answer decides what to do', () => {
  const direct = { host: 'leash.test', port: 443, proxy: null, caFile: null };
  const timeout = { kind: 'timeout', why: 'timed out after 10 s' } as const;
  const failed = (
    step: Parameters<typeof judgeTransport>[0] extends infer T ? (T extends { step: infer S } ? S : never) : never,
  ) => judgeTransport({ kind: 'failed', failure: timeout, step }, direct, 0);
  expect(outline(failed({ kind: 'tcp', host: 'leash.test', port: 443, isProxy: false }))).toEqual(['way.tcp problem']);
  expect(outline(failed({ kind: 'tls', host: 'leash.test', isProxy: false }))).toEqual(['way.tls problem']);
  const proxy = { secure: false, host: 'proxy', port: 3128, authorization: null };
  expect(outline(failed({ kind: 'tunnel', proxy }))).toEqual(['way.proxy problem']);
  const tls = { protocol: 'TLSv1.3', authority: 'Example Inspection CA', validUntilMs: 86_400_000 };
  expect(outline(judgeTransport({ kind: 'open', ms: 5, tls }, direct, 0))).toEqual(['way.tcp ok', 'way.tls warning']);
  expect(outline(judgeUpgrade({ kind: 'silent', waitedMs: 10_000 }, 'job x here'))).toEqual(['way.upgrade problem']);
});

test('what a refusal says to do is taken out of it', () => {
  expect(
    splitRemedy(
      'the proxy does not allow connections to a:443 (403): allow them there, or set NO_PROXY (via proxy http://p:1)',
    ),
  ).toEqual({
    what: 'the proxy does not allow connections to a:443 (403) (via proxy http://p:1)',
    remedy: 'Allow them there, or set NO_PROXY.',
  });
  expect(splitRemedy('connect ECONNREFUSED 127.0.0.1:1')).toEqual({
    what: 'connect ECONNREFUSED 127.0.0.1:1',
    remedy: null,
  });
});

test('the clock: what lies within the second of the date and within the call is no difference', () => {
  const date = 'Thu, 01 Jan 2026 00:00:00 GMT';
  const at = Date.parse(date);
  const judged = (sentAtMs: number, receivedAtMs: number) => judgeClock({ date, sentAtMs, receivedAtMs });
  expect(judged(at - 9_000, at + 500)).toMatchObject({ status: 'ok' });
  expect(judged(at + 900, at + 1_900)).toMatchObject({ status: 'ok' });
  expect(judged(at + 61_000, at + 61_500)).toMatchObject({
    status: 'warning',
    what: expect.stringContaining('1m ahead of'),
  });
  expect(judged(at - 120_000, at - 119_000)).toMatchObject({
    status: 'warning',
    what: expect.stringContaining('1m 59s behind'),
  });
  expect(judgeClock({ date: 'soon', sentAtMs: 0, receivedAtMs: 0 })).toMatchObject({ status: 'note' });
});

const STATE: Extract<StateFacts, { kind: 'usable' }> = {
  kind: 'usable',
  directory: '/var/lib/leash',
  freeBytes: 1e9,
  fileSystem: 0xef53,
  writeError: null,
  unsent: { waiting: [], beingSent: 0, foreign: [], unreadable: [] },
  orphans: 0,
};

test('the state directory: space, file system, and what waits in it', () => {
  const judged = (fields: Partial<typeof STATE>) => outline(judgeState({ ...STATE, ...fields }));
  expect(judged({})).toEqual(['state.directory ok', 'state.unsent ok']);
  expect(judged({ freeBytes: 1e6 })).toContain('state.directory warning');
  expect(judged({ writeError: 'ENOSPC' })).toContain('state.directory problem');
  expect(judged({ fileSystem: 0x6969 })).toContain('state.file_system warning');
  expect(judged({ fileSystem: 0x01021994 })).toContain('state.file_system warning');
  expect(judged({ orphans: 2 })).toContain('state.orphans warning');
  const unsent = {
    waiting: ['01J'],
    beingSent: 1,
    foreign: [{ count: 1, url: 'https://other.test', tokenFile: null }],
    unreadable: [{ run: '01J', path: '/x', kind: 'newer' as const }],
  };
  expect(judged({ unsent })).toEqual([
    'state.directory ok',
    'state.unsent warning',
    'state.being_sent note',
    'state.foreign warning',
    'state.unreadable warning',
  ]);
  expect(outline(judgeState({ kind: 'unusable', why: 'it belongs to another user' }))).toEqual([
    'state.directory problem',
  ]);
});

test('the memory directory', () => {
  const there = { kind: 'there', freeBytes: 1e9, isWritable: true, shared: null } as const;
  expect(judgeMemory(there, 'linux').status).toBe('ok');
  expect(judgeMemory({ ...there, freeBytes: 1e6 }, 'linux').status).toBe('warning');
  expect(judgeMemory({ ...there, isWritable: false }, 'linux').status).toBe('warning');
  expect(judgeMemory({ ...there, shared: 'it belongs to uid 5' }, 'linux').status).toBe('problem');
  expect(judgeMemory({ kind: 'missing' }, 'linux').status).toBe('warning');
  expect(judgeMemory({ kind: 'missing' }, 'darwin').status).toBe('note');
});

test('without a cgroup there is nothing to mend, only to know', () => {
  expect(judgeCgroup({ kind: 'own', canKill: true }, true).status).toBe('ok');
  for (const support of [{ kind: 'own', canKill: false }, { kind: 'not_delegated' }, { kind: 'no_v2' }] as const) {
    expect(judgeCgroup(support, false).status).toBe('note');
  }
});

test('cron: its daemon, and lines that would not find leash', () => {
  const judged = (text: string, daemon: string | null = 'cron') =>
    judgeCron({
      daemon,
      crontabs: [{ name: '/etc/crontab', text, format: 'system' }],
      isInPath: (searchPath) => searchPath.split(':').includes('/usr/local/bin'),
      program: '/usr/local/bin/leash',
    });
  expect(outline(judged('0 3 * * * root /usr/local/bin/leash run --job a -- b'))).toEqual([
    'cron.daemon ok',
    'cron.lines ok',
  ]);
  const bare = judged('# leash run\n0 3 * * * root cd /srv && leash run --job a -- b');
  expect(outline(bare)).toEqual(['cron.daemon ok', 'cron.path problem']);
  expect(bare[1]).toMatchObject({
    what: expect.stringContaining(`/etc/crontab, line 2 calls leash without its directory`),
    remedy: expect.stringContaining(`PATH=/usr/local/bin:${CRON_PATH}`),
  });
  expect(outline(judged('PATH="/usr/local/bin:/bin"\n0 3 * * * root leash run --job a -- b'))).toContain(
    'cron.lines ok',
  );
  expect(outline(judged('0 3 * * * root /usr/bin/leash run --job a -- b', null))).toContain('cron.daemon problem');
  expect(outline(judged('', null))).toEqual(['cron.daemon note', 'cron.lines note']);
});

test('limits of the user', () => {
  const limits = parseLimits(
    'Limit                     Soft Limit           Hard Limit           Units\n' +
      'Max processes             50                   100                  processes\n' +
      'Max open files            1024                 4096                 files\n' +
      'Max address space         unlimited            unlimited            bytes\n',
    false,
  );
  expect(limits).toEqual({ files: 4096, processes: 50, addressSpaceBytes: null, isRoot: false });
  expect(outline(judgeLimits(limits))).toEqual(['limits.processes warning']);
  expect(outline(judgeLimits({ ...limits, isRoot: true }))).toEqual(['limits ok']);
  expect(outline(judgeLimits({ files: 32, processes: null, addressSpaceBytes: 5e8, isRoot: false }))).toEqual([
    'limits.files problem',
    'limits.memory warning',
  ]);
});

test('the test run: what could not be tried is said', () => {
  const end = { kind: 'exited', exitCode: 143, isStored: true, isCommandGone: true } as const;
  const ended = { kind: 'ended', connectedMs: 300, end } as const;
  expect(outline(judgeTrial({ ...ended, kill: { kind: 'done', by: 'alice', ms: 200 } }, 'x'))).toEqual([
    'trial.start ok',
    'trial.kill ok',
    'trial.end ok',
    'trial.stored ok',
  ]);
  const [, untried] = judgeTrial({ ...ended, kill: { kind: 'no_token' } }, 'x');
  expect(untried).toMatchObject({ status: 'note', what: expect.stringContaining('no kill was sent') });
  expect(
    outline(judgeTrial({ ...ended, kill: { kind: 'no_effect', by: 'alice' }, end: { kind: 'hung' } }, 'x')),
  ).toEqual(['trial.start ok', 'trial.kill problem', 'trial.end problem']);
  expect(outline(judgeTrial({ kind: 'not_connected', exitCode: 255, said: 'no' }, 'x'))).toEqual([
    'trial.start problem',
  ]);
});

const PLAIN = { columns: 80, hasColour: false };
const SECTIONS = [
  { id: 'settings', findings: [ok('settings.url', 'fine'), warning('settings.file', 'odd', 'Mend it.')] },
  { id: 'way', findings: [problem('way.tcp', `no way ${'word '.repeat(20)}end`, 'Ask who runs the firewall.')] },
] as const;

test('the report as text: within 80 columns, colours only where asked for, nothing that a terminal obeys', () => {
  const shown = SECTIONS.map((section) => sectionText(section, PLAIN)).join('') + summaryText(SECTIONS, PLAIN);
  expect(shown.split('\n').every((line) => line.length <= 80)).toBe(true);
  expect(shown).toContain('  warning  odd\n           → Mend it.\n');
  expect(shown).toContain('\n1 problem and 1 warning.\n');
  expect(shown).not.toContain('\x1b');
  expect(sectionText(SECTIONS[0], { ...PLAIN, hasColour: true })).toContain('\x1b[');
  expect(sectionText({ id: 'way', findings: [ok('x', '\x1b[31mred')] }, PLAIN)).not.toContain('\x1b');
  expect(wrap(`${'x'.repeat(200)} y`, { columns: 80 })).toEqual(['x'.repeat(200), 'y']);
});

test('the report as JSON, and its exit code', () => {
  expect(reportJson({ version: '1', machine: 'web1', url: null }, SECTIONS)).toMatchObject({
    problems: 1,
    warnings: 1,
    findings: [
      { section: 'settings', check: 'settings.url', status: 'ok', message: 'fine', remedy: null },
      { section: 'settings', check: 'settings.file', status: 'warning', remedy: 'Mend it.' },
      { section: 'way', check: 'way.tcp', status: 'problem' },
    ],
  });
  expect(exitCodeFor(SECTIONS)).toBe(6);
  expect(exitCodeFor([{ id: 'token', findings: [problem('token.file', 'x', 'y')] }])).toBe(1);
  expect(exitCodeFor([SECTIONS[0]])).toBe(0);
});
