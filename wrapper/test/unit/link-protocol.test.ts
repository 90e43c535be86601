import { expect, test } from 'vitest';
import { MAX_UNACKED_BYTES } from '#protocol/limits';
import type { Complete, Killing, ObjectMessage } from '#protocol/wrapper-link';
import { OutputBuffer } from '../../src/buffer/output-buffer.ts';
import { type LinkAction, LinkProtocol } from '../../src/link/link-protocol.ts';
import type { OutputSource, ReportableRun } from '../../src/link/reportable-run.ts';
import { RunReport } from '../../src/link/run-report.ts';

function newRecord(capacity = 10_000_000): RunReport<OutputBuffer> {
  const facts = {
    run: '01J00000000000000000000000',
    run_key: '0'.repeat(32),
    pid: 1,
    command_line: 'true',
    version: '0',
    limits: { timeout_ms: null, grace_ms: 0 },
  };
  return new RunReport(
    facts,
    new OutputBuffer(capacity),
    () => 0,
    () => [],
  );
}

/** A session as it is after the start was acked at 0. */
function accepted(record: ReportableRun, ack: Partial<Extract<ObjectMessage, { of: 'start' }>> = {}) {
  const session = new LinkProtocol(record, 0);
  session.opened(0);
  const actions = say(
    session,
    {
      type: 'ack',
      of: 'start',
      offset: 0,
      flow: 'lazy',
      heartbeat_ms: 5_000,
      silence_ms: 15_000,
      reconnect_cap_ms: 10_000,
      ...ack,
    },
    0,
  );
  return { session, actions };
}

function say(session: LinkProtocol, message: ObjectMessage, now: number): LinkAction[] {
  return session.received(JSON.stringify(message), now);
}

function ackOutput(session: LinkProtocol, offset: number, now: number): LinkAction[] {
  return say(session, { type: 'ack', of: 'output', offset }, now);
}

/** Actions in short. */
function brief(actions: LinkAction[]): string[] {
  return actions.map((action) => {
    switch (action.kind) {
      case 'send':
        return action.message.type === 'gap' ? `gap ${action.message.from}-${action.message.to}` : action.message.type;
      case 'send_output':
        return `${action.frame.stream} ${action.frame.start}+${action.frame.bytes.length}`;
      case 'hang_up':
        return `hang up, retry ${action.retry}`;
      default:
        return action.kind;
    }
  });
}

const END: Omit<Complete, 'type' | 'final_offset' | 'applied_kills'> = {
  exit_code: 0,
  command_exit_code: 0,
  signal: null,
  reason: 'exited',
  duration_ms: 1,
};

test('the first frame is the start, and nothing but control follows until it is acked', () => {
  const record = newRecord();
  record.output.append('stdout', Buffer.alloc(100_000));
  record.recordCompletion(END);
  const session = new LinkProtocol(record, 0);
  expect(brief(session.opened(0))).toEqual(['start']);
  expect(session.outputGrew(5_000)).toEqual([]);
  expect(session.completed(5_000)).toEqual([]);
  expect(brief(session.received('{"type":"probe"}', 5_000))).toEqual(['alive']);
});

const USAGE = { cpu_ms: 5, peak_memory_bytes: 9, memory_bytes: 8, read_bytes: 0, written_bytes: 0 };

test('what the run takes is sent while somebody looks, and not after its end', () => {
  const record = newRecord();
  const { session, actions } = accepted(record);
  expect(actions).toMatchObject([{ kind: 'accepted', isWatched: false }]);
  expect(session.usage(USAGE)).toEqual([]);
  expect(say(session, { type: 'flow', mode: 'eager' }, 0)).toMatchObject([{ kind: 'paced', isWatched: true }]);
  expect(session.usage(USAGE)).toEqual([{ kind: 'send', message: { type: 'usage', usage: USAGE } }]);
  record.recordCompletion(END);
  expect(session.usage(USAGE)).toEqual([]);
});

test('an object that does not know what a run takes is not told again', () => {
  const { session } = accepted(newRecord(), { flow: 'eager' });
  expect(session.usage(USAGE)).toHaveLength(1);
  say(session, { type: 'error', code: 'unknown_type', message: 'unknown message type "usage"', retry: null }, 0);
  expect(session.usage(USAGE)).toEqual([]);
});

test('lazily, little output waits a second and much does not', () => {
  const record = newRecord();
  const { session } = accepted(record);
  record.output.append('stdout', Buffer.from('a'));
  expect(session.outputGrew(100)).toEqual([]);
  record.output.append('stdout', Buffer.from('b'));
  expect(session.outputGrew(600)).toEqual([]);
  expect(session.deadline()).toBe(1_100);
  expect(brief(session.tick(1_100))).toEqual(['stdout 0+2']);
  record.output.append('stderr', Buffer.alloc(70_000));
  expect(brief(session.outputGrew(1_200))).toEqual(['stderr 2+70000']);
});

test('eagerly, output waits for 30 ms', () => {
  const record = newRecord();
  const { session } = accepted(record);
  record.output.append('stdout', Buffer.from('a'));
  session.outputGrew(100);
  say(session, { type: 'flow', mode: 'eager' }, 110);
  expect(session.deadline()).toBe(130);
  expect(brief(session.tick(130))).toEqual(['stdout 0+1']);
});

const UNWATCHED = { delay_ms: 1_000, interval_ms: 10_000, max_bytes: 262_136 };
const WATCHED = { delay_ms: 0, interval_ms: 30, max_bytes: 262_136 };

test('at a pace that the control plane sets, frames are an interval apart, and the first of them soon', () => {
  const record = newRecord();
  const { session } = accepted(record, { pacing: UNWATCHED });
  const print = (now: number) => {
    record.output.append('stdout', Buffer.from('x'));
    return brief(session.outputGrew(now));
  };
  /** What is sent at this time, besides heartbeats. */
  const sentAt = (now: number) => {
    session.received('hb', now);
    return brief(session.tick(now)).filter((action) => action !== 'send_heartbeat');
  };
  expect(print(100)).toEqual([]);
  expect(session.deadline()).toBe(1_100);
  expect(sentAt(1_100)).toEqual(['stdout 0+1']);
  for (let now = 1_500; now < 11_000; now += 1_000) expect([...print(now), ...sentAt(now)]).toEqual([]);
  expect(sentAt(11_100)).toEqual(['stdout 1+10']);
  // What comes after a pause does not wait for the interval.
  ackOutput(session, 11, 11_200);
  expect(print(60_000)).toEqual([]);
  expect(sentAt(61_000)).toEqual(['stdout 11+1']);
});

test('of much output whole frames are sent, and the rest waits', () => {
  const record = newRecord();
  const { session } = accepted(record, { pacing: UNWATCHED });
  record.output.append('stdout', Buffer.alloc(300_000));
  expect(brief(session.outputGrew(1))).toEqual(['stdout 0+262136']);
  record.output.append('stdout', Buffer.alloc(300_000));
  expect(brief(session.outputGrew(2))).toEqual(['stdout 262136+262136']);
  ackOutput(session, 524_272, 3);
  expect(brief(session.tick(10_001)).at(-1)).not.toMatch(/^stdout/);
  expect(brief(session.tick(10_002))).toEqual(['stdout 524272+75728']);
});

test('a viewer gets what waits at once, then 30 ms apart, and nothing wakes the wrapper when nothing waits', () => {
  const record = newRecord();
  const { session } = accepted(record, { pacing: UNWATCHED });
  record.output.append('stdout', Buffer.from('a'));
  session.outputGrew(100);
  expect(brief(say(session, { type: 'flow', mode: 'eager', pacing: WATCHED }, 110))).toEqual(['paced', 'stdout 0+1']);
  ackOutput(session, 1, 111);
  expect(session.deadline()).toBe(5_000);
  record.output.append('stdout', Buffer.from('b'));
  expect(session.outputGrew(120)).toEqual([]);
  expect(session.deadline()).toBe(140);
  expect(brief(session.tick(140))).toEqual(['stdout 1+1']);
});

test('a flush says where the output ends and sends all of it, as the window allows', () => {
  const record = newRecord();
  const { session } = accepted(record, { pacing: UNWATCHED });
  const total = MAX_UNACKED_BYTES + 100;
  for (const stream of ['stdout', 'stderr'] as const) record.output.append(stream, Buffer.alloc(total / 2));
  const answer = say(session, { type: 'flush', id: 7 }, 10);
  expect(answer[0]).toEqual({ kind: 'send', message: { type: 'flushed', id: 7, to: total } });
  // What is printed after it waits.
  record.output.append('stdout', Buffer.from('later'));
  const sent = (actions: LinkAction[]) =>
    actions.reduce((end, each) => (each.kind === 'send_output' ? each.frame.start + each.frame.bytes.length : end), 0);
  expect(sent(answer)).toBeGreaterThan(MAX_UNACKED_BYTES - 70_000);
  expect(sent(ackOutput(session, MAX_UNACKED_BYTES - 70_000, 20))).toBe(total);
});

test('a kill, a step of one and the end send what was printed before', () => {
  const record = newRecord();
  const { session } = accepted(record, { pacing: UNWATCHED });
  const print = () => {
    record.output.append('stdout', Buffer.from('x'));
    session.outputGrew(10);
  };
  print();
  const kill = { type: 'kill', kill: '01J00000000000000000000000', requested_by: 'me', reason: null } as ObjectMessage;
  expect(brief(say(session, kill, 10))).toEqual(['kill', 'stdout 0+1']);
  print();
  const step: Omit<Killing, 'kill'> = {
    type: 'killing',
    reason: 'operator',
    phase: 'term',
    signal: 'SIGTERM',
    at_ms: 1,
    survivors: [],
    unnamed_survivors: false,
  };
  expect(brief(session.killing({ ...step, kill: null }, 20))).toEqual(['killing', 'stdout 1+1']);
  print();
  record.recordCompletion(END);
  expect(brief(session.completed(30))).toEqual(['complete', 'stdout 2+1']);
});

test('a pace without an end is not followed', () => {
  const record = newRecord();
  const { session } = accepted(record, { pacing: { delay_ms: 1e12, interval_ms: 1e12, max_bytes: 1e12 } });
  record.output.append('stdout', Buffer.from('x'));
  session.outputGrew(0);
  expect(brief(session.tick(14_000))).toEqual(['send_heartbeat']);
  say(session, { type: 'probe' }, 59_000);
  expect(brief(session.tick(60_000)).at(-1)).toBe('stdout 0+1');
});

test('no more than the window is in flight, and acks open it again', () => {
  const record = newRecord();
  const { session } = accepted(record);
  record.output.append('stdout', Buffer.alloc(2 * MAX_UNACKED_BYTES));
  const sent = session.outputGrew(1).flatMap((action) => (action.kind === 'send_output' ? [action.frame] : []));
  expect(sent.reduce((sum, frame) => sum + frame.bytes.length, 0)).toBeLessThanOrEqual(MAX_UNACKED_BYTES);
  const upTo = sent.reduce((_, frame) => frame.start + frame.bytes.length, 0);
  expect(upTo).toBeGreaterThan(MAX_UNACKED_BYTES - 70_000);
  expect(session.tick(2_000)).toEqual([]);
  expect(brief(ackOutput(session, 100_000, 2_001))).toEqual(['stored', expect.stringMatching(`^stdout ${upTo}\\+`)]);
  expect(record.output.start).toBe(100_000);
});

test('of small frames no more than a thousand are in flight, however little they hold', () => {
  const record = newRecord();
  for (let each = 0; each < 2_500; each += 1)
    record.output.append(each % 2 === 0 ? 'stdout' : 'stderr', Buffer.from('x'));
  const { session, actions } = accepted(record, { flow: 'eager' });
  expect(actions.filter(({ kind }) => kind === 'send_output')).toEqual([]);
  const first = session.tick(30);
  expect(brief(first)).toHaveLength(1_000);
  expect(brief(first).at(-1)).toBe('stderr 999+1');
  // Nothing is due before an ack: it would be asked for again and again.
  expect(session.deadline()).toBeGreaterThan(1_000);
  expect(session.outputGrew(40)).toEqual([]);
  expect(brief(ackOutput(session, 10, 50)).slice(1)).toHaveLength(10);
  say(session, { type: 'error', code: 'gap', message: '', retry: null, expected: 500 } as ObjectMessage, 60);
  expect(brief(ackOutput(session, 1_010, 70)).at(-1)).toBe('stderr 2009+1');
});

test('it continues from the offset that the start’s ack names', () => {
  const record = newRecord();
  record.output.append('stdout', Buffer.from('0123456789'));
  const { session } = accepted(record, { offset: 4 });
  expect(record.output.start).toBe(4);
  expect(brief(session.tick(1_000))).toEqual(['stdout 4+6']);
});

test('an offset of which nothing is held any more is answered with a gap', () => {
  const record = newRecord();
  record.output.append('stdout', Buffer.from('0123456789'));
  record.output.free(7);
  const { session } = accepted(record, { offset: 2 });
  expect(brief(session.tick(1_000))).toEqual(['gap 2-7', 'stdout 7+3']);
});

test('an object that claims more than there is does no harm', () => {
  const record = newRecord();
  record.output.append('stdout', Buffer.from('0123456789'));
  const { session } = accepted(record, { offset: 1_000 });
  record.output.append('stdout', Buffer.from('more'));
  session.outputGrew(1);
  expect(brief(session.tick(1_001))).toEqual(['stdout 10+4']);
});

test('what was dropped in the middle is reported as a gap, and does not fill the window', () => {
  const record = newRecord(200_000);
  for (let each = 0; each < 100; each += 1) record.output.append('stdout', Buffer.alloc(20_000, each));
  const { actions } = accepted(record);
  const story = brief(actions);
  expect(story[0]).toBe('accepted');
  expect(story.filter((each) => each.startsWith('gap'))).toHaveLength(1);
  expect(story.at(-1)).toMatch(/^stdout/);
  const last = actions.at(-1);
  expect(last?.kind === 'send_output' && last.frame.start + last.frame.bytes.length).toBe(2_000_000);
});

test('an error gap rewinds', () => {
  const record = newRecord();
  const { session } = accepted(record);
  record.output.append('stdout', Buffer.alloc(70_000));
  session.outputGrew(1);
  ackOutput(session, 10, 2);
  const rewind = { type: 'error', code: 'gap', message: '', retry: null, expected: 20 } as const;
  expect(brief(session.received(JSON.stringify(rewind), 3))).toEqual(['stdout 20+69980']);
});

test('the link to an object that keeps asking for the same bytes is closed', () => {
  const record = newRecord();
  const { session } = accepted(record);
  record.output.append('stdout', Buffer.alloc(70_000));
  session.outputGrew(1);
  const rewind = JSON.stringify({ type: 'error', code: 'gap', message: '', retry: null, expected: 0 });
  const stories = Array.from({ length: 20 }, () => brief(session.received(rewind, 2)));
  expect(stories.flat()).toContain('hang up, retry later');
});

test('output leaves no faster than at a pace that spares the command, but for a first window', () => {
  const record = newRecord();
  const { session } = accepted(record);
  record.output.append('stdout', Buffer.alloc(15 * MAX_UNACKED_BYTES));
  let sent = 0;
  const take = (actions: LinkAction[]) => {
    for (const action of actions) if (action.kind === 'send_output') sent += action.frame.bytes.length;
  };
  take(session.outputGrew(1));
  expect(sent).toBeLessThanOrEqual(MAX_UNACKED_BYTES);
  // A peer that acks in no time.
  for (let now = 2; now <= 100; now += 1) {
    take(ackOutput(session, sent, now));
    if (session.deadline() <= now) take(session.tick(now));
  }
  expect(sent).toBeGreaterThan(90 * 64_000);
  expect(sent).toBeLessThanOrEqual(2 * MAX_UNACKED_BYTES + 100 * 64_000);
});

test('the completion overtakes the output, and all is stored when both are acked', () => {
  const record = newRecord();
  const { session } = accepted(record);
  record.output.append('stdout', Buffer.alloc(2 * MAX_UNACKED_BYTES));
  session.outputGrew(1);
  record.recordCompletion(END);
  expect(brief(session.completed(2))).toEqual(['complete']);
  expect(brief(say(session, { type: 'ack', of: 'complete' }, 3))).toEqual(['stored']);
  const stored = [];
  for (let offset = 60_000; ; offset = Math.min(offset + 60_000, record.output.end)) {
    stored.push(...brief(ackOutput(session, offset, offset / 50_000 + 3)).filter((each) => each === 'all_stored'));
    if (offset >= record.output.end) break;
  }
  expect(stored).toEqual(['all_stored']);
});

test('a completion without output is stored by its own ack, and only when it was sent', () => {
  const record = newRecord();
  const { session } = accepted(record);
  expect(brief(say(session, { type: 'ack', of: 'complete' }, 1))).toEqual(['note']);
  record.recordCompletion(END);
  expect(brief(session.completed(2))).toEqual(['complete']);
  expect(brief(say(session, { type: 'ack', of: 'complete' }, 3))).toEqual(['stored', 'all_stored']);
});

test('what is left when the run ends does not wait for the lazy second', () => {
  const record = newRecord();
  const { session } = accepted(record);
  record.output.append('stdout', Buffer.from('bye'));
  session.outputGrew(1);
  record.recordCompletion(END);
  expect(brief(session.completed(2))).toEqual(['complete', 'stdout 0+3']);
});

test('the wrapper’s own steps are reported on every new connection until they have been heard', () => {
  const record = newRecord();
  for (const phase of ['term', 'kill'] as const) {
    record.recordKilling({
      type: 'killing',
      kill: null,
      reason: 'timeout',
      phase,
      signal: 'SIGTERM',
      at_ms: 5,
      survivors: [],
      unnamed_survivors: false,
    });
  }
  expect(brief(accepted(record).actions)).toEqual(['accepted', 'killing', 'killing']);
  const { session, actions } = accepted(record);
  expect(brief(actions)).toEqual(['accepted', 'killing', 'killing']);
  record.output.append('stdout', Buffer.alloc(70_000));
  session.outputGrew(1);
  ackOutput(session, 10, 2);
  expect(brief(accepted(record, { offset: 70_000 }).actions)).toEqual(['accepted']);
});

test('heartbeats are sent as often as the object asks, and silence ends the session', () => {
  const { session } = accepted(newRecord(), { heartbeat_ms: 100, silence_ms: 350 });
  expect(session.deadline()).toBe(100);
  expect(brief(session.tick(100))).toEqual(['send_heartbeat']);
  session.received('hb', 120);
  expect(brief(session.tick(200))).toEqual(['send_heartbeat']);
  expect(brief(session.tick(300))).toEqual(['send_heartbeat']);
  expect(session.deadline()).toBe(400);
  expect(brief(session.tick(470))).toEqual(['hang up, retry later']);
});

test('a start that nobody acks is silence too', () => {
  const session = new LinkProtocol(newRecord(), 0);
  session.opened(0);
  expect(brief(session.tick(15_000))).toEqual(['hang up, retry later']);
});

test.each(['yes', 'later', 'never'] as const)('an error with retry %s hangs up', (retry) => {
  const { session } = accepted(newRecord());
  const error = { type: 'error', code: 'internal', message: '', retry };
  expect(brief(session.received(JSON.stringify(error), 1))).toEqual([`hang up, retry ${retry}`]);
});

test.each([
  'nonsense',
  '[]',
  'null',
  '{"type":"never heard of"}',
  '{"type":"ack","of":"output","offset":77}',
  '{"type":"ack","of":"start"}',
  '{"type":"kill","kill":"x"}',
  '{"type":"error","code":"unknown_type","message":"?","retry":null}',
  '{"type":"error","code":"gap","message":"?","retry":null,"expected":77}',
])('%s is noted, and that is all', (frame) => {
  const record = newRecord();
  const { session } = accepted(record);
  expect(brief(session.received(frame, 1))).toEqual(['note']);
  expect(record.output.start).toBe(0);
});

test('a peer that answers heartbeats and never accepts the run is hung up on', () => {
  const session = new LinkProtocol(newRecord(), 0);
  session.opened(0);
  for (let now = 5_000; now < 15_000; now += 5_000) {
    expect(brief(session.tick(now))).toEqual(['send_heartbeat']);
    session.received('hb', now);
  }
  expect(session.deadline()).toBe(15_000);
  expect(brief(session.tick(15_000))).toEqual(['hang up, retry later']);
});

test.each(['output', 'completion'] as const)('a peer that never stores the %s is hung up on after a minute', (owed) => {
  const record = newRecord();
  const { session } = accepted(record);
  if (owed === 'output') {
    record.output.append('stdout', Buffer.alloc(70_000));
    session.outputGrew(1_000);
    ackOutput(session, 10, 2_000);
  } else {
    record.recordCompletion(END);
    session.completed(2_000);
  }
  session.received('hb', 61_999);
  expect(brief(session.tick(61_999))).toEqual(['send_heartbeat']);
  expect(session.deadline()).toBe(62_000);
  expect(brief(session.tick(62_000))).toEqual(['hang up, retry later']);
});

test('a peer that owes nothing may send only heartbeats', () => {
  const record = newRecord();
  const { session } = accepted(record);
  record.output.append('stdout', Buffer.alloc(70_000));
  session.outputGrew(1_000);
  ackOutput(session, 70_000, 2_000);
  session.received('hb', 999_000);
  expect(brief(session.tick(999_000))).toEqual(['send_heartbeat']);
});

/** A record whose output is on a slow disk: what was not fetched is for later. */
function fetchedRecord(length: number) {
  const record = newRecord();
  record.output.append('stdout', Buffer.alloc(length));
  const asked: number[] = [];
  const fetched = new Set<number>();
  const output: OutputSource = {
    get start() {
      return record.output.start;
    },
    get end() {
      return record.output.end;
    },
    free: (offset) => record.output.free(offset),
    read: (offset, maxBytes) => {
      asked.push(offset);
      return fetched.has(offset) ? record.output.read(offset, Math.min(maxBytes, 100_000)) : { kind: 'later' };
    },
  };
  const run: ReportableRun = {
    output,
    completion: null,
    unreportedSteps: [],
    left: null,
    keepsLinkOpen: false,
    stepsReported: () => {},
    start: () => record.start(),
  };
  return { run, record, fetched, asked };
}

test('what must be fetched first is waited for without asking again, and sent when it is there', () => {
  const { run, record, fetched, asked } = fetchedRecord(150_000);
  const { session, actions } = accepted(run);
  expect(brief(actions)).toEqual(['accepted']);
  record.output.append('stderr', Buffer.alloc(70_000));
  expect(session.outputGrew(10)).toEqual([]);
  expect(session.deadline()).toBe(5_000);
  expect(asked).toEqual([0]);
  fetched.add(0);
  expect(brief(session.outputReadable(2_000))).toEqual(['stdout 0+100000']);
  expect(asked).toEqual([0, 0, 100_000]);
  // Still not there: told too early, or of another part.
  expect(session.outputReadable(2_500)).toEqual([]);
  fetched.add(100_000).add(150_000);
  expect(brief(session.outputReadable(3_000))).toEqual(['stdout 100000+50000', 'stderr 150000+70000']);
});

test('a little that was fetched keeps the moment at which it was due', () => {
  const { run, fetched } = fetchedRecord(10);
  const { session } = accepted(run);
  expect(session.deadline()).toBe(1_000);
  expect(session.tick(1_000)).toEqual([]);
  fetched.add(0);
  expect(brief(session.outputReadable(1_001))).toEqual(['stdout 0+10']);
});

test('a rewind while something is being fetched goes back at once, and what was fetched comes in its turn', () => {
  const { run, fetched, asked } = fetchedRecord(150_000);
  fetched.add(0);
  const { session } = accepted(run);
  expect(asked).toEqual([0, 100_000]);
  fetched.add(40_000).add(100_000);
  const rewind = { type: 'error', code: 'gap', message: '', retry: null, expected: 40_000 } as const;
  expect(brief(say(session, rewind, 2))).toEqual(['stdout 40000+100000']);
  expect(asked).toEqual([0, 100_000, 40_000, 140_000]);
  expect(session.outputReadable(3)).toEqual([]);
  fetched.add(140_000);
  expect(brief(session.outputReadable(1_000))).toEqual(['stdout 140000+10000']);
});

test('of an abandoned run nothing but the output is owed', () => {
  const record = newRecord();
  record.output.append('stdout', Buffer.from('left'));
  const run: ReportableRun = {
    output: record.output,
    completion: null,
    left: null,
    keepsLinkOpen: false,
    unreportedSteps: [],
    stepsReported: () => {},
    start: () => ({ ...record.start(), phase: 'abandoned' }),
  };
  const { session, actions } = accepted(run);
  expect(brief(actions)).toEqual(['accepted']);
  expect(brief(session.tick(1_000))).toEqual(['stdout 0+4']);
  expect(brief(ackOutput(session, 4, 1_001))).toEqual(['stored', 'all_stored']);
  expect(brief(accepted(run, { offset: 4 }).actions)).toEqual(['accepted', 'all_stored']);
});

test.each([
  ['ack', { type: 'ack', of: 'output', offset: '5' }],
  ['kill', { type: 'kill', kill: {}, signal: [] }],
  ['deep', JSON.parse(`{"type":"flow","mode":${'['.repeat(2_000)}${']'.repeat(2_000)}}`)],
  ['inherited', { type: '__proto__' }],
  ['inherited', { type: 'constructor' }],
  ['huge', { type: 'error', code: 'x'.repeat(10_000), message: '', retry: null }],
])('a frame of the wrong shape is noted in a short line: %s', (_name, frame) => {
  const { session } = accepted(newRecord());
  const [action, ...more] = session.received(JSON.stringify(frame), 1);
  expect(more).toEqual([]);
  expect(action).toMatchObject({ kind: 'note' });
  expect(action?.kind === 'note' && action.text.length).toBeLessThan(300);
});

test('JSON nested thousands deep does no harm', () => {
  const { session } = accepted(newRecord());
  expect(brief(session.received('['.repeat(60_000), 1))).toEqual(['note']);
  expect(brief(session.received(`{"type":"flow","mode":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, 1))).toEqual([
    'note',
  ]);
});
