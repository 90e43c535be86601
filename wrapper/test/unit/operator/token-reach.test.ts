/** Everything that shows a token shows which jobs and machines it is for. */
import { expect, test } from 'vitest';
import type { Session } from '#protocol/api';
import { tokenColumns } from '../../../src/cli/subcommands/token.ts';
import { auditText } from '../../../src/operator/audit-text.ts';
import type { Part } from '../../../src/operator/output.ts';
import { showSession } from '../../../src/operator/session.ts';
import { tableLines } from '../../../src/operator/table.ts';

const NOW_MS = Date.parse('2026-11-30T12:00:00.000Z');
const NEVER_USED = {
  id: '01M8Q5Q66GK25TKM0N6VH928NK',
  name: 'web machines',
  scopes: ['run' as const],
  jobs: '*',
  machines: 'web-1*',
  created_at: '2026-11-30T11:00:00.000Z',
  last_used_at: null,
  expires_at: '2027-11-30T11:00:00.000Z',
};

function sessionFields(session: Session): readonly (readonly [string, Part | null])[] {
  let shown: readonly (readonly [string, Part | null])[] = [];
  const settings = {
    url: new URL('https://leash.example.com/'),
    token: { kind: 'value' as const, token: 'secret' },
    tokenFrom: 'LEASH_TOKEN',
    proxyEnv: {},
    caFile: null,
  };
  showSession(session, { settings, now: () => NOW_MS }, { fields: (fields) => (shown = fields) });
  return shown;
}

test('whoami shows the machines, if the control plane says them', () => {
  const session = { name: 'web', scopes: ['run' as const], jobs: '*', expires_at: null };
  expect(sessionFields({ ...session, machines: 'web-1*' })).toContainEqual(['machines', 'web-1*']);
  expect(sessionFields({ ...session, machines: '*' })).toContainEqual(['machines', 'all']);
  expect(sessionFields(session)).toContainEqual(['machines', null]);
});

test('an entry of the audit log shows the machines of a new token', () => {
  const entry = (detail: Record<string, unknown>) =>
    auditText({
      action: 'token_created',
      subject: 'T1',
      detail: { name: 'web', scopes: ['run'], ...detail },
      count: 1,
    });
  expect(entry({ jobs: '*', machines: '*' })).toBe('created token web (run; all jobs), id T1');
  expect(entry({ jobs: 'a-*', machines: 'web-1*' })).toBe(
    'created token web (run; jobs a-* on machines web-1*), id T1',
  );
});

test('a list of tokens keeps the machines on 80 columns', () => {
  const lines = tableLines(tokenColumns(NOW_MS), [NEVER_USED], { columns: 80, hasColour: false });
  expect(lines.map((line) => line.length <= 80)).toEqual([true, true]);
  expect(lines[0]).toContain('MACHINES');
  expect(lines[1]).toContain('web-1*');
});
