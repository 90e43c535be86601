/** An operator who kills through the API, and writes down what was answered. */
import * as v from 'valibot';
import { Kill } from '#protocol/api';
import { Problem } from '#protocol/problem';
import { waitFor } from '#testing/wait-for';
import type { ApiClient } from '../../scripts/local/api-client.ts';
import { listedRuns } from './reported-run.ts';
import type { RoundLog } from './round-log.ts';
import type { ChaosRun } from './run.ts';
import type { Action, KillScope } from './schedule.ts';

type KillAction = Extract<Action, { kind: 'kill' }>;

interface Request {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A call and its answer. */
export interface KillCall {
  readonly request: Request;
  /** Its `Idempotency-Key`. */
  readonly key: string | null;
  /** The kills that it made; null: no answer came, or a refusal. */
  readonly ids: readonly string[] | null;
}

const Answer = v.union([v.object({ kill: Kill }), v.object({ kills: v.array(Kill) })]);
/** What may be said of a kill that finds nobody, or while the database is away. */
const HONEST_REFUSALS = ['unknown_job', 'unknown_run', 'unavailable'];

export class Operator {
  readonly calls: KillCall[] = [];
  readonly #api: ApiClient;
  readonly #log: RoundLog;
  readonly #runs: readonly ChaosRun[];
  readonly #jobs: readonly string[];
  readonly #machines: readonly string[];
  #keys = 0;

  constructor(
    api: ApiClient,
    log: RoundLog,
    round: { runs: readonly ChaosRun[]; jobs: readonly string[]; machines: readonly string[] },
  ) {
    this.#api = api;
    this.#log = log;
    this.#runs = round.runs;
    this.#jobs = round.jobs;
    this.#machines = round.machines;
  }

  async kill(action: KillAction): Promise<void> {
    const { signal, graceMs, manner } = action;
    const target = await this.#requestFor(action.scope);
    if (target === null) {
      this.#log.write('kill: its run never said who it is');
      return;
    }
    const body = {
      ...target.body,
      ...(signal === null ? {} : { signal }),
      ...(graceMs === null ? {} : { grace_seconds: graceMs / 1000 }),
    };
    const request = { path: target.path, body };
    switch (manner) {
      case 'once':
        await this.#call(request);
        return;
      case 'twice':
        await this.#call(request);
        await this.#call(request);
        return;
      case 'at_once':
        await Promise.all([this.#call(request), this.#call(request)]);
        return;
      case 'then_sigkill':
        await this.#call(request);
        await this.#call({ path: request.path, body: { ...target.body, signal: 'SIGKILL' } });
        return;
      case 'same_key': {
        const key = this.#newKey();
        await this.#call(request, key);
        await this.#call(request, key);
        return;
      }
    }
  }

  /** Ends a run that nothing else ends. */
  async killRun(run: ChaosRun, id: string): Promise<void> {
    await this.#call({ path: `/jobs/${run.job}/kill`, body: { run: id, grace_seconds: 0.3 } });
  }

  /** Calls once more what got no answer and has a key: then it is known whether it was a kill. */
  async repeatUnanswered(): Promise<void> {
    const unanswered = this.calls.filter(({ key, ids }) => key !== null && ids === null);
    const once = new Map(unanswered.map((call) => [call.key, call]));
    for (const { request, key } of once.values()) await this.#call(request, key);
  }

  #newKey(): string {
    this.#keys += 1;
    return `chaos-${this.#jobs[0]}-${this.#keys}`;
  }

  async #requestFor(scope: KillScope): Promise<Request | null> {
    switch (scope.by) {
      case 'run': {
        const id = await this.#idOf(scope.run);
        return id === null ? null : { path: `/jobs/${this.#run(scope.run).job}/kill`, body: { run: id } };
      }
      case 'instance': {
        const { job, instance } = this.#run(scope.run);
        return { path: `/jobs/${job}/kill`, body: { instance } };
      }
      case 'runs': {
        const ids = (await Promise.all(scope.runs.map((run) => this.#idOf(run)))).filter((id) => id !== null);
        return ids.length === 0 ? null : { path: '/kills', body: { runs: ids } };
      }
      case 'job':
        return { path: `/jobs/${this.#jobs[scope.job]}/kill`, body: {} };
      case 'job_on_machine':
        return { path: `/jobs/${this.#jobs[scope.job]}/kill`, body: { machine: this.#machines[scope.machine] } };
      case 'machine':
        return { path: '/kills', body: { jobs: this.#jobs, machines: this.#machines[scope.machine] } };
    }
  }

  #run(index: number): ChaosRun {
    const run = this.#runs[index];
    if (run === undefined) throw new Error(`there is no run ${index}`);
    return run;
  }

  async #idOf(index: number): Promise<string | null> {
    const run = this.#run(index);
    await run.started;
    return waitFor(`the id of ${run.name}`, async () => {
      const id = run.id ?? (run.plan.asking === null ? null : await this.#listedId(run));
      return id ?? (run.wrapper.isRunning ? false : 'none');
    }).then((id) => (id === 'none' ? null : id));
  }

  /** Of a run that asks and may not have started its command. */
  async #listedId({ job, instance }: ChaosRun): Promise<string | null> {
    // The control plane may be away.
    const listed = await listedRuns(this.#api, job).catch(() => []);
    return listed.find((each) => each.instance === instance)?.id ?? null;
  }

  async #call(request: Request, key: string | null = null): Promise<void> {
    const what = `${request.path} ${JSON.stringify(request.body)}${key === null ? '' : ` (key ${key})`}`;
    const keep = (ids: readonly string[] | null, answer: string) => {
      this.calls.push({ request, key, ids });
      this.#log.write(`kill ${what}: ${answer}`);
    };
    try {
      const headers = key === null ? {} : { 'Idempotency-Key': key };
      const response = await this.#api.request('POST', request.path, request.body, headers);
      const text = await response.text();
      if (response.ok) {
        const answer = v.parse(Answer, JSON.parse(text));
        const kills = 'kill' in answer ? [answer.kill] : answer.kills;
        const ids = kills.map(({ id }) => id);
        keep(ids, `${response.status} ${ids.join(', ')}`);
        return;
      }
      const problem = v.safeParse(v.pipe(v.string(), v.parseJson(), Problem), text);
      keep(null, `${response.status} ${text.slice(0, 200)}`);
      if (!problem.success || !HONEST_REFUSALS.includes(problem.output.code))
        this.#log.fail(`a kill was answered by ${response.status} ${text.slice(0, 200)}: ${what}`);
    } catch (error) {
      // The control plane is away.
      keep(null, `no answer: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
