import type { Env } from './env.ts';
import { callJob } from './rpc/job-object.ts';

/** The end of a run's output, as it was printed. */
export interface OutputTail {
  readonly text: string;
  /** Whether there is more before it. */
  readonly isCut: boolean;
}

/** Reads what a run has printed last. A running wrapper is asked for what it has not sent yet, and may not answer. */
export async function readOutputTail(
  env: Env,
  { job, run }: { readonly job: string; readonly run: string },
  maxBytes: number,
): Promise<OutputTail> {
  const { end } = await callJob(env, job, async (object) => await object.outputExtent(run));
  const from = Math.max(0, end - maxBytes);
  const decoder = new TextDecoder();
  let text = '';
  for (let at = from; at < end; ) {
    const start = at;
    const { parts } = await callJob(env, job, async (object) => await object.outputPage(run, start, end, maxBytes));
    for (const part of parts) {
      if (part.kind === 'bytes') text += decoder.decode(part.bytes, { stream: true });
      at = part.kind === 'bytes' ? part.start + part.bytes.length : part.end;
    }
    if (parts.length === 0) break;
  }
  return { text: text + decoder.decode(), isCut: from > 0 };
}
