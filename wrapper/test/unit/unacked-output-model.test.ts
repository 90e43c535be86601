import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StreamName } from '#protocol/output-frame';
import { trials } from '#testing/seed';
import { UnackedOutput } from '../../src/output/unacked-output.ts';
import { SpooledOutput } from '../../src/spool/spooled-output.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** What may happen to a run's output. Positions and sizes are shares of what there is. */
type Step =
  | { readonly kind: 'append'; readonly stream: StreamName; readonly bytes: number }
  | { readonly kind: 'free'; readonly share: number }
  | { readonly kind: 'read'; readonly share: number; readonly maxBytes: number }
  | { readonly kind: 'read_all'; readonly maxBytes: number }
  | { readonly kind: 'wait'; readonly turns: number }
  | { readonly kind: 'flush' }
  | { readonly kind: 'disk_fails' }
  | { readonly kind: 'disk_works' };

/** What may happen to the files of a wrapper that is gone. */
type Damage =
  | { readonly kind: 'truncate'; readonly file: number; readonly share: number }
  | { readonly kind: 'zero'; readonly file: number; readonly share: number }
  | { readonly kind: 'flip'; readonly file: number; readonly share: number }
  | { readonly kind: 'delete'; readonly file: number }
  | { readonly kind: 'rename'; readonly file: number; readonly start: number };

const share = fc.double({ min: 0, max: 1, noNaN: true });
const maxBytes = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1_000, max: 100_000 }));
const append = fc.record({
  kind: fc.constant('append' as const),
  stream: fc.constantFrom<StreamName>('stdout', 'stderr'),
  bytes: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 30_000 })),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: append },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('free' as const), share }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), share, maxBytes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read_all' as const), maxBytes }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), turns: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'flush' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'disk_fails' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'disk_works' as const }) },
);
const file = fc.nat({ max: 20 });
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constantFrom('truncate' as const, 'zero' as const, 'flip' as const), file, share }),
  fc.record({ kind: fc.constant('delete' as const), file }),
  fc.record({ kind: fc.constant('rename' as const), file, start: fc.nat({ max: 500_000 }) }),
);

/** What was really printed. */
class Original {
  readonly #bytes = Buffer.alloc(3_000_000);
  /** For each byte: 1 stdout, 2 stderr. */
  readonly #streams = Buffer.alloc(3_000_000);
  #end = 0;

  append(stream: StreamName, length: number): Buffer {
    const start = this.#end;
    for (; this.#end < start + length; this.#end += 1) {
      this.#bytes[this.#end] = Math.imul(this.#end, 0x9e3779b1) >>> 23;
      this.#streams[this.#end] = stream === 'stdout' ? 1 : 2;
    }
    return this.#bytes.subarray(start, this.#end);
  }

  /** Whether these bytes were printed at `start`, on this stream. */
  has(stream: StreamName, start: number, bytes: Uint8Array): boolean {
    const streams = this.#streams.subarray(start, start + bytes.length);
    return (
      this.#bytes.subarray(start, Math.min(this.#end, start + bytes.length)).equals(bytes) &&
      streams.every((each) => each === (stream === 'stdout' ? 1 : 2))
    );
  }
}

type Readable = Pick<UnackedOutput | SpooledOutput, 'start' | 'end' | 'read' | 'onReadable'>;

/** Reads once, and checks the result. Returns where to continue; null when there is nothing to read now. */
function readOnce(output: Readable, original: Original, at: number, maxBytes: number): number | null {
  const chunk = output.read(at, maxBytes);
  expect(chunk === null).toBe(at >= output.end);
  if (chunk === null || chunk.kind === 'later') return null;
  if (chunk.kind === 'gap') {
    expect(chunk.from).toBe(at);
    expect(chunk.to).toBeGreaterThan(at);
    expect(chunk.to).toBeLessThanOrEqual(output.end);
    return chunk.to;
  }
  expect(chunk.start).toBe(at);
  expect(chunk.bytes.length).toBeGreaterThan(0);
  expect(chunk.bytes.length).toBeLessThanOrEqual(maxBytes);
  expect(original.has(chunk.stream, at, chunk.bytes)).toBe(true);
  return at + chunk.bytes.length;
}

/** Reads from the start to the end. Returns how many bytes are missing. */
async function readAll(output: Readable, original: Original, maxBytes: number): Promise<number> {
  let missing = 0;
  for (let at = output.start; at < output.end; ) {
    const readable = new Promise<void>((resolve) => {
      output.onReadable = resolve;
    });
    const next = readOnce(output, original, at, maxBytes);
    if (next === null) {
      await readable;
      continue;
    }
    if (output.read(at, 1)?.kind === 'gap') missing += next - at;
    at = next;
  }
  return missing;
}

class Trial {
  readonly original = new Original();
  readonly directory: string;
  readonly output: UnackedOutput;
  /** Whether anything happened that loses more than the output says it dropped. */
  isWhole = true;

  constructor(parent: string, capacityBytes: number, limitBytes: number) {
    this.directory = fs.mkdtempSync(path.join(parent, 'run-'));
    this.output = new UnackedOutput(capacityBytes, () => {});
    this.output.useSpool(this.directory, { bytes: limitBytes, recompute: async () => limitBytes });
  }

  async perform(step: Step): Promise<void> {
    const { output, original } = this;
    switch (step.kind) {
      case 'append': {
        // The caller's buffer is used again.
        const bytes = Buffer.from(original.append(step.stream, step.bytes));
        output.append(step.stream, bytes);
        bytes.fill(0xee);
        return;
      }
      case 'free':
        output.free(output.start + Math.floor((output.end - output.start) * step.share));
        return;
      case 'read':
        readOnce(output, original, Math.floor(output.end * step.share), step.maxBytes);
        return;
      case 'read_all':
        await readAll(output, original, step.maxBytes);
        return;
      case 'wait':
        for (let turn = 0; turn < step.turns; turn += 1) await new Promise((resolve) => setTimeout(resolve, 0));
        return;
      case 'flush':
        await output.flush(10_000);
        return;
      case 'disk_fails':
        this.isWhole = false;
        if (fs.existsSync(this.directory)) fs.renameSync(this.directory, `${this.directory}.away`);
        return;
      case 'disk_works':
        if (fs.existsSync(`${this.directory}.away`)) fs.renameSync(`${this.directory}.away`, this.directory);
        return;
    }
  }
}

function inflict(damage: Damage, directory: string): void {
  const names = fs.readdirSync(directory).sort();
  const name = names[damage.file % Math.max(1, names.length)];
  if (name === undefined) return;
  const target = path.join(directory, name);
  const bytes = fs.readFileSync(target);
  switch (damage.kind) {
    case 'truncate':
      fs.truncateSync(target, Math.floor(bytes.length * damage.share));
      return;
    case 'zero':
      fs.writeFileSync(target, bytes.fill(0, Math.floor(bytes.length * damage.share)));
      return;
    case 'flip': {
      const at = Math.floor((bytes.length - 1) * damage.share);
      if (at >= 0) fs.writeFileSync(target, bytes.fill((bytes[at] ?? 0) ^ 0x10, at, at + 1));
      return;
    }
    case 'delete':
      fs.rmSync(target);
      return;
    case 'rename': {
      const start = String(damage.start).padStart(15, '0');
      fs.renameSync(target, path.join(directory, `out-${String(damage.file).padStart(8, '0')}-${start}`));
      return;
    }
  }
}

test('whatever happens, each byte that is read is right, and each missing byte is in a gap', async () => {
  const parent = temporaryDirectory();
  const steps = fc.array(step, { minLength: 5, maxLength: 60 });
  const sizes = fc.record({
    capacityBytes: fc.integer({ min: 20_000, max: 200_000 }),
    limitBytes: fc.integer({ min: 40_000, max: 600_000 }),
  });
  await fc.assert(
    fc.asyncProperty(steps, sizes, fc.array(damage, { maxLength: 4 }), async (steps, sizes, damages) => {
      const trial = new Trial(parent, sizes.capacityBytes, sizes.limitBytes);
      const { output, original, directory } = trial;
      for (const each of steps) await trial.perform(each);
      const freed = output.start > 0;
      await trial.perform({ kind: 'disk_works' });
      await readAll(output, original, 50_000);

      // The wrapper exits, properly or not; another process continues.
      const isInOrder = steps.length % 2 === 0 && (await output.flush(10_000)).kind === 'stored';
      const missingNow = isInOrder ? await readAll(output, original, 50_000) : null;
      if (trial.isWhole && !freed && missingNow !== null) expect(missingNow).toBe(output.droppedBytes);
      const { start, end } = output;
      output.close();
      await new Promise(setImmediate);
      const unharmed = await SpooledOutput.open(directory, isInOrder ? end : null);
      expect(unharmed.end).toBeLessThanOrEqual(end);
      unharmed.free(start);
      const missingThen = await readAll(unharmed, original, 50_000);
      if (trial.isWhole && missingNow !== null) expect(missingThen).toBe(missingNow);
      await unharmed.close();

      for (const each of damages) inflict(each, directory);
      const damaged = await SpooledOutput.open(directory, null);
      await readAll(damaged, original, 50_000);
      await damaged.close();
      fs.rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
    }),
    trials(25, 500),
  );
});
