/** What `npm run package` makes, installed and run. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { buildDeb } from '../../../scripts/package/deb.ts';
import { buildExecutable } from '../../../scripts/package/executable.ts';
import { isArch } from '../../../scripts/package/node-binary.ts';
import { buildRpm } from '../../../scripts/package/rpm.ts';
import { type Staged, stagePackage } from '../../../scripts/package/stage.ts';
import { controlPlane, Leash, marker, NODE, ofThisTest, shell, stateDirectory, WAIT } from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { guardians } from '../support/state.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version']).status === 0;
}

async function staged(): Promise<Staged> {
  process.env.SOURCE_DATE_EPOCH = '1700000000';
  onTestFinished(() => {
    delete process.env.SOURCE_DATE_EPOCH;
  });
  return stagePackage(temporaryDirectory(), null);
}

test.skipIf(!hasProgram('dpkg-deb'))('a Debian package: its contents, its settings, and leash from it', async () => {
  const deb = await buildDeb(await staged(), temporaryDirectory());
  const show = (...args: string[]) =>
    execFileSync('dpkg-deb', args, { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } });
  expect(show('--field', deb, 'Package', 'Architecture', 'Depends')).toBe(
    'Package: leash\nArchitecture: all\nDepends: nodejs (>= 18)\n',
  );
  const files = show('--contents', deb)
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('-'));
  // Owner, mode and time of each are the same on every machine.
  expect(files.map((line) => line.replace(/ +\d+ 2023-11-14 22:13 /, ' '))).toEqual(
    expect.arrayContaining([
      '-rw-r--r-- root/root ./etc/leash.conf',
      '-rwxr-xr-x root/root ./usr/bin/leash',
      '-rw-r--r-- root/root ./usr/share/doc/leash/copyright',
      '-rw-r--r-- root/root ./usr/share/man/man1/leash.1.gz',
    ]),
  );
  expect(show('--info', deb, 'conffiles')).toBe('/etc/leash.conf\n');

  const root = temporaryDirectory();
  show('--extract', deb, root);
  const version = execFileSync(NODE, [path.join(root, 'usr/bin/leash'), '--version'], { encoding: 'utf8' });
  expect(version).toMatch(/^leash \d+\.\d+\.\d+\n$/);
  // Every line of the settings that are shipped is a comment, or empty.
  const settings = fs.readFileSync(path.join(root, 'etc/leash.conf'), 'utf8').split('\n');
  expect(settings.filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
});

test.runIf(IS_PROOF && hasProgram('dpkg-deb'))('the same sources make the same package, byte for byte', async () => {
  const packages = [];
  for (let count = 0; count < 2; count += 1) packages.push(await buildDeb(await staged(), temporaryDirectory()));
  const [first, second] = packages.map((file) => fs.readFileSync(file));
  expect(first?.equals(second ?? Buffer.alloc(0))).toBe(true);
});

test.runIf(IS_PROOF && hasProgram('dpkg-deb') && hasProgram('dpkg') && process.getuid?.() === 0)(
  'dpkg: an upgrade keeps changed settings, a removal keeps the token and the state, and a purge removes all',
  async () => {
    const deb = await buildDeb(await staged(), temporaryDirectory());
    const root = temporaryDirectory();
    for (const directory of [
      'var/lib/dpkg/updates',
      'var/lib/dpkg/info',
      'var/lib/dpkg/triggers',
      'var/lib/leash',
      'etc',
    ]) {
      fs.mkdirSync(path.join(root, directory), { recursive: true });
    }
    fs.writeFileSync(path.join(root, 'var/lib/dpkg/status'), '');
    const at = (file: string) => path.join(root, file);
    // Its scripts find the root in DPKG_ROOT.
    const dpkg = (...args: string[]) =>
      execFileSync(
        'dpkg',
        ['--root', root, '--force-script-chrootless', '--force-depends', '--force-confold', ...args],
        { stdio: 'pipe' },
      );
    dpkg('--install', deb);
    fs.writeFileSync(at('etc/leash.conf'), 'LEASH_URL=https://leash.example.com\n');
    fs.writeFileSync(at('etc/leash.token'), 'secret\n');
    dpkg('--install', deb);
    expect(fs.readFileSync(at('etc/leash.conf'), 'utf8')).toBe('LEASH_URL=https://leash.example.com\n');
    dpkg('--remove', 'leash');
    expect([
      fs.existsSync(at('usr/bin/leash')),
      fs.existsSync(at('etc/leash.conf')),
      fs.existsSync(at('etc/leash.token')),
    ]).toEqual([false, true, true]);
    dpkg('--purge', 'leash');
    expect(
      [at('etc/leash.conf'), at('etc/leash.token'), at('var/lib/leash')].filter((file) => fs.existsSync(file)),
    ).toEqual([]);
  },
);

test.runIf(IS_PROOF && hasProgram('rpmbuild') && hasProgram('rpm'))(
  'an RPM package: its contents and its settings',
  async () => {
    const rpm = await buildRpm(await staged(), temporaryDirectory(), temporaryDirectory());
    const ask = (...args: string[]) => execFileSync('rpm', ['-qp', ...args, rpm], { encoding: 'utf8' });
    expect(ask('--queryformat', '%{NAME} %{ARCH} %{BUILDTIME}')).toBe('leash noarch 1700000000');
    expect(ask('--list').split('\n')).toEqual(
      expect.arrayContaining(['/etc/leash.conf', '/usr/bin/leash', '/usr/share/man/man1/leash.1.gz']),
    );
    expect(ask('--configfiles')).toBe('/etc/leash.conf\n');
    expect(ask('--requires')).toContain('nodejs >= 18');
  },
);

const { arch } = process;

test.runIf(IS_PROOF && process.platform === 'linux' && isArch(arch))(
  'the executable runs without a Node.js, ignores what configures one, and starts its successor itself',
  async () => {
    if (!isArch(arch)) return;
    const program = await buildExecutable(path.join(temporaryDirectory(), 'leash'), arch, temporaryDirectory());
    const plane = await controlPlane();
    const mark = marker();
    const state = stateDirectory();
    const env = {
      ...ofThisTest(),
      LEASH_STATE_DIR: state,
      PATH: '/usr/bin:/bin',
      LEASH_URL: plane.url,
      LEASH_TOKEN: 'secret-token',
      NODE_OPTIONS: '--no-such-option',
    };
    const script = `echo "options: $NODE_OPTIONS"; ${WAIT}`;
    const run = new Leash([program, 'run', '--job', 'test', '--', ...shell(script, mark)], env, [
      'ignore',
      'pipe',
      'pipe',
    ]);
    await waitFor('the command', () => run.stdout.toString().includes('options: --no-such-option'));
    await waitFor('its link', () => plane.connected);
    await waitFor('its guardian', () => guardians(state).length === 1);
    run.kill('SIGKILL');
    await waitFor('a successor', () => plane.messages.filter(({ type }) => type === 'start').length > 1);
    expect(living(mark).length).toBeGreaterThan(0);
    plane.kill('01J00000000000000000000000');
    await waitFor('the end of the command', () => living(mark).length === 0);
  },
);
