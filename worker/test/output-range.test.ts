import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MIB } from '#protocol/limits';
import { encodeOutputFrame, MAX_OUTPUT_PAYLOAD_BYTES } from '#protocol/output-frame';
import type { JobObject } from '../durable/job/job-object.ts';
import { call, refusal } from './support/api.ts';
import { indexed } from './support/d1.ts';
import { jobObject } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

/** A run that has printed `0123456789`. */
async function printed(job: string): Promise<TestWrapper> {
  const wrapper = await TestWrapper.connect(newIdentity(job));
  wrapper.print(0, '01234');
  wrapper.print(5, '56789', 'stderr');
  await wrapper.acked(10);
  await indexed(wrapper.identity.run);
  return wrapper;
}

/** A run that has printed `abc`, then something that is missing, then `xyz`. */
async function printedWithGap(job: string): Promise<TestWrapper> {
  const wrapper = await TestWrapper.connect(newIdentity(job));
  wrapper.print(0, 'abc');
  wrapper.say({ type: 'gap', from: 3, to: 7 });
  wrapper.print(7, 'xyz');
  await wrapper.acked(10);
  await indexed(wrapper.identity.run);
  return wrapper;
}

/** A run with so many whole frames of output. */
async function printedMuch(job: string, frames: number, stream: 'stdout' | 'stderr' = 'stdout'): Promise<TestWrapper> {
  const wrapper = await TestWrapper.connect(newIdentity(job));
  const bytes = new Uint8Array(MAX_OUTPUT_PAYLOAD_BYTES);
  for (let index = 0; index < frames; index++) {
    wrapper.raw(encodeOutputFrame({ stream, start: index * bytes.length, bytes }));
    await wrapper.acked((index + 1) * bytes.length);
  }
  await indexed(wrapper.identity.run);
  return wrapper;
}

function get(wrapper: TestWrapper, range: string | null, query = '', method = 'GET'): Promise<Response> {
  return call(
    method,
    `/runs/${wrapper.identity.run}/output${query}`,
    range === null ? {} : { headers: { Range: range } },
  );
}

async function part(wrapper: TestWrapper, range: string): Promise<[number, string | null, string]> {
  const response = await get(wrapper, range);
  return [response.status, response.headers.get('Content-Range'), await response.text()];
}

describe('a range of output', () => {
  test('has these bytes, and says which', async () => {
    const wrapper = await printed('range-plain');
    expect(await part(wrapper, 'bytes=2-4')).toEqual([206, 'bytes 2-4/10', '234']);
    expect(await part(wrapper, 'bytes=3-6')).toEqual([206, 'bytes 3-6/10', '3456']);
    expect(await part(wrapper, 'bytes=8-')).toEqual([206, 'bytes 8-9/10', '89']);
    expect(await part(wrapper, 'bytes=0-999')).toEqual([206, 'bytes 0-9/10', '0123456789']);
    expect(await part(wrapper, 'bytes=-3')).toEqual([206, 'bytes 7-9/10', '789']);
    expect(await part(wrapper, 'bytes=-99')).toEqual([206, 'bytes 0-9/10', '0123456789']);
    const { headers } = await get(wrapper, 'bytes=2-4');
    expect(headers.get('Leash-Offset')).toBe('2');
    expect(headers.get('Leash-Next-Offset')).toBe('5');
  });

  test('ends at its first gap, or begins after a gap that it begins in: each byte has its offset', async () => {
    const wrapper = await printedWithGap('range-gap');
    // Where bytes are left out, to go on by the size of a file would be wrong.
    expect((await get(wrapper, null)).headers.get('Accept-Ranges')).toBe('none');
    expect(await part(wrapper, 'bytes=0-')).toEqual([206, 'bytes 0-2/10', 'abc']);
    expect(await part(wrapper, 'bytes=3-')).toEqual([206, 'bytes 7-9/10', 'xyz']);
    expect(await part(wrapper, 'bytes=1-8')).toEqual([206, 'bytes 1-2/10', 'bc']);
    expect(await part(wrapper, 'bytes=8-8')).toEqual([206, 'bytes 8-8/10', 'y']);
    expect(await part(wrapper, 'bytes=-9')).toEqual([206, 'bytes 7-9/10', 'xyz']);
  });

  test('continued from each Content-Range gives all stored bytes', async () => {
    const wrapper = await printedWithGap('range-read-on');
    let [text, offset] = ['', 0];
    while (offset < 10) {
      const response = await get(wrapper, `bytes=${offset}-`);
      text += await response.text();
      offset = Number(response.headers.get('Leash-Next-Offset'));
    }
    expect(text).toBe('abcxyz');
  });

  test('without stored bytes is refused, with how many are stored', async () => {
    const wrapper = await printedWithGap('range-none');
    for (const range of ['bytes=3-6', 'bytes=10-', 'bytes=99-100', 'bytes=-0']) {
      const response = await get(wrapper, range);
      expect(response.headers.get('Content-Range')).toBe('bytes */10');
      expect(await refusal(response)).toBe('416 range_not_satisfiable');
    }
  });

  test('that is invalid or conditional is ignored', async () => {
    const wrapper = await printed('range-ignored');
    for (const range of ['bytes=0-1,4-5', 'lines=1-2', 'bytes=5-2']) {
      const response = await get(wrapper, range);
      expect([response.status, await response.text()]).toEqual([200, '0123456789']);
    }
    const conditional = await call('GET', `/runs/${wrapper.identity.run}/output`, {
      headers: { Range: 'bytes=0-1', 'If-Range': '"x"' },
    });
    expect([conditional.status, await conditional.text()]).toEqual([200, '0123456789']);
  });

  test('cannot be combined with parameters that also select output', async () => {
    const wrapper = await printed('range-and');
    for (const query of ['?stream=stdout', '?offset=3', '?tail=3']) {
      expect(await refusal(get(wrapper, 'bytes=0-1', query))).toBe('400 bad_request');
    }
    expect((await get(wrapper, null)).headers.get('Accept-Ranges')).toBe('bytes');
    expect((await get(wrapper, null, '?stream=stdout')).headers.get('Accept-Ranges')).toBe('none');
    expect(await refusal(get(wrapper, null, '?offset=1&tail=1'))).toBe('400 bad_request');
  });

  test('is ignored for HEAD, which describes the whole output and fetches nothing', async () => {
    const wrapper = await printed('range-head');
    const pages = await countPages(wrapper);
    const response = await get(wrapper, 'bytes=0-1', '', 'HEAD');
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(response.headers.get('Leash-Next-Offset')).toBe('10');
    expect(pages.asked).toBe(0);
  });
});

type OutputPage = JobObject['outputPage'];

/** Until the test is over, pages of output are read in this way. */
async function readPages(wrapper: TestWrapper, how: (...args: [OutputPage, ...Parameters<OutputPage>]) => unknown) {
  await runInDurableObject(jobObject(wrapper.identity.job), (object) => {
    // Over RPC only what a class has can be called, not what one object has of its own.
    const shared = Object.getPrototypeOf(object) as { outputPage: OutputPage };
    const { outputPage } = shared;
    shared.outputPage = function (this: JobObject, ...args) {
      return how(outputPage.bind(this), ...args) as ReturnType<OutputPage>;
    };
    onTestFinished(() => {
      shared.outputPage = outputPage;
    });
  });
}

/** Counts the pages of a run that are asked for from now on. */
async function countPages(wrapper: TestWrapper): Promise<{ asked: number }> {
  const pages = { asked: 0 };
  await readPages(wrapper, (outputPage, ...args) => {
    if (args[0] === wrapper.identity.run) pages.asked += 1;
    return outputPage(...args);
  });
  return pages;
}

describe('output that is being read', () => {
  test('of one stream arrives, however much of the other precedes it', async () => {
    const wrapper = await printedMuch('stream-behind', 12);
    wrapper.print(12 * MAX_OUTPUT_PAYLOAD_BYTES, 'at last', 'stderr');
    await wrapper.acked(12 * MAX_OUTPUT_PAYLOAD_BYTES + 7);
    expect(await (await get(wrapper, null, '?stream=stderr')).text()).toBe('at last');
  });

  test('is fetched as it is read, not ahead', async () => {
    const wrapper = await printedMuch('stream-slow', 24);
    const pages = await countPages(wrapper);
    const reader = (await get(wrapper, null)).body?.getReader();
    if (reader === undefined) throw new Error('there is output');
    const first = await reader.read();
    // Whatever would be fetched ahead has been fetched when another run's output was read to its end.
    await (await get(await printedMuch('stream-other', 12), null)).arrayBuffer();
    expect(pages.asked).toBeLessThanOrEqual(2);
    let size = first.value?.length ?? 0;
    for (let read = await reader.read(); !read.done; read = await reader.read()) size += read.value.length;
    expect(size).toBe(24 * MAX_OUTPUT_PAYLOAD_BYTES);
    expect(pages.asked).toBeGreaterThanOrEqual((24 * MAX_OUTPUT_PAYLOAD_BYTES) / (2 * MIB));
  });

  test('continues when the object is evicted', async () => {
    const wrapper = await printedMuch('stream-again', 8);
    let failures = 0;
    await readPages(wrapper, (outputPage, ...args) => {
      if (args[1] > 0 && failures++ === 0) throw Object.assign(new Error('gone'), { retryable: true });
      return outputPage(...args);
    });
    expect((await (await get(wrapper, null)).arrayBuffer()).byteLength).toBe(8 * MAX_OUTPUT_PAYLOAD_BYTES);
    expect(failures).toBeGreaterThan(0);
  });

  test.each([
    ['the object fails', () => Promise.reject(new Error('down'))],
    ['nothing is stored there any more', () => ({ parts: [] })],
    [
      'a part of it was removed meanwhile',
      (from: number, to: number) => ({ parts: [{ kind: 'lost', start: from, end: to }] }),
    ],
  ])('breaks off with an error when %s: it must not look as if it were complete', async (_why, page) => {
    const wrapper = await printedMuch(`stream-broken-${_why.length}`, 8);
    await readPages(wrapper, (outputPage, ...args) => (args[1] === 0 ? outputPage(...args) : page(args[1], args[2])));
    const response = await get(wrapper, null);
    expect(response.status).toBe(200);
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(first?.value?.length).toBeGreaterThan(0);
    const rest = (async () => {
      while ((await reader?.read())?.done === false);
    })();
    await expect(rest).rejects.toThrow();
  });
});
