import { describe, expect, test } from 'vitest';
import { MAX_OUTPUT_PAYLOAD_BYTES } from '#protocol/output-frame';
import { waitFor } from '#testing/wait-for';
import { call, refusal } from './support/api.ts';
import { indexed } from './support/d1.ts';
import { env } from './support/env.ts';
import { eventTypes, restart, run } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

async function output(id: string, query = ''): Promise<{ text: string; headers: Record<string, string> }> {
  await indexed(id);
  const response = await call('GET', `/runs/${id}/output${query}`);
  return { text: await response.text(), headers: Object.fromEntries(response.headers) };
}

describe('output', () => {
  test('is stored in order, and each byte once, whatever is repeated', async () => {
    const who = newIdentity('out-overlap');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'hello ');
    wrapper.print(0, 'hello ');
    wrapper.print(3, 'lo wor');
    wrapper.print(9, 'ld');
    await wrapper.acked(11);
    expect((await output(who.run)).text).toBe('hello world');
  });

  test('that leaves a gap is refused with the offset to continue from, and harms nothing', async () => {
    const who = newIdentity('out-gap');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'abc');
    wrapper.print(10, 'xyz');
    expect(await wrapper.error('gap')).toMatchObject({ expected: 3, retry: null });
    wrapper.print(3, 'defghijxyz');
    await wrapper.acked(13);
    expect((await output(who.run)).text).toBe('abcdefghijxyz');
  });

  test('that the machine had to drop is marked, counted and acked', async () => {
    const who = newIdentity('out-dropped');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'head');
    wrapper.say({ type: 'gap', from: 4, to: 1_000_004 });
    await wrapper.acked(1_000_004);
    wrapper.print(1_000_004, 'tail');
    await wrapper.acked(1_000_008);
    const { text, headers } = await output(who.run);
    expect(text).toBe('headtail');
    expect(headers).toMatchObject({
      'leash-gaps': '4-1000004',
      'leash-missing-bytes': '1000000',
      'leash-next-offset': '1000008',
      'leash-offset': '0',
    });
    expect((await output(who.run, '?tail=6')).headers).toMatchObject({
      'leash-offset': '1000002',
      'leash-gaps': '1000002-1000004',
    });
    // In the text only for who asks for it, on a line of its own.
    const mark = (from: number) =>
      `[leash: ${1_000_004 - from} bytes of the output are missing here, from offset ${from} to 1000004]\n`;
    expect((await output(who.run, '?gaps=marked')).text).toBe(`head\n${mark(4)}tail`);
    expect((await output(who.run, '?gaps=marked&offset=1000002')).text).toBe(`${mark(1_000_002)}tail`);
    expect((await output(who.run, '?gaps=marked&offset=1000004')).text).toBe('tail');
    expect(await eventTypes(who.job, who.run)).toContain('output_gap');
  });

  test('resumes from the acked offset after a restart', async () => {
    const who = newIdentity('out-resume');
    const first = await TestWrapper.connect(who);
    first.print(0, 'before ');
    await first.acked(7);
    await restart(who.job);
    const second = await TestWrapper.connect(who, { output: { from: 0, to: 12 } });
    const limit = Number(env.RUN_OUTPUT_MAX_BYTES);
    expect(limit).toBeGreaterThan(0);
    expect(second.of('ack')[0]).toMatchObject({ of: 'start', offset: 7, output_limit_bytes: limit });
    second.print(7, 'after');
    await second.acked(12);
    expect((await output(who.run)).text).toBe('before after');
  });

  test('that arrives after the completion is stored up to the final offset and no further', async () => {
    const who = newIdentity('out-trailing');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed({ exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited', final_offset: 4 });
    expect(await run(who.job, who.run)).toMatchObject({ output_bytes: 0, output_total_bytes: 4 });
    wrapper.print(0, 'done');
    await wrapper.acked(4);
    wrapper.print(4, ' and more');
    await wrapper.error('bad_offset');
    expect((await output(who.run)).text).toBe('done');
    await waitFor('D1 to know its size', async () => {
      const row = await env.DB.prepare('SELECT resource FROM runs WHERE id = ?')
        .bind(who.run)
        .first<{ resource: string }>();
      return JSON.parse(row?.resource ?? '{}').output_bytes === 4;
    });
  });

  test('is repeated without an error even where the completion says that there was less', async () => {
    const who = newIdentity('out-less');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'hello');
    await wrapper.acked(5);
    await wrapper.completed({ final_offset: 3 });
    wrapper.print(0, 'hello');
    await wrapper.settled();
    expect(wrapper.of('error').map(({ code }) => code)).not.toContain('bad_offset');
  });

  test('is repeated without an error even where the spool of a dead wrapper holds less', async () => {
    const who = newIdentity('out-spool-less');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'hello');
    await wrapper.acked(5);
    const flusher = await TestWrapper.connect(who, { phase: 'abandoned', output: { from: 0, to: 3 } });
    flusher.print(0, 'hello');
    await flusher.settled();
    expect(flusher.of('error').map(({ code }) => code)).toEqual(['unknown_type']);
  });

  test('can be read by stream, from an offset and from its tail', async () => {
    const who = newIdentity('out-read');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'out1\n');
    wrapper.print(5, 'err1\n', 'stderr');
    wrapper.print(10, 'out2\n');
    await wrapper.acked(15);
    expect((await output(who.run, '?stream=stderr')).text).toBe('err1\n');
    expect((await output(who.run, '?stream=stdout&offset=5')).text).toBe('out2\n');
    expect((await output(who.run, '?offset=12')).text).toBe('t2\n');
    expect((await output(who.run, '?tail=7')).text).toBe('1\nout2\n');
    expect((await output(who.run, '?offset=9999')).text).toBe('');
    expect(await refusal(call('GET', `/runs/${who.run}/output?offset=-1`))).toBe('400 bad_request');
  });

  test('of any size comes back whole, any bytes in it', async () => {
    const who = newIdentity('out-large');
    const wrapper = await TestWrapper.connect(who);
    const frame = Uint8Array.from({ length: MAX_OUTPUT_PAYLOAD_BYTES }, (_, index) => index % 251);
    const { encodeOutputFrame } = await import('#protocol/output-frame');
    const count = 20;
    for (let index = 0; index < count; index++) {
      wrapper.raw(encodeOutputFrame({ stream: 'stdout', start: index * frame.length, bytes: frame }));
      await wrapper.acked((index + 1) * frame.length);
    }
    await indexed(who.run);
    const response = await call('GET', `/runs/${who.run}/output`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(bytes.length).toBe(count * frame.length);
    expect(bytes.every((byte, index) => byte === (index % frame.length) % 251)).toBe(true);
  });

  test('is never served as a page', async () => {
    const who = newIdentity('out-html');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, '<script>alert(1)</script>');
    await wrapper.acked(25);
    const { headers } = await output(who.run);
    expect(headers['content-type']).toMatch(/^text\/plain/);
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['content-security-policy']).toContain('sandbox');
  });

  test('is not stored twice when the same socket sends start again', async () => {
    const who = newIdentity('out-restart');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'abc');
    await wrapper.acked(3);
    wrapper.start();
    await waitFor('the second ack of start', () => wrapper.of('ack').filter(({ of }) => of === 'start').length === 2);
    expect(await run(who.job, who.run)).toMatchObject({ output_bytes: 3, connected: true });
    expect(await eventTypes(who.job, who.run)).toEqual(['started', 'connected']);
  });
});
