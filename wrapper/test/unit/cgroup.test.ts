import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { isValid, ulid } from 'ulid';
import { expect, onTestFinished, test } from 'vitest';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { type Cgroup, cgroupDirectory, createCgroup, openCgroup, removeAbandoned } from '../../src/processes/cgroup.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const PURE = '25 19 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';
const HYBRID = `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw shared:9 master:1 - cgroup2 cgroup2 rw`;

test('the directory is found under a pure and under a hybrid hierarchy', () => {
  expect(cgroupDirectory('0::/system.slice/cron.service\n', PURE)).toBe('/sys/fs/cgroup/system.slice/cron.service');
  expect(cgroupDirectory('9:name=systemd:/a\n4:memory:/b\n0::/\n', HYBRID)).toBe('/sys/fs/cgroup/unified');
  expect(cgroupDirectory('0::/a b\n', '1 2 0:1 / /mnt/with\\040space rw - cgroup2 none rw')).toBe(
    '/mnt/with space/a b',
  );
});

test('in a container the part of the hierarchy that is mounted is what counts', () => {
  const mount = '1 2 0:1 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro';
  expect(cgroupDirectory('0::/docker/abc/sub\n', mount)).toBe('/sys/fs/cgroup/sub');
  expect(cgroupDirectory('0::/docker/abc\n', mount)).toBe('/sys/fs/cgroup');
  expect(cgroupDirectory('0::/docker/abcdef\n', mount)).toBeNull();
  expect(cgroupDirectory('0::/elsewhere\n', `${mount}\n${PURE}`)).toBe('/sys/fs/cgroup/elsewhere');
});

test('there is none with version 1 alone, outside the namespace, or where it has been removed', () => {
  expect(cgroupDirectory('4:memory:/b\n1:cpu:/\n', HYBRID)).toBeNull();
  expect(cgroupDirectory('0::/../../init.scope\n', PURE)).toBeNull();
  expect(cgroupDirectory('0::/job (deleted)\n', PURE)).toBeNull();
  expect(cgroupDirectory('0::/\n', '')).toBeNull();
});

test('only what createCgroup made is opened', () => {
  const directory = path.join(temporaryDirectory(), 'someone-elses');
  fs.mkdirSync(directory);
  fs.writeFileSync(path.join(directory, 'cgroup.procs'), '');
  expect(openCgroup(directory)).toBeNull();
  expect(openCgroup(path.join(directory, 'leash-1'))).toBeNull();
  expect(openCgroup('leash-1')).toBeNull();
});

test('empty ones of runs that began more than a minute ago are removed, nested ones too, and nothing else', async () => {
  const parent = temporaryDirectory();
  const now = Date.now();
  const old = () => `leash-${ulid(now - 61_000)}`;
  const [empty, outer, inner, lived] = [old(), old(), old(), old()];
  const young = `leash-${ulid(now - 59_000)}`;
  const leftByDead = `${old()}-${spawnSync('true').pid}`;
  // As it looks when the clock is put forward while its command is being started.
  const madeByLiving = `${old()}-${process.pid}`;
  const kept = [young, 'leash-tool', `other-${ulid(now - 61_000)}`, lived, madeByLiving];
  for (const each of [empty, outer, path.join(outer, inner), leftByDead, ...kept])
    fs.mkdirSync(path.join(parent, each));
  fs.writeFileSync(path.join(parent, lived, 'something'), '');
  await removeAbandoned(parent, now);
  expect(fs.readdirSync(parent).sort()).toEqual(kept.sort());
  await removeAbandoned(path.join(parent, 'nowhere'), now);
});

/** A cgroup that is gone after the test, or null where this machine lets us have none. */
function cgroup(): Cgroup | null {
  const made = createCgroup(`test-${process.pid}-${Math.random().toString(36).slice(2)}`);
  onTestFinished(async () => {
    made?.kill();
    await waitFor('an empty cgroup', () => made?.remove() ?? true);
  });
  return made;
}

const probe = createCgroup(`probe-${process.pid}`);
probe?.remove();

test.skipIf(probe === null)(
  'what joins is a member, and so is what it starts in cgroups inside; one write kills all',
  async () => {
    const outer = cgroup();
    if (outer === null) throw new Error('there was one a moment ago');
    expect(outer.isPopulated()).toBe(false);
    const script = `echo 0 > "$0"; mkdir "$1"; setsid sh -c 'echo 0 > "$0/cgroup.procs"; sleep 100; :' "$1" & sleep 100; :`;
    const child = spawn('sh', ['-c', script, outer.joinFile, path.join(outer.path, 'leash-inner')], {
      stdio: 'ignore',
    });
    await waitFor('all four', () => outer.members().length === 4);
    expect(outer.members()).toContain(child.pid);
    expect(outer.members()).not.toContain(process.pid);
    expect(openCgroup(path.join(outer.path, 'leash-inner'))?.members()).toHaveLength(2);
    expect(outer.isPopulated()).toBe(true);
    expect(outer.remove()).toBe(false);
    expect(outer.members()).toHaveLength(4);
    expect(openCgroup(outer.path)?.kill()).toBe(true);
    await waitFor('nobody', () => !outer.isPopulated());
    expect(outer.members()).toEqual([]);
    await waitFor('its removal', () => outer.remove());
    expect(fs.existsSync(outer.path)).toBe(false);
    // Once more does no harm.
    expect(outer.remove()).toBe(true);
    expect(outer.kill()).toBe(false);
    expect(outer.isPopulated()).toBe(false);
  },
);

const AS_NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, '--input-type=module', '-e'];
const SOURCE = new URL('../../src/processes/cgroup.ts', import.meta.url).href;

function asNobody(script: string, ...args: string[]): string {
  const imports = `const { openCgroup } = await import('${SOURCE}');`;
  return spawnSync('setpriv', [...AS_NOBODY, `${imports}${script}`, ...args], { encoding: 'utf8' }).stdout?.trim();
}

/** Whether an unprivileged user can run our code from where it lies: two starts of Node, which the proof affords. */
const nobodyCan = IS_PROOF && probe !== null && process.getuid?.() === 0 && asNobody('console.log(1)') === '1';

test.runIf(nobodyCan)('where it has been delegated to a user, one write of theirs kills all', async () => {
  const delegated = cgroup();
  if (delegated === null) throw new Error('there was one a moment ago');
  // As if they had made it themselves, in what was delegated to them.
  for (const file of ['', 'cgroup.procs', 'cgroup.kill']) fs.chownSync(path.join(delegated.path, file), 65534, 65534);
  spawn('sh', ['-c', 'echo 0 > "$0"; setsid sleep 100 & sleep 100; :', delegated.joinFile], { stdio: 'ignore' });
  await waitFor('all three', () => delegated.members().length === 3);
  expect(asNobody('console.log(openCgroup(process.argv[1]).kill())', delegated.path)).toBe('true');
  await waitFor('nobody', () => !delegated.isPopulated());
});

test.skipIf(probe === null)('making one removes those that others left behind', async () => {
  const left = createCgroup(ulid(Date.now() - 61_000));
  const young = createCgroup(ulid());
  onTestFinished(() => [left, young].forEach((each) => void each?.remove()));
  const made = cgroup();
  expect(made).not.toBeNull();
  await waitFor('its removal', () => left !== null && !fs.existsSync(left.path));
  expect(fs.existsSync(young?.joinFile ?? '')).toBe(true);
});

test.skipIf(probe === null)('each has a name of its own, which shows when it was made, and by whom', () => {
  const [one, two] = [createCgroup(), createCgroup()];
  onTestFinished(() => [one, two].forEach((each) => void each?.remove()));
  const names = [one, two].map((each) => path.basename(each?.path ?? '').split('-'));
  const ids = names.map(([, id = '']) => id);
  expect(new Set(ids).size).toBe(2);
  expect(ids.every(isValid)).toBe(true);
  expect(names.map(([, , maker]) => maker)).toEqual([String(process.pid), String(process.pid)]);
});

test.skipIf(probe === null)('the same name is not made twice', () => {
  const name = `twice-${process.pid}`;
  const made = createCgroup(name);
  onTestFinished(() => void made?.remove());
  expect(made).not.toBeNull();
  expect(createCgroup(name)).toBeNull();
});
