/** Checks in order, one subject after another, each bounded in time. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import * as v from 'valibot';
import { withTimeout } from '#shared/with-timeout';
import { isSingleExecutable, ownProgram } from '../host/own-program.ts';
import { uniqueUlid } from '../host/unique-ulid.ts';
import { parseJson } from '../http/json.ts';
import { problemIn } from '../http/problem-response.ts';
import { describeError } from '../logging/log.ts';
import { checkCgroup } from './checks/cgroup.ts';
import { judgeClock } from './checks/clock.ts';
import { checkCron } from './checks/cron.ts';
import { checkLimits } from './checks/limits.ts';
import { checkMemory } from './checks/memory.ts';
import { checkProgram, judgeServed } from './checks/program.ts';
import { judgeSettings, type Settings } from './checks/settings.ts';
import { checkState } from './checks/state.ts';
import { isSendable, judgeRights, judgeToken, type RightsAnswer, readToken } from './checks/token.ts';
import { judgeTrial } from './checks/trial.ts';
import { judgeHealth, judgeNames, judgeTransport, judgeUpgrade, type Upgrade } from './checks/way.ts';
import { type Finding, isProblem, note, problem, type Section, type SectionId } from './finding.ts';
import { tryUpgrade } from './probe-upgrade.ts';
import { type Answer, healthOf, Way } from './probe-way.ts';
import { TEST_JOB, type TestJob, testJobFor } from './test-job.ts';
import { type Killer, type Operator, tryRun } from './trial.ts';

export interface Examination {
  readonly version: string;
  /** The path of the file that runs; null from the sources. */
  readonly program: string | null;
  readonly settings: Settings;
  /** The job of the test run; null: one that the token is for. */
  readonly job: string | null;
  readonly machine: string;
  /** Flags that `leash run` is to get as well. */
  readonly flags: readonly string[];
  readonly isOffline: boolean;
  readonly withTrial: boolean;
  /** Who may kill the test run; without one the machine's own token is used, if it can. */
  readonly operator: Operator;
}

/** More than all steps of a section may take: a bound for a disk that hangs. */
const SECTION_LIMIT_MS = 120_000;

/** Yields each section when it is finished. Never fails. */
export async function* examine(examination: Examination): AsyncGenerator<Section> {
  const { version, program, settings, isOffline } = examination;
  const { controlPlane } = settings;
  yield await section('program', () => checkProgram(program, version));
  yield await section('settings', () => judgeSettings(settings.facts));
  const token = controlPlane === null ? null : await readToken(controlPlane.token);
  if (token !== null) yield await section('token', () => judgeToken(token));
  const online = new Online(
    examination,
    token !== null && token.kind !== 'unreadable' && isSendable(token.text) ? token.text : null,
  );
  if (!isOffline && controlPlane !== null) yield* online.sections();
  yield await section('state', () => checkState(settings.settings, controlPlane));
  yield await section('memory', checkMemory);
  yield await section('cgroup', checkCgroup);
  yield await section('cron', () => checkCron(program));
  yield await section('limits', checkLimits);
  if (examination.withTrial) yield await section('trial', () => online.trial());
}

async function section(id: SectionId, check: () => Promise<Finding[]> | Finding[]): Promise<Section> {
  try {
    const findings = await withTimeout(Promise.resolve(check()), SECTION_LIMIT_MS, { what: 'this check' });
    return { id, findings };
  } catch (error) {
    // What no check expects: a disk that hangs, a system that is different.
    return {
      id,
      findings: [problem(id, `could not be checked: ${describeError(error)}`, 'Report this, if it is not the disk.')],
    };
  }
}

const SessionBody = v.object({
  session: v.object({
    name: v.string(),
    scopes: v.array(v.string()),
    jobs: v.string(),
    // Older control planes don't say.
    machines: v.optional(v.nullable(v.string()), null),
    expires_at: v.nullable(v.string()),
  }),
});

const HealthVersion = v.object({ version: v.string() });

/** What needs the network. */
class Online {
  readonly #examination: Examination;
  readonly #token: string | null;
  #way: Way | null = null;
  #isReached = false;
  #rights: RightsAnswer | null = null;
  #testJob: TestJob;

  constructor(examination: Examination, token: string | null) {
    this.#examination = examination;
    this.#token = token;
    this.#testJob = { name: examination.job ?? TEST_JOB, isReal: false };
  }

  async *sections(): AsyncGenerator<Section> {
    const { controlPlane } = this.#examination.settings;
    if (controlPlane === null) return;
    const way = new Way(controlPlane);
    this.#way = way;
    const health: { answer: Answer | null } = { answer: null };
    const upgrade: { result: Upgrade | null } = { result: null };
    const reached = await section('way', async () => {
      const findings: Finding[] = [];
      for await (const next of this.#steps(way, health, upgrade)) findings.push(...next);
      return findings;
    });
    yield reached;
    this.#isReached = !reached.findings.some(isProblem);
    const { answer } = health;
    if (answer?.kind !== 'answered') return;
    const rights = this.#rights;
    if (rights !== null) yield await section('rights', () => judgeBoth(rights, upgrade.result));
    yield await section('version', async () => [await this.#compareProgram(way, answer)]);
    yield await section('clock', () => [judgeClock(answer.dated)]);
  }

  /** Stops at the first step that fails: those after it would only say the same. */
  async *#steps(
    way: Way,
    health: { answer: Answer | null },
    upgrade: { result: Upgrade | null },
  ): AsyncGenerator<Finding[]> {
    const { settings, machine } = this.#examination;
    const names = judgeNames(await way.findNames(), way.destination);
    yield names;
    if (names.some(isProblem)) return;
    const transport = judgeTransport(await way.connect(), way.destination, Date.now());
    yield transport;
    if (transport.some(isProblem)) return;
    health.answer = await way.request('/healthz');
    const healthy = judgeHealth(healthOf(health.answer), way.url.origin);
    yield [healthy];
    if (isProblem(healthy) || settings.controlPlane === null) return;
    if (this.#token === null) {
      yield [note('way.upgrade', 'no WebSocket was opened: that needs a valid token')];
      return;
    }
    this.#rights = rightsIn(await way.request('/api/v1/session', { token: this.#token }));
    if (this.#examination.job === null && this.#rights.kind === 'known') {
      this.#testJob = testJobFor(this.#rights.rights.jobs);
    }
    const { name: job } = this.#testJob;
    const run = uniqueUlid();
    upgrade.result = await tryUpgrade(settings.controlPlane, this.#token, {
      job,
      run,
      instance: `${job}_${run}`,
      machine,
    });
    yield judgeUpgrade(upgrade.result, `job ${job} here`);
  }

  async #compareProgram(way: Way, health: Extract<Answer, { kind: 'answered' }>): Promise<Finding> {
    const { version, program } = this.#examination;
    if (isSingleExecutable() || program === null) {
      return note(
        'program.served',
        'not compared with the program that the control plane serves: that is the script alone',
      );
    }
    const answer = await way.request('/leash.cjs.sha256');
    const served =
      answer.kind === 'answered' && answer.status === 200 ? /^([0-9a-f]{64})\b/.exec(answer.text)?.[1] : undefined;
    const own = createHash('sha256').update(fs.readFileSync(program)).digest('hex');
    return judgeServed({
      own,
      served: served ?? null,
      version,
      servedVersion: parseJson(HealthVersion, health.text)?.version ?? null,
    });
  }

  async trial(): Promise<Finding[]> {
    const { flags, operator, isOffline } = this.#examination;
    const { name: job, isReal } = this.#testJob;
    const way = this.#way;
    if (isOffline) return [note('trial', 'not tried: --offline')];
    if (way === null || this.#token === null)
      return [note('trial', 'not tried: it needs a control plane and a valid token')];
    if (!this.#isReached) return [note('trial', 'not tried: the control plane was not reached')];
    if (isReal) {
      const why = `the token is for the job ${job} only, which is not to have a run that was a test`;
      return [note('trial', `not tried: ${why}; --job ${job} tries it all the same`)];
    }
    const trial = await tryRun({
      program: ownProgram(),
      flags,
      job,
      instance: `${job}_${uniqueUlid()}`,
      way,
      killer: operator.kind === 'signed_in' ? operator.killer : this.#ownKiller(),
    });
    const findings = judgeTrial(trial, job);
    return operator.kind === 'unusable' ? [...findings, note('trial.login', operator.why)] : findings;
  }

  #ownKiller(): Killer | null {
    if (this.#rights?.kind !== 'known' || this.#token === null) return null;
    const { rights } = this.#rights;
    const canKill = rights.scopes.some((scope) => scope === 'kill' || scope === 'admin');
    return canKill ? { token: this.#token, name: `the token “${rights.name}”` } : null;
  }
}

function judgeBoth(answer: RightsAnswer, upgrade: Upgrade | null): Finding[] {
  const refusal = upgrade?.kind === 'refused' && upgrade.status === 403 ? upgrade.detail : null;
  const findings = judgeRights(answer, Date.now());
  return refusal === null || findings.some(isProblem)
    ? findings
    : [...findings, ...judgeRights({ kind: 'no_run', detail: refusal }, Date.now())];
}

function rightsIn(answer: Answer): RightsAnswer {
  if (answer.kind === 'failed') return { kind: 'unknown', why: answer.failure.why };
  const body = parseJson(SessionBody, answer.text);
  if (body === null) {
    const detail = problemIn(answer.text)?.detail;
    if (answer.status === 401) return { kind: 'rejected', detail: detail ?? 'status 401' };
    return { kind: 'unknown', why: detail ?? `the control plane responded with status ${answer.status}` };
  }
  const { name, scopes, jobs, machines, expires_at: expiresAt } = body.session;
  return {
    kind: 'known',
    rights: { name, scopes, jobs, machines, expiresAtMs: expiresAt === null ? null : Date.parse(expiresAt) },
  };
}
