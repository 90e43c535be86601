/** Watches a job over its WebSocket, and reports what arrives as it arrives. */
import type { Run, RunEvent } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { waitFor } from '#testing/wait-for';
import { JobWatch } from '../scripts/local/job-watch.ts';
import type { WrapperProcess } from '../scripts/local/wrapper-process.ts';
import type { DemoEnvironment } from './demo-environment.ts';
import { describeEvent } from './event-text.ts';
import type { Reporter } from './reporter.ts';
import type { ScenarioResult } from './scenario.ts';

export class Viewer {
  sawOutputWhileRunning = false;
  readonly #job: string;
  readonly #environment: DemoEnvironment;
  readonly #reporter: Reporter;
  readonly #runs: Run[] = [];
  readonly #lines: string[] = [];
  readonly #decoder = new TextDecoder();
  #watch: JobWatch | null = null;
  #partialLine = '';
  #sawEnd = false;
  #lastEvent = -1;
  /** Done when everything from before the subscription has been reported. */
  #caughtUp: Promise<void> = Promise.resolve();

  private constructor(job: string, environment: DemoEnvironment, reporter: Reporter) {
    this.#job = job;
    this.#environment = environment;
    this.#reporter = reporter;
  }

  static async open(job: string, environment: DemoEnvironment, reporter: Reporter): Promise<Viewer> {
    const viewer = new Viewer(job, environment, reporter);
    viewer.#watch = await JobWatch.open(environment.url, environment.operatorToken, job, {
      run: (run) => viewer.#seeRun(run),
      event: (_run, event) => void viewer.#caughtUp.then(() => viewer.#report(event)),
      output: ({ bytes }) => void viewer.#caughtUp.then(() => viewer.#seeOutput(bytes)),
    });
    return viewer;
  }

  /** The run, as soon as the control plane knows of it. */
  async firstRun(wrapper: WrapperProcess): Promise<Run> {
    return waitFor(`the wrapper to connect (it printed: ${wrapper.printed.trim()})`, () => this.#runs[0]);
  }

  async line(text: string): Promise<void> {
    await waitFor(`the line ${JSON.stringify(text)}`, () => this.#lines.includes(text));
  }

  /** The run with all that is stored of it, once it has ended and that has been reported. */
  async end(id: string): Promise<ScenarioResult> {
    const { operator } = this.#environment;
    const run = await waitFor('the run to end', async () => {
      const current = await operator.run(id, this.#job);
      return isLive(current.state) ? null : current;
    });
    const [events, output] = await Promise.all([
      operator.events(id, this.#job),
      operator.output(id, { job: this.#job }),
    ]);
    const last = events.at(-1)?.id ?? -1;
    await waitFor('the last event to arrive over the watch socket', () => this.#lastEvent >= last);
    return { run, events, output: output.text };
  }

  close(): void {
    this.#watch?.close();
  }

  #seeRun(run: Run): void {
    this.#runs.push(run);
    if (this.#runs.length > 1) return;
    this.#watch?.subscribe(run.id);
    this.#caughtUp = this.#environment.operator.events(run.id, this.#job).then((events) => {
      for (const event of events) this.#report(event);
    });
  }

  #seeOutput(bytes: Uint8Array): void {
    const lines = (this.#partialLine + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#partialLine = lines.pop() ?? '';
    for (const line of lines) {
      this.#lines.push(line);
      this.#reporter.event(this.#job, `│ ${line}`, 'output');
    }
    if (!this.#sawEnd) this.sawOutputWhileRunning = true;
  }

  #report(event: RunEvent): void {
    // It may come twice: over the watch socket, and with what happened before that was opened.
    if (event.id <= this.#lastEvent) return;
    this.#lastEvent = event.id;
    if (event.type === 'ended') this.#sawEnd = true;
    const description = describeEvent(event);
    if (description !== null) this.#reporter.event(this.#job, description.text, description.tone);
  }
}
