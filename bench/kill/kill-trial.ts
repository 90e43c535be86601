/** Kills one run after the other, each the only kill at its time, and notes when the signal reached the command. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { KillBody } from '#protocol/api';
import { withTimeout } from '#shared/with-timeout';
import { waitFor } from '#testing/wait-for';
import type { WrapperProcess } from '../../scripts/local/wrapper-process.ts';
import type { BenchPlane, Disturbance } from '../measure/bench-plane.ts';
import { SignalledCommand, type SignalTimes } from './signalled-command.ts';

/** The longest that a call may take: longer than the control plane's own limits. */
const CALL_LIMIT_MS = 20_000;
const HOPELESS_AFTER = 2;
/** Of a wrapper whose command has ended: after that its leftovers are ended with everything else. */
const EXIT_LIMIT_MS = 10_000;
const SETTLED_WITHIN_SECONDS = 5;
/** After a start or an end, until the machine is quiet again. */
const QUIET_MS = 300;

/** Where the time went, in milliseconds since the kill was requested. Null: not known. */
export interface Hops {
  readonly stored: number | null;
  readonly sent: number | null;
  readonly received: number | null;
  readonly firstSignal: number | null;
  readonly lastProcessGone: number | null;
}

export interface KillTimes extends SignalTimes {
  readonly hops: Hops | null;
}

/** A kill whose signal has arrived; without an id if its call was not answered. */
interface Killed {
  readonly times: SignalTimes;
  readonly id: string | null;
}

interface Victim {
  readonly job: string;
  readonly run: string;
  readonly command: SignalledCommand;
  readonly wrapper: WrapperProcess;
}

export class KillTrial {
  readonly #plane: BenchPlane;
  #nextCommand = 0;

  constructor(plane: BenchPlane) {
    this.#plane = plane;
  }

  /**
   * Starts runs of as many jobs, and kills them.
   *
   * @param options.idleMs how long the runs are left alone first
   * @returns null for each signal that did not arrive
   */
  async measure(
    count: number,
    { disturbance = {}, idleMs = QUIET_MS }: { readonly disturbance?: Disturbance; readonly idleMs?: number } = {},
  ): Promise<(KillTimes | null)[]> {
    const victims = await this.#start(count);
    await sleep(idleMs);
    const killed: (Killed | null)[] = [];
    try {
      await this.#plane.disturbD1(disturbance);
      for (const victim of victims) {
        // Where the first ones don't arrive, the others would only wait, too.
        const isHopeless = killed.length >= HOPELESS_AFTER && killed.every((each) => each === null);
        killed.push(isHopeless ? null : await this.#kill(victim));
      }
    } finally {
      await this.#plane.disturbD1();
    }
    if (killed.includes(null)) await this.#plane.clear();
    return Promise.all(
      killed.map(async (each) => (each === null ? null : { ...each.times, hops: await this.#hops(each.id) })),
    );
  }

  async #start(count: number): Promise<Victim[]> {
    const started = Array.from({ length: count }, (_, index) => {
      const command = new SignalledCommand(this.#plane.directory, `command-${this.#nextCommand++}`);
      const instance = `kill-${this.#nextCommand}`;
      const [job, machine] = [`bench-${index}`, `m${index}.example.com`];
      return {
        job,
        instance,
        command,
        wrapper: this.#plane.wrapper({ job, instance, machine, command: command.argv }),
      };
    });
    return Promise.all(
      started.map(async ({ job, instance, command, wrapper }) => {
        await command.isReady();
        const run = await waitFor(`a run of ${job}`, async () => {
          const runs = await this.#plane.admin.runs({ job, instance });
          return runs.find(({ connected }) => connected)?.id;
        });
        return { job, run, command, wrapper };
      }),
    );
  }

  async #kill({ job, run, command, wrapper }: Victim): Promise<Killed | null> {
    const operator = this.#plane.operator;
    let id: string | null = null;
    const request = async () => {
      // As the dashboard does it.
      const key = { 'idempotency-key': randomUUID() };
      const response = await operator.request('POST', `/jobs/${job}/kill`, { run }, key);
      const body = await response.text();
      if (response.ok) id = v.parse(KillBody, JSON.parse(body)).kill.id;
      return response.ok;
    };
    const times = await command.time(() => withTimeout(request(), CALL_LIMIT_MS, { fallback: false }));
    if (times === null) return null;
    await withTimeout(wrapper.exit, EXIT_LIMIT_MS, { fallback: null });
    return { times, id };
  }

  /** Null if the control plane does not know the kill, or not yet. */
  async #hops(id: string | null): Promise<Hops | null> {
    if (id === null) return null;
    const response = await this.#plane.admin.request('GET', `/kills/${id}?wait=${SETTLED_WITHIN_SECONDS}`);
    const body = await response.text();
    if (!response.ok) return null;
    const { stored_ms, targets } = v.parse(KillBody, JSON.parse(body)).kill;
    const timing = targets[0]?.timing ?? null;
    return {
      stored: stored_ms,
      sent: timing?.sent_ms ?? null,
      received: timing?.received_ms ?? null,
      firstSignal: timing?.first_signal_ms ?? null,
      lastProcessGone: timing?.last_process_gone_ms ?? null,
    };
  }
}
