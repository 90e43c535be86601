/** A run's output as an HTTP answer: streamed from the object page by page, so that its size does not matter. */
import { GAPS_HEADER, MISSING_BYTES_HEADER, NEXT_OFFSET_HEADER, OFFSET_HEADER, type Run } from '#protocol/api';
import { MIB } from '#protocol/limits';
import type { StreamName } from '#protocol/output-frame';
import { log } from '../../../shared/log.ts';
import { callJob, type OutputExtent, type OutputPiece } from '../../../shared/rpc/job-object.ts';
import { ApiError } from '../../api-error.ts';
import type { AppContext } from '../context.ts';
import { type ByteRange, type RangeRequest, resolveRange, withoutGaps } from './byte-range.ts';

/** Nothing is known of its encoding but that UTF-8 is the likeliest. */
export const OUTPUT_TYPE = 'text/plain; charset=utf-8';

export interface OutputRequest {
  /** Where to start, in the merged log. */
  readonly offset: number;
  /** Start so many bytes before the end instead. */
  readonly tail: number | null;
  /** Only what went to this stream. */
  readonly stream: StreamName | null;
  /** Whether a line says where bytes are missing. */
  readonly marksGaps: boolean;
}

/** A header must stay small: more gaps than this are told by their sum alone. */
const MAX_GAPS_IN_HEADER = 100;

const NEWLINE = 0x0a;
const NO_BYTES = new Uint8Array();
const encoder = new TextEncoder();

/** A part of a run's log, to be sent. */
interface OutputSlice extends ByteRange {
  /** Only what went to this stream. */
  readonly stream: StreamName | null;
  /** What of it is missing. */
  readonly gaps: readonly ByteRange[];
  readonly marksGaps: boolean;
}

/** The output from an offset, or from so many bytes before its end, to its end. */
export async function outputResponse(c: AppContext, run: Run, request: OutputRequest): Promise<Response> {
  const { stream, marksGaps } = request;
  const { end, lost } = await extentOf(c, run);
  const start = request.tail === null ? Math.min(request.offset, end) : Math.max(0, end - request.tail);
  const gaps = lost.map((gap) => ({ ...gap, start: Math.max(gap.start, start) })).filter((gap) => gap.end > start);
  return respond(
    c,
    run,
    200,
    { start, end, stream, gaps, marksGaps },
    {
      // Where bytes are left out, a position in what came is not an offset: who resumed by it would get some of it twice.
      'Accept-Ranges': stream === null && gaps.length === 0 ? 'bytes' : 'none',
    },
  );
}

/**
 * One stretch of the log, without holes: what the range asks for up to its first gap; of a suffix, what follows its last.
 * An answer that holds less than was asked for says so itself, by its `Content-Range`.
 *
 * @throws ApiError `range_not_satisfiable` when nothing of the range is there
 */
export async function rangeResponse(c: AppContext, run: Run, asked: RangeRequest): Promise<Response> {
  const { end, lost } = await extentOf(c, run);
  const stretch = resolveRange(asked, end);
  const parts = withoutGaps(stretch, lost);
  const part = asked.kind === 'suffix' ? parts.at(-1) : parts[0];
  if (part === undefined) throw notSatisfiable(stretch, end);
  return respond(
    c,
    run,
    206,
    { ...part, stream: null, gaps: [], marksGaps: false },
    { 'Accept-Ranges': 'bytes', 'Content-Range': `bytes ${part.start}-${part.end - 1}/${end}` },
  );
}

function notSatisfiable({ start, end }: ByteRange, logEnd: number): ApiError {
  const why =
    start < end
      ? `The bytes from ${start} to ${end - 1} are missing for ever.`
      : `${logEnd} bytes are stored so far: ask for some of them.`;
  return new ApiError('range_not_satisfiable', why, { 'Content-Range': `bytes */${logEnd}` });
}

function extentOf(c: AppContext, run: Run): Promise<OutputExtent> {
  return callJob(c.env, run.job, (object) => object.outputExtent(run.id));
}

function respond(
  c: AppContext,
  run: Run,
  status: 200 | 206,
  excerpt: OutputSlice,
  headers: Readonly<Record<string, string>>,
): Response {
  const missing = excerpt.gaps.reduce((sum, gap) => sum + gap.end - gap.start, 0);
  // HEAD is answered without the bytes: don't fetch any.
  const body = c.req.raw.method === 'HEAD' ? null : outputStream(c, run, excerpt);
  return new Response(body, {
    status,
    headers: {
      'Content-Type': OUTPUT_TYPE,
      // What a job prints is never a page: no answer may be guessed to be one, and this one is harmless if it were.
      'Content-Security-Policy': "sandbox; default-src 'none'",
      [OFFSET_HEADER]: String(excerpt.start),
      [NEXT_OFFSET_HEADER]: String(excerpt.end),
      [MISSING_BYTES_HEADER]: String(missing),
      ...(excerpt.gaps.length > 0 && { [GAPS_HEADER]: describeGaps(excerpt.gaps) }),
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
 * The bytes, fetched as they are read. One that can't be brought to its end breaks off with an error, which the client
 * sees as a connection that failed: never as an output that just ended.
 */
function outputStream(c: AppContext, run: Run, excerpt: OutputSlice): ReadableStream<Uint8Array> {
  let position = excerpt.start;
  let isAtLineStart = true;
  return new ReadableStream({
    async pull(controller) {
      try {
        let isFed = false;
        const give = (bytes: Uint8Array) => {
          if (bytes.length === 0) return;
          isFed = true;
          isAtLineStart = bytes.at(-1) === NEWLINE;
          controller.enqueue(bytes);
        };
        // A stream is not asked again until it was given something: go on until there is something to give.
        while (!isFed && position < excerpt.end) {
          const from = position;
          const { pieces } = await callJob(c.env, run.job, (object) =>
            object.outputPage(run.id, from, excerpt.end, MIB),
          );
          if (pieces.length === 0) throw new Error(`nothing is stored at ${from}`);
          for (const piece of pieces) {
            give(pieceBytes(piece, excerpt, isAtLineStart));
            position = pieceEnd(piece);
          }
        }
      } catch (error) {
        log.error('output_broken_off', error, { request: c.get('requestId'), job: run.job, run: run.id, at: position });
        throw error;
      }
      if (position >= excerpt.end) controller.close();
    },
  });
}

/** What of a piece is sent. */
function pieceBytes(piece: OutputPiece, { stream, gaps, marksGaps }: OutputSlice, isAtLineStart: boolean): Uint8Array {
  switch (piece.kind) {
    case 'bytes':
      return stream === null || piece.stream === stream ? piece.bytes : NO_BYTES;
    case 'lost':
      // The headers have said what is missing, and are gone: this was removed meanwhile.
      if (withoutGaps(piece, gaps).length > 0) {
        throw new Error(`the bytes from ${piece.start} to ${piece.end} were removed while they were being read`);
      }
      return marksGaps ? encoder.encode((isAtLineStart ? '' : '\n') + gapLine(piece)) : NO_BYTES;
  }
}

/** Exact: whoever has the file alone can tell where each byte was. */
function gapLine({ start, end }: ByteRange): string {
  const [missing, are] = end - start === 1 ? ['1 byte', 'is'] : [`${end - start} bytes`, 'are'];
  return `[leash: ${missing} of the output ${are} missing here, from offset ${start} to ${end}]\n`;
}

function pieceEnd(piece: OutputPiece): number {
  return piece.kind === 'bytes' ? piece.start + piece.bytes.length : piece.end;
}
