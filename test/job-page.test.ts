/** The page of a job, in a real browser, with real wrappers. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { WAIT_LIMIT_MS } from '#testing/patience';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { violations } from './support/axe.ts';
import { openBrowser } from './support/browser.ts';
import { placeOfRun, rowInView } from './support/row-places.ts';
import { useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();
const sh = (script: string) => ['sh', '-c', script];

async function openJob(job: string, url = environment().url, page = browser.page): Promise<void> {
  await page.goto(`${url}/jobs/${job}#token=${environment().operatorToken}`);
  await page.locator('.job-head').getByRole('heading', { name: job }).waitFor();
  await page.locator('[data-link="live"]').waitFor();
}

const openRows = () => browser.page.locator('.open-run');
const pastRows = () => browser.page.locator('.past-run');
const chart = () => browser.page.getByRole('slider', { name: /Duration of runs by start time/ });
const states = () => pastRows().evaluateAll((rows) => rows.map((row) => row.getAttribute('data-state')).sort());

/** Waits until the history shows exactly these states. */
function history(...expected: string[]): Promise<unknown> {
  return waitFor(
    `the history to be ${expected}`,
    async () => JSON.stringify(await states()) === JSON.stringify(expected.toSorted()),
  );
}

async function ended(job: string, machine: string, exitCode: number, durationMs?: number): Promise<void> {
  await environment().simulateEnded(job, exitCode, machine, durationMs);
}

/** How many pixels of the chart have a given token's colour. */
function coloured(token: string, page = browser.page): Promise<number> {
  return page.locator('.duration-chart canvas').evaluate((canvas, name) => {
    if (!(canvas instanceof HTMLCanvasElement)) throw new Error('no canvas');
    const probe = document.createElement('canvas').getContext('2d');
    const drawn = canvas.getContext('2d');
    if (probe === null || drawn === null) throw new Error('no canvas');
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
    const { data } = drawn.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] === r && data[at + 1] === g && data[at + 2] === b && data[at + 3] === 255) count += 1;
    }
    return count;
  }, token);
}

test('history, chart and words agree; the history is narrowed by state and machine, and the address says so', async () => {
  await ended('nightly', 'm1.example.com', 0);
  await ended('nightly', 'm2.example.com', 3);
  await ended('nightly', 'm1.example.com', 0, 300);
  await openJob('nightly');

  await history('failed', 'succeeded', 'succeeded');
  await browser.page.getByText('Not running').waitFor();
  await browser.page.getByText(/^3 runs: 2 succeeded, 1 failed\. Median/).waitFor();
  await chart().waitFor();
  await waitFor('both in the chart', async () => (await coloured('--bad')) > 0 && (await coloured('--good')) > 0);

  await browser.page.getByRole('button', { name: 'failed', exact: true }).click();
  await history('failed');
  expect(new URL(browser.page.url()).search).toBe('?state=failed');
  await browser.page.getByRole('button', { name: 'succeeded', exact: true }).click();
  await history('failed', 'succeeded', 'succeeded');
  await browser.page.getByLabel('Machine').selectOption('m1.example.com');
  await history('succeeded', 'succeeded');
  expect(new URL(browser.page.url()).search).toBe('?state=succeeded%2Cfailed&machine=m1.example.com');
  await browser.page.reload();
  await history('succeeded', 'succeeded');
  await browser.page.getByRole('button', { name: 'failed', exact: true }).click();
  await browser.page.getByRole('button', { name: 'succeeded', exact: true }).click();
  await browser.page.getByRole('button', { name: 'killed', exact: true }).click();
  await browser.page.getByText('No runs match.').waitFor();
  await browser.page.getByRole('button', { name: 'Show all runs' }).click();
  await history('failed', 'succeeded', 'succeeded');
});

test('a run starts and ends before the reader’s eyes, in the list and in the chart', async () => {
  await ended('live', 'm1.example.com', 0, 100);
  await ended('live', 'm1.example.com', 0, 200);
  await openJob('live');
  await chart().waitFor();
  await waitFor('the chart', async () => (await coloured('--good')) > 0);
  expect(await coloured('--run')).toBe(0);

  const go = join(environment().directory, 'go');
  const command = sh(`while [ ! -e "${go}" ]; do sleep 0.1; done; exit 4`);
  const wrapper = environment().wrapper({ job: 'live', machine: 'm2.example.com', command });
  await openRows().filter({ hasText: 'm2.example.com' }).waitFor();
  await history('running', 'succeeded', 'succeeded');
  await waitFor('the run in the chart', async () => (await coloured('--run')) > 0);
  await writeFile(go, '');
  expect((await wrapper.exit).code).toBe(4);
  await history('failed', 'succeeded', 'succeeded');
  await waitFor('its end in the chart', async () => (await coloured('--bad')) > 0);
  await browser.page.getByText('Not running').waitFor();
});

test('one run is killed, then all on several machines, and each exits 143', async () => {
  const machines = ['m1.example.com', 'm2.example.com', 'm3.example.com'];
  const runs = await Promise.all(machines.map((machine) => environment().simulate('wide', { machine })));
  await openJob('wide');
  await waitFor('three runs', async () => (await openRows().count()) === 3);

  await browser.page.getByRole('button', { name: 'Kill wide on m2.example.com', exact: true }).click();
  await browser.page.getByRole('button', { name: 'Kill now' }).click();
  expect((await runs[1]?.exit)?.code).toBe(143);
  await history('killed', 'running', 'running');
  await browser.page.getByText('Recent kills').click();
  await browser.page.locator('.job-kill[data-state="settled"]').filter({ hasText: '1 ended' }).waitFor();

  await browser.page.getByRole('button', { name: 'Kill all 2…' }).click();
  await browser.page.getByRole('dialog').getByText('m3.example.com').waitFor();
  await browser.page.getByRole('button', { name: 'Kill 2 runs now' }).click();
  for (const run of runs) expect((await run.exit).code).toBe(143);
  await history('killed', 'killed', 'killed');
  await browser.page.locator('.job-kill[data-state="settled"]').filter({ hasText: '2 ended' }).waitFor();
  await browser.page.getByText('Not running').waitFor();
  expect(await browser.page.getByRole('button', { name: /^Kill/ }).count()).toBe(0);
});

test('the keyboard alone goes through the runs, picks two and kills them, and opens one from the chart', async () => {
  const machines = ['m1.example.com', 'm2.example.com'];
  const runs = await Promise.all(machines.map((machine) => environment().simulate('keyboard', { machine })));
  await openJob('keyboard');
  await waitFor('the runs', async () => (await openRows().count()) === 2 && (await pastRows().count()) === 2);

  for (const key of ['j', 'x', 'j', 'x', 'K']) await browser.page.keyboard.press(key);
  await browser.page.getByRole('heading', { name: 'Kill 2 runs?' }).waitFor();
  await browser.page.keyboard.press('Enter');
  for (const run of runs) expect((await run.exit).code).toBe(143);
  await history('killed', 'killed');

  await chart().focus();
  await browser.page.keyboard.press('End');
  expect(await chart().getAttribute('aria-valuenow')).toBe('2');
  expect(await chart().getAttribute('aria-valuetext')).toMatch(/^m\d\.example\.com: killed, .+, started /);
  await browser.page.keyboard.press('ArrowLeft');
  expect(await chart().getAttribute('aria-valuenow')).toBe('1');
  await browser.page.keyboard.press('Enter');
  await browser.page.locator('.run-header[data-state="killed"]').waitFor();
  await browser.page.getByRole('heading').getByRole('link', { name: 'keyboard' }).click();
  await history('killed', 'killed');
  // From what runs on into the history, and from there to the run.
  await browser.page.keyboard.press('j');
  await browser.page.keyboard.press('Enter');
  await browser.page.locator('.run-header[data-state="killed"]').waitFor();
});

test('K kills the run in the history that has the focus, if it is still open', async () => {
  await ended('focus', 'm1.example.com', 0);
  const run = await environment().simulate('focus', { machine: 'm2.example.com' });
  await openJob('focus');
  await history('running', 'succeeded');
  await pastRows().last().getByRole('link').focus();
  await browser.page.keyboard.press('K');
  expect(await browser.page.getByRole('dialog').count()).toBe(0);
  await browser.page.keyboard.press('k');
  await browser.page.keyboard.press('K');
  await browser.page.getByRole('heading', { name: 'Kill focus on m2.example.com?' }).waitFor();
  await browser.page.keyboard.press('Enter');
  expect((await run.exit).code).toBe(143);
  await history('killed', 'succeeded');
});

test('the mouse finds a point of the chart, which describes its run and opens it', async () => {
  // The longer one started earlier, so that it is the first of them however soon they follow each other.
  await ended('points', 'm1.example.com', 0, 400);
  await ended('points', 'm2.example.com', 7, 100);
  await openJob('points');
  await waitFor('the chart', async () => (await coloured('--bad')) > 0);
  // Where it is, the keyboard says.
  await chart().focus();
  await browser.page.keyboard.press('End');
  const ring = await browser.page.locator('.meant-ring').boundingBox();
  if (ring === null) throw new Error('nothing is marked');
  await chart().blur();
  await browser.page.locator('.meant-ring').waitFor({ state: 'detached' });
  await browser.page.mouse.move(ring.x + ring.width / 2 + 3, ring.y + ring.height / 2 + 3);
  await browser.page.locator('.tip').getByText('failed, exit code 7').waitFor();
  await browser.page.mouse.down();
  await browser.page.mouse.up();
  await browser.page.locator('.run-header[data-state="failed"]').waitFor();
});

test.runIf(IS_PROOF)('the chart is drawn again after the browser has lost its graphics', async () => {
  for (let runs = 0; runs < 2; runs += 1) await ended('flicker', 'm1.example.com', 0);
  // The browser of all tests is not to be broken.
  const own = await openBrowser();
  onTestFinished(own.close);
  const page = await own.browser.newPage();
  page.setDefaultTimeout(WAIT_LIMIT_MS);
  await openJob('flicker', environment().url, page);
  await waitFor('the chart', async () => (await coloured('--good', page)) > 0);
  const canvas = page.locator('.duration-chart canvas');
  await canvas.evaluate((element) => element.addEventListener('contextlost', () => element.setAttribute('lost', '')));

  await (await own.browser.newBrowserCDPSession()).send('Browser.crashGpuProcess');
  await page.locator('.duration-chart canvas[lost]').waitFor();
  await waitFor('the chart again', async () => (await coloured('--good', page)) > 0);
});

test.runIf(IS_PROOF)('what happened while the link was down is there when it is back', async () => {
  await ended('outage', 'm1.example.com', 0);
  const run = await environment().simulate('outage', { machine: 'm2.example.com' });
  // The reader's network; the machines have another.
  const network = await environment().proxy();
  await openJob('outage', network.url);
  await history('running', 'succeeded');

  network.cut();
  await browser.page.locator('[data-link="stale"]').waitFor();
  await environment().kill('outage', { run: run.id });
  await ended('outage', 'm3.example.com', 9);
  expect((await run.exit).code).toBe(143);
  await browser.page.getByText(/^Offline for/).waitFor();
  expect(await states()).toEqual(['running', 'succeeded']);
  network.restore();

  await history('failed', 'killed', 'succeeded');
  await browser.page.getByText('Not running').waitFor();
});

test('a job that was never seen is shown as such, and appears when it starts', async () => {
  await browser.page.goto(`${environment().url}/jobs/unheard-of#token=${environment().operatorToken}`);
  await browser.page.getByRole('heading', { name: 'Job not found' }).waitFor();
  await browser.page.locator('[data-link="live"]').waitFor();
  const run = await environment().simulate('unheard-of');
  await openRows().filter({ hasText: 'm1.example.com' }).waitFor();
  await environment().kill('unheard-of');
  expect((await run.exit).code).toBe(143);
  await history('killed');
});

test.each(sampleOf(['light', 'dark'] as const))(
  'axe finds nothing amiss in the %s scheme, and the chart is drawn in it',
  async (colorScheme) => {
    await browser.page.emulateMedia({ colorScheme: colorScheme === 'light' ? 'dark' : 'light' });
    await ended(`a11y-${colorScheme}`, 'm1.example.com', 0);
    await ended(`a11y-${colorScheme}`, 'm2.example.com', 3);
    await environment().simulate(`a11y-${colorScheme}`);
    await openJob(`a11y-${colorScheme}`);
    await waitFor('the chart', async () => (await coloured('--bad')) > 0);
    await browser.page.emulateMedia({ colorScheme });
    await waitFor('the chart in its new colours', async () => (await coloured('--bad')) > 0);
    await openRows().first().waitFor();
    expect(await violations(browser.page)).toEqual([]);
  },
);

test.runIf(IS_PROOF)(
  'a job that runs on very many machines is folded, until somebody wants to see them all',
  async () => {
    await ended('crowd', 'm1.example.com', 0);
    const runs = await environment().operator.runs({ job: 'crowd' });
    const crowd = Array.from({ length: 1_000 }, (_, n) => ({
      ...runs[0],
      id: `01K${String(n).padStart(23, '0')}`,
      machine: `edge-${String(n).padStart(3, '0')}`,
      state: 'running',
      final: false,
      connected: n !== 500,
      exit_code: null,
      ended_at: null,
    }));
    await browser.page.route(/\/api\/v1\/runs\?/, (route) =>
      route.fulfill({ json: { runs: [...crowd, ...runs], next_cursor: null } }),
    );
    await openJob('crowd');
    await browser.page.getByRole('button', { name: 'Kill all 1000…' }).waitFor();
    expect(await openRows().count()).toBe(10);
    // What nobody hears of comes first.
    expect(await openRows().first().innerText()).toContain('edge-500');
    await browser.page.getByText(/^1001 runs: 1000 running, 1 succeeded\./).waitFor();

    await browser.page.getByRole('button', { name: 'Show all 1000' }).click();
    await waitFor('more of them', async () => (await openRows().count()) > 10);
    expect(await openRows().count()).toBeLessThan(60);
    for (let row = 0; row < 100; row++) await browser.page.keyboard.press('j');
    await waitFor('the 100th row', () =>
      browser.page.evaluate(() => document.activeElement?.textContent === 'edge-098'),
    );
  },
);

test('a long history comes page by page as one goes down, and only what is in view is drawn', async () => {
  await ended('long-history', 'm1.example.com', 0);
  const [template] = await environment().operator.runs({ job: 'long-history' });
  if (template === undefined) throw new Error('there is a run');
  const newest = Date.parse(template.started_at);
  const all = Array.from({ length: 3_000 }, (_, n) => ({
    ...template,
    id: n === 0 ? template.id : `01H${String(9_999 - n).padStart(23, '0')}`,
    started_at: new Date(newest - n * 60_000).toISOString(),
    ended_at: new Date(newest - n * 60_000 + 500 + n).toISOString(),
  }));
  const pages: string[] = [];
  await browser.page.route(/\/api\/v1\/runs\?/, async (route) => {
    const query = new URL(route.request().url()).searchParams;
    if (query.has('since') || query.has('state')) return route.continue();
    const from = Number(query.get('cursor') ?? 0);
    const to = from + Number(query.get('limit'));
    pages.push(`${from}-${to}`);
    await route.fulfill({ json: { runs: all.slice(from, to), next_cursor: to < all.length ? String(to) : null } });
  });
  await openJob('long-history');
  await browser.page.getByText(/^200 runs: 200 succeeded\./).waitFor();
  expect(pages).toEqual(['0-200']);
  const isOver = browser.page.getByText('End of history · 3000 runs');
  await waitFor('the end of the history', async () => {
    await browser.page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    return isOver.isVisible();
  });
  expect(pages).toEqual(['0-200', '200-700', '700-1200', '1200-1700', '1700-2200', '2200-2700', '2700-3200']);
  expect(await pastRows().count()).toBeLessThan(60);
  await browser.page.getByText(/^3000 runs: 3000 succeeded\./).waitFor();

  // A run opened from far down, and back by the browser's own button: all of that is asked for again.
  await browser.page.evaluate(() => scrollTo(0, 60_000));
  const link = await waitFor('a row there', () => rowInView(browser.page));
  await browser.page.mouse.click(link.x, link.y);
  await browser.page.getByRole('heading', { name: 'Run not found' }).waitFor();
  await browser.page.goBack();
  await waitFor('the row to be where it was', async () => {
    const place = await placeOfRun(browser.page, link.run);
    return place?.hasFocus === true && Math.abs(place.y - link.y) < 8;
  });
});
