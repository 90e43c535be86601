/** The command gets what it would have got without the wrapper, and a failed start says why. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { fromBytes } from '../../src/host/undecodable-bytes.ts';
import { shimArguments, spawnableEnvironment } from '../../src/launch/shim.ts';
import { startCommand } from '../../src/launch/start-command.ts';
import { plainLaunch, ran, specOf } from '../support/start.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const isRoot = process.geteuid?.() === 0;

/** A launch that makes the shim necessary. */
const limited = { ...plainLaunch, noFileSoft: 256 };

function script(text: string, mode = 0o755): string {
  const file = path.join(temporaryDirectory(), 'script');
  fs.writeFileSync(file, text, { mode });
  return file;
}

async function whyNot(...spec: Parameters<typeof specOf>): Promise<string> {
  const started = await startCommand(specOf(...spec));
  return started.kind === 'not_started' ? started.why : `it was started, as ${started.pid}`;
}

test('the soft limit of open files is given back, and the hard one is as it was', async () => {
  const hard = execFileSync('/bin/sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' });
  expect((await ran(['sh', '-c', 'ulimit -Sn; ulimit -Hn'], { launch: limited })).stdout).toBe(`256\n${hard}`);
});

test('signals that were ignored are ignored again, and no others', async () => {
  const launch = { ...plainLaunch, ignoredSignals: [1, 2, 13, 15] };
  const { stdout } = await ran(['grep', 'SigIgn', '/proc/self/status'], { launch });
  expect(stdout).toBe('SigIgn:\t0000000000005003\n');
  expect((await ran(['grep', 'SigIgn', '/proc/self/status'], { launch: limited })).stdout).toMatch(/\t0+\n$/);
});

test('umask and supplementary groups are ours', async () => {
  const { stdout } = await ran(['sh', '-c', 'umask; id -G'], { launch: limited });
  expect(stdout).toBe(execFileSync('/bin/sh', ['-c', 'umask; id -G'], { encoding: 'utf8' }));
});

test('the command leads a session of its own, under the pid that is reported', async () => {
  const { stdout, pid } = await ran(['sh', '-c', 'cut -d" " -f1,5,6 /proc/$$/stat'], { launch: limited });
  expect(stdout).toBe(`${pid} ${pid} ${pid}\n`);
});

test('a command is called by the name it was given', async () => {
  expect((await ran(['sh', '-c', 'echo $0'], { launch: limited })).stdout).toBe('sh\n');
});

/** What shells are known to set, drop or reset. */
const AWKWARD: Record<string, string> = {
  PATH: process.env.PATH ?? '',
  PLAIN: 'a b\n c\'"$(x)`y`',
  EMPTY: '',
  'dotted.name': '1',
  'BASH_FUNC_f%%': '() {  :\n}',
  PWD: '/not/here',
  OLDPWD: '/nor/here',
  IFS: 'abc',
  PS4: 'p',
  OPTIND: '3',
  SHELLOPTS: 'braceexpand',
  BASH_COMMAND: 'x',
  SHLVL: '3',
  ENV: '/nowhere',
  _: 'x',
};

const shells = [
  ['dash', '/bin/dash'],
  ['bash', '/bin/bash'],
].filter(([, file]) => file !== undefined && fs.existsSync(file));

test.each(shells)('the environment is exactly what it is to be, with %s as /bin/sh', (_name, file = '') => {
  const sh = path.join(temporaryDirectory(), 'sh');
  fs.symlinkSync(file, sh);
  for (const env of [AWKWARD, { PATH: AWKWARD.PATH }, {}]) {
    const args = shimArguments({
      command: ['/usr/bin/env', '-0'],
      env,
      launch: limited,
      joinFile: '/nonexistent/cgroup.procs',
      account: null,
      merge: false,
      cwd: null,
      failureFile: null,
    });
    const { stdout, stderr } = spawnSync(sh, args ?? [], { env, encoding: 'utf8' });
    expect({ stdout: entries(stdout), stderr }).toEqual({ stdout: env, stderr: '' });
  }
});

test.each(shells)('any bytes pass %s as /bin/sh', (_name, file = '') => {
  const sh = path.join(temporaryDirectory(), 'sh');
  fs.symlinkSync(file, sh);
  const all = fromBytes(Buffer.from(Array.from({ length: 255 }, (_, index) => index + 1)));
  const words = ['\udce9', `${all}\n`, all.repeat(300), 'plain'];
  const env = { PATH: AWKWARD.PATH, IDENTIFIER: `${all}\n`, [`odd${all.replace('=', '')}`]: all, LC_ALL: 'C.UTF-8' };
  const args = shimArguments({
    command: ['/bin/sh', '-c', 'cat /proc/$$/cmdline /proc/$$/environ', 'sh', ...words],
    env,
    launch: limited,
    joinFile: null,
    account: null,
    merge: false,
    cwd: null,
    failureFile: null,
  });
  const { stdout, stderr } = spawnSync(sh, args ?? [], { env: { ...spawnableEnvironment(env), LC_ALL: 'C.UTF-8' } });
  expect(stderr.toString()).toBe('');
  const said = fromBytes(stdout).split('\0');
  expect(said.slice(4, 4 + words.length)).toEqual(words);
  expect(said.slice(4 + words.length, -1).toSorted()).toEqual(
    Object.entries(env)
      .map(([name, value]) => `${name}=${value}`)
      .toSorted(),
  );
});

test.each([limited, plainLaunch])('a started command gets that environment too (%#)', async (launch) => {
  expect(entries((await ran(['/usr/bin/env', '-0'], { env: AWKWARD, launch })).stdout)).toEqual(AWKWARD);
});

function entries(block: string): Record<string, string> {
  const lines = block.split('\0').filter(Boolean);
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

test('it writes its pid to the given file, and runs if it cannot', async () => {
  const joinFile = path.join(temporaryDirectory(), 'procs');
  const { pid } = await ran(['true'], { joinFile });
  expect(fs.readFileSync(joinFile, 'utf8')).toBe(`${pid}\n`);
  const { exit, stderr } = await ran(['sh', '-c', 'exit 4'], { joinFile: '/nonexistent/cgroup.procs' });
  expect({ exit, stderr }).toEqual({ exit: { kind: 'exited', code: 4 }, stderr: '' });
});

test('descriptors that were open at the launch are passed on', async () => {
  const file = script('locked');
  const fds = [fs.openSync(file, 'r'), fs.openSync(file, 'r')];
  onTestFinished(() => fds.forEach((fd) => void fs.closeSync(fd)));
  const [, passed = 0] = fds;
  const { stdout } = await ran(
    ['sh', '-c', 'for fd in "$@"; do readlink /proc/$$/fd/$fd || echo none; done', 'sh', ...fds.map(String)],
    {
      launch: { ...limited, descriptors: [passed] },
    },
  );
  expect(stdout).toBe(`none\n${file}\n`);
});

test('it runs in the given directory', async () => {
  const cwd = fs.realpathSync(temporaryDirectory());
  expect((await ran(['pwd'], { cwd })).stdout).toBe(`${cwd}\n`);
  fs.writeFileSync(path.join(cwd, 'here'), 'echo found\n', { mode: 0o755 });
  // A script without a first line that names an interpreter is run by sh.
  expect((await ran(['./here'], { cwd, launch: limited })).stdout).toBe('found\n');
  expect((await ran(['./here'], { cwd })).stdout).toBe('found\n');
});

test.each([limited, plainLaunch])('what can not be started says why (%#)', async (launch) => {
  const directory = temporaryDirectory();
  const more = { launch };
  expect(await whyNot(['leash-no-such-program'], { ...more, env: { PATH: '/usr/bin:/bin' } })).toBe(
    'not found on PATH (/usr/bin:/bin)',
  );
  expect(await whyNot([''], more)).toBe('not found');
  expect(await whyNot(['/nonexistent/program'], more)).toBe('not found');
  expect(await whyNot(['/etc/passwd'], more)).toBe('permission denied');
  expect(await whyNot([directory], more)).toBe('is a directory');
  expect(await whyNot(['/dev/null'], more)).toBe('permission denied');
  expect(await whyNot([script('#!/no/interpreter -x\n')], more)).toMatch(/interpreter \/no\/interpreter is not found/);
  expect(await whyNot([script('#!/bin/sh\r\ntrue\r\n')], more)).toMatch(/carriage return/);
  expect(await whyNot(['true', 'x'.repeat(4 * 1024 * 1024)], more)).toBe('the argument list is too long');
  expect(await whyNot(['true', 'a\0b'], more)).toMatch(/null bytes/);
  expect(await whyNot(['true'], { ...more, cwd: '/nonexistent' })).toMatch(/directory \/nonexistent: not found/);
  expect(await whyNot(['true'], { ...more, cwd: '/etc/passwd' })).toMatch(/\/etc\/passwd is not a directory/);
});

test.each(['echo a | cat', '/bin/echo a', '~/bin/backup', '$HOME/bin/backup', 'LANG=C date', 'LANG=C', 'a;b'])(
  'what only a shell understands is not found, and --shell is named: %s',
  async (line) => {
    expect(await whyNot([line])).toBe('not found; use --shell for a shell command line');
  },
);

test('a program may have a name that a shell would take apart', async () => {
  const directory = temporaryDirectory();
  fs.writeFileSync(path.join(directory, 'a | b'), '#!/bin/sh\necho found\n', { mode: 0o755 });
  expect((await ran(['a | b'], { env: { PATH: directory } })).stdout).toBe('found\n');
});

test('a program that is cut off or built for another system is not taken for a script', async () => {
  const whole = fs.readFileSync('/bin/true');
  const file = script('');
  const excluded = Buffer.from(whole);
  excluded.writeUInt16LE(0x1234, 18);
  const junk = Buffer.from('PK\x03\x04\0\0\0', 'latin1');
  for (const bytes of [whole.subarray(0, 5), whole.subarray(0, 63), whole.subarray(0, 200), excluded, junk]) {
    fs.writeFileSync(file, bytes);
    expect(await whyNot([file], { launch: limited })).toMatch(/not an executable for this system/);
  }
  fs.writeFileSync(file, 'echo "a script" # \xe9\nexit 3\n\0\0\0', 'latin1');
  expect(await ran([file], { launch: limited })).toMatchObject({ stdout: 'a script\n', exit: { code: 3 } });
});

test('a directory on PATH is no program', async () => {
  const directory = temporaryDirectory();
  fs.mkdirSync(path.join(directory, 'leash-tool'));
  expect(await whyNot(['leash-tool'], { env: { PATH: directory } })).toBe(`not found on PATH (${directory})`);
});

test('a program is looked for on the command’s own PATH, past what may not be executed', async () => {
  const [first, second] = [script('', 0o644), script('#!/bin/sh\necho found\n')];
  const env = { PATH: `${path.dirname(first)}:${path.dirname(second)}` };
  expect((await ran(['script'], { env, launch: limited })).stdout).toBe('found\n');
  expect(await whyNot(['script'], { env: { PATH: path.dirname(first) } })).toBe('permission denied');
});

test.runIf(isRoot)(
  'as another user it has that user’s ids, groups and variables, and can open its output',
  async () => {
    const line = execFileSync('getent', ['passwd', 'nobody'], { encoding: 'utf8' }).trim().split(':');
    const groups = execFileSync('id', ['-G', 'nobody'], { encoding: 'utf8' });
    const command = 'id -u; id -G; echo "$HOME $USER $LOGNAME $SHELL"; echo err >/dev/stderr; ulimit -Sn';
    for (const user of ['nobody', line[2] ?? '']) {
      const { stdout, stderr } = await ran(['sh', '-c', command], { user, launch: limited, cwd: '/' });
      expect(stdout).toBe(`${line[2]}\n${groups}${line[5]} nobody nobody ${line[6]}\n256\n`);
      expect(stderr).toBe('err\n');
    }
  },
);

test.runIf(isRoot)('a start as another user that fails says why', async () => {
  expect(await whyNot(['true'], { user: 'leash-no-such-user' })).toBe('unknown user leash-no-such-user');
  expect(await whyNot(['true'], { user: '' })).toMatch(/unknown user/);
  expect(await whyNot([script('#!/bin/sh\n', 0o700)], { user: 'nobody' })).toBe('permission denied for user nobody');
  vi.stubEnv('PATH', '/nonexistent');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await whyNot(['/bin/true'], { user: 'root' })).toMatch(/needs setpriv/);
});

test('only root may become another user', async () => {
  const spy = vi.spyOn(process, 'geteuid').mockReturnValue(1000);
  onTestFinished(() => spy.mockRestore());
  expect(await whyNot(['true'], { user: 'nobody' })).toMatch(/only root/);
});

/** A user with a group beside the first: a member named in /etc/group. */
function userWithGroups(): string | null {
  const member = /^[^:]*:[^:]*:[^:]*:([\w-]+)/m.exec(fs.readFileSync('/etc/group', 'utf8'))?.[1];
  return member === undefined || member === 'root' ? null : member;
}

test.runIf(isRoot && userWithGroups() !== null)('as another user it has all of that user’s groups', async () => {
  const user = userWithGroups() ?? '';
  const groups = execFileSync('id', ['-G', user], { encoding: 'utf8' });
  expect((await ran(['id', '-G'], { user, cwd: '/' })).stdout).toBe(groups);
});

test('a command whose name looks like a variable is started, whatever its environment', async () => {
  const program = path.join(temporaryDirectory(), 'a=b');
  fs.writeFileSync(program, '#!/bin/sh\necho started\n', { mode: 0o755 });
  const env = { PATH: process.env.PATH, 'no.identifier': 'x', _: 'y' };
  const launch = { ...plainLaunch, noFileSoft: 512 };
  expect(await ran([program], { env, launch })).toMatchObject({ stdout: 'started\n', stderr: '' });
});
