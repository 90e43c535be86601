import { expect, test } from 'vitest';
import { targetColumns } from '../../../src/cli/subcommands/kills.ts';
import { tableLines } from '../../../src/operator/table.ts';
import { aTarget } from '../../support/api-resources.ts';

test('all steps of a kill at a run fit on 80 columns', () => {
  const terminal = { columns: 80, hasColour: false };
  const target = aTarget({
    run: '01M8Q5VEFNHABRHVG2V056WYHJ',
    machine: 'web-1.example.com',
    state: 'gone',
    exit_code: 143,
    signal: 'SIGTERM',
    timing: { sent_ms: 4, received_ms: 14, first_signal_ms: 18, last_process_gone_ms: 65_000 },
  });
  expect(tableLines(targetColumns(terminal), [target], terminal)).toEqual([
    'RUN       MACHINE            PROGRESS  EXIT  SENT  RECEIVED  SIGNAL  ENDED',
    'V056WYHJ  web-1.example.com  ended      143  4ms   14ms      18ms    1m 05s',
  ]);
});
