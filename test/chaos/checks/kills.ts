/** Every kill that was promised is there, once, and says the truth about each of its targets. */
import type { Kill, Target } from '#protocol/api';
import type { Operator } from '../operator.ts';
import type { ReportedRun } from '../reported-run.ts';
import type { RoundLog } from '../round-log.ts';

/** @param kills all kills of the round */
export function checkKills(
  kills: readonly Kill[],
  operator: Operator,
  reported: readonly ReportedRun[],
  log: RoundLog,
): void {
  const known = new Set(kills.map(({ id }) => id));
  for (const { ids, request } of operator.calls) {
    for (const id of ids ?? []) {
      if (!known.has(id)) log.fail(`the kill ${id} was promised and is not there (${request.path})`);
    }
  }
  checkKeys(operator, log);
  const byId = new Map(reported.map((each) => [each.now.id, each]));
  for (const kill of kills) checkKill(kill, byId, log);
  for (const { run, now } of reported) {
    const isGone = kills.some(({ targets }) =>
      targets.some((target) => target.run === now.id && target.state === 'gone'),
    );
    if (now.reason === 'operator' && !isGone) log.fail(`${run.name} was killed, and no kill says that it did that`);
  }
}

/** The same call with the same key is the same kill. */
function checkKeys({ calls }: Operator, log: RoundLog): void {
  const answers = new Map<string, string>();
  for (const { key, ids } of calls) {
    if (key === null || ids === null) continue;
    const answer = [...ids].sort().join();
    if ((answers.get(key) ?? answer) !== answer)
      log.fail(`the key ${key} was answered by ${answers.get(key)} and then by ${answer}`);
    answers.set(key, answer);
  }
}

function checkKill(kill: Kill, reported: ReadonlyMap<string, ReportedRun>, log: RoundLog): void {
  const fail = (what: string) => log.fail(`the kill ${kill.id} ${what}: ${JSON.stringify(kill)}`);
  const isExpired = kill.state === 'expired' && kill.targets.length === 0;
  if (kill.state !== 'settled' && !isExpired) fail(`is ${kill.state}`);
  for (const target of kill.targets) {
    const at = reported.get(target.run);
    if (at === undefined) {
      fail(`has a target that is no run of this round, ${target.run}`);
      continue;
    }
    const why = whyUntrue(kill, target, at);
    if (why !== null) fail(`says ${target.state} of ${at.run.name}, and ${why}`);
    if (target.exit_code !== at.now.exit_code) fail(`says that ${at.run.name} exited with ${target.exit_code}`);
    if (kill.run !== null && kill.run !== target.run) fail(`names another run than ${at.run.name}`);
    if (kill.instance !== null && kill.instance !== at.run.instance) fail(`names another instance than ${at.run.name}`);
    if (kill.machine !== null && !kill.machine.split(',').includes(at.run.machine.name))
      fail(`names another machine than ${at.run.name}`);
  }
}

/** Null for a target that says the truth. That nothing of it is alive is checked when it says so (gone.ts). */
function whyUntrue(
  kill: Kill,
  { state, survivors, unnamed_survivors }: Target,
  { run, now, events }: ReportedRun,
): string | null {
  const phases = events.flatMap((event) =>
    event.type === 'kill_progress' && event.kill === kill.id ? [event.phase] : [],
  );
  const wasSignalled = phases.some((phase) => phase !== 'refused');
  switch (state) {
    case 'gone':
      if (survivors.length > 0 || unnamed_survivors) return `something has survived: ${survivors}`;
      // Of a run that counted as lost meanwhile only the end is reported, not the steps.
      if (now.reason === 'operator' && events.some(({ type }) => type === 'lost')) return null;
      return wasSignalled ? null : 'it was never sent a signal';
    case 'refused':
      return wasSignalled ? 'it was sent a signal' : null;
    case 'lost':
      if (run.diedAsking) return null;
      // Meant for what the run had left running, and expired before a wrapper connected for that.
      return now.ended_at !== null && now.ended_at <= kill.requested_at ? null : 'its run has reported its end';
    default:
      return 'the round is over';
  }
}
