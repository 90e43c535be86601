/** A run's output as an HTTP answer: streamed from the object page by page, so that its size does not matter. */
import { GAPS_HEADER, MISSING_BYTES_HEADER, NEXT_OFFSET_HEADER, OFFSET_HEADER, type Run } from '#protocol/api';
import { MIB } from '#protocol/limits';
import type { StreamName } from '#protocol/output-frame';
import type { OutputPage } from '../durable/job-object.ts';
import type { Env } from '../env.ts';
import { callJob } from './job-client.ts';

/** Nothing is known of its encoding but that UTF-8 is the likeliest. */
export const OUTPUT_TYPE = 'text/plain; charset=utf-8';

export interface OutputRequest {
  /** Where to start, in the merged log. */
  readonly offset: number;
  /** Start so many bytes before the end instead. */
  readonly tail: number | null;
  /** Only what went to this stream. */
  readonly stream: StreamName | null;
}

/** A header must stay small: more gaps than this are told by their sum alone. */
const MAX_GAPS_IN_HEADER = 100;

export async function outputResponse(env: Env, run: Run, request: OutputRequest): Promise<Response> {
  const whole = await callJob(env, run.job, (object) => object.outputExtent(run.id));
  const from = request.tail === null ? Math.min(request.offset, whole.end) : Math.max(0, whole.end - request.tail);
  const gaps = whole.lost.map((gap) => ({ ...gap, start: Math.max(gap.start, from) })).filter((gap) => gap.end > from);
  const missing = gaps.reduce((sum, gap) => sum + gap.end - gap.start, 0);
  return new Response(outputStream(env, run, from, whole.end, request.stream), {
    headers: {
      'Content-Type': OUTPUT_TYPE,
      'Cache-Control': 'no-store',
      // What a job prints is never a page: not guessed to be one, and harmless if it were.
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': "sandbox; default-src 'none'",
      [OFFSET_HEADER]: String(from),
      [NEXT_OFFSET_HEADER]: String(whole.end),
      [MISSING_BYTES_HEADER]: String(missing),
      ...(gaps.length > 0 && { [GAPS_HEADER]: describeGaps(gaps) }),
    },
  });
}

function describeGaps(gaps: readonly { start: number; end: number }[]): string {
  return gaps
    .slice(0, MAX_GAPS_IN_HEADER)
    .map((gap) => `${gap.start}-${gap.end}`)
    .join(', ');
}

function outputStream(
  env: Env,
  run: Run,
  from: number,
  end: number,
  stream: StreamName | null,
): ReadableStream<Uint8Array> {
  let position = from;
  return new ReadableStream({
    async pull(controller) {
      if (position >= end) {
        controller.close();
        return;
      }
      const page = await callJob(env, run.job, (object) => object.outputPage(run.id, position, end, MIB));
      position = enqueuePage(controller, page, stream);
      if (position >= end) controller.close();
    },
  });
}

/** @returns the offset that follows the page */
function enqueuePage(
  controller: ReadableStreamDefaultController<Uint8Array>,
  page: OutputPage,
  stream: StreamName | null,
): number {
  let next = Number.POSITIVE_INFINITY;
  for (const piece of page.pieces) {
    if (piece.kind === 'lost') {
      next = piece.end;
      continue;
    }
    next = piece.start + piece.bytes.length;
    if (stream === null || piece.stream === stream) controller.enqueue(piece.bytes);
  }
  return next;
}
