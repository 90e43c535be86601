/** What is loaded late takes its place without moving what is there: nobody hits what has just moved under their thumb. */
import { beforeEach, expect, test } from 'vitest';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();

/** Of the score that browsers give a page for what moves on it by itself; 0.1 is called good. */
const MOST_SHIFT = 0.02;
const JOB = 'shifting';

const SIZES = [
  { width: 1440, height: 900 },
  { width: 390, height: 844 },
] as const;

let run = '';
let kill = '';
beforeEach(async () => {
  if (run !== '') return;
  for (let nth = 0; nth < 6; nth += 1)
    await environment().simulateEnded(JOB, nth % 3, `m${nth}.example.com`, 1000 * nth);
  await environment().simulateEnded(`${JOB}-failed`, 3);
  const runs = await Promise.all(
    ['a', 'b', 'c'].map((machine) =>
      environment().simulate(JOB, { machine: `${machine}.example.com`, ignoresSigterm: true }),
    ),
  );
  run = runs[0]?.id ?? '';
  const machine = 'a.example.com';
  kill = (await environment().operator.kill(JOB, { machine, grace_seconds: 300, reason: 'in the way' })).kill.id;
});

const PAGES = [
  { name: 'the overview', path: () => `/?q=${JOB}`, isThere: '.row[data-run]' },
  { name: 'a job', path: () => `/jobs/${JOB}`, isThere: '.past-run' },
  { name: 'a run', path: () => `/runs/${run}`, isThere: '[data-event="started"]' },
  { name: 'last night', path: () => '/last-night', isThere: '.night-job' },
  { name: 'the machines', path: () => '/machines', isThere: '[data-machine]' },
  { name: 'a machine', path: () => '/machines/a.example.com', isThere: '.machine-job' },
  { name: 'the timeline', path: () => `/timeline?q=${JOB}`, isThere: '.lane' },
  { name: 'the kills', path: () => '/kills', isThere: '[data-kill]' },
  { name: 'a kill', path: () => `/kills/${kill}`, isThere: '[data-target]' },
  { name: 'the audit', path: () => '/audit', isThere: '[data-entry]' },
  { name: 'the tokens', path: () => '/tokens', isThere: '[data-token]' },
] as const;
/** Calls of the API that are answered one after the other, each when all that came before has been drawn. */
const LATE = /\/api\/v1\/(?!session)/;

const cases = PAGES.flatMap((page) => SIZES.map((size) => ({ ...page, size })));
const always = cases.filter(({ name }) => name === 'a job' || name === 'the overview');
const others = cases.filter((each) => !always.includes(each));

test.each([...always, ...(IS_PROOF ? others : sampleOf(others, 3))])(
  '$name stays where it is while its parts come late, at $size.width px',
  async ({ path, isThere, size }) => {
    const { page } = browser;
    await page.setViewportSize(size);
    await page.addInitScript(observeShifts);
    let turn = Promise.resolve();
    await page.route(LATE, async (route) => {
      const answer = await route.fetch();
      turn = turn.then(() => drawn());
      await turn;
      await route.fulfill({ response: answer });
    });
    // Two frames: what has come was drawn in the first of them.
    const drawn = () =>
      page.evaluate(
        () => new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))),
      );
    await signInAs(page, environment(), environment().adminToken, path());
    await page.locator(isThere).first().waitFor();
    await page.locator('[data-link="live"], [aria-busy="false"]').first().waitFor();
    await waitFor('all that was asked for to be drawn', async () => {
      const before = turn;
      await before;
      await drawn();
      await drawn();
      return turn === before;
    });
    const shifts = await page.evaluate(() => (globalThis as unknown as { shifts: Shift[] }).shifts);
    // The page may ask for something again until it is closed, and the handler would wait for frames that never come.
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    const score = shifts.reduce((sum, { value }) => sum + value, 0);
    expect(score, JSON.stringify(shifts)).toBeLessThan(MOST_SHIFT);
  },
);

interface Shift {
  readonly value: number;
  readonly moved: readonly string[];
}

/** Runs in the page, before its own script. */
function observeShifts(): void {
  const shifts: Shift[] = [];
  Object.assign(globalThis, { shifts });
  const told = (node: Node | null) =>
    node instanceof Element ? `${node.tagName}.${node.getAttribute('class')}` : `${node?.nodeName}`;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { value, hadRecentInput, sources } = entry as unknown as {
        value: number;
        hadRecentInput: boolean;
        sources: { node: Node | null; previousRect: DOMRect; currentRect: DOMRect }[];
      };
      if (hadRecentInput) continue;
      const moved = sources.map(
        ({ node, previousRect, currentRect }) => `${told(node)} ${previousRect.y} → ${currentRect.y}`,
      );
      shifts.push({ value, moved });
    }
  }).observe({ type: 'layout-shift', buffered: true });
}
