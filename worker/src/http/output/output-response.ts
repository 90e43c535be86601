/** A run's output as a response, streamed from the job's Durable Object page by page, so its size doesn't matter. */
import { GAPS_HEADER, MISSING_BYTES_HEADER, NEXT_OFFSET_HEADER, OFFSET_HEADER, type Run } from '#protocol/api';
import { MIB } from '#protocol/limits';
import type { StreamName } from '#protocol/output-frame';
import { log } from '../../../shared/log.ts';
import { callJob, type OutputExtent, type OutputPart } from '../../../shared/rpc/job-object.ts';
import { ApiError } from '../../api-error.ts';
import type { AppContext } from '../context.ts';
import { type ByteRange, type RangeRequest, resolveRange, withoutGaps } from './byte-range.ts';

/** The encoding is unknown; UTF-8 is the likeliest. */
export const OUTPUT_TYPE = 'text/plain; charset=utf-8';

export interface OutputRequest {
  /** Where to start. */
  readonly offset: number;
  /** How many bytes before the end to start, instead of `offset`. */
  readonly tail: number | null;
  /** Only this stream; null for both. */
  readonly stream: StreamName | null;
  /** Whether to insert a line where bytes are missing. */
  readonly marksGaps: boolean;
}

/** A header must stay small: of more gaps it lists only these. */
const MAX_GAPS_IN_HEADER = 100;

const NEWLINE = 0x0a;
const NO_BYTES = new Uint8Array();
const encoder = new TextEncoder();

/** A range of a run's output that is to be sent. */
interface OutputSlice extends ByteRange {
  /** Only this stream; null for both. */
  readonly stream: StreamName | null;
  readonly gaps: readonly ByteRange[];
  readonly marksGaps: boolean;
}

/** The output from an offset, or the last `tail` bytes, to its end. */
export async function outputResponse(c: AppContext, run: Run, request: OutputRequest): Promise<Response> {
  const { stream, marksGaps } = request;
  const { end, gaps: stored } = await extentOf(c, run);
  const start = request.tail === null ? Math.min(request.offset, end) : Math.max(0, end - request.tail);
  const gaps = stored.map((gap) => ({ ...gap, start: Math.max(gap.start, start) })).filter((gap) => gap.end > start);
  return respond(
    c,
    run,
    200,
    { start, end, stream, gaps, marksGaps },
    {
      // If bytes are left out, a position in the response isn't an offset: resuming by it would repeat some.
      'Accept-Ranges': stream === null && gaps.length === 0 ? 'bytes' : 'none',
    },
  );
}

/**
 * One range without gaps: the requested range up to its first gap; for a suffix, what follows its last gap.
 * `Content-Range` says which bytes these are.
 *
 * @throws ApiError `range_not_satisfiable` if no byte of the range is stored
 */
export async function rangeResponse(c: AppContext, run: Run, request: RangeRequest): Promise<Response> {
  const { end, gaps: stored } = await extentOf(c, run);
  const requested = resolveRange(request, end);
  const parts = withoutGaps(requested, stored);
  const part = request.kind === 'suffix' ? parts.at(-1) : parts[0];
  if (part === undefined) throw notSatisfiable(requested, end);
  return respond(
    c,
    run,
    206,
    { ...part, stream: null, gaps: [], marksGaps: false },
    { 'Accept-Ranges': 'bytes', 'Content-Range': `bytes ${part.start}-${part.end - 1}/${end}` },
  );
}

function notSatisfiable({ start, end }: ByteRange, outputEnd: number): ApiError {
  const why =
    start < end
      ? `Bytes ${start} to ${end - 1} are permanently missing.`
      : `The range starts after the end of the output; ${outputEnd} bytes are stored so far.`;
  return new ApiError('range_not_satisfiable', why, { 'Content-Range': `bytes */${outputEnd}` });
}

function extentOf(c: AppContext, run: Run): Promise<OutputExtent> {
  return callJob(c.env, run.job, (object) => object.outputExtent(run.id));
}

function respond(
  c: AppContext,
  run: Run,
  status: 200 | 206,
  slice: OutputSlice,
  headers: Readonly<Record<string, string>>,
): Response {
  const missing = slice.gaps.reduce((sum, gap) => sum + gap.end - gap.start, 0);
  // The response to HEAD has no body: don't fetch any bytes.
  const body = c.req.raw.method === 'HEAD' ? null : outputStream(c, run, slice);
  return new Response(body, {
    status,
    headers: {
      'Content-Type': OUTPUT_TYPE,
      // A browser that takes output for HTML must not run anything in it.
      'Content-Security-Policy': "sandbox; default-src 'none'",
      [OFFSET_HEADER]: String(slice.start),
      [NEXT_OFFSET_HEADER]: String(slice.end),
      [MISSING_BYTES_HEADER]: String(missing),
      ...(slice.gaps.length > 0 && { [GAPS_HEADER]: describeGaps(slice.gaps) }),
      ...headers,
    },
  });
}

function describeGaps(gaps: readonly ByteRange[]): string {
  return gaps
    .slice(0, MAX_GAPS_IN_HEADER)
    .map((gap) => `${gap.start}-${gap.end}`)
    .join(', ');
}

/**
 * The bytes, fetched as they are read. A failure ends the stream with an error, which the client sees as a failed
 * connection, never as the end of the output.
 */
function outputStream(c: AppContext, run: Run, slice: OutputSlice): ReadableStream<Uint8Array> {
  let position = slice.start;
  let isAtLineStart = true;
  return new ReadableStream({
    async pull(controller) {
      try {
        let hasEnqueued = false;
        const enqueue = (bytes: Uint8Array) => {
          if (bytes.length === 0) return;
          hasEnqueued = true;
          isAtLineStart = bytes.at(-1) === NEWLINE;
          controller.enqueue(bytes);
        };
        // A stream isn't pulled again until something was enqueued.
        while (!hasEnqueued && position < slice.end) {
          const from = position;
          const { parts } = await callJob(c.env, run.job, (object) => object.outputPage(run.id, from, slice.end, MIB));
          if (parts.length === 0) throw new Error(`nothing is stored at ${from}`);
          for (const part of parts) {
            enqueue(partBytes(part, slice, isAtLineStart));
            position = partEnd(part);
          }
        }
      } catch (error) {
        log.error('output_failed', error, { request: c.get('requestId'), job: run.job, run: run.id, at: position });
        throw error;
      }
      if (position >= slice.end) controller.close();
    },
  });
}

function partBytes(part: OutputPart, { stream, gaps, marksGaps }: OutputSlice, isAtLineStart: boolean): Uint8Array {
  switch (part.kind) {
    case 'bytes':
      return stream === null || part.stream === stream ? part.bytes : NO_BYTES;
    case 'gap':
      // This was trimmed after the headers, which list the gaps, were sent.
      if (withoutGaps(part, gaps).length > 0) {
        throw new Error(`the bytes from ${part.start} to ${part.end} were removed while they were being read`);
      }
      return marksGaps ? encoder.encode((isAtLineStart ? '' : '\n') + gapLine(part)) : NO_BYTES;
  }
}

/** With exact offsets, so that a saved file shows where each byte was. */
function gapLine({ start, end }: ByteRange): string {
  const [missing, are] = end - start === 1 ? ['1 byte', 'is'] : [`${end - start} bytes`, 'are'];
  return `[leash: ${missing} of the output ${are} missing here, from offset ${start} to ${end}]\n`;
}

function partEnd(part: OutputPart): number {
  return part.kind === 'bytes' ? part.start + part.bytes.length : part.end;
}
