/**
 * A run without a process: the test speaks its wrapper's side of the link. It is for tests of the dashboard, which sees
 * only what the control plane reports; a real wrapper costs half a second of CPU and would show them nothing more.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { ulid } from 'ulid';
import { WebSocket } from 'ws';
import type { About } from '#protocol/about';
import type { Question } from '#protocol/admission';
import { encodeOutputFrame, type StreamName } from '#protocol/output-frame';
import { EXIT_KILLED } from '#protocol/run-state';
import { type Complete, type KillMessage, readObjectMessage, WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';
import { WAIT_LIMIT_MS } from '#testing/patience';

export interface SimulatedRunOptions {
  readonly job: string;
  readonly machine: string;
  readonly instance?: string;
  /** Its id, unless it is a new one. */
  readonly id?: string;
  /** It reports a SIGTERM and doesn't end. */
  readonly ignoresSigterm?: boolean;
  /** How long it has been running when it connects. */
  readonly ageMs?: number;
  /** What the job is. */
  readonly about?: Partial<About>;
  /** Asks before it starts, and goes no further: it waits, or it is skipped by the test. */
  readonly question?: Question;
}

let lastPid = 10_000;

export class SimulatedRun {
  readonly id: string;
  readonly pid = ++lastPid;
  readonly machine: string;
  /** How much it has printed, whether that has arrived or not. */
  printedBytes = 0;
  /** When the control plane has stored its end. */
  readonly exit: Promise<{ readonly code: number | null }>;
  readonly #socket: WebSocket;
  readonly #ignoresSigterm: boolean;
  readonly #started = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<{ code: number | null }>();
  readonly #startedAt: number;
  #isRunning = true;
  #exitCode: number | null = null;

  private constructor(url: string, token: string, options: SimulatedRunOptions) {
    const { job, machine, instance = `${job}_${this.pid}`, ignoresSigterm = false, ageMs = 0 } = options;
    this.id = options.id ?? ulid();
    this.#startedAt = performance.now() - ageMs;
    const query = new URLSearchParams({ run: this.id, instance, machine });
    this.machine = machine;
    this.#ignoresSigterm = ignoresSigterm;
    this.exit = this.#ended.promise;
    this.#socket = new WebSocket(
      `${url.replace(/^http/, 'ws')}/api/v1/jobs/${job}/connect?${query}`,
      WRAPPER_SUBPROTOCOL,
      {
        headers: { authorization: `Bearer ${token}` },
        perMessageDeflate: false,
        handshakeTimeout: WAIT_LIMIT_MS,
      },
    );
    this.#socket.on('message', (data) => this.#receive(String(data)));
  }

  /** @returns when the control plane has stored that it runs */
  static async start(url: string, token: string, options: SimulatedRunOptions): Promise<SimulatedRun> {
    const run = new SimulatedRun(url, token, options);
    await once(run.#socket, 'open');
    run.#send({
      type: 'start',
      run: run.id,
      run_key: randomBytes(16).toString('hex'),
      ...(options.question === undefined
        ? { phase: 'running', pid: run.pid }
        : { phase: 'waiting', pid: null, question: options.question }),
      command_line: 'sleep 600',
      age_ms: run.#ageMs(),
      version: '0.0.0-test',
      limits: { timeout_ms: null, grace_ms: 5000 },
      output: { from: 0, to: 0 },
      applied_kills: [],
      ...(options.about !== undefined && { about: options.about }),
    });
    await run.#started.promise;
    return run;
  }

  /** Whether its link is open. */
  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  print(text: string, stream: StreamName = 'stdout'): void {
    const bytes = new TextEncoder().encode(text);
    this.#socket.send(encodeOutputFrame({ stream, start: this.printedBytes, bytes }));
    this.printedBytes += bytes.length;
  }

  /** Exits by itself. @returns when that is stored */
  async end(exitCode: number, durationMs = this.#ageMs()): Promise<void> {
    this.#complete({ exit_code: exitCode, command_exit_code: exitCode, signal: null, reason: 'exited' }, durationMs);
    await this.exit;
  }

  /** Ends as one that was told not to start. @returns when that is stored */
  async skip(): Promise<void> {
    this.#complete({ exit_code: 75, command_exit_code: null, signal: null, reason: 'overlap' }, this.#ageMs());
    await this.exit;
  }

  close(): void {
    this.#socket.terminate();
  }

  #receive(text: string): void {
    const read = readObjectMessage(text);
    if (read.kind !== 'message') return;
    const { message } = read;
    if (message.type === 'error') throw new Error(`the control plane does not understand: ${message.message}`);
    if (message.type === 'kill') this.#applyKill(message);
    if (message.type !== 'ack') return;
    if (message.of === 'start') this.#started.resolve();
    if (message.of === 'complete') {
      this.#ended.resolve({ code: this.#exitCode });
      this.close();
    }
  }

  #applyKill({ kill, signal }: KillMessage): void {
    if (!this.#isRunning) return;
    const sendProgress = (phase: 'term' | 'kill' | 'gone', sent: string | null) =>
      this.#send({
        type: 'killing',
        kill,
        reason: 'operator',
        phase,
        signal: sent,
        at_ms: this.#ageMs(),
        survivors: [],
        unnamed_survivors: false,
      });
    sendProgress(signal === 'SIGKILL' ? 'kill' : 'term', signal);
    if (this.#ignoresSigterm && signal !== 'SIGKILL') return;
    sendProgress('gone', null);
    this.#complete({ exit_code: EXIT_KILLED, command_exit_code: null, signal, reason: 'operator' }, this.#ageMs());
  }

  #complete(end: Pick<Complete, 'exit_code' | 'command_exit_code' | 'signal' | 'reason'>, durationMs: number): void {
    this.#isRunning = false;
    this.#exitCode = end.exit_code;
    this.#send({
      type: 'complete',
      ...end,
      duration_ms: durationMs,
      final_offset: this.printedBytes,
      applied_kills: [],
    });
  }

  #ageMs(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  #send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }
}
