/** Every kill that was promised is there, once, and says the truth about each of its targets. */
import type { Kill, Target } from '#protocol/api';
import type { Operator } from '../operator.ts';
import type { Story } from '../story.ts';
import type { ToldRun } from '../told.ts';

/** @param kills all kills of the round */
export function checkKills(kills: readonly Kill[], operator: Operator, told: readonly ToldRun[], story: Story): void {
  const known = new Set(kills.map(({ id }) => id));
  for (const { ids, request } of operator.calls) {
    for (const id of ids ?? []) {
      if (!known.has(id)) story.complain(`the kill ${id} was promised and is not there (${request.path})`);
    }
  }
  checkKeys(operator, story);
  const byId = new Map(told.map((each) => [each.now.id, each]));
  for (const kill of kills) checkKill(kill, byId, story);
  for (const { run, now } of told) {
    const isGone = kills.some(({ targets }) =>
      targets.some((target) => target.run === now.id && target.state === 'gone'),
    );
    if (now.reason === 'operator' && !isGone)
      story.complain(`${run.name} was killed, and no kill says that it did that`);
  }
}

/** The same call with the same key is the same kill. */
function checkKeys({ calls }: Operator, story: Story): void {
  const answers = new Map<string, string>();
  for (const { key, ids } of calls) {
    if (key === null || ids === null) continue;
    const answer = [...ids].sort().join();
    if ((answers.get(key) ?? answer) !== answer)
      story.complain(`the key ${key} was answered by ${answers.get(key)} and then by ${answer}`);
    answers.set(key, answer);
  }
}

function checkKill(kill: Kill, told: ReadonlyMap<string, ToldRun>, story: Story): void {
  const complain = (what: string) => story.complain(`the kill ${kill.id} ${what}: ${JSON.stringify(kill)}`);
  const isExpired = kill.state === 'expired' && kill.targets.length === 0;
  if (kill.state !== 'settled' && !isExpired) complain(`is ${kill.state}`);
  for (const target of kill.targets) {
    const at = told.get(target.run);
    if (at === undefined) {
      complain(`has a target that is no run of this round, ${target.run}`);
      continue;
    }
    const why = whyUntrue(kill, target, at);
    if (why !== null) complain(`says ${target.state} of ${at.run.name}, and ${why}`);
    if (target.exit_code !== at.now.exit_code) complain(`says that ${at.run.name} exited with ${target.exit_code}`);
    if (kill.run !== null && kill.run !== target.run) complain(`names another run than ${at.run.name}`);
    if (kill.instance !== null && kill.instance !== at.run.instance)
      complain(`names another instance than ${at.run.name}`);
    if (kill.machine !== null && !kill.machine.split(',').includes(at.run.machine.name))
      complain(`names another machine than ${at.run.name}`);
  }
}

/** Null for a target that says the truth. That nothing of it is alive is checked when it says so (gone.ts). */
function whyUntrue(
  kill: Kill,
  { state, survivors, unnamed_survivors }: Target,
  { now, events }: ToldRun,
): string | null {
  const phases = events.flatMap((event) =>
    event.type === 'kill_progress' && event.kill === kill.id ? [event.phase] : [],
  );
  const wasSignalled = phases.some((phase) => phase !== 'refused');
  switch (state) {
    case 'gone':
      if (survivors.length > 0 || unnamed_survivors) return `something has survived: ${survivors}`;
      // Of the steps that a run took while it counted as lost nothing is told but its end.
      if (now.reason === 'operator' && events.some(({ type }) => type === 'lost')) return null;
      return wasSignalled ? null : 'it was never sent a signal';
    case 'refused':
      return wasSignalled ? 'it was sent a signal' : null;
    case 'lost':
      // Meant for what the run had left running, and expired before anybody was in touch for that.
      return now.ended_at !== null && now.ended_at <= kill.requested_at ? null : 'its run has told its end';
    default:
      return 'all of it is over';
  }
}
