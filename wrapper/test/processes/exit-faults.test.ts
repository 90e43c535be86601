/** A fault of ours, wherever it is, costs the command neither its exit code nor its output on our own stdout. */
import { expect, test } from 'vitest';
import { controlPlane, leashRun, marker, sabotage, shell } from '../support/leash.ts';

/** Output in several pieces on both streams, and an exit code. */
const SCRIPT = 'for each in 1 2 3; do echo out$each; echo err$each >&2; sleep 0.1; done; exit 7';

/** By what breaks. Each is a module that runs before ours. */
const FAULTS: Readonly<Record<string, string>> = {
  'the redactor': `
    const { exec } = RegExp.prototype;
    RegExp.prototype.exec = function (text) {
      if (this.source === 'a pattern' && text.includes('out2')) throw new Error('boom');
      return exec.call(this, text);
    };`,
  'the memory for output': `
    const { set } = Uint8Array.prototype;
    Uint8Array.prototype.set = function (bytes, ...rest) {
      if (Buffer.from(bytes).includes('out1')) throw new Error('boom');
      return set.call(this, bytes, ...rest);
    };`,
  'the disk': `
    import fs from 'node:fs/promises';
    for (const name of ['mkdir', 'open', 'rename', 'writeFile']) fs[name] = () => { throw new Error('boom') };`,
  'the guardian': `
    import childProcess from 'node:child_process';
    import { syncBuiltinESMExports } from 'node:module';
    const { spawn } = childProcess;
    childProcess.spawn = (program, args, options) => {
      if (args.includes('leash-guardian')) throw new Error('boom');
      return spawn(program, args, options);
    };
    syncBuiltinESMExports();`,
  'the cgroup': `
    import fs from 'node:fs';
    const { mkdirSync } = fs;
    fs.mkdirSync = (path, ...rest) => {
      if (String(path).includes('cgroup')) {
        console.error('boom');
        throw new Error('boom');
      }
      return mkdirSync(path, ...rest);
    };`,
  'the link': `
    const { stringify } = JSON;
    JSON.stringify = (value, ...rest) => {
      if (value?.type === 'start') throw new Error('boom');
      return stringify(value, ...rest);
    };`,
  'the clock of the run, and later in what is left': `
    Date.prototype.getTime = () => {
      setTimeout(() => { throw new Error('later') }, 50);
      throw new Error('boom');
    };`,
  'the clock of the run': 'Date.prototype.getTime = () => { throw new Error("boom") };',
};

/** These leave the run unsupervised. */
const COST_THE_LINK = new Set(['the link', 'the clock of the run', 'the clock of the run, and later in what is left']);

test.each(Object.entries(FAULTS))('a fault in %s', async (part, fault) => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(SCRIPT, mark), {
    plane,
    options: ['--redact', 'a pattern', '--merge', '-v'],
    env: { ...sabotage(fault), SOME_PASSWORD: 'a-secret-value' },
  });
  expect(await leash.exited()).toEqual({ code: 7, signal: null });
  expect(leash.stderr).toContain('boom');
  expect(plane.of('complete').map((each) => each.exit_code)).toEqual(COST_THE_LINK.has(part) ? [] : [7]);
  expect(leash.stdout.toString()).toBe('out1\nerr1\nout2\nerr2\nout3\nerr3\n');
});
