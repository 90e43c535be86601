import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { STUBBORN } from './support/commands.ts';
import { placeOfRun, rowInView } from './support/row-places.ts';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();

const row = (name: string) => browser.page.locator('.row').filter({ has: browser.page.getByRole('link', { name }) });
const section = (name: string) => browser.page.locator('.section-head').filter({ hasText: name });
const signIn = (path = '/', url = environment().url) =>
  signInAs(browser.page, { url }, environment().operatorToken, path);

/** Answers calls of these addresses only once it is released. */
async function holdBack(addresses: string): Promise<() => void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  await browser.page.route(addresses, async (route) => {
    await promise;
    await route.continue();
  });
  return resolve;
}

/** Runs on several machines. */
function running(job: string, machines: readonly string[]) {
  return Promise.all(machines.map((machine) => environment().simulate(job, { machine })));
}

test('what runs, what failed and what rests each stand in their place, and move by themselves', async () => {
  await signIn();
  await environment().simulateEnded('place-fails', 3);
  await environment().simulateEnded('place-rests', 0);
  await running('place-runs', ['a.example.com', 'b.example.com']);

  await browser.page.getByLabel('Filter by job, machine or state').fill('job:place-');
  await row('place-rests').waitFor();
  const texts = await browser.page.locator('.section-head, .row .row-link').allTextContents();
  expect(texts).toEqual([
    'Needs attention 1',
    'place-fails',
    'Running 2',
    'place-runs',
    'a.example.com',
    'b.example.com',
    'Idle 1',
    'place-rests',
  ]);

  await environment().kill('place-runs');
  await section('Running').waitFor({ state: 'detached' });
  expect(await section('Idle').textContent()).toBe('Idle 2');
});

test('a failure is not forgotten because other machines have ended since, and is over with a success there', async () => {
  const machines = Array.from({ length: 21 }, (_, nth) => `w-${nth}.example.com`);
  await environment().simulateEnded('everywhere', 3, 'first.example.com');
  await Promise.all(machines.map((machine) => environment().simulateEnded('everywhere', 0, machine)));
  await signIn('/?q=job%3Aeverywhere');
  const place = row('everywhere').locator('.cell-machine');
  await row('everywhere').waitFor();
  expect(await section('Needs attention').textContent()).toBe('Needs attention 1');
  expect(await place.textContent()).toBe('first.example.com (1 of 22)');

  await browser.page.goto(`${environment().url}/jobs/everywhere`);
  const attention = browser.page.getByRole('region', { name: 'Needs attention' });
  await attention.getByText('Needs attention on 1 of 22 machines').waitFor();
  await attention.getByRole('link', { name: 'first.example.com' }).waitFor();

  await browser.page.goto(`${environment().url}/?q=job%3Aeverywhere`);
  await section('Needs attention').waitFor();
  await environment().simulateEnded('everywhere', 0, 'first.example.com');
  await section('Idle').waitFor();
  expect(await section('Needs attention').count()).toBe(0);
  expect(await place.textContent()).toBe('22 machines');
});

test('a link carries the filter and what is shown', async () => {
  await running('linked', ['left.example.com', 'right.example.com']);
  await signIn('/?q=linked+machine%3Aleft&show=running');
  await row('linked on left.example.com').waitFor();
  expect(await browser.page.locator('.row').count()).toBe(1);

  await browser.page.getByLabel('Filter by job, machine or state').fill('linked right');
  await row('linked on right.example.com').waitFor();
  expect(new URL(browser.page.url()).searchParams.get('q')).toBe('linked right');
  await browser.page.getByRole('button', { name: /^Idle/ }).click();
  await browser.page.getByText('No runs match this filter.').waitFor();
  expect(new URL(browser.page.url()).searchParams.get('show')).toBe('idle');
  await environment().kill('linked');
});

test('many are picked and killed with one question, which says exactly what is hit; the others continue', async () => {
  const picked = await running('many', ['m-1', 'm-2', 'm-3']);
  const single = await running('many-single', ['m-4']);
  const spared = await running('many-spared', ['m-5']);
  await signIn('/?q=many');
  await browser.page.getByLabel('Select all 3 runs of many').check();
  await browser.page.getByLabel('Select many-single on m-4').check();
  await browser.page.getByRole('button', { name: 'Kill 4 runs…' }).click();

  const dialog = browser.page.getByRole('dialog', { name: 'Kill 4 runs?' });
  const hit = await dialog.getByRole('listitem').allTextContents();
  const expected = [...picked, ...single].map(({ machine, pid }) => `${machine} PID ${pid}`);
  expect(hit.sort()).toEqual(expected.sort());
  expect([...picked, ...single].every((run) => run.isRunning)).toBe(true);

  await dialog.getByLabel('Reason (shown in the audit log)').fill('too many');
  await dialog.getByRole('button', { name: 'Kill 4 runs now' }).click();
  await browser.page.getByText('4 ended').waitFor();
  for (const run of [...picked, ...single]) expect((await run.exit).code).toBe(143);
  expect(spared[0]?.isRunning).toBe(true);
  const [told] = await environment()
    .operator.events(single[0]?.id ?? '')
    .then((events) => events.filter((event) => event.type === 'kill_requested'));
  expect(told).toMatchObject({ reason: 'too many', requested_by: 'operator' });

  // One order is one row, which opens.
  await browser.page.getByRole('link', { name: 'Details' }).click();
  const order = browser.page.locator('[data-batch]');
  await order.getByRole('link', { name: 'Kill of 4 runs in 2 jobs' }).waitFor();
  expect(await order.locator('.cell-progress').textContent()).toBe('4 ended');
  expect(await browser.page.locator('.kill.part').count()).toBe(4);
  await browser.page.goto(`${environment().url}/kills?job=many`);
  await order.getByRole('link', { name: 'Kill of 3 runs of many' }).waitFor();
  expect(await browser.page.locator('[data-kill]').count()).toBe(0);
  await order.getByRole('button', { name: 'Show 3 kills' }).click();
  expect(await browser.page.locator('.kill.part').count()).toBe(3);
  await browser.page.goto(`${environment().url}/jobs/many`);
  await browser.page.getByText('Recent kills').click();
  const kills = browser.page.getByRole('region', { name: 'Recent kills' });
  await kills.getByRole('link', { name: 'Kill of 3 runs of many' }).waitFor();
  expect(await kills.getByRole('listitem').count()).toBe(1);
  await browser.page.goto(`${environment().url}/?q=many`);

  await browser.page.getByRole('button', { name: 'Dismiss: Kill 4 runs' }).click();
  await browser.page.getByText('4 ended').waitFor({ state: 'detached' });
  await environment().kill('many-spared');
});

test('a kill in its grace can be forced from where it was ordered, after a reload too', async () => {
  const wrappers = ['m-1', 'm-2'].map((machine) =>
    environment().wrapper({ job: 'forced', machine, command: STUBBORN }),
  );
  for (const machine of ['m-1', 'm-2']) {
    await environment().output((await environment().runOf('forced', undefined, machine)).id, 'ready');
  }
  await signIn('/?q=forced');
  await browser.page.getByRole('button', { name: 'Kill all running forced' }).click();
  await browser.page.getByLabel('Grace period before SIGKILL').selectOption('300');
  await browser.page.getByRole('button', { name: 'Kill 2 runs now' }).click();
  const force = browser.page.getByRole('button', { name: 'Force kill 2 runs now' });
  await force.waitFor();

  // What a list says of it may be older than what was shown before: nothing is shown until the job's object has told.
  const release = await holdBack('**/api/v1/kills/*');
  await browser.page.reload();
  const order = browser.page.getByRole('region', { name: 'Your kills' });
  // The rows and what is under way are there, out of lists.
  await row('forced').first().waitFor();
  await browser.page.locator('.pending-kill:not(:has(.danger))').getByText('Loading progress…').waitFor();
  release();
  await order.getByText('2 in grace period').waitFor();

  const { id } = await environment().runOf('forced', undefined, 'm-1');
  const releaseEvents = await holdBack('**/api/v1/runs/*/events?*');
  await browser.page.goto(`${environment().url}/runs/${id}`);
  const panel = browser.page.getByRole('region', { name: 'Kill', exact: true });
  const bare = panel.filter({ hasNot: browser.page.locator('[data-step], button') });
  await bare.getByText('Loading kill progress…').waitFor();
  releaseEvents();
  await panel.locator('[data-step="term"][data-step-state="done"]').waitFor();

  await browser.page.goBack();
  await force.click();
  for (const wrapper of wrappers) expect((await wrapper.exit).code).toBe(143);
  await waitFor('both orders to be over', async () => (await browser.page.getByText('2 ended').count()) === 2);
});

test('the keyboard alone finds a run, picks it, kills it, and opens another', async () => {
  const runs = await running('keys', ['m-1', 'm-2']);
  await signIn();
  const { keyboard } = browser.page;
  await keyboard.press('/');
  await keyboard.type('job:keys');
  await keyboard.press('Escape');
  // The field is left, and what it says still holds.
  expect(await browser.page.getByLabel('Filter by job, machine or state').inputValue()).toBe('job:keys');
  // Before that, what other files have left may stand above these, and out of view.
  await waitFor('these alone', async () => {
    const sections = await browser.page.locator('.section-head').allTextContents();
    return sections.length === 1 && sections[0] === 'Running 2';
  });
  const focused = () =>
    browser.page.evaluate(
      () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent,
    );
  const moveTo = async (name: string, key: 'j' | 'k') => {
    await keyboard.press(key);
    await waitFor(`the focus on ${name}`, async () => (await focused()) === name);
  };
  await moveTo('keys', 'j');
  await moveTo('keys on m-1', 'j');
  await moveTo('keys on m-2', 'j');
  await moveTo('keys on m-1', 'k');
  await keyboard.press('x');
  await browser.page.getByText('1 run selected').waitFor();
  await keyboard.press('K');
  await browser.page.getByRole('dialog', { name: 'Kill keys on m-1?' }).waitFor();
  await keyboard.press('Escape');
  await browser.page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(await focused()).toBe('keys on m-1');
  await keyboard.press('K');
  await browser.page.getByRole('dialog', { name: 'Kill keys on m-1?' }).waitFor();
  await keyboard.press('Enter');
  expect((await runs[0]?.exit)?.code).toBe(143);
  expect(runs[1]?.isRunning).toBe(true);

  await keyboard.press('?');
  const help = browser.page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await help.waitFor();
  for (const key of ['/', 'j', 'k', 'x', 'K', '?', 'Enter']) {
    expect(await help.locator('kbd').getByText(key, { exact: true }).count()).toBe(1);
  }
  await keyboard.press('Escape');
  await row('keys on m-2').waitFor();
  await keyboard.press('j');
  await waitFor('the focus on what is left', async () => (await focused()) === 'keys on m-2');
  await keyboard.press('Enter');
  await browser.page.locator('.run-header').waitFor();
  expect(new URL(browser.page.url()).pathname).toMatch(/^\/runs\//);
  await environment().kill('keys');
});

test('on a phone a job is found and killed in three taps', async () => {
  const machine = 'db-primary-03.eu-central-1.production.example-company.com';
  const [run] = await running('three-taps', [machine]);
  await browser.page.setViewportSize({ width: 390, height: 800 });
  await signIn('/?q=three-taps');
  await browser.page.getByRole('button', { name: /^Running/ }).click();
  await browser.page.getByRole('button', { name: `Kill three-taps on ${machine}` }).click();
  // Nothing of the name is cut off where the question is answered.
  const beyond = (dialog: Element) => dialog.scrollWidth - dialog.clientWidth;
  expect(await browser.page.locator('dialog').evaluate(beyond)).toBeLessThanOrEqual(0);
  await browser.page.getByRole('button', { name: 'Kill now' }).click();
  expect((await run?.exit)?.code).toBe(143);
  expect(await browser.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
});

test('a row stays under the pointer when trouble comes up above it', async () => {
  await running('steady', ['m-1']);
  const [breaking] = await running('steady-breaks', ['m-1']);
  // Too low for all of it: there is room to scroll.
  await browser.page.setViewportSize({ width: 1280, height: 320 });
  await signIn('/?q=steady');
  const held = row('steady on m-1');
  await held.hover();
  const before = await held.boundingBox();
  await breaking?.end(3);
  await section('Needs attention').waitFor({ state: 'attached' });
  expect((await held.boundingBox())?.y).toBe(before?.y);
  await environment().kill('steady');
});

test('a lost connection is shown; what started and ended meanwhile appears when it is back', async () => {
  const [before] = await running('away-before', ['m-1']);
  const network = await environment().proxy();
  await signIn('/?q=away', network.url);
  await row('away-before on m-1').waitFor();
  network.cut();
  await browser.page.locator('[data-link="stale"]').waitFor();
  await browser.page.getByText('Offline for').waitFor();
  await running('away-after', ['m-2']);
  await environment().kill('away-before');
  expect(await row('away-before on m-1').count()).toBe(1);

  network.restore();
  await browser.page.locator('[data-link="live"]').waitFor();
  await row('away-after on m-2').waitFor();
  await row('away-before on m-1').waitFor({ state: 'detached' });
  expect(await section('Idle').count()).toBe(1);
  expect((await before?.exit)?.code).toBe(143);
  await environment().kill('away-after');
});

test('a list that is too long for the page says that it continues', async () => {
  await running('cut-short', ['a.example.com']);
  // In the page, because there are fifty pages of each.
  await browser.page.addInitScript(() => {
    const fetchReally = window.fetch;
    window.fetch = async (input, init) => {
      const url = String(input);
      if (!/\/api\/v1\/(jobs|runs)\?/.test(url)) return fetchReally(input, init);
      if (url.includes('cursor=more')) return Response.json({ jobs: [], runs: [], next_cursor: 'more' });
      const response = await fetchReally(input, init);
      return Response.json({ ...(await response.json()), next_cursor: 'more' });
    };
  });
  await signIn('/?q=job:cut-short');
  await browser.page.getByText('More than 25000 runs').waitFor();
  await browser.page.getByText('More than 25000 jobs').waitFor();
  await row('cut-short').first().waitFor();
  await browser.page.goto(`${environment().url}/jobs/cut-short`);
  await browser.page.getByText('More than 25000 runs').waitFor();
});

test('without the right to kill nothing offers to', async () => {
  const { secret } = await environment().admin.createToken({ name: 'reader', scopes: ['read'] });
  await running('only-read', ['m-1']);
  await signInAs(browser.page, environment(), secret, '/?q=only-read');
  await row('only-read on m-1').waitFor();
  expect(await browser.page.getByRole('button', { name: /kill/i }).count()).toBe(0);
  expect(await browser.page.getByRole('checkbox').count()).toBe(0);
  await row('only-read on m-1').getByRole('link', { name: 'only-read on m-1' }).focus();
  await browser.page.keyboard.press('K');
  expect(await browser.page.getByRole('dialog').count()).toBe(0);
  await environment().kill('only-read');
});

test('a run that ends under the cursor takes it to no other run, and one continues from its place', async () => {
  await running('under-a', ['m-1']);
  await running('under-b', ['m-1']);
  await running('under-c', ['m-1']);
  await signIn('/?q=under&show=running');
  await row('under-c on m-1').waitFor();
  for (let times = 0; times < 2; times += 1) await browser.page.keyboard.press('j');
  const focused = () => browser.page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
  expect(await focused()).toBe('under-b on m-1');

  await environment().kill('under-b');
  await row('under-b on m-1').waitFor({ state: 'detached' });
  expect(await focused()).toBe('Runs and jobs');
  await browser.page.keyboard.press('x');
  await browser.page.keyboard.press('K');
  expect(await browser.page.locator('dialog, .selection-bar').count()).toBe(0);
  await browser.page.keyboard.press('j');
  expect(await focused()).toBe('under-c on m-1');

  // Gone on the very key that opens the question, the next one is not heard by the page below it.
  await browser.page.keyboard.press('K');
  await browser.page.keyboard.press('?');
  expect(await browser.page.locator('dialog').count()).toBe(1);
  await browser.page.keyboard.press('Escape');
  expect(await focused()).toBe('under-c on m-1');
  await environment().kill('under-a');
  await environment().kill('under-c');
});

test('it is not called live before what was missed is there', async () => {
  await running('fresh', ['m-1']);
  const network = await environment().proxy();
  await signIn('/?q=fresh', network.url);
  await browser.page.locator('[data-link="live"]').waitFor();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await browser.page.route('**/api/v1/runs?*', async (route) => {
    await held;
    await route.continue();
  });
  network.cut();
  await browser.page.getByText('Offline for').waitFor();
  network.restore();

  await browser.page.getByText('Back online.').waitFor();
  expect(await browser.page.locator('.link-status').textContent()).toBe('syncing…');
  release();
  await browser.page.locator('[data-link="live"]').waitFor();
  await browser.page.locator('.banner').waitFor({ state: 'detached' });
  await environment().kill('fresh');
});

test('whoever signs in next, by a link or in another tab, sees nothing that only the one before may', async () => {
  await running('theirs', ['whose']);
  await running('ours', ['whose']);
  const narrow = { scopes: ['read'], jobs: 'ours' } as const;
  const [first, second] = await Promise.all(
    ['first', 'second'].map((name) => environment().admin.createToken({ ...narrow, name, scopes: [...narrow.scopes] })),
  );
  const isOnlyOurs = async (name: string) => {
    await browser.page.locator('.who-name').filter({ hasText: name }).waitFor();
    await row('ours on whose').waitFor();
    await browser.page.locator('[data-link="live"]').waitFor();
    expect(await row('theirs on whose').count()).toBe(0);
  };
  // Beside what other files have left these rows might be out of view.
  await signIn('/?q=machine:whose');
  await row('theirs on whose').waitFor();
  await browser.page.evaluate((secret) => {
    location.hash = `token=${secret}`;
  }, first?.secret);
  await isOnlyOurs('first');

  const tab = await browser.context.newPage();
  await signInAs(tab, environment(), second?.secret ?? '');
  await isOnlyOurs('second');
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await browser.page.getByLabel('Token').waitFor();
  await environment().kill('theirs');
  await environment().kill('ours');
});

test('a reload brings the reader back to the rows that they were at', async () => {
  const [run] = await running('place-kept', ['m-1']);
  const template = await environment().operator.run(run?.id ?? '');
  const many = Array.from({ length: 200 }, (_, nth) => ({
    ...template,
    id: `01J${String(nth).padStart(23, '0')}`,
    job: `place-kept-${nth}`,
  }));
  await browser.page.route('**/api/v1/runs?*', (route) => route.fulfill({ json: { runs: many, next_cursor: null } }));
  await signIn('/?q=place-kept');
  await row('place-kept-0 on m-1').waitFor();
  await browser.page.evaluate(() => scrollTo(0, 5000));
  await row('place-kept-0 on m-1').waitFor({ state: 'detached' });
  await browser.page.reload();
  await waitFor('the place to be found again', () => browser.page.evaluate(() => scrollY > 4500));
  await environment().kill('place-kept');
});

test('back from a run leads to the row that it was opened from, as the list was then', async () => {
  const runs = await running('back-to', ['m-1', 'm-2', 'm-3']);
  const template = await environment().operator.run(runs[0]?.id ?? '');
  const many = Array.from({ length: 200 }, (_, nth) => ({
    ...template,
    id: `01J${String(nth).padStart(23, '0')}`,
    job: `back-to-${nth}`,
  }));
  const own = await Promise.all(runs.map(({ id }) => environment().operator.run(id)));
  await browser.page.route('**/api/v1/runs?*', (route) =>
    route.fulfill({ json: { runs: [...own, ...many], next_cursor: null } }),
  );
  await signIn('/?q=back-to&show=running');
  // Three runs are listed one by one unless one folds them.
  await browser.page.getByRole('button', { name: /^3 running/ }).click();
  await row('back-to on m-1').waitFor({ state: 'detached' });
  await browser.page.evaluate(() => scrollTo(0, 6000));
  const link = await waitFor('a row there', async () => {
    const place = await rowInView(browser.page);
    return place !== null && (await browser.page.evaluate(() => scrollY)) > 5000 ? place : null;
  });
  await browser.page.mouse.click(link.x, link.y);
  await browser.page.getByRole('heading', { name: 'Run not found' }).waitFor();
  await browser.page.goBack();
  await waitFor('the row to be where it was', async () => {
    const place = await placeOfRun(browser.page, link.run);
    return place?.hasFocus === true && Math.abs(place.y - link.y) < 8;
  });
  expect(new URL(browser.page.url()).search).toBe('?q=back-to&show=running');
  await browser.page.mouse.wheel(0, -20_000);
  await browser.page.getByRole('button', { name: /^3 running/ }).waitFor();
  expect(await row('back-to on m-1').count()).toBe(0);
  // Whoever comes by a link begins at the top.
  await browser.page.evaluate(() => scrollTo(0, 6000));
  await browser.page.getByRole('link', { name: 'Timeline' }).click();
  await browser.page.getByRole('heading', { name: 'Timeline' }).waitFor();
  expect(await browser.page.evaluate(() => scrollY)).toBe(0);
  await environment().kill('back-to');
});

test('on a phone, much that needs attention is one line, so that what runs is in view', async () => {
  const { page } = browser;
  await page.setViewportSize({ width: 390, height: 844 });
  for (let nth = 0; nth < 5; nth += 1) await environment().simulateEnded(`fold-fails-${nth}`, 2);
  await running('fold-runs', ['m-1']);
  await signIn('/?q=fold-');
  const fold = page.getByRole('button', { name: '5 need attention' });
  await fold.waitFor();
  expect(await row('fold-fails-0').count()).toBe(0);
  const runs = await row('fold-runs on m-1').boundingBox();
  expect((runs?.y ?? 844) + (runs?.height ?? 0)).toBeLessThanOrEqual(844);
  await fold.click();
  await row('fold-fails-0').waitFor();
  expect(await fold.getAttribute('aria-expanded')).toBe('true');
  // Asked for alone, it is not folded; nor where there is room.
  await page.getByRole('button', { name: /^Needs attention/ }).click();
  await row('fold-fails-4').waitFor();
  expect(await fold.count()).toBe(0);
  await page.getByRole('button', { name: 'All', exact: true }).click();
  await fold.click();
  await row('fold-fails-0').waitFor({ state: 'detached' });
  await page.setViewportSize({ width: 1280, height: 844 });
  await row('fold-fails-0').waitFor();
  await environment().kill('fold-runs');
});

test('a compact list has lower rows, on every page and after a reload', async () => {
  await running('compact-rows', ['m-1']);
  await signIn('/?q=compact-rows');
  const heightOf = async () => (await row('compact-rows on m-1').boundingBox())?.height ?? 0;
  await row('compact-rows on m-1').waitFor();
  const usual = await heightOf();
  await browser.page.getByRole('button', { name: 'Compact', exact: true }).click();
  await waitFor('the row to be lower', async () => (await heightOf()) < usual * 0.75);
  await browser.page.reload();
  await row('compact-rows on m-1').waitFor();
  expect(await heightOf()).toBeLessThan(usual * 0.75);
  await browser.page.getByRole('link', { name: 'Kills' }).click();
  await browser.page.getByRole('button', { name: 'Compact', exact: true, pressed: true }).waitFor();
  await environment().kill('compact-rows');
});
