/** A fault of ours, wherever it is, costs the command neither its exit code nor its output on our own stdout. */
import { expect, test } from 'vitest';
import { IS_PROOF } from '#testing/seed';
import { controlPlane, leashRun, marker, sabotage, shell, together } from '../support/leash.ts';

/** Output in several pieces on both streams, and an exit code. */
const SCRIPT = 'for each in 1 2 3; do echo out$each; echo err$each >&2; sleep 0.1; done; exit 7';

/** By what breaks. Each is a module that runs before ours. */
const FAULTS: Readonly<Record<string, string>> = {
  'the redactor': `
    const { exec } = RegExp.prototype;
    RegExp.prototype.exec = function (text) {
      if (this.source === 'a pattern' && text.includes('out2')) throw new Error('boom: the redactor');
      return exec.call(this, text);
    };`,
  'the memory for output': `
    const { set } = Uint8Array.prototype;
    Uint8Array.prototype.set = function (bytes, ...rest) {
      if (Buffer.from(bytes).includes('out1')) throw new Error('boom: the memory for output');
      return set.call(this, bytes, ...rest);
    };`,
  'the disk': `
    import fs from 'node:fs/promises';
    for (const name of ['mkdir', 'open', 'rename', 'writeFile']) fs[name] = () => { throw new Error('boom: the disk') };`,
  'the guardian': `
    import childProcess from 'node:child_process';
    import { syncBuiltinESMExports } from 'node:module';
    const { spawn } = childProcess;
    childProcess.spawn = (program, args, options) => {
      if (args.includes('leash-guardian')) throw new Error('boom: the guardian');
      return spawn(program, args, options);
    };
    syncBuiltinESMExports();`,
  'the cgroup': `
    import fs from 'node:fs';
    const { mkdirSync } = fs;
    fs.mkdirSync = (path, ...rest) => {
      if (String(path).includes('cgroup')) {
        console.error('boom: the cgroup');
        throw new Error('boom: the cgroup');
      }
      return mkdirSync(path, ...rest);
    };`,
  'the link': `
    const { stringify } = JSON;
    JSON.stringify = (value, ...rest) => {
      if (value?.type === 'start') throw new Error('boom: the link');
      return stringify(value, ...rest);
    };`,
  'the clock of the run, and later in what is left': `
    Date.prototype.getTime = () => {
      setTimeout(() => { throw new Error('later') }, 50);
      throw new Error('boom');
    };`,
  'the clock of the run': 'Date.prototype.getTime = () => { throw new Error("boom") };',
};

const LATER = 'the clock of the run, and later in what is left';
/** With these nobody may ever report the end. Without a link, `leash flush` does. */
const COST_THE_REPORT = ['the clock of the run', LATER];

/** Each alone; in `npm test` together those that do not keep each other from happening. */
const cases: readonly (readonly string[])[] = IS_PROOF
  ? Object.keys(FAULTS).map((part) => [part])
  : [['the memory for output', 'the disk', 'the guardian', 'the cgroup'], ['the redactor', 'the link'], [LATER]];

test.each(cases.map((broken) => ({ broken, what: broken.join(' and ') })))('a fault in $what', async ({ broken }) => {
  const plane = await controlPlane();
  const leash = leashRun(shell(SCRIPT, marker()), {
    plane,
    options: ['--redact', 'a pattern', '--merge', '-v'],
    env: { ...together(...broken.map((part) => sabotage(FAULTS[part] ?? ''))), SOME_PASSWORD: 'a-secret-value' },
  });
  expect(await leash.exited()).toEqual({ code: 7, signal: null });
  const isReported = !broken.some((part) => COST_THE_REPORT.includes(part));
  if (isReported) expect(await plane.completed()).toMatchObject({ exit_code: 7 });
  expect(leash.stdout.toString()).toBe('out1\nerr1\nout2\nerr2\nout3\nerr3\n');
  for (const part of broken) expect(leash.stderr).toContain(part.startsWith('the clock') ? 'boom' : `boom: ${part}`);
});
