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
import { isSendable, judgeRights, judgeToken, type Rights, type RightsAnswer, readToken } from './checks/token.ts';
import { judgeTrial } from './checks/trial.ts';
import { judgeHealth, judgeNames, judgeTransport, judgeUpgrade, type Upgrade } from './checks/way.ts';
import { type Finding, isProblem, note, problem, type Section, type SectionId } from './finding.ts';
import { tryUpgrade } from './probe-upgrade.ts';
import { type Answer, healthOf, Way } from './probe-way.ts';
import { type Killer, type Operator, tryRun } from './trial.ts';

export interface Examination {
  readonly version: string;
  /** The path of the file that runs; null from the sources. */
  readonly program: string | null;
  readonly settings: Settings;
  /** Of the test run, and of the right that is asked for. */
  readonly job: string;
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
  #rights: Rights | null = null;

  constructor(examination: Examination, token: string | null) {
    this.#examination = examination;
    this.#token = token;
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
    if (this.#token !== null && healthOf(answer).kind === 'answered') {
      yield await section('rights', () => this.#askRights(way, upgrade.result));
    }
    yield await section('version', async () => [await this.#compareProgram(way, answer)]);
    yield await section('clock', () => [judgeClock(answer.dated)]);
  }

  /** Stops at the first step that fails: those after it would only say the same. */
  async *#steps(
    way: Way,
    health: { answer: Answer | null },
    upgrade: { result: Upgrade | null },
  ): AsyncGenerator<Finding[]> {
    const { settings, job, machine } = this.#examination;
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
    const run = uniqueUlid();
    upgrade.result = await tryUpgrade(settings.controlPlane, this.#token, {
      job,
      run,
      instance: `${job}_${run}`,
      machine,
    });
    yield judgeUpgrade(upgrade.result, `job ${job} here`);
  }

  async #askRights(way: Way, upgrade: Upgrade | null): Promise<Finding[]> {
    const answer = rightsIn(await way.request('/api/v1/session', { token: this.#token }));
    if (answer.kind === 'known') this.#rights = answer.rights;
    const refusal = upgrade?.kind === 'refused' && upgrade.status === 403 ? upgrade.detail : null;
    const findings = judgeRights(answer, Date.now());
    return refusal === null || findings.some(isProblem)
      ? findings
      : [...findings, ...judgeRights({ kind: 'no_run', detail: refusal }, Date.now())];
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
    const { job, flags, operator, isOffline } = this.#examination;
    const way = this.#way;
    if (isOffline) return [note('trial', 'not tried: --offline')];
    if (way === null || this.#token === null)
      return [note('trial', 'not tried: it needs a control plane and a valid token')];
    if (!this.#isReached) return [note('trial', 'not tried: the control plane was not reached')];
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
    const rights = this.#rights;
    if (rights === null || this.#token === null) return null;
    const canKill = rights.scopes.some((scope) => scope === 'kill' || scope === 'admin');
    return canKill ? { token: this.#token, name: `the token “${rights.name}”` } : null;
  }
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
