import { beforeAll, describe, expect, test } from 'vitest';
import { IS_PROOF, SEED, sampleOf } from '#testing/seed';
import { violations } from './support/axe.ts';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();

let killed: string;
let kill: string;
let waiting: string;
let skipped: string;

beforeAll(async () => {
  const current = environment();
  await current.simulateEnded('axe-fails', 3);
  await current.simulateEnded('axe-rests', 0);
  await current.simulate('axe-goes-on');
  await current.simulate('axe-goes-on', { machine: 'm2.example.com' });
  await current.simulate('axe-asks');
  const ask = (machine: string, overlap: 'wait' | 'skip') =>
    current.simulate('axe-asks', { machine, question: { overlap, scope: 'job' } });
  waiting = (await ask('m2.example.com', 'wait')).id;
  const withheld = await ask('m3.example.com', 'skip');
  await withheld.skip();
  skipped = withheld.id;
  const run = await current.simulate('axe-is-killed', { ignoresSigterm: true });
  run.print('ready\n');
  await current.output(run.id, 'ready');
  killed = run.id;
  const order = { grace_seconds: 300, reason: 'to be looked at' };
  kill = (await current.operator.kill('axe-is-killed', order)).kill.id;
});

interface View {
  readonly path: () => string;
  /** Brings the page to where it is looked at. */
  arrange(): Promise<unknown>;
}

const see = () => browser.page;

const VIEWS: Readonly<Record<string, View>> = {
  overview: { path: () => '/?q=axe-', arrange: () => see().getByText('axe-goes-on').first().waitFor() },
  'overview with a selection and a question': {
    path: () => '/?q=axe-',
    arrange: async () => {
      await see().getByLabel('Select all 2 runs of axe-goes-on').check();
      await see().getByRole('button', { name: 'Kill 2 runs…' }).click();
      await see().getByRole('dialog').waitFor();
    },
  },
  'overview with nothing found': {
    path: () => '/?q=nowhere',
    arrange: () => see().getByText('No runs match this filter.').waitFor(),
  },
  keys: {
    path: () => '/?q=axe-',
    arrange: async () => {
      await see().getByText('axe-goes-on').first().waitFor();
      await see().keyboard.press('?');
      await see().getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    },
  },
  'last night': {
    path: () => '/last-night',
    arrange: async () => {
      const job = see().locator('[data-job="axe-fails"]');
      await job.getByRole('button', { name: 'Output' }).click();
      await job.getByText('No output.').waitFor();
    },
  },
  machines: {
    path: () => '/machines?q=m1.example.com',
    arrange: () => see().locator('[data-machine="m1.example.com"]').waitFor(),
  },
  machine: {
    path: () => '/machines/m1.example.com',
    arrange: () => see().locator('[data-job="axe-fails"]').waitFor(),
  },
  timeline: { path: () => '/timeline?q=axe-', arrange: () => see().getByText('axe-goes-on').first().waitFor() },
  job: { path: () => '/jobs/axe-fails', arrange: () => see().getByRole('heading', { name: 'axe-fails' }).waitFor() },
  run: {
    path: () => `/runs/${killed}`,
    arrange: async () => {
      await see().locator('[data-step="term"][data-step-state="done"]').waitFor();
      await see().locator('[data-output]').getByText('ready').first().waitFor();
    },
  },
  'a waiting run': {
    path: () => `/runs/${waiting}`,
    arrange: () => see().getByText('Waits for').waitFor(),
  },
  'a skipped run': {
    path: () => `/runs/${skipped}`,
    arrange: () => see().getByText('In its way:').waitFor(),
  },
  'job with a waiting run, and the form for what is expected': {
    path: () => '/jobs/axe-asks',
    arrange: async () => {
      await see().locator('.open-run[data-state="waiting"]').waitFor();
      await see().locator('.job-expected summary').click();
      await see().getByRole('button', { name: 'Expect runs…' }).click();
      await see().getByRole('dialog', { name: 'Expect runs' }).waitFor();
    },
  },
  'timeline with its legend': {
    path: () => '/timeline?q=axe-asks',
    arrange: async () => {
      await see().locator('a.bar[data-state="skipped"]').waitFor();
      await see().getByText('Legend').click();
    },
  },
  'the menu of a narrow page': {
    path: () => '/?q=axe-',
    arrange: async () => {
      await see().setViewportSize({ width: 390, height: 800 });
      await see().getByText('More', { exact: true }).click();
      await see().locator('.nav-menu').getByRole('link', { name: 'Machines' }).waitFor();
    },
  },
  alerts: {
    path: () => '/alerts',
    arrange: async () => {
      await see().getByRole('button', { name: 'Create alert' }).click();
      await see().getByRole('dialog', { name: 'Create alert' }).waitFor();
    },
  },
  kills: {
    path: () => '/kills?job=axe-is-killed',
    arrange: () => see().getByText('axe-is-killed').first().waitFor(),
  },
  kill: { path: () => `/kills/${kill}`, arrange: () => see().getByText('axe-is-killed').first().waitFor() },
  tokens: {
    path: () => '/tokens',
    arrange: () => see().locator('[data-token]').getByText('machines').first().waitFor(),
  },
  audit: { path: () => '/audit', arrange: () => see().locator('[data-entry]').first().waitFor() },
  'no such page': { path: () => '/nowhere', arrange: () => see().getByText('Page not found').waitFor() },
  'no such job': { path: () => '/jobs/nothing', arrange: () => see().getByText('Job not found').waitFor() },
  'no such machine': { path: () => '/machines/none', arrange: () => see().getByText('Machine not found').waitFor() },
  'no such run': { path: () => `/runs/${'0'.repeat(26)}`, arrange: () => see().getByText('Run not found').waitFor() },
};

/** Between them they show all that there is to see. */
const LOOKS = [
  { width: 1280, colorScheme: 'light' },
  { width: 390, colorScheme: 'dark' },
] as const;

/** Each view in every look, or in one look that another run takes for the next view. */
function looksFor(nth: number): readonly (typeof LOOKS)[number][] {
  return IS_PROOF ? LOOKS : LOOKS.filter((_, index) => index === (nth + SEED) % LOOKS.length);
}

async function expectNothingWrong(nth: number): Promise<void> {
  for (const { width, colorScheme } of looksFor(nth)) {
    await browser.page.setViewportSize({ width, height: 800 });
    await browser.page.emulateMedia({ colorScheme });
    await browser.page.evaluate(() => new Promise(requestAnimationFrame));
    expect(await violations(browser.page), `${width} px wide and ${colorScheme}`).toEqual([]);
    // Nothing is cut off, and the page need not be pushed sideways.
    const beyond = await browser.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(beyond, `${width} px wide`).toBeLessThanOrEqual(0);
  }
}

describe('axe finds nothing on', () => {
  test('the sign-in page', async () => {
    await browser.page.goto(environment().url);
    await browser.page.getByLabel('Token').waitFor();
    await expectNothingWrong(0);
  });

  const views = Object.entries(VIEWS).map(([name, view], index) => ({ ...view, name, nth: index + 1 }));
  test.each(sampleOf(views, 4))('$name', async ({ path, arrange, nth }) => {
    await signInAs(browser.page, environment(), environment().adminToken, path());
    await arrange();
    await expectNothingWrong(nth);
  });
});
