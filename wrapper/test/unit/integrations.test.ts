/** The files in integrations/ are what their readers take them for, and every `leash run` in them is valid. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { parseRun } from '../../src/cli/subcommands/run.ts';
import { parseLine } from '../../src/crontab/crontab-entry.ts';
import { readShellLine } from '../../src/crontab/shell-words.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const ROOT = new URL('../../../integrations/', import.meta.url).pathname;
const read = (file: string) => fs.readFileSync(path.join(ROOT, file), 'utf8');

/** The options of a `leash run` in a shell's line. */
function parsedRun(line: string) {
  const shellLine = readShellLine(line.replaceAll('\\%', '%'), false);
  if (shellLine.kind === 'unbalanced') throw new Error(`${shellLine.what} has no end in ${line}`);
  return runOf(shellLine.commands[0]?.words.map(({ value }) => value) ?? []);
}

function runOf([program, run, ...words]: readonly string[]) {
  expect([program, run]).toEqual(['/usr/local/bin/leash', 'run']);
  return parseRun(words, {})?.options;
}

const BACKUP = { job: 'backup', timeoutMs: 7_200_000, command: ['/usr/local/bin/backup', '--all'] };

test('cron: each line is an entry, and its command a run', () => {
  const lines = read('cron/backup')
    .split('\n')
    .map((line) => parseLine(line, 'system'));
  expect(lines.filter(({ kind }) => kind === 'unknown')).toEqual([]);
  const entries = lines.flatMap((line) =>
    line.kind === 'entry' ? [{ user: line.user, run: parsedRun(line.command) }] : [],
  );
  expect(entries).toMatchObject([
    { user: 'root', run: { ...BACKUP, splayMs: 1_800_000 } },
    {
      user: 'root',
      run: { job: 'database-dump', shellLine: 'pg_dump shop | gzip >/var/backups/shop.$(date +%u).sql.gz' },
    },
    { user: 'www-data', run: { job: 'queue', idleTimeoutMs: 300_000 } },
  ]);
});

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

test('systemd: the service runs a valid command and is given time to end it', () => {
  const service = Object.fromEntries(
    read('systemd/backup.service')
      .split('\n')
      .map((line) => line.split(/=(.*)/, 2)),
  );
  expect(parsedRun(service.ExecStart ?? '')).toMatchObject(BACKUP);
  expect(service).toMatchObject({ KillMode: 'mixed', KillSignal: 'SIGTERM', Type: 'exec' });
  const { graceMs = 0 } = parsedRun(service.ExecStart ?? '') ?? {};
  expect(Number.parseInt(service.TimeoutStopSec ?? '', 10) * 1_000).toBeGreaterThan(graceMs);
});

test.runIf(hasSystemd)('systemd: systemd-analyze finds nothing wrong in the units', () => {
  const directory = temporaryDirectory();
  const files = ['backup.service', 'backup.timer'].map((name) => {
    // It must exist where it is verified.
    fs.writeFileSync(path.join(directory, name), read(`systemd/${name}`).replace('/usr/local/bin/leash', '/bin/sh'));
    return path.join(directory, name);
  });
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...files], { encoding: 'utf8' });
  // Only what it says about our units: those of the machine are not ours to judge.
  expect({ status, stderr: stderr.split('\n').filter((line) => line.includes('backup.')) }).toEqual({
    status: 0,
    stderr: [],
  });
});

const CronJob = v.object({
  apiVersion: v.literal('batch/v1'),
  kind: v.literal('CronJob'),
  spec: v.object({
    schedule: v.string(),
    concurrencyPolicy: v.literal('Forbid'),
    jobTemplate: v.object({
      spec: v.object({
        backoffLimit: v.literal(0),
        template: v.object({
          spec: v.object({
            restartPolicy: v.literal('Never'),
            shareProcessNamespace: v.literal(true),
            terminationGracePeriodSeconds: v.number(),
            containers: v.tuple([
              v.object({
                command: v.array(v.string()),
                args: v.array(v.string()),
                env: v.array(v.object({ name: v.string() })),
                volumeMounts: v.array(v.object({ name: v.string(), mountPath: v.string() })),
              }),
            ]),
            volumes: v.array(v.object({ name: v.string() })),
          }),
        }),
      }),
    }),
  }),
});

test('Kubernetes: command and arguments are a run, with time to end it, and every mount has its volume', () => {
  const { spec } = v.parse(CronJob, parseYaml(read('kubernetes/cronjob.yaml')));
  const pod = spec.jobTemplate.spec.template.spec;
  const [container] = pod.containers;
  const run = runOf([...container.command, ...container.args]);
  expect(run).toMatchObject(BACKUP);
  expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(run?.graceMs ?? 0);
  expect(container.volumeMounts.map(({ name }) => name)).toEqual(pod.volumes.map(({ name }) => name));
  expect(container.env.map(({ name }) => name)).toEqual(expect.arrayContaining(['LEASH_URL', 'LEASH_TOKEN_FILE']));
  expect(parseLine(`${spec.schedule} x`, 'user').kind).toBe('entry');
});

const Task = v.looseObject({ name: v.string() });
const Play = v.object({
  tasks: v.tuple([v.looseObject({ 'ansible.builtin.cron': v.looseObject({ job: v.string() }) })]),
});

test("Ansible: the job is a run, the token is nobody else's and never shown, and every variable has a default", () => {
  const [play] = v.parse(v.tuple([v.looseObject(Play.entries)]), parseYaml(read('ansible/playbook.yml')));
  expect(parsedRun(play.tasks[0]['ansible.builtin.cron'].job)).toMatchObject(BACKUP);
  const tasks = v.parse(v.array(Task), parseYaml(read('ansible/roles/leash/tasks/main.yml')));
  const token = tasks.find(({ name }) => name === 'Write the token');
  expect(token).toMatchObject({ no_log: true, 'ansible.builtin.copy': { mode: '0600' } });
  const defaults = v.parse(v.record(v.string(), v.string()), parseYaml(read('ansible/roles/leash/defaults/main.yml')));
  const texts = [read('ansible/roles/leash/tasks/main.yml'), read('ansible/roles/leash/templates/leash.conf.j2')];
  const used = texts.flatMap((text) => [...text.matchAll(/\bleash_\w+/g)].map(([name]) => name));
  expect(Object.keys(defaults).toSorted()).toEqual([...new Set(used)].toSorted());
});

test('Salt: rendered with a pillar it is YAML, the job is a run, and the token has a safe mode', () => {
  const pillar: Record<string, string> = { url: 'https://leash.example.com', sha256: 'ab'.repeat(32) };
  const rendered = read('salt/leash/init.sls')
    .replaceAll(/\{%.*?%\}/g, '')
    .replaceAll(/\{\{ leash\.(\w+) \}\}/g, (_whole, key: string) => pillar[key] ?? '');
  expect(rendered).not.toMatch(/\{[{%]/);
  const State = v.record(v.string(), v.record(v.string(), v.array(v.record(v.string(), v.unknown()))));
  const states = v.parse(State, parseYaml(rendered));
  const merged = (id: string, state: string) => Object.assign({}, ...(states[id]?.[state] ?? []));
  expect(parsedRun(String(merged('backup-job', 'cron.present').name))).toMatchObject(BACKUP);
  expect(merged('leash-token', 'file.managed')).toMatchObject({ mode: '0600', show_changes: false });
  expect(merged('leash-program', 'file.managed').source_hash).toBe(`sha256=${pillar.sha256}`);
});

test('Docker: entrypoint and command are a run, and the job is a script that sh reads', () => {
  const file = read('docker/Dockerfile');
  const words = (instruction: string) =>
    v.parse(v.array(v.string()), JSON.parse(new RegExp(`^${instruction} (.*)$`, 'm').exec(file)?.[1] ?? ''));
  expect(runOf([...words('ENTRYPOINT'), ...words('CMD')])).toMatchObject({ job: 'backup', command: BACKUP.command });
  expect(spawnSync('sh', ['-n', path.join(ROOT, 'docker/backup')]).status).toBe(0);
});
