/** Whatever ends a run ends all of it: each way, against every kind of process that other supervisors leave behind. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FakeControlPlane, newKillId } from '#testing/fake-control-plane';
import { sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { createCgroup } from '../../src/processes/cgroup.ts';
import { MOVABLE_CLOCK, moveClock } from '../support/clock.ts';
import {
  controlPlane,
  LEASH,
  type Leash,
  leashRun,
  marker,
  shell,
  together,
  WAIT,
  WITHOUT_CGROUP,
} from '../support/leash.ts';
import { living, withMarker } from '../support/processes.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const probe = createCgroup(`probe-${process.pid}`);
probe?.remove();

/** Says that it is there. The last part of `$0` is what kind of process it is. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
const THERE = 'echo "there: ${0##*-}"';
const STAY = `${THERE}; ${WAIT}`;
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

/** The leader ignores SIGTERM too. */
const WHOLE = ['cat /proc/self/cgroup', ...Object.values(TREE), `trap "" TERM HUP; ${WAIT}`].join('\n');

interface Way {
  readonly options: readonly string[];
  readonly end: (plane: FakeControlPlane, leash: Leash) => unknown;
  readonly code: number;
  readonly reason: string;
}

/** Nothing is to happen within it. */
const GRACE = ['--grace', '300ms'];
const WAYS: Readonly<Record<string, Way>> = {
  'an operator’s kill': {
    options: [],
    end: (plane) => plane.kill(newKillId(), { grace_ms: 300 }),
    code: 143,
    reason: 'operator',
  },
  '--timeout': { options: ['--timeout', '1h'], end: (_, leash) => moveClock(leash, 2), code: 124, reason: 'timeout' },
  '--idle-timeout': {
    options: ['--idle-timeout', '1h'],
    end: (_, leash) => moveClock(leash, 2),
    code: 124,
    reason: 'idle_timeout',
  },
  '--max-offline': {
    options: ['--max-offline', '1h'],
    end: async (plane, leash) => {
      await plane.stop();
      // The first steps may pass before the wrapper has noticed; one too many would end its efforts to end the command.
      await waitFor('the limit', async () => {
        if (!leash.stderr.includes('ending the command')) await moveClock(leash, 1);
        return leash.stderr.includes('ending the command');
      });
    },
    code: 253,
    reason: 'offline_limit',
  },
  'a local SIGTERM': { options: [], end: (_, leash) => leash.kill('SIGTERM'), code: 137, reason: 'local_signal' },
};

const places = [...(probe === null ? [] : [{ place: 'with', env: {} }]), { place: 'without', env: WITHOUT_CGROUP }];

describe.each(sampleOf(places))('$place a cgroup', ({ place, env }) => {
  const ways = Object.entries(WAYS);
  test.each(sampleOf(ways))('%s ends all that the command has started', async (_, way) => {
    const plane = await controlPlane();
    const mark = marker();
    const leash = leashRun(shell(WHOLE, mark), {
      plane,
      options: [...GRACE, ...way.options],
      env: { ...together(env, MOVABLE_CLOCK), ...ENVIRONMENT, PLACE: temporaryDirectory() },
    });
    const { run } = await plane.started();
    await waitFor('all of them', () => Object.keys(TREE).every((kind) => leash.stdout.includes(`there: ${kind}\n`)));
    await way.end(plane, leash);

    expect((await leash.exited()).code).toBe(way.code);
    const named = /\/leash-(\w{26})-\d+\n/.exec(String(leash.stdout))?.[1];
    expect(named !== undefined).toBe(place === 'with');
    expect(named).not.toBe(run);
    expect(withMarker(mark)).toEqual([]);
    expect(leash.stderr).not.toContain('could not end');
    if (way.reason === 'offline_limit') return;
    expect((await plane.completed()).reason).toBe(way.reason);
    const last = plane.of('killing').at(-1);
    expect(last).toMatchObject({ phase: 'gone', reason: way.reason, survivors: [], unnamed_survivors: false });
  });
});

test('what has hidden from every look is reported when it still holds the output', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const place = temporaryDirectory();
  // A pipe may be handed to anybody: to hold one is not enough to be killed.
  const hidden = `(env -i setsid sh -c ': > ${place}/hidden; sleep 1000; :' ${mark}-hidden 7>&1 >/dev/null 2>&1 &)`;
  const script = `until [ -e ${place}/go ]; do sleep 0.01; done; ${hidden}; : > ${place}/orphaned; sleep 1000; :`;
  const leash = leashRun(shell(script, mark), { plane, env: WITHOUT_CGROUP });
  await plane.started();
  // No look may fall between its birth and its own session.
  leash.kill('SIGSTOP');
  writeFileSync(join(place, 'go'), '');
  await waitFor('it to hide', () => ['hidden', 'orphaned'].every((name) => existsSync(join(place, name))));
  leash.kill('SIGCONT');
  const kill = newKillId();
  plane.kill(kill, { grace_ms: 3_600_000 });
  expect((await leash.exited()).code).toBe(143);
  expect(living(mark)).toEqual(living(`${mark}-hidden`));
  const left = { kill, phase: 'gone', survivors: [], unnamed_survivors: true };
  expect(plane.of('killing').filter(({ phase }) => phase === 'gone')).toMatchObject([left]);
  expect((await plane.completed()).applied_kills).toMatchObject([left]);
  expect(leash.stderr).toMatch(/^leash: all processes found were ended, but something still holds .* stdout: /m);
});
