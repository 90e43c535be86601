import { expect, test } from 'vitest';
import { pageAt } from '../page-paths.ts';

const RUN = '01M82PTB40WMEYKY30XERGEN0N';

test.each([
  ['/', 'overview', null],
  ['/timeline', 'timeline', null],
  ['/jobs/nightly.backup', 'job', 'nightly.backup'],
  [`/runs/${RUN}`, 'run', RUN],
  ['/last-night', 'lastNight', null],
  ['/machines', 'machines', null],
  ['/machines/web-1.example.com', 'machine', 'web-1.example.com'],
  ['/kills', 'kills', null],
  [`/kills/${RUN}`, 'kill', RUN],
  ['/alerts', 'alerts', null],
  ['/tokens', 'tokens', null],
  ['/add-machine', 'addMachine', null],
  ['/audit', 'audit', null],
])('%s is the %s, with a slash at its end, too', (path, page, name) => {
  expect(pageAt(path)).toEqual({ page, name });
  expect(pageAt(path === '/' ? path : `${path}/`)).toEqual({ page, name });
});

test.each([
  '//',
  '/index.html',
  '/Timeline',
  '/jobs',
  '/jobs/',
  '/jobs//',
  '/jobs/a/b',
  '/runs',
  `/runs/${RUN}/output`,
  '/assets/gone.js',
  '/leash.mjs',
  '/api/v1/nothing',
  '/audit//',
])('nothing is at %s', (path) => {
  expect(pageAt(path)).toBeNull();
});
