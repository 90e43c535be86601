/** What the kernel lets a command be started with, it is started with by the program as it is shipped; or it says why not. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { sampledTest } from '#testing/sampled-test';
import { sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leashRun, ofThisTest, PROGRAM, stderrOf } from '../support/leash.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Tools of the machine, and a Node that the launcher finds. */
const PATH = `${path.dirname(process.execPath)}:/usr/bin:/bin`;

/** Runs a shell's script, in which `$LEASH` is the program and its first arguments: only a shell can pass on any bytes. */
function byShell(script: string, options: Parameters<typeof leashRun>[1] = {}) {
  return leashRun([], {
    ...options,
    env: { PATH, LEASH: `${PROGRAM} run --job test`, ...options.env },
    by: ['/bin/sh', '-c', script],
  });
}

sampledTest(
  'bytes that are not UTF-8 arrive as they are: arguments, variables, program, PATH and directory',
  async () => {
    const plane = await controlPlane();
    const directory = fs.realpathSync(temporaryDirectory());
    const program = `export LC_ALL=C; tr '\\0' '|' <"/proc/$$/cmdline"; echo; tr '\\0' '\\n' <"/proc/$$/environ" | grep -a '^LT' | sort; pwd`;
    fs.writeFileSync(path.join(directory, 'program'), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
    const script = `
    e=$(printf '\\351') f=$(printf '\\377') d="${directory}/d$(printf '\\351')"
    mkdir "$d"; mv "${directory}/program" "$d/p$f"
    export "LTB=caf$e" PATH="$d:$PATH"
    exec env "LT$e=a$e" $LEASH --cwd "$d" --env "LTC=$f" -- "p$f" "caf$e" "$(printf 'a\\\\n\\n.')" "'$f'" é ''`;
    const leash = byShell(script, { plane });
    expect((await leash.exited()).code).toBe(0);
    expect(leash.stdout.toString('latin1').split('\n')).toEqual([
      `/bin/sh|${directory}/d\xe9/p\xff|caf\xe9|a\\n`,
      `.|'\xff'|\xc3\xa9||`,
      'LTB=caf\xe9',
      'LTC=\xff',
      'LT\xe9=a\xe9',
      `${directory}/d\xe9`,
      '',
    ]);
    expect((await plane.started()).command_line).toMatch(/^\$'p\\xff' \$'caf\\xe9' '/);
  },
);

sampledTest('such bytes go into the background, too', async () => {
  const file = path.join(temporaryDirectory(), 'said');
  const script = `exec env LC_ALL=C "$(printf 'LT\\351=\\351')" NODE_OPTIONS=--require=/nowhere.js $LEASH --detach -- sh -c 'tr "\\0" "\\n" <"/proc/$$/environ" | grep -a "^LT\\|^NODE_O" | sort >"$1.new"; printf %s "$2" >>"$1.new"; mv "$1.new" "$1"' sh ${file} "$(printf '\\377')"`;
  expect((await byShell(script).exited()).code).toBe(0);
  const said = await waitFor('the command', () => fs.existsSync(file) && fs.readFileSync(file, 'latin1'));
  expect(said).toBe('LT\xe9=\xe9\nNODE_OPTIONS=--require=/nowhere.js\n\xff');
});

sampledTest('bytes beside a program in a directory that is not UTF-8, which is our own', async () => {
  const directory = fs.realpathSync(temporaryDirectory());
  const script = `d="${directory}/$(printf '\\351')"; mkdir "$d"; cd "$d"; printf '#!/bin/sh\\npwd' >program; chmod +x program; exec $LEASH -- ./program`;
  const leash = byShell(script);
  expect((await leash.exited()).code).toBe(0);
  expect(leash.stdout.toString('latin1')).toBe(`${directory}/\xe9\n`);
});

sampledTest('what governs Node does not keep the command from running, and it gets that', async () => {
  const env = {
    NODE_OPTIONS: '--require=/nowhere.js',
    NODE_V8_COVERAGE: '/proc/nowhere',
    NODE_EXTRA_CA_CERTS: '/nowhere.pem',
  };
  const leash = byShell(`exec $LEASH -- printenv ${Object.keys(env).join(' ')}`, { env });
  expect((await leash.exited()).code).toBe(0);
  expect(leash.stdout.toString()).toBe(`${Object.values(env).join('\n')}\n`);
});

/** For the strings of arguments and environment, with their ends and a pointer to each: a quarter of the stack. */
const LIMIT_BYTES = (8 * 1024 * 1024) / 4;
/** What is left of it for the environment and for what leash adds: less than 200 bytes (docs/operations.md). */
const LEFT_BYTES = 1280;

test.each(
  sampleOf([
    ['many small ones', 1],
    ['few large ones', 130_000],
  ] as const),
)('arguments of nearly all that the kernel takes: %s', (_what, length) => {
  const bytes = length + 1 + 8;
  const words = Array.from({ length: Math.floor((LIMIT_BYTES - LEFT_BYTES) / bytes) }, () => 'x'.repeat(length));
  words.push('x'.repeat((LIMIT_BYTES - LEFT_BYTES) % bytes));
  const command = ['/bin/sh', '-c', 'ulimit -Ss; echo $#', 'sh', ...words];
  const run = (start: readonly string[]) =>
    spawnSync('/bin/sh', ['-c', 'ulimit -Ss 8192; exec "$@"', 'sh', ...start, ...command], {
      env: { ...ofThisTest(), PATH },
      encoding: 'utf8',
    });
  const expected = { status: 0, stdout: `8192\n${words.length}\n` };
  expect(run([])).toMatchObject(expected);
  const supervised = run([PROGRAM, 'run', '--job', 'test', '--']);
  expect(supervised).toMatchObject(expected);
  // By Node, not by the launcher instead.
  expect(supervised.stderr).toContain('set LEASH_URL');
});

sampledTest('a shell in between says nothing of a working directory that has been deleted', async () => {
  const plane = await controlPlane();
  const directory = path.join(temporaryDirectory(), 'gone');
  const leash = byShell(`mkdir ${directory}; cd ${directory}; rmdir ${directory}; exec $LEASH -- printenv PWD`, {
    plane,
  });
  expect((await leash.exited()).code).toBe(0);
  await plane.completed();
  expect(plane.stored.toString()).toBe(`${directory}\n`);
});

sampledTest('a program that is being written is not started, and that is no exit code of its own', async () => {
  const plane = await controlPlane();
  const program = path.join(temporaryDirectory(), 'program');
  fs.copyFileSync('/bin/true', program);
  fs.chmodSync(program, 0o755);
  const fd = fs.openSync(program, 'r+');
  onTestFinished(() => fs.closeSync(fd));
  // A level of 0, as npm sets it, takes an `env` between the shell and the command, whose word for it this is then.
  const leash = byShell(`SHLVL=1; exec $LEASH -- ${program}`, { plane });
  expect((await leash.exited()).code).toBe(255);
  expect(stderrOf(leash)).toMatch(/^leash: cannot start .*text file busy/m);
  expect(await plane.completed()).toMatchObject({ reason: 'start_failed', command_exit_code: null });
});

test.each(sampleOf([126, 127]))('a command that exits with %i has done so itself', async (code) => {
  const plane = await controlPlane();
  const leash = byShell(`exec $LEASH -- sh -c 'exit ${code}'`, { plane });
  expect((await leash.exited()).code).toBe(code);
  expect(await plane.completed()).toMatchObject({ reason: 'exited', command_exit_code: code });
});
