/** Where settings come from, how a command is started, and what is said when it can't be. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { newKillId } from '#testing/fake-control-plane';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leash, leashRun, marker, sabotage, shell, stderrOf, WAIT } from '../support/leash.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === 'linux';

function write(name: string, text: string, mode = 0o600): string {
  const file = path.join(temporaryDirectory(), name);
  fs.writeFileSync(file, text, { mode });
  return file;
}

describe('settings', () => {
  test('flags come before the environment, the environment before the file, and what is not a setting is reported', async () => {
    const plane = await controlPlane();
    const token = write('token', 'by-flag\n');
    const config = write(
      'leash.conf',
      `# all runs\nLEASH_URL="${plane.url}"\nLEASH_TOKEN=by-file\nLEASH_MACHINE=by-file\nLEASH_TOKN=oops\n`,
    );
    const leash = leashRun(['sh', '-c', 'env; exit 5'], {
      env: { LEASH_CONFIG: config, LEASH_TOKEN: 'by-environment', LEASH_MACHINE: 'by-environment' },
      options: ['--token-file', token],
    });
    expect((await leash.exited()).code).toBe(5);
    expect(plane.requests[0]?.authorization).toBe('Bearer by-flag');
    expect(plane.requests[0]?.url).toContain('machine=by-environment');
    // What the file sets is the wrapper's alone.
    expect(leash.stdout.toString()).not.toMatch(/LEASH_URL|by-file|by-flag/);
    expect(leash.stderr).toContain(`leash: ${config}, line 5: unknown setting LEASH_TOKN`);
    expect(leash.stderr).not.toContain('oops');
  });

  test.runIf(IS_PROOF)('a settings file that is named and missing is reported, and the command runs', async () => {
    const leash = leashRun(['sh', '-c', 'exit 5'], { env: { LEASH_CONFIG: '/nowhere/leash.conf' } });
    expect((await leash.exited()).code).toBe(5);
    expect(leash.stderr).toContain('/nowhere/leash.conf');
  });

  test.runIf(isLinux)('the token is on no command line, that of the flusher in the background included', async () => {
    const plane = await controlPlane();
    await plane.stop();
    const token = `token-${marker()}`;
    const leash = leashRun(shell(`echo ready; ${WAIT}`, marker()), { plane, env: { LEASH_TOKEN: token } });
    await waitFor('ready', () => leash.stdout.includes('ready'));
    expect(commandLines().filter((each) => each.includes(token))).toEqual([]);
    // What it leaves is to be sent by a flusher.
    leash.kill('SIGTERM');
    await waitFor('a flusher', () => {
      const all = commandLines();
      expect(all.filter((each) => each.includes(token))).toEqual([]);
      return all.some((each) => each.includes('flush') && each.includes(plane.url.slice(7)));
    });
  });
});

function commandLines(): string[] {
  return fs.readdirSync('/proc').flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) ? [fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')] : [];
    } catch {
      // It has ended.
      return [];
    }
  });
}

describe('the start', () => {
  test('--shell runs a line, and shows that line; --cwd and --env are for the command', async () => {
    const plane = await controlPlane();
    const directory = fs.realpathSync(temporaryDirectory());
    const line = 'pwd; echo "$PWD"; echo "one $A $B" | tr a-z A-Z; exit 4';
    const options = ['--shell', '--cwd', directory, '--env', 'A=1', '--env', 'B=x=y'];
    const leash = leashRun([line], { plane, options });
    expect((await leash.exited()).code).toBe(4);
    expect(leash.stdout.toString()).toBe(`${directory}\n${directory}\nONE 1 X=Y\n`);
    expect((await plane.started()).command_line).toBe(line);
  });

  test.runIf(isRoot && isLinux)('--user is that user in every respect, and the wrapper can end it', async () => {
    const plane = await controlPlane();
    const script = `id -u; id -un; id -G; echo "$HOME $USER $LOGNAME"; ${WAIT}`;
    const leash = leashRun(['sh', '-c', script], { plane, options: ['--user', 'nobody', '--cwd', '/'] });
    await waitFor('its output', () => plane.stored.toString().split('\n').length > 4);
    plane.kill(newKillId());
    expect((await leash.exited()).code).toBe(143);
    const [uid, name, groups, home] = leash.stdout.toString().split('\n');
    const passwd = execFileSync('getent', ['passwd', 'nobody'], { encoding: 'utf8' }).split(':');
    expect({ uid, name, home }).toEqual({ uid: passwd[2], name: 'nobody', home: `${passwd[5]} nobody nobody` });
    expect(groups).toBe(execFileSync('id', ['-G', 'nobody'], { encoding: 'utf8' }).trim());
  });

  const LONG_ARGUMENTS = sabotage(`process.argv.push(...Array(30).fill('x'.repeat(120_000)));`);
  const script = () => write('script', '#!/nowhere/interpreter\n', 0o755);
  const notExecutable = () => write('data', 'text', 0o644);
  const cases: readonly [
    string,
    () => { command: string[]; options?: string[]; env?: NodeJS.ProcessEnv; why: RegExp },
  ][] = [
    ['a missing program', () => ({ command: ['/nowhere/program'], why: /not found/ })],
    ['one that is not on PATH', () => ({ command: ['no-such-program-anywhere'], why: /not found/ })],
    ['a file that may not be executed', () => ({ command: [notExecutable()], why: /permission denied/ })],
    ['a directory', () => ({ command: ['/'], why: /is a directory/ })],
    [
      'a script whose interpreter is missing',
      () => ({ command: [script()], why: /interpreter \/nowhere\/interpreter/ }),
    ],
    // From inside, because such a list would be too long for the wrapper as well.
    ['an argument list that is too long', () => ({ command: ['true'], env: LONG_ARGUMENTS, why: /too long/ })],
    ['a missing directory', () => ({ command: ['true'], options: ['--cwd', '/nowhere'], why: /directory \/nowhere/ })],
    ['a user that does not exist', () => ({ command: ['true'], options: ['--user', 'nobody-at-all'], why: /user/ })],
  ];

  test('a name that would read as another is shown as it is, on stderr and in the output', async () => {
    const plane = await controlPlane();
    const run = leashRun(['/nowhere/\u202egnp.\u001b[2J'], { plane });
    expect((await run.exited()).code).toBe(255);
    expect(stderrOf(run)).toMatch(/^leash: cannot start \/nowhere\/<U\+202E>gnp\.<U\+001B>\[2J: .*\n$/);
    expect(plane.stored.toString()).toBe(stderrOf(run));
  });

  test('so it is in what is said of a mistake on the command line', async () => {
    const mistaken = leash(['run', '--\u202egnp']);
    expect((await mistaken.exited()).code).toBe(255);
    expect(mistaken.stderr).toMatch(/^leash: .*--<U\+202E>gnp.*\n$/);
  });

  // start-command.test.ts has all of them without a wrapper.
  test.each(sampleOf(cases))('%s: 255, and the reason is output of the run', async (_, make) => {
    const plane = await controlPlane();
    const { why, command, ...more } = make();
    const leash = leashRun(command, { plane, ...more });
    expect((await leash.exited()).code).toBe(255);
    const { reason, exit_code, command_exit_code } = await plane.completed();
    expect(stderrOf(leash)).toMatch(/^leash: cannot start .*\n$/);
    expect(leash.stderr).toMatch(why);
    expect(plane.stored.toString()).toBe(stderrOf(leash));
    expect(await plane.started()).toMatchObject({ pid: null, phase: 'ended' });
    expect({ reason, exit_code, command_exit_code }).toEqual({
      reason: 'start_failed',
      exit_code: 255,
      command_exit_code: null,
    });
  });
});
