/** How much output is kept: of a run, of a job, and when the storage itself is full. The limits are small here. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { trials } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { OutputStore } from '../durable/job/output-store.ts';
import { ROW_COST_BYTES } from '../durable/job/output-trim.ts';
import { aKill, call, getKill, postKill } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { indexed } from './support/d1.ts';
import { env } from './support/env.ts';
import { deadlines, eventTypes, hibernate, jobObject, restart, run } from './support/objects.ts';
import { useSettings } from './support/settings.ts';
import { outputRows, query, type StoredRow, sums } from './support/storage.ts';
import { TestViewer } from './support/viewer.ts';
import { type Identity, newIdentity, TestWrapper } from './support/wrapper.ts';

const RUN_MAX = 1_048_576;
const JOB_MAX = 3 * RUN_MAX;
/** Small frames share a row up to here. */
const SMALL_ROW = 16_384;

useSettings({ RUN_OUTPUT_MAX_BYTES: String(RUN_MAX), JOB_OUTPUT_MAX_BYTES: String(JOB_MAX) });

/** Prints so many rows of so many bytes, each acked before the next. @returns where the log ends */
async function print(wrapper: TestWrapper, from: number, rows: number, bytes: number): Promise<number> {
  const end = from + rows * bytes;
  for (let start = from; start < end; start += bytes) {
    wrapper.print(start, 'x'.repeat(bytes));
    await wrapper.acked(start + bytes);
  }
  return end;
}

async function ended(who: Identity, rows: number, bytes: number): Promise<void> {
  const wrapper = await TestWrapper.connect(who);
  const end = await print(wrapper, 0, rows, bytes);
  await wrapper.completed({ final_offset: end });
  wrapper.close();
}

/** Rings the object's alarm until no trimming is left to do. @returns how often */
async function trimmed(job: string): Promise<number> {
  for (let rings = 0; rings < 500; rings++) {
    if ((await deadlines(job, 'trim')) === 0) return rings;
    vi.setSystemTime(Date.now() + 20);
    await runDurableObjectAlarm(jobObject(job));
  }
  throw new Error('trimming does not end');
}

const bytesIn = (log: StoredRow[]) => log.reduce((sum, { start, end, gap }) => sum + (gap === 1 ? 0 : end - start), 0);

/** The alarms are rung by the tests alone: by the runtime's clock none of them is due. */
function useOwnAlarms(): void {
  useFakeDate();
  beforeEach(() => {
    vi.setSystemTime(Date.now() + 60 * 60 * 1000);
  });
}

describe("a run's output", () => {
  useOwnAlarms();

  test('keeps its head and its newest beyond its limit, and counts what is missing between them', async () => {
    const who = newIdentity('bounds-run');
    const wrapper = await TestWrapper.connect(who);
    const end = await print(wrapper, 0, 30, 100_000);
    await indexed(who.run);
    const log = await outputRows(who.job, who.run);
    // The head is complete with the row that passes a quarter of the limit.
    expect(log.map(({ gap }) => gap)).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    expect(log[3]).toEqual({ start: 300_000, end: end - 700_000, gap: 1 });
    const { headers } = await call('GET', `/runs/${who.run}/output`);
    expect(headers.get('Leash-Gaps')).toBe(`300000-${end - 700_000}`);
    expect(headers.get('Leash-Missing-Bytes')).toBe(String(end - 1_000_000));
    expect(headers.get('Leash-Next-Offset')).toBe(String(end));
    expect(await run(who.job, who.run)).toMatchObject({ output_bytes: end });
    const events = await runInDurableObject(jobObject(who.job), (object) => object.events(who.run, 0, 100));
    expect(events.filter(({ type }) => type === 'output_trimmed')).toMatchObject([{ limit: 'run', from: 300_000 }]);
  });

  test('keeps being trimmed where it was after a restart and after hibernation', async () => {
    const who = newIdentity('bounds-restart');
    const first = await TestWrapper.connect(who);
    const middle = await print(first, 0, 15, 100_000);
    await restart(who.job);
    const second = await TestWrapper.connect(who);
    expect(second.of('ack')[0]).toMatchObject({ offset: middle });
    await print(second, middle, 5, 100_000);
    await hibernate(who.job);
    const end = await print(second, middle + 500_000, 10, 100_000);
    const log = await outputRows(who.job, who.run);
    expect(log.filter(({ gap }) => gap === 1)).toEqual([{ start: 300_000, end: end - 700_000, gap: 1 }]);
    expect((await eventTypes(who.job, who.run)).filter((type) => type === 'output_trimmed')).toHaveLength(1);
  });

  test('that comes in many small rows is removed in many small steps, and what is live is acked in between', async () => {
    const who = newIdentity('bounds-small');
    const wrapper = await TestWrapper.connect(who);
    let end = await print(wrapper, 0, 3, 100_000);
    // Rows that arrived under a higher limit: 800 of them are too many.
    await runInDurableObject(jobObject(who.job), (_object, { storage }) =>
      storage.transactionSync(() => {
        for (let index = 0; index < 2_000; index++, end += 700) {
          storage.sql.exec(
            'INSERT INTO output (run, start, "end", stream, bytes) VALUES (?, ?, ?, \'stdout\', ?)',
            who.run,
            end,
            end + 700,
            new Uint8Array(700).buffer,
          );
        }
      }),
    );
    await hibernate(who.job);
    let rings = 0;
    let rows = (await outputRows(who.job, who.run)).length;
    do {
      wrapper.print(end, 'live');
      end += 4;
      await wrapper.acked(end);
      const afterMessage = (await outputRows(who.job, who.run)).length;
      expect(rows - afterMessage).toBeLessThanOrEqual(32);
      vi.setSystemTime(Date.now() + 20);
      await runDurableObjectAlarm(jobObject(who.job));
      rows = (await outputRows(who.job, who.run)).length;
      expect(afterMessage - rows).toBeLessThanOrEqual(256);
      rings += 1;
    } while ((await deadlines(who.job, 'trim')) > 0);
    expect(rings).toBeGreaterThanOrEqual(3);
    const { ofRuns, ofRows } = await sums(who.job);
    expect(ofRuns).toBe(ofRows);
    expect(ofRuns).toBeLessThanOrEqual(RUN_MAX);
    expect(ofRuns).toBeGreaterThan(RUN_MAX - 2_000);
  });

  test('is, whatever comes, the head, one gap for what had to go, and the newest that fits', async () => {
    type Step = { kind: 'print' | 'drop'; bytes: number; times: number } | { kind: 'ring' } | { kind: 'hibernate' };
    const step: fc.Arbitrary<Step> = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant('print' as const),
          bytes: fc.integer({ min: 1, max: 200_000 }),
          times: fc.integer({ min: 1, max: 6 }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('print' as const),
          bytes: fc.integer({ min: 1, max: 20 }),
          times: fc.integer({ min: 1, max: 60 }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('drop' as const),
          bytes: fc.integer({ min: 1, max: 2_000_000 }),
          times: fc.integer({ min: 1, max: 2 }),
        }),
      },
      { weight: 2, arbitrary: fc.constant({ kind: 'ring' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'hibernate' as const }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        const who = newIdentity(`bounds-model-${crypto.randomUUID()}`);
        const wrapper = await TestWrapper.connect(who);
        const model = new ModelLog();
        for (const taken of steps) {
          if (taken.kind === 'ring') await runDurableObjectAlarm(jobObject(who.job));
          else if (taken.kind === 'hibernate') await wokenAndHibernated(who.job);
          else {
            for (let time = 0; time < taken.times; time++) {
              const from = model.end;
              model.append(taken.bytes, taken.kind === 'drop');
              if (taken.kind === 'print') wrapper.print(from, 'x'.repeat(taken.bytes));
              else wrapper.say({ type: 'gap', from, to: model.end });
            }
            await wrapper.acked(model.end);
          }
        }
        await trimmed(who.job);
        expect(await outputRows(who.job, who.run)).toEqual(model.rows);
        const { ofRuns, ofRows } = await sums(who.job);
        expect(ofRuns).toBe(ofRows);
        wrapper.close();
      }),
      trials(5, 100),
    );
  });
});

test('a gap that lies just behind the last row a step may take is taken in, too', async () => {
  const log = await runInDurableObject(jobObject('bounds-join'), (object, { storage }) => {
    object.acceptKills([aKill('bounds-join')]);
    const output = new OutputStore(storage.sql);
    for (const [index, stream] of (['stdout', 'stderr', 'stdout'] as const).entries()) {
      output.append('r', { stream, start: index * 10, bytes: new Uint8Array(10) });
    }
    output.appendGap('r', 30, 40);
    output.append('r', { stream: 'stdout', start: 40, bytes: new Uint8Array(10) });
    output.trim('r', 0, 1_000_000, 3);
    return output.gaps('r');
  });
  expect(log).toEqual([{ start: 0, end: 40 }]);
});

/** Only an object that is in memory can be sent to sleep. */
async function wokenAndHibernated(job: string): Promise<void> {
  await deadlines(job, 'trim');
  await hibernate(job);
}

/** Lowers the job's limit to that of a run. */
async function withLowerLimit(job: string, what: () => Promise<void>): Promise<void> {
  const bindings: { JOB_OUTPUT_MAX_BYTES: string } = env;
  const before = bindings.JOB_OUTPUT_MAX_BYTES;
  bindings.JOB_OUTPUT_MAX_BYTES = String(RUN_MAX);
  await restart(job);
  try {
    await what();
  } finally {
    bindings.JOB_OUTPUT_MAX_BYTES = before;
  }
}

/** The same, said as simply as possible: too much? Then the oldest row behind the head becomes a gap. */
class ModelLog {
  rows: StoredRow[] = [];
  #headEnd: number | null = null;

  get end(): number {
    return this.rows.at(-1)?.end ?? 0;
  }

  append(bytes: number, isGap: boolean): void {
    const last = this.rows.at(-1);
    const isShared = !isGap && bytes < SMALL_ROW && last?.gap === 0 && last.end - last.start + bytes <= SMALL_ROW;
    if (isShared) last.end += bytes;
    else this.rows.push({ start: this.end, end: this.end + bytes, gap: Number(isGap) });
    this.#joinGaps();
    if (this.#headEnd === null && this.#size() > RUN_MAX / 4) this.#headEnd = this.end;
    while (this.#size() > RUN_MAX) {
      const oldest = this.rows.find(({ start, gap }) => gap === 0 && start >= (this.#headEnd ?? this.end));
      if (oldest === undefined) return;
      oldest.gap = 1;
      this.#joinGaps();
    }
  }

  #size(): number {
    return this.rows.length * ROW_COST_BYTES + bytesIn(this.rows);
  }

  #joinGaps(): void {
    const joined: StoredRow[] = [];
    for (const row of this.rows) {
      const last = joined.at(-1);
      if (row.gap === 1 && last?.gap === 1) last.end = row.end;
      else joined.push(row);
    }
    this.rows = joined;
  }
}

describe('a viewer', () => {
  useOwnAlarms();

  test('in the middle of what was trimmed gets a gap and continues', async () => {
    const who = newIdentity('bounds-viewer');
    const wrapper = await TestWrapper.connect(who);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
    await viewer.next('subscribed');
    const end = await print(wrapper, 0, 30, 100_000);
    const { offset } = await viewer.next('behind');
    // It was told so at 1.1 MB, and that has gone meanwhile.
    expect(offset).toBeLessThan(end - 700_000);
    viewer.say({ type: 'subscribe', run: who.run, offset });
    expect(await viewer.next('gap')).toMatchObject({ from: offset, to: end - 700_000 });
    await waitFor('the newest', () => viewer.offset === end);
    viewer.say({ type: 'ack', run: who.run, offset: end });
    wrapper.print(end, 'live again');
    await waitFor('the live output', () => viewer.output.endsWith('live again'));
  });

  test('is not behind because of bytes that it was never sent', async () => {
    const who = newIdentity('bounds-gap');
    const wrapper = await TestWrapper.connect(who);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
    await viewer.next('subscribed');
    wrapper.print(0, 'head');
    wrapper.say({ type: 'gap', from: 4, to: 50_000_004 });
    wrapper.print(50_000_004, 'tail');
    wrapper.print(50_000_008, 'more');
    await waitFor('all of it', () => viewer.output === 'headtailmore');
    expect(viewer.of('gap')).toHaveLength(1);
    expect(viewer.of('behind')).toEqual([]);
    // What is sent after it counts as ever.
    const chunk = 'y'.repeat(200_000);
    for (let index = 0; index < 7; index++) {
      wrapper.print(50_000_012 + index * chunk.length, chunk);
      await wrapper.acked(50_000_012 + (index + 1) * chunk.length);
    }
    await viewer.next('behind');
  });
});

describe("a job's output", () => {
  useOwnAlarms();

  test('that is trimmed is reported once for each limit', async () => {
    const job = 'bounds-told';
    const wrappers = await Promise.all(Array.from({ length: 4 }, () => TestWrapper.connect(newIdentity(job))));
    const first = wrappers[0];
    if (first === undefined) throw new Error('no wrapper');
    let end = await print(first, 0, 15, 100_000);
    for (const wrapper of wrappers.slice(1)) await print(wrapper, 0, 9, 100_000);
    await trimmed(job);
    end = await print(first, end, 15, 100_000);
    await trimmed(job);
    const events = await runInDurableObject(jobObject(job), (object) => object.events(first.identity.run, 0, 100));
    const told = events.flatMap((event) => (event.type === 'output_trimmed' ? [event.limit] : []));
    expect(told).toEqual(['run', 'job']);
  });

  test('is removed run by run, the one that ended first first, and live runs keep theirs', async () => {
    const job = 'bounds-job';
    const live = newIdentity(job);
    const wrapper = await TestWrapper.connect(live);
    await print(wrapper, 0, 5, 100_000);
    const runs = [newIdentity(job), newIdentity(job), newIdentity(job), newIdentity(job)];
    for (const who of runs) {
      await ended(who, 9, 100_000);
      vi.setSystemTime(Date.now() + 1_000);
    }
    expect(await trimmed(job)).toBeGreaterThan(0);
    const logs = await Promise.all(runs.map(({ run: id }) => outputRows(job, id)));
    expect(logs[0]).toEqual([{ start: 0, end: 900_000, gap: 1 }]);
    expect(logs[3]?.every(({ gap }) => gap === 0)).toBe(true);
    expect(bytesIn(await outputRows(job, live.run))).toBe(500_000);
    const { ofRuns, ofRows } = await sums(job);
    // A run of which only a gap is left no longer counts.
    expect(ofRows - ofRuns).toBe(ROW_COST_BYTES);
    expect(ofRuns).toBeLessThanOrEqual(JOB_MAX);
    expect(ofRuns).toBeGreaterThan(JOB_MAX * 0.9);
    const oldest = runs[0]?.run ?? '';
    expect(await eventTypes(job, oldest)).toContain('output_trimmed');
    await indexed(oldest);
    const response = await call('GET', `/runs/${oldest}/output`);
    expect(response.headers.get('Leash-Gaps')).toBe('0-900000');
    expect(await response.text()).toBe('');
  });

  test('is looked at daily: a limit that was lowered holds for a job that prints no more', async () => {
    const job = 'bounds-lowered';
    const runs = [newIdentity(job), newIdentity(job)];
    for (const who of runs) await ended(who, 9, 100_000);
    await withLowerLimit(job, async () => {
      vi.setSystemTime(Date.now() + 24 * 60 * 60 * 1000 + 1_000);
      await runDurableObjectAlarm(jobObject(job));
      await trimmed(job);
      expect((await sums(job)).ofRuns).toBeLessThanOrEqual(RUN_MAX);
    });
  });

  test('is removed in the middle of the largest when all runs are alive, and then from their beginning', async () => {
    const job = 'bounds-alive';
    const wrappers = await Promise.all(Array.from({ length: 5 }, () => TestWrapper.connect(newIdentity(job))));
    for (const wrapper of wrappers) await print(wrapper, 0, 9, 100_000);
    await trimmed(job);
    expect((await sums(job)).ofRuns).toBeLessThanOrEqual(JOB_MAX);
    for (const { identity } of wrappers) {
      const log = await outputRows(job, identity.run);
      expect(log[0]).toEqual({ start: 0, end: 100_000, gap: 0 });
      expect(log.at(-1)).toEqual({ start: 800_000, end: 900_000, gap: 0 });
    }
    const more: TestWrapper[] = [];
    // One by one: a crowd is asked to come later.
    for (let each = 0; each < 30; each += 1) more.push(await TestWrapper.connect(newIdentity(job)));
    // All of these are head.
    for (const wrapper of more) await print(wrapper, 0, 2, 100_000);
    await trimmed(job);
    expect((await sums(job)).ofRuns).toBeLessThanOrEqual(JOB_MAX);
  });

  test('that is far too much is removed in steps, and live output, kills and completions get through in between', async () => {
    const job = 'bounds-backlog';
    const [old, live] = [newIdentity(job), newIdentity(job)];
    await ended(old, 1, 10);
    const wrapper = await TestWrapper.connect(live);
    // What a higher limit had let in: three runs' worth of small rows.
    const [rows, bytes] = [2_000, 3_000];
    await runInDurableObject(jobObject(job), (_object, { storage }) =>
      storage.transactionSync(() => {
        for (let index = 0; index < rows; index++) {
          const start = 10 + index * bytes;
          storage.sql.exec(
            'INSERT INTO output (run, start, "end", stream, bytes) VALUES (?, ?, ?, \'stdout\', ?)',
            old.run,
            start,
            start + bytes,
            new Uint8Array(bytes).buffer,
          );
        }
        const size = rows * (bytes + ROW_COST_BYTES);
        storage.sql.exec(
          'UPDATE runs SET output_end = ?, output_size = output_size + ? WHERE id = ?',
          10 + rows * bytes,
          size,
          old.run,
        );
      }),
    );
    let steps = 0;
    let end = 0;
    const ring = async () => {
      const before = (await outputRows(job, old.run)).length;
      vi.setSystemTime(Date.now() + 20);
      await runDurableObjectAlarm(jobObject(job));
      expect(before - (await outputRows(job, old.run)).length).toBeLessThanOrEqual(256);
      steps += 1;
    };
    const printed = async () => {
      wrapper.print(end, 'live');
      end += 4;
      await wrapper.acked(end);
    };
    await printed();
    await ring();
    await printed();
    const { id } = await postKill(job, { run: live.run });
    expect(await wrapper.kill()).toMatchObject({ kill: id });
    await ring();
    wrapper.killing(id, 'term');
    await printed();
    await ring();
    await wrapper.completed({ final_offset: end });
    expect(await getKill(id)).toMatchObject({ state: 'settled' });
    expect((await sums(job)).ofRuns).toBeGreaterThan(JOB_MAX);
    await restart(job);
    while ((await deadlines(job, 'trim')) > 0) await ring();
    expect(steps).toBeGreaterThanOrEqual(4);
    expect((await sums(job)).ofRuns).toBeLessThanOrEqual(JOB_MAX);
    expect(bytesIn(await outputRows(job, live.run))).toBe(end);
  });
});

describe('storage that is full', () => {
  useOwnAlarms();

  /** While it lasts, the storage takes no more output, as one at its end. */
  async function whileFull(job: string, what: () => Promise<void>): Promise<void> {
    const statements = ['INSERT', 'UPDATE'];
    for (const statement of statements) {
      await query(
        job,
        `CREATE TRIGGER full_${statement} BEFORE ${statement} ON output WHEN new.stream IS NOT NULL
         BEGIN SELECT RAISE(ABORT, 'database or disk is full: SQLITE_FULL'); END`,
      );
    }
    try {
      await what();
    } finally {
      for (const statement of statements) await query(job, `DROP TRIGGER full_${statement}`);
    }
  }

  test('takes output as missing, and kills and completions as ever', async () => {
    const who = newIdentity('full-refused');
    const [old, older] = [newIdentity(who.job), newIdentity(who.job)];
    await ended(older, 2, 1_000);
    vi.setSystemTime(Date.now() + 1_000);
    await ended(old, 2, 1_000);
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'before');
    await wrapper.acked(6);
    await whileFull(who.job, async () => {
      wrapper.print(6, 'lost');
      wrapper.print(10, 'lost too');
      await wrapper.acked(18);
      // Each makes some room, as little as that is here.
      for (const { run: id } of [older, old])
        expect(await outputRows(who.job, id)).toEqual([{ start: 0, end: 2_000, gap: 1 }]);
      const { id } = await postKill(who.job);
      await wrapper.kill();
      wrapper.killing(id, 'term');
      await wrapper.completed({ final_offset: 23 });
      expect(await getKill(id)).toMatchObject({ state: 'settled' });
    });
    wrapper.print(18, 'after');
    await wrapper.acked(23);
    expect(await outputRows(who.job, who.run)).toEqual([
      { start: 0, end: 6, gap: 0 },
      { start: 6, end: 18, gap: 1 },
      { start: 18, end: 23, gap: 0 },
    ]);
    const types = await eventTypes(who.job, who.run);
    expect(types.filter((type) => type === 'output_trimmed')).toHaveLength(1);
    const { ofRuns, ofRows } = await sums(who.job);
    // The two runs of which only a gap is left no longer count.
    expect(ofRows - ofRuns).toBe(2 * ROW_COST_BYTES);
  });

  test('is never quite reached by output, and makes room for more', async () => {
    const job = 'full-measured';
    const old = newIdentity(job);
    await ended(old, 5, 100_000);
    const who = newIdentity(job);
    const wrapper = await TestWrapper.connect(who);
    const measured = (bytes: number | null) =>
      runInDurableObject(jobObject(job), (_object, { storage }) => {
        if (bytes === null) Reflect.deleteProperty(storage.sql, 'databaseSize');
        else Object.defineProperty(storage.sql, 'databaseSize', { value: bytes, configurable: true });
      });
    await measured(9_500_000_000);
    wrapper.print(0, 'no room');
    await wrapper.acked(7);
    vi.setSystemTime(Date.now() + 20);
    await runDurableObjectAlarm(jobObject(job));
    expect(await outputRows(job, old.run)).toEqual([{ start: 0, end: 500_000, gap: 1 }]);
    await measured(null);
    wrapper.print(7, 'room');
    await wrapper.acked(11);
    expect(await outputRows(job, who.run)).toEqual([
      { start: 0, end: 7, gap: 1 },
      { start: 7, end: 11, gap: 0 },
    ]);
  });

  test('is a fault like any other when it is something else that fails', async () => {
    const who = newIdentity('full-not');
    const wrapper = await TestWrapper.connect(who);
    await query(who.job, "CREATE TRIGGER broken BEFORE INSERT ON output BEGIN SELECT RAISE(ABORT, 'broken'); END");
    wrapper.print(0, 'x');
    await wrapper.error('internal');
    expect(await outputRows(who.job, who.run)).toEqual([]);
  });
});
