/** Whatever ends a run ends all of it: each way, against every kind of process that other supervisors leave behind. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { createCgroup } from '../../src/processes/cgroup.ts';
import { type ControlPlane, newCommand } from '../support/control-plane.ts';
import { controlPlane, LEASH, type Leash, leashRun, marker, shell, WITHOUT_CGROUP } from '../support/leash.ts';
import { living, withMarker } from '../support/processes.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const probe = createCgroup(`probe-${process.pid}`);
probe?.remove();

/** Says that it is there. The last part of `$0` is what kind of process it is. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
const THERE = 'echo "there: ${0##*-}"';
const STAY = `${THERE}; while :; do sleep 0.1; done`;
const ENVIRONMENT = {
  STAY,
  STUBBORN: `trap "" TERM HUP; ${STAY}`,
  // Each starts the next in the same group, and exits: none is there for long. It ends with the test, if nothing else does.
  CHAIN: `trap "" TERM; [ -d "$PLACE" ] || exit; [ "$1" ] || ${THERE}; sleep 0.02; sh -c "$CHAIN" "$0" again & exit`,
};

/** What the command starts, by kind. `$0` is the marker. */
const TREE: Readonly<Record<string, string>> = {
  child: 'sh -c "$STAY" $0-child &',
  grandchild: 'sh -c \'sh -c "$STUBBORN" $0-grandchild & wait\' $0 &',
  session: 'setsid sh -c "$STUBBORN" $0-session &',
  // The one in the middle is soon gone: nobody is its parent any more.
  daemon: '(setsid sh -c \'sh -c "$STUBBORN" $0-daemon & exit\' $0 &)',
  bare: 'env -i /usr/bin/setsid /bin/sh -c "$STUBBORN" $0-bare &',
  // The same without a parent, before anybody could have seen where it comes from: its output alone tells.
  adrift: '(env -i /usr/bin/setsid /bin/sh -c "$STUBBORN" $0-adrift &)',
  chain: 'sh -c "$CHAIN" $0-chain &',
  nested: `${LEASH} run --job inner -- sh -c "$STUBBORN" $0-nested &`,
};

/** A leader that ignores SIGTERM too and prints dots until the file in `$1` is there. */
const LEADER = 'trap "" TERM HUP; while :; do [ -e "$1" ] || echo .; sleep 0.05; done';
const WHOLE = ['cat /proc/self/cgroup', ...Object.values(TREE), LEADER].join('\n');

interface Way {
  readonly options: readonly string[];
  readonly end: (plane: ControlPlane, leash: Leash) => unknown;
  readonly code: number;
  readonly reason: string;
}

const GRACE = ['--grace', '300ms'];
const WAYS: Readonly<Record<string, Way>> = {
  'an operator’s kill': {
    options: [],
    end: (plane) => plane.kill(newCommand(), { grace_ms: 300 }),
    code: 143,
    reason: 'operator',
  },
  '--timeout': { options: [...GRACE, '--timeout', '3s'], end: () => {}, code: 124, reason: 'timeout' },
  // The leader has fallen silent by then.
  '--idle-timeout': { options: [...GRACE, '--idle-timeout', '2s'], end: () => {}, code: 124, reason: 'idle_timeout' },
  '--max-offline': {
    options: [...GRACE, '--max-offline', '3s'],
    end: (plane) => plane.stop(),
    code: 253,
    reason: 'offline_limit',
  },
  'a local SIGTERM': { options: GRACE, end: (_, leash) => leash.kill('SIGTERM'), code: 137, reason: 'local_signal' },
};

const places = [...(probe === null ? [] : [{ place: 'with', env: {} }]), { place: 'without', env: WITHOUT_CGROUP }];

describe.each(places)('$place a cgroup', ({ place, env }) => {
  test.each(Object.entries(WAYS))(
    '%s ends all that the command has started',
    async (_, way) => {
      const plane = await controlPlane();
      const mark = marker();
      const directory = temporaryDirectory();
      const quiet = path.join(directory, 'quiet');
      const leash = leashRun([...shell(WHOLE, mark), quiet], {
        plane,
        options: way.options,
        env: { ...env, ...ENVIRONMENT, PLACE: directory },
      });
      const { run } = await plane.started();
      const areThere = () => Object.keys(TREE).every((kind) => leash.stdout.includes(`there: ${kind}\n`));
      // A time limit may come before they are.
      await waitFor('all of them', () => areThere() || leash.process.exitCode !== null);
      fs.writeFileSync(quiet, '');
      await way.end(plane, leash);

      expect((await leash.exited()).code).toBe(way.code);
      expect(leash.stdout.includes(`/leash-${run}\n`)).toBe(place === 'with');
      expect(withMarker(mark)).toEqual([]);
      expect(leash.stderr).not.toContain('could not end');
      if (way.reason === 'offline_limit') return;
      expect((await plane.completed()).reason).toBe(way.reason);
      const last = plane.of('killing').at(-1);
      expect(last).toMatchObject({ phase: 'gone', reason: way.reason, survivors: [] });
    },
    30_000,
  );
});

test('what has hidden from every look is told of when it still holds the output', async () => {
  const plane = await controlPlane();
  const mark = marker();
  // A pipe may be handed to anybody: to hold one is not enough to be killed.
  const hidden = `(env -i setsid sh -c 'echo ready >&7; sleep 1000; :' ${mark}-hidden 7>&1 >/dev/null 2>&1 &)`;
  const leash = leashRun(shell(`${hidden}; sleep 1000; :`, mark), { plane, env: WITHOUT_CGROUP });
  await waitFor('ready', () => leash.stdout.includes('ready'));
  await plane.started();
  plane.kill(newCommand(), { grace_ms: 20_000 });
  expect((await leash.exited()).code).toBe(143);
  expect(living(mark)).toEqual(living(`${mark}-hidden`));
  expect(leash.stderr).toMatch(/^leash: all that could be found was ended, but something still holds .* stdout: /m);
});
