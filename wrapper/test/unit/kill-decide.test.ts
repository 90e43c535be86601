import { describe, expect, test } from 'vitest';
import {
  appliedKills,
  decide,
  type EndRequest,
  LINGER_MS,
  NOT_ENDING,
  SIGKILL_REPEAT_MS,
  type Termination,
  type TerminationEvent,
} from '../../src/kill/decide.ts';

const KILL_1 = '01J00000000000000000000001';
const KILL_2 = '01J00000000000000000000002';

function kill(kill: string, graceMs = 5_000, signal = 'SIGTERM'): TerminationEvent {
  return { kind: 'requested', request: { cause: { kind: 'operator', kill }, signal, graceMs } };
}

type OwnCause = Exclude<EndRequest['cause']['kind'], 'operator'>;

function own(cause: OwnCause, graceMs = 5_000, signal = 'SIGTERM'): TerminationEvent {
  const request: EndRequest = { cause: { kind: cause }, signal, graceMs };
  return { kind: 'requested', request };
}

/** The same, and what carries the mark is to be ended, too. */
function including(happening: TerminationEvent): TerminationEvent {
  if (happening.kind !== 'requested') return happening;
  return { ...happening, request: { ...happening.request, includeRelated: true } };
}

function looked(members: number[], leaderCollected = true, isHeldUnseen = false): TerminationEvent {
  return { kind: 'looked', members, leaderCollected, isHeldUnseen };
}

/** The same while something that no look shows holds the output. */
function lookedHeld(members: number[]): TerminationEvent {
  return looked(members, true, true);
}

/** Goes through what happens, and tells it in short: `!SIGTERM` for a signal, `1:term` for a report, `drain`. */
function play(...happenings: [at: number, happening: TerminationEvent][]): { story: string[]; end: Termination } {
  const story: string[] = [];
  let state = NOT_ENDING;
  for (const [at, happening] of happenings) {
    const { next, actions } = decide(state, happening, at);
    state = next;
    for (const action of actions) {
      if (action.kind === 'signal') story.push(...action.signals.map((signal) => `${at} !${signal}`));
      else if (action.kind !== 'report') story.push(`${at} ${action.kind}`);
      else story.push(`${at} ${action.killing.kill?.slice(-1) ?? action.killing.reason}:${action.killing.phase}`);
    }
  }
  return { story, end: state };
}

test('what carries the mark is included before anybody is signalled, and stays so', () => {
  const { story, end } = play(
    [10, including(kill(KILL_1, 100))],
    [20, looked([7])],
    [30, including(kill(KILL_2, 100))],
  );
  expect(story).toEqual([
    '10 include_related',
    '10 !SIGTERM',
    '10 !SIGCONT',
    '10 1:term',
    // Everybody has got that signal.
    '30 2:term',
  ]);
  expect(end.includesRelated).toBe(true);
});

test('a further kill that includes it sends the first signal to those that have not got it', () => {
  const { story } = play([10, kill(KILL_1, 100)], [30, including(kill(KILL_2, 100))]);
  expect(story.slice(3)).toEqual(['30 include_related', '30 !SIGTERM', '30 !SIGCONT', '30 2:term']);
});

describe('what the command has left running', () => {
  const exited: TerminationEvent = { kind: 'leader_exited' };

  test('is ended after the exit like by a kill, without a step to report', () => {
    const { story, end } = play(
      [10, exited],
      [20, own('leftovers', 100)],
      [50, looked([7])],
      [120, looked([7])],
      [130, looked([])],
    );
    expect(story).toEqual(['20 !SIGTERM', '20 !SIGCONT', '120 !SIGKILL']);
    expect(end.stage).toEqual({ kind: 'gone', reason: 'leftovers', survivors: [], unnamedSurvivors: false });
  });

  test('is ended sooner by a kill that comes meanwhile, which is answered', () => {
    const { story } = play([10, exited], [20, own('leftovers')], [30, kill(KILL_1, 0)], [40, looked([])]);
    expect(story).toEqual(['20 !SIGTERM', '20 !SIGCONT', '30 1:term', '30 !SIGKILL', '30 1:kill', '40 1:gone']);
  });

  test('needs nothing more when the run was killed', () => {
    const { story } = play([10, kill(KILL_1)], [20, exited], [30, looked([])], [40, own('leftovers')]);
    expect(story.at(-1)).toBe('30 1:gone');
  });
});

test('what is included while SIGKILL goes round gets as much time as the others', () => {
  const { story, end } = play(
    [10, kill(KILL_1, 0)],
    [10 + SIGKILL_REPEAT_MS - 1, including(kill(KILL_2, 0))],
    [10 + SIGKILL_REPEAT_MS + 1, looked([7])],
  );
  expect(story.slice(-3)).toEqual([
    `${9 + SIGKILL_REPEAT_MS} include_related`,
    `${9 + SIGKILL_REPEAT_MS} 2:kill`,
    `${11 + SIGKILL_REPEAT_MS} !SIGKILL`,
  ]);
  expect(end.stage).toMatchObject({ kind: 'kill', giveUpAt: 9 + 2 * SIGKILL_REPEAT_MS });
});

test('signal, grace, SIGKILL, and again until nothing is left', () => {
  const { story, end } = play(
    [10, kill(KILL_1, 100)],
    [50, looked([7, 8], false)],
    [110, looked([8])],
    [120, looked([9])],
    [130, looked([])],
  );
  expect(story).toEqual([
    '10 !SIGTERM',
    '10 !SIGCONT',
    '10 1:term',
    '110 !SIGKILL',
    '110 1:kill',
    '120 !SIGKILL',
    '130 1:gone',
  ]);
  expect(end.stage).toEqual({ kind: 'gone', reason: 'operator', survivors: [], unnamedSurvivors: false });
});

test('the leader’s exit ends nothing while members are left', () => {
  const { end, story } = play([0, kill(KILL_1, 100)], [10, { kind: 'leader_exited' }], [20, looked([8])]);
  expect(end.stage.kind).toBe('term');
  expect(story).not.toContain('20 1:gone');
});

test('nobody left before the grace is over: gone at once', () => {
  expect(play([0, kill(KILL_1, 60_000)], [30, looked([])]).story.at(-1)).toBe('30 1:gone');
});

test('an empty group whose leader has not been collected is not gone yet', () => {
  expect(play([0, kill(KILL_1)], [30, looked([], false)]).end.stage.kind).toBe('term');
});

test('the sweep is bounded, and reports who survived', () => {
  const { end, story } = play([0, kill(KILL_1, 0, 'SIGKILL')], [SIGKILL_REPEAT_MS, looked([4, 5])]);
  expect(end.stage).toEqual({ kind: 'gone', reason: 'operator', survivors: [4, 5], unnamedSurvivors: false });
  expect(story).toEqual(['0 !SIGKILL', '0 1:kill', `${SIGKILL_REPEAT_MS} 1:gone`]);
  expect(appliedKills(end)).toMatchObject([{ kill: KILL_1, phase: 'gone', survivors: [4, 5] }]);
});

test('grace 0: SIGKILL at once after the first signal', () => {
  expect(play([0, kill(KILL_1, 0)]).story).toEqual(['0 !SIGTERM', '0 !SIGCONT', '0 1:term', '0 !SIGKILL', '0 1:kill']);
});

test('an exit before any signal stands', () => {
  const { story, end } = play([5, { kind: 'leader_exited' }], [6, kill(KILL_1)], [7, own('timeout')]);
  expect(story).toEqual(['6 1:refused']);
  expect(end.stage.kind).toBe('exited');
});

test.each(['timeout', 'idle_timeout', 'offline_limit', 'local_signal'] as const)(
  '%s takes the path of a kill',
  (cause) => {
    const { story, end } = play(
      [10, own(cause, 100)],
      [20, { kind: 'leader_exited' }],
      [110, looked([8])],
      [120, looked([9])],
      [130, looked([])],
    );
    expect(story).toEqual([
      '10 !SIGTERM',
      '10 !SIGCONT',
      `10 ${cause}:term`,
      '110 !SIGKILL',
      `110 ${cause}:kill`,
      '120 !SIGKILL',
      `130 ${cause}:gone`,
    ]);
    expect(end.stage).toEqual({ kind: 'gone', reason: cause, survivors: [], unnamedSurvivors: false });
    expect(appliedKills(end)).toEqual([]);
  },
);

test('at most 64 survivors are reported by their pids', () => {
  const many = Array.from({ length: 100 }, (_, index) => index + 2);
  const { end } = play([0, kill(KILL_1, 0)], [SIGKILL_REPEAT_MS, looked(many)]);
  expect(end.stage).toMatchObject({ survivors: many.slice(0, 64), unnamedSurvivors: true });
});

test('while nothing can be seen, SIGKILL comes in time and is repeated, and nobody is said to be gone', () => {
  const blind: TerminationEvent = { kind: 'not_looked', members: [8] };
  const { story, end } = play(
    [0, kill(KILL_1, 100)],
    [50, blind],
    [100, blind],
    [110, blind],
    [100 + SIGKILL_REPEAT_MS, blind],
  );
  expect(story.slice(3)).toEqual(['100 !SIGKILL', '100 1:kill', '110 !SIGKILL', `${100 + SIGKILL_REPEAT_MS} 1:gone`]);
  expect(end.stage).toMatchObject({ kind: 'gone', survivors: [8] });
});

describe('while something that no look shows holds the output', () => {
  test('nothing is said to be gone; when it lets go in time, nothing is left', () => {
    const { story, end } = play(
      [0, kill(KILL_1, 60_000)],
      [30, lookedHeld([])],
      [1_000, lookedHeld([])],
      [1_100, looked([])],
    );
    expect(story.slice(3)).toEqual(['30 drain', '1100 1:gone']);
    expect(end.stage).toMatchObject({ survivors: [], unnamedSurvivors: false });
  });

  test('it is reported as left once it has had its time, and then for good', () => {
    const { story, end } = play([0, kill(KILL_1, 100)], [30, lookedHeld([])], [30 + LINGER_MS, lookedHeld([])]);
    // The grace ends meanwhile: there is nobody to be sent SIGKILL.
    expect(story.slice(3)).toEqual(['30 drain', `${30 + LINGER_MS} 1:gone`]);
    expect(appliedKills(end)).toMatchObject([{ phase: 'gone', survivors: [], unnamed_survivors: true }]);
  });

  test('whoever shows after all is ended, and the time begins again', () => {
    const { story } = play(
      [0, kill(KILL_1, 100)],
      [30, lookedHeld([])],
      [200, looked([7])],
      [300, lookedHeld([])],
      [30 + LINGER_MS, lookedHeld([])],
      [300 + LINGER_MS, lookedHeld([])],
    );
    expect(story.slice(3)).toEqual([
      '30 drain',
      '200 !SIGKILL',
      '200 1:kill',
      '300 drain',
      `${300 + LINGER_MS} 1:gone`,
    ]);
  });

  test('it is reported next to those that have a name', () => {
    const { end } = play([0, kill(KILL_1, 0)], [1, lookedHeld([4])], [SIGKILL_REPEAT_MS, lookedHeld([4])]);
    expect(end.stage).toMatchObject({ survivors: [4], unnamedSurvivors: true });
    const letGo = play(
      [0, kill(KILL_1, 0)],
      [1, lookedHeld([4])],
      [2, looked([4])],
      [SIGKILL_REPEAT_MS, lookedHeld([4])],
    ).end;
    expect(letGo.stage).toMatchObject({ survivors: [4], unnamedSurvivors: false });
  });
});

test.each<[string, TerminationEvent]>([
  ['the processes could never be looked at', { kind: 'not_looked', members: [] }],
  ['the command itself was never collected', looked([], false)],
])('that nothing is left is not said when %s', (_, happening) => {
  const { end } = play([0, kill(KILL_1, 0)], [SIGKILL_REPEAT_MS, happening]);
  expect(end.stage).toMatchObject({ kind: 'gone', survivors: [], unnamedSurvivors: true });
});

test('the leader’s exit during the grace is not an end, and neither is that of all but one', () => {
  const { end } = play(
    [0, own('idle_timeout', 1_000)],
    [10, { kind: 'leader_exited' }],
    [20, looked([8, 9])],
    [30, looked([9])],
  );
  expect(end.stage).toEqual({ kind: 'term', reason: 'idle_timeout', killAt: 1_000 });
});

test('the first cause stays the reason', () => {
  const { end } = play([0, own('timeout', 100)], [1, kill(KILL_1)], [2, own('local_signal')], [3, looked([])]);
  expect(end.stage).toMatchObject({ kind: 'gone', reason: 'timeout' });
});

test('a second kill brings SIGKILL nearer', () => {
  const { story } = play([0, kill(KILL_1, 60_000)], [10, kill(KILL_2, 100)], [110, looked([1])]);
  expect(story.slice(3)).toEqual(['10 2:term', '110 !SIGKILL', '110 1:kill', '110 2:kill']);
});

test('a second kill never pushes SIGKILL away', () => {
  const { story } = play([0, kill(KILL_1, 100)], [10, kill(KILL_2, 60_000)], [100, looked([1])]);
  expect(story).toContain('100 !SIGKILL');
});

test('a second kill with SIGKILL skips the grace, and is never said to have sent another signal', () => {
  const { story } = play([0, kill(KILL_1, 60_000)], [10, kill(KILL_2, 60_000, 'SIGKILL')]);
  expect(story.slice(3)).toEqual(['10 !SIGKILL', '10 1:kill', '10 2:kill']);
});

test('a second kill with another signal sends it, with the same one does not', () => {
  const { story } = play([0, kill(KILL_1, 900, 'SIGINT')], [1, kill(KILL_2, 900)], [2, own('timeout', 900)]);
  expect(story.filter((each) => each.includes('!SIG') && !each.includes('CONT'))).toEqual(['0 !SIGINT', '1 !SIGTERM']);
});

test('a repeated kill is answered with its last progress and does nothing else', () => {
  const { story, end } = play(
    [0, kill(KILL_1, 100)],
    [10, kill(KILL_1, 0, 'SIGKILL')],
    [100, looked([1])],
    [110, kill(KILL_1)],
    [120, looked([])],
    [130, kill(KILL_1)],
  );
  expect(story).toEqual([
    '0 !SIGTERM',
    '0 !SIGCONT',
    '0 1:term',
    '10 1:term',
    '100 !SIGKILL',
    '100 1:kill',
    '110 1:kill',
    '120 1:gone',
    '130 1:gone',
  ]);
  expect(appliedKills(end)).toHaveLength(1);
});

test('a kill while SIGKILL is in progress joins it; one after the end is refused, and stays so', () => {
  const { story, end } = play(
    [0, own('timeout', 0)],
    [10, kill(KILL_1)],
    [20, looked([])],
    [30, kill(KILL_2)],
    [40, looked([])],
  );
  expect(story.slice(5)).toEqual(['10 1:kill', '20 timeout:gone', '20 1:gone', '30 2:refused']);
  expect(appliedKills(end).map((each) => each.phase)).toEqual(['gone', 'refused']);
});

test('every local signal is passed on, but the grace of the first counts', () => {
  const { story } = play(
    [0, own('local_signal', 100, 'SIGINT')],
    [50, own('local_signal', 100, 'SIGINT')],
    [100, looked([1])],
  );
  expect(story.filter((each) => each.includes('SIGINT'))).toEqual(['0 !SIGINT', '50 !SIGINT']);
  expect(story).toContain('100 !SIGKILL');
});
