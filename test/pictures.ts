/** Takes the README's pictures of the page, of real runs: `npm run pictures`. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import type { Run } from '#protocol/api';
import { ROOT } from '../scripts/local/paths.ts';
import { openBrowser } from './support/browser.ts';
import { TestEnvironment } from './support/test-environment.ts';

const IMAGES = join(ROOT, 'docs', 'images');
const SCHEMES = ['light', 'dark'] as const;
const DESK = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
/** A desk's window at 200 %. */
const ZOOMED = { width: 720, height: 450 };

const sh = (script: string) => ['sh', '-c', script];
/** After the signal it is slow: what it said to that is still to be seen when the last picture is taken. */
const BACKUP = sh(`trap 'echo "SIGTERM: finishing this table first" >&2; pause=60' TERM
n=0; pause=0.2
while :; do n=$((n + 1)); printf 'table \\033[36morders_%03d\\033[0m  \\033[32mok\\033[0m\\n' $n; sleep $pause; done`);
const ENDED = [
  { job: 'rotate-logs', machine: 'web-1.example.com', command: sh('echo rotated 14 files') },
  { job: 'rotate-logs', machine: 'web-2.example.com', command: sh('echo rotated 9 files') },
  {
    job: 'sync-mirror',
    machine: 'edge-7.example.com',
    command: sh('echo "rsync: connection refused" >&2; exit 12'),
    flags: ['--owner', 'Storage team', '--runbook', 'https://wiki.example.com/sync-mirror'],
  },
  {
    job: 'thumbnails',
    machine: 'web-2.example.com',
    command: sh('sleep 600 > /dev/null 2>&1 & echo 312 thumbnails made'),
  },
  { job: 'report', machine: 'db-2.example.com', command: sh('sleep 30'), flags: ['--timeout', '2s'] },
];
const RUNNING = [
  { job: 'sync-mirror', machine: 'edge-7.example.com', command: sh('while :; do date; sleep 1; done') },
  { job: 'etl', machine: 'web-1.example.com', command: sh('sleep 600'), flags: ['--slow-after', '1s'] },
  { job: 'etl', machine: 'web-2.example.com', command: sh('sleep 600') },
  { job: 'sync-edge', machine: 'edge-1.example.com', command: sh('sleep 600') },
];

const SKIPPED = { job: 'sync-edge', machine: 'edge-2.example.com', command: sh('true') };

/** How a job went before, so that there is something to see of it: seconds it took, and now and then a bad end. */
const HISTORY = Array.from({ length: 24 }, (_, nth) => ({
  seconds: (0.3 + ((nth * 7) % 10) / 10).toFixed(1),
  exitCode: nth % 9 === 4 ? 12 : 0,
}));
const HISTORY_MACHINES = ['edge-1.example.com', 'edge-2.example.com'];
/** The first of them fails; what comes after is all good. */
const FLEET = Array.from({ length: 30 }, (_, nth) => `web-${String(nth + 1).padStart(2, '0')}.example.com`);

const environment = await TestEnvironment.create({});
const { browser, close } = await openBrowser();
try {
  await mkdir(IMAGES, { recursive: true });
  await Promise.all([
    ...ENDED.map((settings) => environment.wrapper(settings).exit),
    ...HISTORY_MACHINES.map(playHistory),
  ]);
  for (const [nth, machine] of FLEET.entries())
    await environment.simulateEnded('renew-certificates', nth === 0 ? 1 : 0, machine);
  for (const settings of RUNNING) {
    environment.wrapper(settings);
    await environment.runOf(settings.job, (run) => run.state === 'running', settings.machine);
  }
  // One is running already.
  await environment.wrapper({ ...SKIPPED, flags: ['--overlap', 'skip'] }).exit;
  environment.wrapper({ job: 'db-backup', machine: 'db-2.example.com', command: BACKUP });
  const backup = await environment.runOf('db-backup');
  await environment.output(backup.id, 'orders_030');
  await picture(browser, 'overview', (page) => page.locator('.row[data-run]').nth(3).waitFor());
  await picture(browser, 'job', openJob);
  await picture(browser, 'last-night', openLastNight);
  await environment.operator.kill('db-backup', { grace_seconds: 300, reason: 'holds a lock on orders' });
  await picture(browser, 'kill', (page) => openKill(page, backup));
  await picture(browser, 'kill-phone', (page) => openKill(page, backup), PHONE);
  await picture(browser, 'kill-zoomed', (page) => openKill(page, backup), ZOOMED);
} finally {
  await close();
  await environment.dispose();
}

/** One after the other, as on a schedule. */
async function playHistory(machine: string): Promise<void> {
  for (const { seconds, exitCode } of HISTORY) {
    const command = sh(`sleep ${seconds}; exit ${exitCode}`);
    await environment.wrapper({ job: 'sync-edge', machine, command }).exit;
  }
}

/** Signs in, brings the page to what is to be seen, and takes it in light and in dark. */
async function picture(
  browser: Browser,
  name: string,
  arrange: (page: Page) => Promise<unknown>,
  viewport = DESK,
): Promise<void> {
  for (const colorScheme of SCHEMES) {
    const page = await browser.newPage({ viewport, colorScheme, deviceScaleFactor: 2 });
    await page.goto(`${environment.url}/#token=${environment.operatorToken}`);
    await page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
    await arrange(page);
    await page.screenshot({ path: join(IMAGES, `${name}-${colorScheme}.png`) });
    await page.close();
    console.log(`took docs/images/${name}-${colorScheme}.png`);
  }
}

async function openJob(page: Page): Promise<void> {
  await page.goto(`${environment.url}/jobs/sync-edge`);
  await page.locator('.job canvas').first().waitFor();
  await page.locator('.row').nth(5).waitFor();
}

async function openLastNight(page: Page): Promise<void> {
  await page.goto(`${environment.url}/last-night`);
  const failed = page.locator('[data-job="sync-mirror"]');
  await failed.getByRole('button', { name: 'Output' }).click();
  await failed.getByText('connection refused').waitFor();
}

async function openKill(page: Page, run: Run): Promise<void> {
  await page.goto(`${environment.url}/runs/${run.id}?job=${run.job}`);
  await page.locator('[data-step=term][data-step-state=done]').waitFor();
  await page.locator('[data-output]').getByText('SIGTERM: finishing').first().waitFor();
}
