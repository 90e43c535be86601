/**
 * `--splay`: a delay before the start, so that the machines of a fleet don't start a job in the same second. It is the same
 * each time for a job on a machine: a random one would let two runs of an hourly job come close to each other.
 *
 * The run begins after the delay: until then nothing is reported, and its limits don't count.
 */
import { createHash } from 'node:crypto';
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import { defaultInstance } from '#protocol/names';
import { LongTimer } from '../clock/long-timer.ts';
import { readConfigFile, withConfig } from '../config/config-file.ts';
import type { LocalSignals, TerminatingSignal } from '../host/local-signals.ts';
import { openLog } from '../logging/log.ts';
import { nameRun } from './identity.ts';
import type { RunOptions } from './run-options.ts';

export type DelayedStart =
  /** The options name the instance after the time before the delay: all machines of one firing share it. */
  | { readonly kind: 'due'; readonly options: RunOptions }
  /** A signal came first. The run was never started. */
  | { readonly kind: 'ended'; readonly exitCode: number };

export async function delayStart(options: RunOptions, boundMs: number, signals: LocalSignals): Promise<DelayedStart> {
  const firedAt = new Date();
  const settings = withConfig(process.env, readConfigFile(process.env).values);
  const { machine } = nameRun({ options, startedAt: firedAt, settings });
  const log = openLog({
    sink: { write: (line) => void process.stderr.write(line) },
    verbose: options.verbose,
    file: options.logFile ?? settings.LEASH_LOG ?? null,
    label: options.job,
  });
  const delayMs = splayDelayMs(boundMs, machine, options.job);
  log.info(`starts in ${(delayMs / 1_000).toFixed(1)} s (--splay)`);
  const signal = await waitForSplay(delayMs, signals);
  if (signal !== null) log.info(`ended by ${signal} during the delay of --splay: nothing was started`);
  await log.drained();
  if (signal !== null) return { kind: 'ended', exitCode: 128 + os.constants.signals[signal] };
  return { kind: 'due', options: { ...options, instance: options.instance ?? defaultInstance(options.job, firedAt) } };
}

/**
 * The first 48 bits of SHA-256(`<machine> <job>`), as a fraction of the bound. No name contains a space.
 *
 * @returns at least 0, less than `boundMs`
 */
export function splayDelayMs(boundMs: number, machine: string, job: string): number {
  const fraction = createHash('sha256').update(`${machine} ${job}`).digest().readUIntBE(0, 6) / 2 ** 48;
  return Math.floor(boundMs * fraction);
}

/** @returns the signal that came before the delay was over, or null; signals that come after it are queued */
export function waitForSplay(
  delayMs: number,
  signals: Pick<LocalSignals, 'onTerminate' | 'queue'>,
  now = () => performance.now(),
): Promise<TerminatingSignal | null> {
  return new Promise((resolve) => {
    const timer = new LongTimer(now, () => {
      signals.queue();
      resolve(null);
    });
    signals.onTerminate((signal) => {
      timer.clear();
      resolve(signal);
    });
    timer.set(now() + delayMs);
  });
}
