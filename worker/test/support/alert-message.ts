import type { Message, ToldOccurrence } from '../../durable/alerts/message.ts';

const RUN = '01JABCDEFGHJKMNPQRSTVWXYZ0';

export const AT = Date.parse('2026-11-30T03:14:15Z');

export function toldOccurrence(given: Partial<ToldOccurrence> = {}): ToldOccurrence {
  return {
    id: `${RUN}:failed`,
    kind: 'failed',
    at: AT,
    job: 'backup',
    machine: 'db1.example.com',
    run: RUN,
    summary: 'exit code 2 after 3m 05s',
    exitCode: 2,
    durationMs: 185_000,
    isAlive: false,
    tags: ['nightly', 'team:data'],
    owner: 'data team',
    runbook: 'https://wiki.example.com/backup',
    pageUrl: `https://leash.example.com/runs/${RUN}`,
    killUrl: null,
    ...given,
  };
}

export function alertMessage(given: Partial<Message> = {}): Message {
  return {
    id: '01JMESSAGE0000000000000000',
    alert: { id: '01JALERT000000000000000000', name: 'on call' },
    at: AT,
    occurrences: [toldOccurrence()],
    count: given.occurrences?.length ?? 1,
    tail: 'copying a\ncopying b\nno space left on device\n',
    isTest: false,
    ...given,
  };
}

/** What a job may print or be called to be taken for something else by each of the services. */
export const HOSTILE = [
  '<!channel> <@U123> <https://evil.example|click> @everyone @here',
  '*bold* _it_ ~~no~~ `code` ```fence``` ||spoiler|| [x](https://evil.example) # h1 > quote <@&1>',
  "<script>alert(1)</script> \"onmouseover='x' &amp; {{DATE(2026-11-30T00:00:00Z)}} \u202e reversed \u0007",
].join(' ');

/** Everything as long and as bad as it can be: a storm, in which each run could be killed. */
export function hostileMessage(): Message {
  const hostile = (index: number) =>
    toldOccurrence({
      id: `o${index}`,
      job: `${HOSTILE}\nbackup-${index}`.slice(-128),
      machine: HOSTILE.slice(0, 250),
      summary: HOSTILE.repeat(5),
      owner: HOSTILE,
      runbook: index % 2 === 0 ? 'javascript:alert(1)' : `https://wiki.example.com/${'x'.repeat(400)}`,
      tags: Array.from({ length: 20 }, (_, tag) => `tag-${tag}-${'x'.repeat(50)}`),
      killUrl: `https://leash.example.com/k/${'s'.repeat(43)}${index}`,
      pageUrl: `https://leash.example.com/runs/${RUN}?job=${'j'.repeat(128)}`,
    });
  const [first, ...others] = Array.from({ length: 50 }, (_, index) => hostile(index));
  return alertMessage({
    alert: { id: 'a', name: `${HOSTILE}\r\nBcc: everyone@example.com` },
    occurrences: [first ?? hostile(0), ...others],
    count: 300,
    tail: `first line\n${`${HOSTILE}\n`.repeat(400)}the very last line`,
  });
}
