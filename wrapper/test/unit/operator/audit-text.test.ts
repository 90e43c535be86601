import { expect, test } from 'vitest';
import { auditText } from '../../../src/operator/audit-text.ts';
import { shortId } from '../../../src/operator/find-run.ts';

test('the run of a kill is whole, or the end of its id where room is scarce', () => {
  const kill = { action: 'kill', subject: 'backup', detail: { run: '01M8Q5VEFNHABRHVG2V056WYHJ' }, count: 1 };
  expect(auditText(kill)).toContain('requested a kill of backup, run 01M8Q5VEFNHABRHVG2V056WYHJ (');
  expect(auditText(kill, shortId)).toContain('requested a kill of backup, run V056WYHJ (');
});
