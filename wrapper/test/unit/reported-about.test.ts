import { expect, test } from 'vitest';
import { NO_ABOUT } from '#protocol/about';
import { redactionRules } from '../../src/redact/redactor.ts';
import { reportedAbout } from '../../src/run/reported-about.ts';

test('a job that says nothing reports nothing', () => {
  expect(reportedAbout(NO_ABOUT, redactionRules([]))).toEqual({});
});

test('secrets are left out of what is reported, and what is nothing without them with them', () => {
  const { about } = reportedAbout(
    {
      tags: ['nightly', 'key-hunter2hunter2'],
      owner: 'Data team',
      runbook: 'https://wiki.example.com/?token=hunter2hunter2',
      note: 'the password is hunter2hunter2',
    },
    redactionRules([Buffer.from('hunter2hunter2')]),
  );
  expect(JSON.stringify(about)).not.toContain('hunter2');
  expect(about).toMatchObject({ tags: ['nightly'], owner: 'Data team' });
  expect(about?.note).toMatch(/^the password is /);
  expect(about?.runbook).toMatch(/^https:\/\/wiki\.example\.com\//);
});
