import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { trials } from '#testing/seed';
import { type CrontabPlan, planConversion, planUndo } from '../../src/crontab/plan.ts';
import { unifiedDiff } from '../../src/crontab/unified-diff.ts';
import {
  type CronJob,
  cronJob,
  crontab,
  GROWN_CRONTAB,
  PERCENT_DIALECTS,
  PLAN,
  runnableCommand,
} from '../support/crontabs.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const convert = (text: string, options = PLAN) => planConversion(text, 'user', options, new Map());
const undo = (text: string) => planUndo(text, 'user', () => true);

test('what was converted is undone byte for byte, and converting again changes nothing', () => {
  fc.assert(
    fc.property(crontab, fc.constantFrom('user', 'system'), fc.boolean(), (text, format, captureLogs) => {
      const options = { ...PLAN, captureLogs, runOptions: captureLogs ? ['--splay', '5m'] : [] };
      const { after } = planConversion(text, format, options, new Map());
      expect(planUndo(after, format, () => true).after).toBe(text);
      expect(planConversion(after, format, options, new Map()).after).toBe(after);
      // Nothing in it was converted before.
      expect(planUndo(text, format, () => true).after).toBe(text);
    }),
    trials(200, 20_000),
  );
});

test('all but the command of a line stays: schedule, user, line ending, and lines that are none', () => {
  const text = '*/5 1-5 * jan mon\troot  backup a\r\n# x\r\nMAILTO=ops\n  @daily www-data\tbackup b';
  const { after } = planConversion(text, 'system', PLAN, new Map());
  const leash = (job: string) => `/usr/local/bin/leash run --cron --job ${job} -- `;
  expect(after).toBe(
    `*/5 1-5 * jan mon\troot  ${leash('backup-a')}backup a\r\n# x\r\nMAILTO=ops\n  @daily www-data\t${leash('backup-b')}backup b`,
  );
});

interface Run {
  readonly directory: string;
  readonly shell: string;
  readonly job: CronJob;
}

/** What a run has printed and written, and how it exited. */
function resultOf({ directory }: Run): unknown {
  const names = ['status', 'stdout', 'stderr', 'work/out', 'work/sub/out'].map((name) => path.join(directory, name));
  // Both sides of a generated pipe may append to one file: which comes first is for the kernel to decide.
  return names.map((file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').sort() : null));
}

/** Runs jobs as cron does, each in a directory of its own. One process starts them all: starting them from here takes long. */
function runAsCron(runs: readonly Run[], bin: string): void {
  for (const { directory, job, shell } of runs) {
    fs.mkdirSync(path.join(directory, 'work', 'sub'), { recursive: true });
    for (const name of ['work/in', 'work/sub/in']) fs.writeFileSync(path.join(directory, name), 'content of in\n');
    for (const [name, text] of Object.entries({ ...job, shell })) fs.writeFileSync(path.join(directory, name), text);
  }
  const driver = `for directory do
    cd "$directory/work"
    read -r SHELL <../shell || :
    "$SHELL" -c "$(cat ../command)" <../input >../stdout 2>../stderr
    echo $? >../status
  done`;
  const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: '/home/x y', SHELL: '', BIN: bin };
  const { status, stderr } = spawnSync('/bin/sh', ['-c', driver, 'sh', ...runs.map(({ directory }) => directory)], {
    env,
  });
  expect({ status, stderr: stderr.toString() }).toEqual({ status: 0, stderr: '' });
}

/** A directory with `show`, and a `leash` that only runs what it is given. */
function programs(): string {
  const bin = temporaryDirectory();
  const scripts = {
    // stderr first: behind a pipe whose reader has exited already, the rest may be ended by SIGPIPE, or not.
    show: 'echo err >&2; printf "[%s]" "$@"; echo; test $# -lt 2',
    leash: `shell=; while [ "$1" != -- ]; do [ "$1" != --shell ] || shell=yes; shift; done; shift
      if [ "$shell" ]; then exec "$SHELL" -c "$1"; fi; exec "$@"`,
  };
  for (const [name, script] of Object.entries(scripts)) {
    fs.writeFileSync(path.join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return bin;
}

const shells = ['/bin/sh', '/bin/bash'].filter((shell) => fs.existsSync(shell));

test('cron runs the same command on the leash as before, by the same shell, with the same stdin', () => {
  const [bin, root] = [programs(), temporaryDirectory()];
  const cases = fc.sample(
    fc.record({
      command: runnableCommand,
      shell: fc.constantFrom(...shells),
      dialect: fc.constantFrom(...PERCENT_DIALECTS),
      captureLogs: fc.boolean(),
    }),
    trials(8, 400),
  );
  const pairs = cases.flatMap(({ command, shell, dialect, captureLogs }, index) => {
    const before = `SHELL=${shell}\n0 3 * * * `;
    const options = { ...PLAN, program: path.join(bin, 'leash'), captureLogs };
    const onLeash = convert(`${before}${command}\n`, options).after.slice(before.length, -1);
    const run = (text: string, name: string): Run => ({
      directory: path.join(root, `${index}-${name}`),
      shell,
      job: cronJob(text, dialect),
    });
    return onLeash === command
      ? []
      : [{ command, onLeash, plain: run(command, 'plain'), leashed: run(onLeash, 'leashed') }];
  });
  expect(pairs.length).toBeGreaterThan(cases.length / 2);
  runAsCron(
    pairs.flatMap(({ plain, leashed }) => [plain, leashed]),
    bin,
  );
  for (const { command, onLeash, plain, leashed } of pairs) {
    expect({ command, onLeash, result: resultOf(leashed) }).toEqual({ command, onLeash, result: resultOf(plain) });
  }
});

const outcomes = ({ lines }: CrontabPlan) =>
  Object.fromEntries(
    lines.flatMap(({ number, outcome }) => {
      if (outcome.kind === 'changed' || outcome.kind === 'on_leash') return [[number, outcome.job]];
      return outcome.kind === 'left' ? [[number, outcome.why]] : [];
    }),
  );

test('a grown crontab: jobs have telling names, and what is left alone says why', () => {
  const plan = convert(GROWN_CRONTAB);
  expect(outcomes(plan)).toEqual({
    6: 'backup',
    7: 'artisan-schedule-run',
    8: 'pg_dump-shop',
    9: 'thing-start',
    10: 'mysqldump-db1',
    11: 'mysqldump-db2',
    12: 'rsync',
    13: 'mail',
    15: 'managed by Ansible (rotate logs), which would write it again: change it there',
    17: 'deploy-prod',
    18: 'a double quote in its command has no end',
    19: 'it seems to have six time fields; cron has five',
    20: '“61” is not a valid minute',
    21: 'hand',
    // The same command: the same job.
    22: 'backup',
  });
  const line = (number: number) => plan.lines[number - 1]?.after.text;
  expect(line(7)).toBe(
    '*/5 * * * * cd /var/www/shop && /usr/local/bin/leash run --cron --job artisan-schedule-run -- php artisan schedule:run >> /dev/null 2>&1',
  );
  expect(line(8)).toBe(
    "@daily /usr/local/bin/leash run --cron --job pg_dump-shop --shell -- 'pg_dump shop | gzip > /backup/$(date +\\%F).sql.gz'",
  );
  expect(line(13)).toBe(
    '0 1 * * * /usr/local/bin/leash run --cron --job mail -- mail -s "it\'s 100\\% done" root%Hello%there',
  );
});

test('a name depends neither on the order of lines nor on their schedules, and stays once it is in a line', () => {
  const commands = ['/usr/bin/backup', 'rsync -a /a /b', 'rsync -a /a /c', 'php /srv/x/run.php'];
  const named = (order: readonly string[], schedule: string) => {
    const { lines } = convert(order.map((command) => `${schedule} ${command}\n`).join(''));
    return new Map(
      lines.map(({ before, outcome }) => [before.text.slice(schedule.length + 1), 'job' in outcome && outcome.job]),
    );
  };
  const names = named(commands, '0 3 * * *');
  expect(Object.fromEntries(names)).toEqual({
    '/usr/bin/backup': 'backup',
    'rsync -a /a /b': 'rsync-b',
    'rsync -a /a /c': 'rsync-c',
    'php /srv/x/run.php': 'x-run',
  });
  expect(named(commands.toReversed(), '@daily')).toEqual(names);

  // On the leash, a line is left as it is, and a new one gets another name.
  const first = convert('0 3 * * * rsync -a /a /b\n').after;
  const edited = first.replace('0 3', '5 4');
  const second = convert(`0 1 * * * rsync -a /a /c\n${edited}`);
  expect(second.after.endsWith(edited)).toBe(true);
  expect(outcomes(second)).toEqual({ 1: 'rsync-a-a-c', 2: 'rsync' });
});

test('names chosen by hand, selected jobs, and jobs of other users', () => {
  const text = '0 3 * * * root backup\n0 3 * * * www-data backup\n0 4 * * * root other\n';
  const plan = (options: Partial<typeof PLAN>) => planConversion(text, 'system', { ...PLAN, ...options }, new Map());
  expect(outcomes(plan({}))).toEqual({ 1: 'backup-root', 2: 'backup-www-data', 3: 'other' });
  expect(outcomes(plan({ names: new Map([[3, 'mine']]), isSelected: (job) => job === 'other' }))).toEqual({
    3: 'mine',
  });
});

test('what leash has written and somebody edited is not undone by guessing', () => {
  const [edited, byHand] = ['leash run --cron --job a --shell -- "b | c"', 'leash run --job a -- b'];
  const plan = undo(`0 3 * * * ${edited}\n0 3 * * * ${byHand}\n`);
  expect(plan.after).toBe(plan.before);
  expect(Object.values(outcomes(plan))).toEqual([
    expect.stringContaining('edited'),
    expect.stringContaining('by hand'),
  ]);
  // Options that were added are taken off with it.
  expect(undo('@daily leash run --cron --job a --timeout 2h -- b c\n').after).toBe('@daily b c\n');
});

test("a line that would grow beyond what Debian's cron reads is left alone", () => {
  const { after, lines } = convert(`0 3 * * * backup ${'x'.repeat(950)}\n`);
  expect(after).toBe(`0 3 * * * backup ${'x'.repeat(950)}\n`);
  expect(lines[0]?.outcome).toMatchObject({ kind: 'left', why: expect.stringContaining('998') });
});

test.each([
  ['0 3 * * * root', 'no command'],
  ['0 3 * * * /usr/bin/backup', 'no user'],
  ['@every_minute root x', 'not a schedule'],
  ['0 3 * * root x', 'day of week'],
  ['nonsense', 'neither'],
  ['0 3 * * * root -q x', 'dash'],
  ['0 3 * * * root x \u0007', 'control characters'],
  ['SHELL=/usr/bin/python3\n0 3 * * * root x', 'python3'],
  ['SHELL=/usr/bin/fish\n0 3 * * * root /bin/x "a b"', 'fish'],
  ['# managed by Puppet\n\n0 3 * * * root x', 'managed by Puppet'],
])('%j is left alone: %s', (text, why) => {
  const plan = planConversion(text, 'system', PLAN, new Map());
  expect(plan.after).toBe(text);
  expect(plan.lines.at(-1)?.outcome).toMatchObject({ kind: 'left', why: expect.stringContaining(why) });
});

test('output that is appended to a file is shown on request, in order', () => {
  const { after } = convert('0 3 * * * backup >> /var/log/b.log 2>&1\n', { ...PLAN, captureLogs: true });
  expect(after).toContain(' --job backup --merge -- backup >> /var/log/b.log 2>&1');
  expect(convert('0 3 * * * backup >> /var/log/b.log 2>&1\n').after).toContain("--shell -- 'backup >> ");
});

test('the difference is what diff prints', () => {
  const text = `${GROWN_CRONTAB}${'# comment\n'.repeat(9)}0 3 * * * last`;
  const { lines, after } = convert(text);
  const directory = temporaryDirectory();
  for (const [name, content] of Object.entries({ a: text, b: after }))
    fs.writeFileSync(path.join(directory, name), content);
  const options = { cwd: directory, encoding: 'utf8' } as const;
  const { stdout } = spawnSync('diff', ['-U3', '--label', 'a', '--label', 'b', 'a', 'b'], options);
  expect(
    unifiedDiff(lines, 'a', 'b')
      .map((each) => `${each.text}\n`)
      .join(''),
  ).toBe(stdout);
  expect(unifiedDiff(convert('# x\n').lines, 'a', 'b')).toEqual([]);
});
