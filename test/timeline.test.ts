import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { until } from '../scripts/local/until.ts';
import { type OpenBrowser, openBrowser } from './support/browser.ts';
import { FOREVER } from './support/commands.ts';
import { useWorld } from './support/use-world.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const world = useWorld();

let open: OpenBrowser;
let context: BrowserContext;
let page: Page;
/** What the page's own code got wrong. */
let mistakes: string[];

beforeAll(async () => {
  open = await openBrowser();
  world.current.wrapper({ job: 'stays', machine: 'm1.example.com', command: FOREVER });
  await world.current.wrapper({ job: 'breaks', machine: 'm2.example.com', command: ['sh', '-c', 'exit 3'] }).exit;
  await world.current.runOf('stays', ({ state }) => state === 'running');
  await world.current.runOf('breaks', ({ state }) => state === 'failed');
});

afterAll(async () => {
  await open?.close();
});

beforeEach(async () => {
  context = await open.browser.newContext();
  context.setDefaultTimeout(30_000);
  page = await context.newPage();
  mistakes = [];
  page.on('pageerror', (error) => mistakes.push(String(error)));
});

afterEach(async () => {
  await context.close();
  expect(mistakes).toEqual([]);
});

async function openTimeline(search = '', url = world.current.url): Promise<void> {
  await page.goto(`${url}/#token=${world.current.operatorToken}`);
  await page.getByRole('heading', { name: 'What runs' }).waitFor();
  await page.goto(`${url}/timeline${search}`);
  await bar('stays').waitFor();
}

const lane = (name: string) => page.locator(`[data-lane="${name}"]`);
const bar = (job: string) => page.getByRole('link', { name: new RegExp(`^${job} on `) });
const search = () => new URL(page.url()).search;
const shown = (name: string) => page.getByRole('button', { name, exact: true, pressed: true });

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
  await page.getByRole('button', { name: 'Machines' }).click();
  await lane('m2.example.com').waitFor();
  expect(search()).toBe('?by=machine');
  await page.reload();
  await lane('m1.example.com').waitFor();
  expect(await lane('stays').count()).toBe(0);
});

test('the filter leaves what matches', async () => {
  await openTimeline();
  await page.keyboard.press('/');
  await page.keyboard.type('state:failed');
  await until(async () => (await lane('stays').count()) === 0, { what: 'the other lane to go' });
  expect(await bar('breaks').count()).toBe(1);
  expect(search()).toBe('?q=state%3Afailed');
  await page.keyboard.type('zzz');
  await page.getByText('Nothing that ran in this time matches').waitFor();
  await page.getByRole('button', { name: 'Show everything' }).click();
  await bar('stays').waitFor();
});

test('a run shows up when it starts, and shows its end when it ends', async () => {
  await openTimeline();
  await page.locator('[data-link="open"]').waitFor();
  world.current.wrapper({ job: 'comes', command: FOREVER });
  await bar('comes').waitFor();
  expect(await bar('comes').getAttribute('data-state')).toBe('running');
  await world.current.operator.kill('comes', {}, 30);
  await page.locator('[data-lane="comes"] [data-run][data-state="killed"]').waitFor();
});

test('zooming changes the window, and the link with it', async () => {
  await openTimeline();
  await page.keyboard.press('+');
  await shown('6 h').waitFor();
  expect(search()).toBe('?window=6h');
  await page.keyboard.press('-');
  await page.keyboard.press('-');
  await shown('3 d').waitFor();
  await page.getByRole('button', { name: '7 d' }).click();
  await shown('7 d').waitFor();
  expect(search()).toBe('?window=7d');
  expect(await page.getByRole('button', { name: 'Zoom out' }).isDisabled()).toBe(true);

  // About the pointer: what is there stays there.
  const box = await lane('stays').locator('[data-plot]').boundingBox();
  if (box === null) throw new Error('the lane is not there');
  await page.mouse.move(box.x + box.width / 4, box.y + box.height / 2);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -120);
  await page.keyboard.up('Control');
  await until(() => search().startsWith('?window=3d&to='), { what: 'the link to follow' });
  await page.getByText('Nothing ran in this time').waitFor();
  await page.getByRole('button', { name: 'Now', exact: true }).click();
  await bar('stays').waitFor();
  expect(search()).toBe('?window=3d');
});

test('dragging goes to another time, and a bar that is dragged does not open', async () => {
  await openTimeline('?window=6h');
  const box = await lane('stays').locator('[data-plot]').boundingBox();
  if (box === null) throw new Error('the lane is not there');
  await page.mouse.move(box.x + box.width - 20, box.y + 16);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 120, box.y + 16, { steps: 4 });
  await page.mouse.move(box.x + box.width + 200, box.y + 16, { steps: 8 });
  await page.mouse.up();
  await until(() => search().startsWith('?window=6h&to='), { what: 'the link to follow' });
  expect(new URL(page.url()).pathname).toBe('/timeline');
  await page.keyboard.press('n');
  await until(() => search() === '?window=6h', { what: 'now' });
  await page.keyboard.press('ArrowLeft');
  await until(() => search().startsWith('?window=6h&to='), { what: 'an earlier time' });
  await page.keyboard.press('ArrowRight');
  await until(() => search() === '?window=6h', { what: 'now again' });
});

test('pointing at a bar or giving it the focus tells of it', async () => {
  await openTimeline('?window=1h');
  await bar('breaks').hover();
  const tip = page.locator('.tip');
  await tip.getByText('exit code 3').waitFor();
  await page.keyboard.press('Escape');
  await page.mouse.move(5, 5);
  await until(async () => (await tip.count()) === 0, { what: 'it to go' });

  await page.keyboard.press('j');
  await until(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label')?.startsWith('breaks on')), {
    what: 'the bar to have the focus',
  });
  await tip.getByText('exit code 3').waitFor();
  await page.keyboard.press('Escape');
  await until(async () => (await tip.count()) === 0, { what: 'Escape to close it' });
});

test('the keyboard alone reaches a bar and opens its run', async () => {
  await openTimeline('?window=1h&q=stays');
  const run = await bar('stays').getAttribute('data-run');
  await lane('stays').getByRole('link', { name: 'stays', exact: true }).focus();
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.getAttribute('data-run'))).toBe(run);
  // The focus stays with the bar while one zooms.
  await page.keyboard.press('-');
  await shown('6 h').waitFor();
  await until(() => page.evaluate((id) => document.activeElement?.getAttribute('data-run') === id, run), {
    what: 'the bar to have the focus again',
  });
  await page.keyboard.press('Enter');
  await until(() => new URL(page.url()).pathname === `/runs/${run}`, { what: "the run's page" });
  await page.goBack();
  await shown('6 h').waitFor();
});

test('a finger is told first, and opens with a second touch', async () => {
  await context.close();
  context = await open.browser.newContext({ hasTouch: true, viewport: { width: 390, height: 800 } });
  context.setDefaultTimeout(30_000);
  page = await context.newPage();
  await openTimeline('?window=1h');
  await bar('breaks').tap();
  await page.locator('.tip').getByText('exit code 3').waitFor();
  expect(new URL(page.url()).pathname).toBe('/timeline');
  await page.getByRole('button', { name: 'Open the run' }).tap();
  await until(() => new URL(page.url()).pathname.startsWith('/runs/'), { what: "the run's page" });
});

test('short runs are one mark, which zooms in and at last lists them', async () => {
  for (let n = 0; n < 4; n += 1) await world.current.wrapper({ job: 'short', command: ['true'] }).exit;
  await until(async () => (await world.current.operator.runs({ job: 'short' })).length === 4, { what: 'four runs' });
  await openTimeline('?window=7d');
  // Where one mark ends and the next begins depends on the time of day: there may be two.
  const group = lane('short').getByRole('button').first();
  await group.click();
  await shown('1 h').waitFor();
  const [count] = (await group.getAttribute('aria-label'))?.split(' ') ?? [];
  await group.click();
  const dialog = page.getByRole('dialog');
  await until(async () => String(await dialog.getByRole('link').count()) === count, { what: 'the list of them' });
  await page.keyboard.press('Escape');
  await until(async () => (await dialog.count()) === 0, { what: 'the list to close' });
});

test('what was missed while the link was lost is there when it is back', async () => {
  const proxy = await world.current.proxy();
  await openTimeline('', proxy.url);
  await page.locator('[data-link="open"]').waitFor();
  proxy.cut();
  await page.locator('[data-link="down"]').waitFor();
  await world.current.wrapper({ job: 'missed', command: ['true'] }).exit;
  await world.current.runOf('missed', ({ state }) => state === 'succeeded');
  expect(await bar('missed').count()).toBe(0);
  proxy.restore();
  await page.locator('[data-link="open"]').waitFor();
  await bar('missed').waitFor();
});

test('what cannot be loaded is said, and tried again', async () => {
  await page.route('**/api/v1/runs?since=*', (route) => route.abort());
  await openTimeline();
  await page.getByText('What ran cannot be loaded').waitFor();
  // What runs at present is known all the same.
  expect(await bar('breaks').count()).toBe(0);
  await page.unroute('**/api/v1/runs?since=*');
  await bar('breaks').waitFor();
  await until(async () => (await page.getByText('What ran cannot be loaded').count()) === 0, { what: 'it to go' });
});

test('where there is too much for one view, it is said what is not complete', async () => {
  // A list that never comes to its end.
  await page.route('**/api/v1/runs?since=*', async (route) => {
    const first = new URL(route.request().url());
    first.searchParams.delete('cursor');
    const response = await route.fetch({ url: first.href });
    await route.fulfill({ response, json: { ...(await response.json()), next_cursor: 'more' } });
  });
  await openTimeline();
  await page.getByText('There is more than can be shown at once').waitFor();
});

test('axe finds nothing', async () => {
  await openTimeline();
  await bar('breaks').focus();
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    // By the protocol, which the page's policy does not bind.
    await page.evaluate(AXE);
    const violations = await page.evaluate(
      'axe.run().then((found) => found.violations.map((v) => [v.id, ...v.nodes.map((n) => n.html)].join(" ")))',
    );
    expect(violations).toEqual([]);
  }
});
