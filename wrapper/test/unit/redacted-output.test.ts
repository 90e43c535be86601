import { expect, test } from 'vitest';
import { redactionRules } from '../../src/redact/redactor.ts';
import { RedactedOutput } from '../../src/run/redacted-output.ts';

test('what is held back is reported as long as it is, and not once the end has recorded it', () => {
  const recorded: string[] = [];
  const held: string[] = [];
  const recording = new RedactedOutput(
    redactionRules([Buffer.from('secret')]),
    (_stream, bytes) => recorded.push(Buffer.from(bytes).toString()),
    () => {},
    ({ stdout }) => held.push(Buffer.from(stdout).toString()),
  );
  recording.write('stdout', Buffer.from('a sec'));
  expect(held).toEqual(['sec']);
  recording.end();
  expect(held).toEqual(['sec', '']);
  expect(recorded.join('')).toBe('a sec');
});
