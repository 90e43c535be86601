import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { UnackedOutput } from '../../src/output/unacked-output.ts';
import { SpooledOutput } from '../../src/spool/spooled-output.ts';
import { patternBytes } from '../support/pattern.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const SCRIPT = fileURLToPath(new URL('../support/spool-process.ts', import.meta.url));

/** Becomes the command that follows, in a PID namespace of its own, which ends with this process. */
const IN_NAMESPACE = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
const hasNamespaces =
  process.platform === 'linux' && spawnSync('unshare', [...IN_NAMESPACE.slice(1), 'true']).status === 0;

class Child {
  readonly process: ChildProcess;
  output = '';

  constructor(...args: string[]) {
    const [program = '', ...words] = args[0] === 'unshare' ? args : [process.execPath, SCRIPT, ...args];
    this.process = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.process.stdout?.on('data', (bytes: Buffer) => {
      this.output += bytes.toString();
    });
    onTestFinished(async () => {
      this.process.kill('SIGKILL');
      await waitFor('it to be gone', () => this.isGone);
    });
  }

  get isGone(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  lines(): string[] {
    return this.output.split('\n').filter((line) => line !== '');
  }

  claims(): string[] {
    return this.lines().filter((line) => line !== 'ready' && line !== 'round');
  }

  rounds(): number {
    return this.lines().filter((line) => line === 'round').length;
  }
}

/** Reads all that is left in a directory; every byte is checked. Returns how many there are. */
async function countIntactBytes(onDisk: SpooledOutput): Promise<number> {
  let right = 0;
  for (let at = onDisk.start; at < onDisk.end; ) {
    const readable = new Promise<void>((resolve) => {
      onDisk.onReadable = resolve;
    });
    const chunk = onDisk.read(at, 200_000);
    if (chunk?.kind === 'later') await readable;
    else if (chunk?.kind === 'gap') at = chunk.to;
    else if (chunk?.kind === 'bytes') {
      expect(patternBytes(at, chunk.bytes.length).equals(chunk.bytes)).toBe(true);
      at += chunk.bytes.length;
      right += chunk.bytes.length;
    }
  }
  return right;
}

function sizeOf(directory: string): number {
  return fs.readdirSync(directory).reduce((sum, name) => sum + fs.statSync(path.join(directory, name)).size, 0);
}

test.runIf(hasNamespaces)('a run of another PID namespace is claimed when it is dead, and not before', async () => {
  const state = temporaryDirectory();
  const apart = (...args: string[]) => new Child(...IN_NAMESPACE, process.execPath, SCRIPT, ...args);
  const holder = apart('hold', state);
  await waitFor('its run', () => holder.output !== '');
  const [run] = fs.readdirSync(path.join(state, 'runs'));
  const claimers = [apart('claim', state), new Child('claim', state)];
  await waitFor('all to be ready', () => claimers.every((each) => each.output !== ''));
  for (const each of claimers) each.process.stdin?.write('go');
  await waitFor('all to have looked twice', () => claimers.every((each) => each.rounds() >= 2));
  expect(claimers.flatMap((each) => each.claims())).toEqual([]);

  holder.process.kill('SIGKILL');
  await waitFor('one to have it', () => claimers.flatMap((each) => each.claims()).length > 0);
  const rounds = claimers.map((each) => each.rounds());
  await waitFor('all to have looked twice again', () =>
    claimers.every((each, index) => each.rounds() >= (rounds[index] ?? 0) + 2),
  );
  expect(claimers.flatMap((each) => each.claims())).toEqual([run]);
});

test("of many processes that claim a dead process's runs, exactly one gets each run", async () => {
  const state = temporaryDirectory();
  const [runs, processes] = IS_PROOF ? [60, 8] : [40, 3];
  const creator = new Child('create', state, String(runs));
  await waitFor('the creator to die', () => creator.isGone);
  expect(fs.readdirSync(path.join(state, 'runs'))).toHaveLength(runs);

  const claimers = Array.from({ length: processes }, () => new Child('claim', state));
  await waitFor('all to be ready', () => claimers.every((each) => each.output !== ''));
  for (const each of claimers) each.process.stdin?.write('go');
  await waitFor('all to have looked twice', () => claimers.every((each) => each.rounds() >= 2));
  const claimed = claimers.flatMap((each) => each.claims());
  expect(claimed).toHaveLength(runs);
  expect(new Set(claimed).size).toBe(runs);

  // One of them dies: what was its own is taken by the others, and nothing else is.
  const [first, ...others] = claimers.sort((a, b) => b.claims().length - a.claims().length);
  const freed = first?.claims() ?? [];
  expect(freed.length).toBeGreaterThan(0);
  const before = others.map((each) => each.claims().length);
  first?.process.kill('SIGKILL');
  const taken = () => others.flatMap((each, index) => each.claims().slice(before[index]));
  await waitFor('the others to take what was its own', () => taken().length >= freed.length);
  expect(taken().sort()).toEqual(freed.sort());
});

test('exactly the output that a SIGKILLed writer had written is read', async () => {
  for (const atLeastBytes of IS_PROOF ? [400_000, 3_000_000] : [1_500_000]) {
    const directory = temporaryDirectory();
    const writer = new Child('write', directory);
    await waitFor('something to be on disk', () => sizeOf(directory) > atLeastBytes);
    writer.process.kill('SIGKILL');
    await waitFor('the writer to be gone', () => writer.isGone);
    const onDisk = await SpooledOutput.open(directory, null);
    // The last block may have been cut off.
    expect(await countIntactBytes(onDisk)).toBeGreaterThan(atLeastBytes - 128 * 1024);
    await onDisk.close();
  }
});

/** A file system of this size; null when this user may not mount one. */
function smallDisk(bytes: number): string | null {
  const directory = temporaryDirectory();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory]);
  if (mounted.status !== 0) return null;
  onTestFinished(() => void spawnSync('umount', ['-l', directory]));
  return directory;
}

test('on a full disk the spool keeps what fits, and continues when there is room', async (context) => {
  const disk = smallDisk(1024 * 1024);
  if (disk === null) return context.skip('mounting a small file system takes root');
  const filler = path.join(disk, 'filler');
  fs.writeFileSync(filler, Buffer.alloc(700_000));
  const directory = path.join(disk, 'run');
  fs.mkdirSync(directory);
  const troubles: string[] = [];
  const output = new UnackedOutput(512 * 1024, (why) => troubles.push(why));
  onTestFinished(() => output.close());
  output.useSpool(directory, { bytes: 1024 ** 3, recompute: async () => 1024 ** 3 });
  for (let each = 0; each < 400; each += 1) {
    output.append('stdout', patternBytes(output.end, 10_000));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await waitFor('the full disk to be reported', () => troubles.length > 0);
  expect(troubles).toEqual([expect.stringContaining('ENOSPC')]);
  expect(output.droppedBytes).toBeGreaterThan(2_000_000);

  fs.rmSync(filler);
  expect(await output.flush(10_000)).toEqual({ kind: 'stored' });
  const onDisk = await SpooledOutput.open(directory, output.end);
  expect(await countIntactBytes(onDisk)).toBe(output.end - output.droppedBytes);
  await onDisk.close();
});
