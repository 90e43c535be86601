import type { WebSocketRoute } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import type { WatchMessage } from '#protocol/watch-link';
import { sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { violations } from './support/axe.ts';
import { useBrowser } from './support/use-browser.ts';
import { useOwnTestEnvironment } from './support/use-test-environment.ts';

const environment = useOwnTestEnvironment();

const browser = useBrowser();

beforeAll(async () => {
  await environment().simulate('stays');
  await environment().simulateEnded('breaks', 3, 'm2.example.com', 100);
});

async function openTimeline(search = '', url = environment().url): Promise<void> {
  await browser.page.goto(`${url}/timeline${search}#token=${environment().operatorToken}`);
  await bar('stays').waitFor();
}

const lane = (name: string) => browser.page.locator(`[data-lane="${name}"]`);
const bar = (job: string) => browser.page.getByRole('link', { name: new RegExp(`^${job} on `) });
const search = () => new URL(browser.page.url()).search;
const shown = (name: string) => browser.page.getByRole('button', { name, exact: true, pressed: true });

test('there is a lane per job and a bar per run, with a label', async () => {
  await openTimeline();
  expect(await lane('stays').getByRole('link').count()).toBe(2);
  expect(await bar('stays').getAttribute('aria-label')).toMatch(/^stays on m1\.example\.com: running, started /);
  expect(await bar('breaks').getAttribute('aria-label')).toMatch(
    /^breaks on m2\.example\.com: failed, started .*, took .*, exit code 3$/,
  );
});

test('lanes are per machine if the link says so', async () => {
  await openTimeline();
  await browser.page.getByRole('button', { name: 'Machines' }).click();
  await lane('m2.example.com').waitFor();
  expect(search()).toBe('?by=machine');
  await browser.page.reload();
  await lane('m1.example.com').waitFor();
  expect(await lane('stays').count()).toBe(0);
});

test('the filter leaves the runs that match', async () => {
  await openTimeline();
  await browser.page.keyboard.press('/');
  await browser.page.keyboard.type('state:failed');
  await waitFor('the other lane to go', async () => (await lane('stays').count()) === 0);
  expect(await bar('breaks').count()).toBe(1);
  expect(search()).toBe('?q=state%3Afailed');
  await browser.page.keyboard.type('zzz');
  await browser.page.getByText('No runs in this period match this filter').waitFor();
  await browser.page.getByRole('button', { name: 'Clear filter' }).click();
  await bar('stays').waitFor();
});

test('a run appears when it starts, and changes when it ends', async () => {
  await openTimeline();
  await browser.page.locator('[data-link="live"]').waitFor();
  await environment().simulate('comes');
  await bar('comes').waitFor();
  expect(await bar('comes').getAttribute('data-state')).toBe('running');
  await environment().kill('comes');
  await browser.page.locator('[data-lane="comes"] [data-run][data-state="killed"]').waitFor();
});

test('zooming changes the period, and the link with it', async () => {
  await openTimeline();
  await browser.page.keyboard.press('+');
  await shown('6 h').waitFor();
  expect(search()).toBe('?window=6h');
  await browser.page.keyboard.press('-');
  await browser.page.keyboard.press('-');
  await shown('3 d').waitFor();
  await browser.page.getByRole('button', { name: '7 d' }).click();
  await shown('7 d').waitFor();
  expect(search()).toBe('?window=7d');
  expect(await browser.page.getByRole('button', { name: 'Zoom out' }).isDisabled()).toBe(true);

  // About the pointer: the time below it stays there.
  const box = await lane('stays').locator('[data-plot]').boundingBox();
  if (box === null) throw new Error('the lane is not there');
  await browser.page.mouse.move(box.x + box.width / 4, box.y + box.height / 2);
  await browser.page.keyboard.down('Control');
  await browser.page.mouse.wheel(0, -120);
  await browser.page.keyboard.up('Control');
  await waitFor('the link to follow', () => search().startsWith('?window=3d&to='));
  await browser.page.getByText('No runs in this period').waitFor();
  await browser.page.getByRole('button', { name: 'Now', exact: true }).click();
  await bar('stays').waitFor();
  expect(search()).toBe('?window=3d');
});

test('dragging moves to another time, and a bar that is dragged does not open', async () => {
  await openTimeline('?window=6h');
  const box = await lane('stays').locator('[data-plot]').boundingBox();
  if (box === null) throw new Error('the lane is not there');
  const drag = async (fromPx: number, ...toPx: number[]) => {
    await browser.page.mouse.move(box.x + box.width + fromPx, box.y + 16);
    await browser.page.mouse.down();
    for (const px of toPx) await browser.page.mouse.move(box.x + box.width + px, box.y + 16, { steps: 8 });
    await browser.page.mouse.up();
  };
  // By the bar itself; there is no future to move to.
  await drag(-14, -80);
  expect(new URL(browser.page.url()).pathname + search()).toBe('/timeline?window=6h');
  await browser.page.getByRole('heading', { name: 'Timeline' }).click();
  await drag(-300, -400, 0);
  await waitFor('the link to follow', () => search().startsWith('?window=6h&to='));
  await browser.page.keyboard.press('n');
  await waitFor('now', () => search() === '?window=6h');
  await browser.page.keyboard.press('ArrowLeft');
  await waitFor('an earlier time', () => search().startsWith('?window=6h&to='));
  await browser.page.keyboard.press('ArrowRight');
  await waitFor('now again', () => search() === '?window=6h');
});

test('a bar that is pointed at or has the focus shows its tip', async () => {
  await openTimeline('?window=1h');
  await bar('breaks').hover();
  const tip = browser.page.locator('.tip');
  await tip.getByText('exit code 3').waitFor();
  await browser.page.keyboard.press('Escape');
  await browser.page.mouse.move(5, 5);
  await waitFor('it to go', async () => (await tip.count()) === 0);

  await browser.page.keyboard.press('j');
  await waitFor('the bar to have the focus', () =>
    browser.page.evaluate(() => document.activeElement?.getAttribute('aria-label')?.startsWith('breaks on')),
  );
  await tip.getByText('exit code 3').waitFor();
  await browser.page.keyboard.press('Escape');
  await waitFor('Escape to close it', async () => (await tip.count()) === 0);
});

test('the keyboard alone reaches a bar and opens its run', async () => {
  await openTimeline('?window=1h&q=stays');
  const run = await bar('stays').getAttribute('data-run');
  await lane('stays').getByRole('link', { name: 'stays', exact: true }).focus();
  await browser.page.keyboard.press('Tab');
  expect(await browser.page.evaluate(() => document.activeElement?.getAttribute('data-run'))).toBe(run);
  // The focus stays with the bar while one zooms.
  await browser.page.keyboard.press('-');
  await shown('6 h').waitFor();
  await waitFor('the bar to have the focus again', () =>
    browser.page.evaluate((id) => document.activeElement?.getAttribute('data-run') === id, run),
  );
  await browser.page.keyboard.press('Enter');
  await waitFor("the run's page", () => new URL(browser.page.url()).pathname === `/runs/${run}`);
  await browser.page.goBack();
  await shown('6 h').waitFor();
});

test('the first touch shows the tip, the second opens the run', async () => {
  await browser.reopen({ hasTouch: true, viewport: { width: 390, height: 800 } });
  await openTimeline('?window=1h');
  await bar('breaks').tap();
  await browser.page.locator('.tip').getByText('exit code 3').waitFor();
  expect(new URL(browser.page.url()).pathname).toBe('/timeline');
  await browser.page.getByRole('button', { name: 'Open run' }).tap();
  await waitFor("the run's page", () => new URL(browser.page.url()).pathname.startsWith('/runs/'));
});

test('short runs share a bar, which lists them', async () => {
  for (let n = 0; n < 4; n += 1) await environment().simulateEnded('short', 0, 'm1.example.com', 10);
  await openTimeline('?window=7d');
  // Where one group ends and the next begins depends on the time of day: there may be two, so close that one covers the
  // other from the mouse.
  const group = lane('short').locator('[data-bar^="group"]').first();
  const [count] = (await group.getAttribute('aria-label'))?.split(' ') ?? [];
  await group.press('Enter');
  const dialog = browser.page.getByRole('dialog');
  await waitFor('the list of them', async () => String(await dialog.getByRole('link').count()) === count);
  await browser.page.keyboard.press('Escape');
  await waitFor('the list to close', async () => (await dialog.count()) === 0);
});

test('a run that was missed while the link was down is there when it is back', async () => {
  const proxy = await environment().proxy();
  await openTimeline('', proxy.url);
  await browser.page.locator('[data-link="live"]').waitFor();
  proxy.cut();
  await browser.page.locator('[data-link="stale"]').waitFor();
  await environment().simulateEnded('missed', 0);
  expect(await bar('missed').count()).toBe(0);
  proxy.restore();
  await browser.page.locator('[data-link="live"]').waitFor();
  await bar('missed').waitFor();
});

test('a failure to load is shown, and loading is retried', async () => {
  await browser.page.route('**/api/v1/runs?since=*', (route) => route.abort());
  await openTimeline();
  await browser.page.getByText('Couldn’t load the timeline').waitFor();
  // Live runs are known all the same.
  expect(await bar('breaks').count()).toBe(0);
  await browser.page.unroute('**/api/v1/runs?since=*');
  await bar('breaks').waitFor();
  await waitFor('it to go', async () => (await browser.page.getByText('Couldn’t load the timeline').count()) === 0);
});

test('where there are too many runs for one view, a notice says from when on it is complete', async () => {
  // A list that never comes to its end.
  await browser.page.route('**/api/v1/runs?since=*', async (route) => {
    const first = new URL(route.request().url());
    first.searchParams.delete('cursor');
    const response = await route.fetch({ url: first.href });
    await route.fulfill({ response, json: { ...(await response.json()), next_cursor: 'more' } });
  });
  await openTimeline();
  await browser.page.getByText('the picture is incomplete').waitFor();
});

test('all bars of a full lane are drawn, in their order', async () => {
  const STEP_MS = 90_000;
  const COUNT = 900;
  await browser.page.route('**/api/v1/runs?since=*', async (route) => {
    const response = await route.fetch();
    const { runs } = (await response.json()) as { runs: Run[] };
    const run = runs.find(({ job }) => job === 'breaks');
    const many = Array.from({ length: COUNT }, (_, nth) => {
      const start = Date.now() - (nth + 10) * STEP_MS;
      const times = {
        started_at: new Date(start).toISOString(),
        ended_at: new Date(start + 4.5 * STEP_MS).toISOString(),
      };
      return { ...run, ...times, id: `${run?.id.slice(0, -3)}${String(nth).padStart(3, '0')}`, job: 'many' };
    });
    await route.fulfill({ response, json: { runs: [...runs, ...many], next_cursor: null } });
  });
  await openTimeline();
  const bars = lane('many').locator('[data-run]');
  await waitFor('all bars', async () => (await bars.count()) === COUNT);
  const lefts = await bars.evaluateAll((all) => all.map((each) => each.getBoundingClientRect().left));
  expect(lefts).toEqual(lefts.toSorted((a, b) => a - b));
  // Zoomed in and moved: new bars are drawn, and those far away are removed.
  await browser.page.getByRole('button', { name: '6 h' }).click();
  for (let step = 0; step < 5; step += 1) await browser.page.keyboard.press('ArrowLeft');
  const barHoursAgo = (hours: number) => {
    const nth = (hours * 3_600_000) / STEP_MS - 10;
    return lane('many').locator(`[data-run$="${String(nth).padStart(3, '0')}"]`);
  };
  await barHoursAgo(10.5).waitFor();
  expect(await barHoursAgo(1).count()).toBe(0);
});

test('a deleted run goes, and its job with the last one', async () => {
  const { promise: socket, resolve } = Promise.withResolvers<WebSocketRoute>();
  await browser.page.routeWebSocket('**/api/v1/watch', (route) => {
    route.connectToServer();
    resolve(route);
  });
  await openTimeline();
  await browser.page.locator('[data-link="live"]').waitFor();
  const run = (await bar('breaks').getAttribute('data-run')) ?? '';
  // As retention would report it in ninety days.
  const { seq } = await environment().operator.run(run);
  const push = async (message: WatchMessage) => (await socket).send(JSON.stringify(message));
  await push({ type: 'run_removed', job: 'breaks', run, seq: seq + 1 });
  await push({ type: 'job_removed', job: 'breaks' });
  await waitFor('the lane to go', async () => (await lane('breaks').count()) === 0);
  expect(await bar('stays').count()).toBe(1);
  // By a link, the page stays the same one.
  await browser.page.getByRole('link', { name: 'Runs', exact: true }).click();
  const rowOf = (job: string) => browser.page.locator('.row').filter({ hasText: job });
  await rowOf('stays').first().waitFor();
  expect(await rowOf('breaks').count()).toBe(0);
});

test('axe finds nothing', async () => {
  await openTimeline();
  await bar('breaks').focus();
  for (const scheme of sampleOf(['light', 'dark'] as const)) {
    await browser.page.emulateMedia({ colorScheme: scheme });
    expect(await violations(browser.page)).toEqual([]);
  }
});
