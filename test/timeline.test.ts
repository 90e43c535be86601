import type { WebSocketRoute } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import type { WatchMessage } from '#protocol/watch-link';
import { sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { violations } from './support/axe.ts';
import { useBrowser } from './support/use-browser.ts';
import { useOwnWorld } from './support/use-world.ts';

const world = useOwnWorld();

const browser = useBrowser();

beforeAll(async () => {
  await world.current.simulate('stays');
  await world.current.simulateEnded('breaks', 3, 'm2.example.com', 100);
});

async function openTimeline(search = '', url = world.current.url): Promise<void> {
  await browser.page.goto(`${url}/timeline${search}#token=${world.current.operatorToken}`);
  await bar('stays').waitFor();
}

const lane = (name: string) => browser.page.locator(`[data-lane="${name}"]`);
const bar = (job: string) => browser.page.getByRole('link', { name: new RegExp(`^${job} on `) });
const search = () => new URL(browser.page.url()).search;
const shown = (name: string) => browser.page.getByRole('button', { name, exact: true, pressed: true });

test('a lane a job, a bar a run, told by its name', async () => {
  await openTimeline();
  expect(await lane('stays').getByRole('link').count()).toBe(2);
  expect(await bar('stays').getAttribute('aria-label')).toMatch(/^stays on m1\.example\.com: running, started /);
  expect(await bar('breaks').getAttribute('aria-label')).toMatch(
    /^breaks on m2\.example\.com: failed, started .*, took .*, exit code 3$/,
  );
});

test('by machine, in the link', async () => {
  await openTimeline();
  await browser.page.getByRole('button', { name: 'Machines' }).click();
  await lane('m2.example.com').waitFor();
  expect(search()).toBe('?by=machine');
  await browser.page.reload();
  await lane('m1.example.com').waitFor();
  expect(await lane('stays').count()).toBe(0);
});

test('the filter leaves what matches', async () => {
  await openTimeline();
  await browser.page.keyboard.press('/');
  await browser.page.keyboard.type('state:failed');
  await waitFor('the other lane to go', async () => (await lane('stays').count()) === 0);
  expect(await bar('breaks').count()).toBe(1);
  expect(search()).toBe('?q=state%3Afailed');
  await browser.page.keyboard.type('zzz');
  await browser.page.getByText('Nothing that ran in this time matches').waitFor();
  await browser.page.getByRole('button', { name: 'Show everything' }).click();
  await bar('stays').waitFor();
});

test('a run shows up when it starts, and shows its end when it ends', async () => {
  await openTimeline();
  await browser.page.locator('[data-link="open"]').waitFor();
  await world.current.simulate('comes');
  await bar('comes').waitFor();
  expect(await bar('comes').getAttribute('data-state')).toBe('running');
  await world.current.kill('comes');
  await browser.page.locator('[data-lane="comes"] [data-run][data-state="killed"]').waitFor();
});

test('zooming changes the window, and the link with it', async () => {
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

  // About the pointer: what is there stays there.
  const box = await lane('stays').locator('[data-plot]').boundingBox();
  if (box === null) throw new Error('the lane is not there');
  await browser.page.mouse.move(box.x + box.width / 4, box.y + box.height / 2);
  await browser.page.keyboard.down('Control');
  await browser.page.mouse.wheel(0, -120);
  await browser.page.keyboard.up('Control');
  await waitFor('the link to follow', () => search().startsWith('?window=3d&to='));
  await browser.page.getByText('Nothing ran in this time').waitFor();
  await browser.page.getByRole('button', { name: 'Now', exact: true }).click();
  await bar('stays').waitFor();
  expect(search()).toBe('?window=3d');
});

test('dragging goes to another time, and a bar that is dragged does not open', async () => {
  await openTimeline('?window=6h');
  const box = await lane('stays').locator('[data-plot]').boundingBox();
  if (box === null) throw new Error('the lane is not there');
  await browser.page.mouse.move(box.x + box.width - 20, box.y + 16);
  await browser.page.mouse.down();
  await browser.page.mouse.move(box.x + box.width - 120, box.y + 16, { steps: 4 });
  await browser.page.mouse.move(box.x + box.width + 200, box.y + 16, { steps: 8 });
  await browser.page.mouse.up();
  await waitFor('the link to follow', () => search().startsWith('?window=6h&to='));
  expect(new URL(browser.page.url()).pathname).toBe('/timeline');
  await browser.page.keyboard.press('n');
  await waitFor('now', () => search() === '?window=6h');
  await browser.page.keyboard.press('ArrowLeft');
  await waitFor('an earlier time', () => search().startsWith('?window=6h&to='));
  await browser.page.keyboard.press('ArrowRight');
  await waitFor('now again', () => search() === '?window=6h');
});

test('pointing at a bar or giving it the focus tells of it', async () => {
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

test('a finger is told first, and opens with a second touch', async () => {
  await browser.reopen({ hasTouch: true, viewport: { width: 390, height: 800 } });
  await openTimeline('?window=1h');
  await bar('breaks').tap();
  await browser.page.locator('.tip').getByText('exit code 3').waitFor();
  expect(new URL(browser.page.url()).pathname).toBe('/timeline');
  await browser.page.getByRole('button', { name: 'Open the run' }).tap();
  await waitFor("the run's page", () => new URL(browser.page.url()).pathname.startsWith('/runs/'));
});

test('short runs are one mark, which zooms in and at last lists them', async () => {
  for (let n = 0; n < 4; n += 1) await world.current.simulateEnded('short', 0, 'm1.example.com', 10);
  await openTimeline('?window=7d');
  // Where one mark ends and the next begins depends on the time of day: there may be two, so close that one covers the
  // other from the mouse.
  const group = lane('short').locator('[data-mark^="group"]').first();
  await group.press('Enter');
  await shown('1 h').waitFor();
  const [count] = (await group.getAttribute('aria-label'))?.split(' ') ?? [];
  await group.press('Enter');
  const dialog = browser.page.getByRole('dialog');
  await waitFor('the list of them', async () => String(await dialog.getByRole('link').count()) === count);
  await browser.page.keyboard.press('Escape');
  await waitFor('the list to close', async () => (await dialog.count()) === 0);
});

test('what was missed while the link was lost is there when it is back', async () => {
  const proxy = await world.current.proxy();
  await openTimeline('', proxy.url);
  await browser.page.locator('[data-link="open"]').waitFor();
  proxy.cut();
  await browser.page.locator('[data-link="down"]').waitFor();
  await world.current.simulateEnded('missed', 0);
  expect(await bar('missed').count()).toBe(0);
  proxy.restore();
  await browser.page.locator('[data-link="open"]').waitFor();
  await bar('missed').waitFor();
});

test('what cannot be loaded is said, and tried again', async () => {
  await browser.page.route('**/api/v1/runs?since=*', (route) => route.abort());
  await openTimeline();
  await browser.page.getByText('What ran cannot be loaded').waitFor();
  // What runs at present is known all the same.
  expect(await bar('breaks').count()).toBe(0);
  await browser.page.unroute('**/api/v1/runs?since=*');
  await bar('breaks').waitFor();
  await waitFor('it to go', async () => (await browser.page.getByText('What ran cannot be loaded').count()) === 0);
});

test('where there is too much for one view, it is said what is not complete', async () => {
  // A list that never comes to its end.
  await browser.page.route('**/api/v1/runs?since=*', async (route) => {
    const first = new URL(route.request().url());
    first.searchParams.delete('cursor');
    const response = await route.fetch({ url: first.href });
    await route.fulfill({ response, json: { ...(await response.json()), next_cursor: 'more' } });
  });
  await openTimeline();
  await browser.page.getByText('There is more than can be shown at once').waitFor();
});

test('of a lane with more bars than a frame has time for all are drawn, in their order', async () => {
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
  // Zoomed in and moved: what comes is drawn, and what is far away is taken away.
  await browser.page.getByRole('button', { name: '6 h' }).click();
  for (let step = 0; step < 5; step += 1) await browser.page.keyboard.press('ArrowLeft');
  const barHoursAgo = (hours: number) => {
    const nth = (hours * 3_600_000) / STEP_MS - 10;
    return lane('many').locator(`[data-run$="${String(nth).padStart(3, '0')}"]`);
  };
  await barHoursAgo(10.5).waitFor();
  expect(await barHoursAgo(1).count()).toBe(0);
});

test('what is kept no longer goes, and its job when nothing of it is left', async () => {
  const { promise: socket, resolve } = Promise.withResolvers<WebSocketRoute>();
  await browser.page.routeWebSocket('**/api/v1/watch', (route) => {
    route.connectToServer();
    resolve(route);
  });
  await openTimeline();
  await browser.page.locator('[data-link="open"]').waitFor();
  const run = (await bar('breaks').getAttribute('data-run')) ?? '';
  // As retention would have it told, in ninety days.
  const { seq } = await world.current.operator.run(run);
  const tell = async (message: WatchMessage) => (await socket).send(JSON.stringify(message));
  await tell({ type: 'run_forgotten', job: 'breaks', run, seq: seq + 1 });
  await tell({ type: 'job_forgotten', job: 'breaks' });
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
