/** The job runs although Node does not, or the program is not whole: `--without-wrapper`. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { sampledTest } from '#testing/sampled-test';
import { IS_PROOF, SEED, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { bareMachine } from '../support/bare-machine.ts';
import { NODE } from '../support/leash.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const isRoot = process.geteuid?.() === 0;
const RUN = ['run', '--job', 'test'];
const UNSUPERVISED = /^leash: [^\n]*: the command runs unsupervised and can't be seen or stopped[^\n]*; [^\n]*\n$/;

/** What a Node does that is asked for its version, or to run a program. */
function fakeNode(version: string, otherwise: string): string {
  return `#!/bin/sh\n[ "$1" = --version ] && { ${version}; exit; }\n${otherwise}\n`;
}

const UNFIT: readonly (readonly [string, string | null, RegExp])[] = [
  ['is missing', null, /Node\.js was not found on PATH \(\/.*\)/],
  [
    'is 12',
    fakeNode('echo v12.22.12', 'echo "SyntaxError: Unexpected token" >&2; exit 1'),
    /v12\.22\.12, and leash needs 18/,
  ],
  [
    'is 16',
    fakeNode('echo v16.20.2', 'echo "leash: Node.js v16.20.2 is too old" >&2; exit 255'),
    /v16\.20\.2, and leash/,
  ],
  [
    'misses a library',
    '#!/bin/sh\necho "node: error while loading shared libraries: libnode.so.108" >&2\nexit 127\n',
    /libnode\.so\.108/,
  ],
  ['ends by a signal', '#!/bin/sh\nkill -SEGV $$\n', /does not start here: exit status 139/],
];

test.each(sampleOf(UNFIT, 3))('Node %s: the command runs, and one line says why', (_what, node, why) => {
  const machine = bareMachine();
  if (node !== null) machine.installNode(node);
  const ran = machine.run([...RUN, '--', 'sh', '-c', 'cat; echo "$1"; exit 7', 'sh', 'two  words'], {
    input: 'stdin\n',
  });
  expect(ran).toMatchObject({ code: 7, stdout: 'stdin\ntwo  words\n' });
  expect(ran.stderr).toMatch(UNSUPERVISED);
  expect(ran.stderr).toMatch(why);
  const refused = machine.run([...RUN, '--without-wrapper', 'refuse', '--', 'echo', 'ran']);
  expect(refused).toMatchObject({ code: 255, stdout: '' });
  expect(refused.stderr).toMatch(/^leash: [^\n]*; nothing was started: [^\n]*\n$/);
});

test('a run that asks before it starts can ask nobody without Node: --if-unreachable decides', () => {
  const machine = bareMachine();
  const asking = [...RUN, '--overlap', 'skip', '--overlap-scope', 'machine'];
  const ran = machine.run([...asking, '--', 'echo', 'ran']);
  expect(ran).toMatchObject({ code: 0, stdout: 'ran\n' });
  expect(ran.stderr).toContain(', and these options do not apply (--overlap)');
  const skipping = [...asking, '--if-unreachable', 'skip'];
  const skipped = machine.run([...skipping, '--', 'echo', 'ran']);
  expect(skipped).toMatchObject({ code: 75, stdout: '' });
  expect(skipped.stderr).toContain('; nothing was started: ');
  expect(machine.run([...skipping, '--skip-exit-code=9', '--', 'echo', 'ran']).code).toBe(9);
  expect(machine.run([...skipping, '--without-wrapper', 'run', '--', 'echo', 'ran']).code).toBe(0);
});

test('Node is found by the link that install.sh makes beside the program', () => {
  const machine = bareMachine();
  const directory = path.join(path.dirname(machine.program), 'installed');
  for (const each of ['bin', 'lib/leash']) fs.mkdirSync(path.join(directory, each), { recursive: true });
  const program = path.join(directory, 'bin', 'leash');
  fs.renameSync(machine.program, program);
  fs.symlinkSync(NODE, path.join(directory, 'lib', 'leash', 'node'));
  const { status, stdout, stderr } = spawnSync(program, ['--version'], {
    env: { PATH: machine.path, ...machine.own },
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^leash /);
});

test.each(
  sampleOf([['flush'], ['orphans'], ['--version'], ['run', '--help'], ['run', '--job', 'test', 'true'], []], 2),
)('without Node `leash %s %s` says so in one line: 255', (...args) => {
  const { code, stdout, stderr } = bareMachine().run(args);
  expect({ code, stdout }).toEqual({ code: 255, stdout: '' });
  expect(stderr).toMatch(/^leash: Node\.js was not found [^\n]*\n$/);
});

sampledTest(
  'without Node the options that change what runs are followed, and limits that do not apply are named',
  () => {
    const machine = bareMachine();
    const directory = fs.realpathSync(temporaryDirectory());
    const script = 'pwd; echo "$A|$PWD"; echo "$B"; echo err >&2; echo out';
    const options = [
      '--timeout',
      '2h',
      '--idle-timeout=0',
      '--cwd',
      directory,
      '--env',
      'A=x y',
      '--env=B=z',
      '--merge',
    ];
    const ran = machine.run([...RUN, ...options, '--shell', '--', script], { env: { PWD: '/elsewhere' } });
    expect(ran.stdout).toBe(`${directory}\nx y|${directory}\nz\nerr\nout\n`);
    expect(ran.stderr).toContain('these options do not apply (--timeout);');
    const shell = path.join(directory, 'shell');
    fs.writeFileSync(shell, '#!/bin/sh\nprintf "<%s>" "$@"\n', { mode: 0o755 });
    const byCron = [...RUN, '--splay', '1d', '--cron', '--shell', '--', 'a | b'];
    expect(machine.run(byCron, { env: { SHELL: shell } }).stdout).toBe('<-c><a | b>');
    expect(machine.run([...RUN, '-q', '--', 'sh', '-c', 'echo out; exit 3'])).toMatchObject({ code: 3, stdout: '' });
  },
);

sampledTest('what must never run unsupervised is refused without Node, unless that is asked for', () => {
  const machine = bareMachine();
  const limited = [...RUN, '--max-offline', '5m'];
  expect(machine.run([...limited, '--', 'echo', 'ran'])).toMatchObject({ code: 255, stdout: '' });
  expect(machine.run([...limited, '--without-wrapper=run', '--', 'echo', 'ran']).stdout).toBe('ran\n');
  expect(machine.run([...RUN, '--max-offline', '0', '--', 'echo', 'ran']).stdout).toBe('ran\n');
});

test.each(['/bin/dash', '/bin/bash'].filter((each) => fs.existsSync(each)))(
  'what is said without Node is one line that reads as it is (%s)',
  (shell) => {
    const machine = bareMachine();
    const directory = '/nowhere/\u202egnp\n\u001b[2Jleash: all is well';
    const args = [machine.program, ...RUN, '--cwd', directory, '--', 'true'];
    const { status, stderr } = spawnSync(shell, args, {
      env: { PATH: machine.path, ...machine.own },
      encoding: 'utf8',
    });
    expect(status).toBe(255);
    expect(stderr).toMatch(/^leash: [ -~]* \/nowhere\/\?+gnp\?\?\[2Jleash: all is well\)[ -~]*\n$/);
  },
);

test.each(['/bin/dash', '/bin/bash'].filter((each) => fs.existsSync(each)))(
  'without Node the command gets what it would have got: environment, limits, signals, descriptors (%s)',
  (shell) => {
    const machine = bareMachine();
    const file = path.join(temporaryDirectory(), 'open');
    fs.writeFileSync(file, 'open\n');
    const script = 'tr "\\0" "\\n" <"/proc/$$/environ" | sort; ulimit -Sn; grep SigIgn /proc/self/status; cat <&7';
    const command = ['/bin/dash', '-c', script];
    const start = `ulimit -Sn 333; trap '' HUP; exec env dotted.name=1 "$@" 7<${file}`;
    const env = {
      PATH: machine.path,
      NODE_OPTIONS: '--inspect',
      MALLOC_ARENA_MAX: '3',
      SHLVL: '3',
      B: 'a\n\\b',
      PWD: '/x',
    };
    const run = (words: readonly string[], more = {}) =>
      spawnSync('/bin/dash', ['-c', start, 'sh', ...words], { env: { ...env, ...more }, encoding: 'utf8' }).stdout;
    const own = { ...machine.own };
    const expected = run(command, own);
    expect(expected).toContain('dotted.name=1');
    const secrets = { ...own, LEASH_TOKEN: 'secret', LEASH_TOKEN_FILE: '/nowhere' };
    expect(run([shell, machine.program, ...RUN, '--', ...command], secrets)).toBe(expected);
  },
);

test.runIf(isRoot)('without Node --user is followed, and what can not become that user does not run', () => {
  const machine = bareMachine();
  const ran = machine.run([
    ...RUN,
    '--user',
    'nobody',
    '--cwd',
    '/',
    '--',
    'sh',
    '-c',
    'id -un; echo "$USER $LOGNAME"',
  ]);
  expect(ran.stdout).toBe('nobody\nnobody nobody\n');
  for (const user of ['leash-no-such-user', '', 'root:x']) {
    const refused = machine.run([...RUN, `--user=${user}`, '--', 'echo', 'ran']);
    expect(refused).toMatchObject({ code: 255, stdout: '' });
    expect(refused.stderr).toContain('unknown user');
  }
  fs.rmSync(path.join(machine.path, 'setpriv'));
  expect(machine.run([...RUN, '--user', 'nobody', '--', 'echo', 'ran'])).toMatchObject({ code: 255, stdout: '' });
});

sampledTest('without Node --detach returns at once, and the command continues in a session of its own', async () => {
  const machine = bareMachine();
  const file = path.join(temporaryDirectory(), 'session');
  const script = `cut -d' ' -f1,6 /proc/$$/stat >${file}.new; readlink /proc/self/fd/1 >>${file}.new; mv ${file}.new ${file}`;
  const ran = machine.run([...RUN, '--detach', '--', 'sh', '-c', script]);
  expect(ran).toMatchObject({ code: 0, stdout: '' });
  expect(ran.stderr).toMatch(UNSUPERVISED);
  const said = await waitFor('the command', () => fs.existsSync(file) && fs.readFileSync(file, 'utf8'));
  expect(said).toMatch(/^(\d+) \1\n/);
});

sampledTest('a Node that can not start for want of memory or descriptors is not started', () => {
  const machine = bareMachine();
  fs.symlinkSync(NODE, path.join(machine.path, 'node'));
  const limited = (limit: string) =>
    spawnSync(
      '/bin/sh',
      [
        '-c',
        `ulimit ${limit}; exec "$0" run --job test -- sh -c 'ulimit ${limit.slice(0, 2)}; exit 9'`,
        machine.program,
      ],
      {
        env: { PATH: machine.path, ...machine.own },
        encoding: 'utf8',
      },
    );
  for (const limit of ['-n 16', '-v 300000']) {
    const { status, stdout, stderr } = limited(limit);
    expect({ status, stdout }).toEqual({ status: 9, stdout: `${limit.slice(3)}\n` });
    expect(stderr).toMatch(UNSUPERVISED);
  }
});

sampledTest('a Node is tried once, and again when it is another', () => {
  const machine = bareMachine();
  const calls = path.join(machine.stateDirectory, 'calls');
  const node = (version: number) => `#!/bin/sh\n# ${version}\necho "$2" >>${calls}\nexec ${NODE} "$@"\n`;
  const asked = () => {
    expect(machine.run([...RUN, '--', 'echo', 'ran'])).toMatchObject({ code: 0, stdout: 'ran\n' });
    const lines = fs.readFileSync(calls, 'utf8').split('\n').slice(0, -1);
    fs.rmSync(calls);
    return lines;
  };
  machine.installNode(node(1));
  expect(asked()).toEqual(['--version', 'run']);
  expect(asked()).toEqual(['run']);
  machine.installNode(node(2));
  expect(asked()).toEqual(['--version', 'run']);
  // As an interrupted upgrade leaves it.
  machine.installNode('#!/bin/sh\nexit 1\n');
  expect(machine.run([...RUN, '--', 'echo', 'ran'])).toMatchObject({ code: 0, stdout: 'ran\n' });
});

test('a program that is cut off never succeeds without having run the command', { timeout: 600_000 }, () => {
  const machine = bareMachine();
  fs.symlinkSync(NODE, path.join(machine.path, 'node'));
  const whole = fs.readFileSync(machine.program);
  const headerEnd = whole.indexOf('*/;');
  // Shorter ones are a name of a shell or less: no text of theirs could say anything (docs/operations.md).
  const first = whole.indexOf('\n') + 2;
  const step = IS_PROOF ? 5 : 397;
  const lengths = [first, first + 1, headerEnd, headerEnd + 3, whole.length - 17, whole.length - 16, whole.length - 1];
  for (let length = first + (SEED % step); length < headerEnd; length += step) lengths.push(length);
  for (let part = 1; part < 8; part += 1) lengths.push(headerEnd + Math.floor(((whole.length - headerEnd) * part) / 8));
  const file = `${machine.program}-cut`;
  for (const length of lengths) {
    fs.writeFileSync(file, whole.subarray(0, length), { mode: 0o755 });
    const env = { PATH: machine.path, ...machine.own };
    const { status, stdout, stderr } = spawnSync(file, [...RUN, '--', 'echo', 'ran'], { env, encoding: 'utf8' });
    if (status === 0) expect({ length, stdout }).toEqual({ length, stdout: 'ran\n' });
    if (length > headerEnd) expect(stderr).toMatch(/^leash: the program .* is incomplete.*runs unsupervised/);
  }
  // And so for Node alone, which sees no end mark.
  for (const length of [headerEnd + 3, Math.floor((headerEnd + whole.length) / 2), whole.length - 25]) {
    fs.writeFileSync(file, whole.subarray(0, length));
    if (length > headerEnd + 3) expect(spawnSync(NODE, [file, '--version']).status).not.toBe(0);
  }
});

sampledTest('a program with a hole at its end, as a crash leaves it, is not whole', () => {
  const machine = bareMachine();
  fs.symlinkSync(NODE, path.join(machine.path, 'node'));
  const { size } = fs.statSync(machine.program);
  fs.truncateSync(machine.program, size - 4096);
  fs.truncateSync(machine.program, size);
  const ran = machine.run([...RUN, '--', 'echo', 'ran']);
  expect(ran.stdout).toBe('ran\n');
  expect(ran.stderr).toContain('is incomplete');
});

test.runIf(isRoot && fs.existsSync('/usr/bin/unshare'))(
  'where there is no /dev/null Node is found, and the command runs',
  () => {
    const machine = bareMachine();
    fs.symlinkSync(NODE, path.join(machine.path, 'node'));
    const script = `mount -t tmpfs none /dev && PATH=${machine.path} exec "$0" run --job test -- sh -c 'echo ran; exit 5'`;
    const { status, stdout, stderr } = spawnSync('/usr/bin/unshare', ['-m', '/bin/sh', '-c', script, machine.program], {
      env: { PATH: '/usr/bin:/bin', ...machine.own },
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 5, stdout: 'ran\n' });
    expect(stderr).not.toContain('was not found');
  },
);
