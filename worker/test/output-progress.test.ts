/** A frame of output costs one row: how far a live run's output is stored is in the run's own row only now and then. */
import { expect, test } from 'vitest';
import { encodeOutputFrame } from '#protocol/output-frame';
import { hibernate, restart, run, withFault } from './support/objects.ts';
import { useSettings } from './support/settings.ts';
import { outputRows, query, sums } from './support/storage.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const RUN_MAX = 1_048_576;

useSettings({ RUN_OUTPUT_MAX_BYTES: String(RUN_MAX) });

/** Prints frames that are too large to share a row, each acked before the next. @returns where the output ends */
async function print(wrapper: TestWrapper, from: number, frames: number): Promise<number> {
  let end = from;
  for (let frame = 0; frame < frames; frame += 1) {
    wrapper.print(end, 'x'.repeat(17_000));
    end += 17_000;
    await wrapper.acked(end);
  }
  return end;
}

async function savedEnd(job: string): Promise<number | undefined> {
  const [row] = await query<{ end: number }>(job, 'SELECT output_end AS "end" FROM runs');
  return row?.end;
}

test("a frame is not written to its run's row, whose state is known nevertheless", async () => {
  const who = newIdentity('progress-frames');
  const wrapper = await TestWrapper.connect(who);
  const end = await print(wrapper, 0, 3);
  expect(await savedEnd(who.job)).toBe(0);
  expect(await run(who.job, who.run)).toMatchObject({ output_bytes: end });
});

test.each([
  { what: 'a restart', away: restart },
  { what: 'hibernation', away: hibernate },
])(
  "what a run's row lacks is known after $what, where rows are shared and where bytes are missing",
  async ({ what, away }) => {
    const who = newIdentity(`progress-${what.replace(' ', '-')}`);
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'a');
    await wrapper.acked(1);
    // Writes the run's row: the row of output that it knows grows later.
    await query(who.job, 'UPDATE runs SET output_end = 1, output_size = 65');
    await away(who.job);
    const again = await TestWrapper.connect(who);
    expect(again.of('ack')[0]).toMatchObject({ offset: 1 });
    again.print(1, 'bc');
    again.say({ type: 'gap', from: 3, to: 10 });
    again.print(10, 'd', 'stderr');
    await again.acked(11);
    // The event of the gap is in the run's row, which was written with what was stored before.
    expect(await savedEnd(who.job)).toBe(3);
    await away(who.job);
    const last = await TestWrapper.connect(who);
    expect(last.of('ack')[0]).toMatchObject({ offset: 11 });
    expect(await outputRows(who.job, who.run)).toEqual([
      { start: 0, end: 3, gap: 0 },
      { start: 3, end: 10, gap: 1 },
      { start: 10, end: 11, gap: 0 },
    ]);
    const { ofRuns, ofRows } = await sums(who.job);
    expect(ofRuns).toBe(ofRows);
    await last.completed({ final_offset: 11 });
    expect(await query(who.job, 'SELECT output_end, output_size FROM runs')).toEqual([
      { output_end: 11, output_size: ofRows },
    ]);
  },
);

test("a run's row is written after 64 frames at the latest", async () => {
  const who = newIdentity('progress-saved');
  const wrapper = await TestWrapper.connect(who);
  // Alternating streams share no row; and all of it is head, whose end is not yet written.
  for (let frame = 0; frame < 130; frame += 1) wrapper.print(frame, 'x', frame % 2 === 0 ? 'stdout' : 'stderr');
  await wrapper.acked(130);
  expect(await savedEnd(who.job)).toBe(128);
});

test('a frame whose transaction fails is not counted: it is stored once when it comes again', async () => {
  const who = newIdentity('progress-fault');
  const wrapper = await TestWrapper.connect(who);
  const frame = 'y'.repeat(200_000);
  for (let start = 0; start < 1_000_000; start += frame.length) wrapper.print(start, frame);
  await wrapper.acked(1_000_000);
  // With this frame the run exceeds its limit, which fails after the frame was stored and counted.
  await withFault(who.job, 'DELETE ON output', async () => {
    wrapper.print(1_000_000, frame);
    await wrapper.error('internal');
    expect(await run(who.job, who.run)).toMatchObject({ output_bytes: 1_000_000 });
  });
  const again = await TestWrapper.connect(who);
  expect(again.of('ack')[0]).toMatchObject({ offset: 1_000_000 });
  again.print(1_000_000, frame);
  await again.acked(1_200_000);
  const { ofRuns, ofRows } = await sums(who.job);
  expect(ofRuns).toBe(ofRows);
  expect(await run(who.job, who.run)).toMatchObject({ output_bytes: 1_200_000 });
});

test('small frames of a stream share a row, byte for byte', async () => {
  const who = newIdentity('progress-shared');
  const wrapper = await TestWrapper.connect(who);
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => (index * 7) % 256);
  for (let start = 0; start < bytes.length; start += 32) {
    wrapper.raw(encodeOutputFrame({ stream: 'stdout', start, bytes: bytes.subarray(start, start + 32) }));
  }
  await wrapper.acked(bytes.length);
  const rows = await query<{ bytes: ArrayBuffer }>(who.job, 'SELECT bytes FROM output');
  expect(rows.map((row) => new Uint8Array(row.bytes))).toEqual([bytes]);
});
