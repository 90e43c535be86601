import { ulid } from 'ulid';
import { expect, test } from 'vitest';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { completeMessage, killingMessage } from '#testing/wrapper-messages';
import { groupMembers } from '../scripts/local/process-group.ts';
import { expectedLines, FOREVER, numberedLines, STUBBORN } from './support/commands.ts';
import { RawLink } from './support/raw-link.ts';
import { CLIPBOARD, copiedOutput, shownRows } from './support/shown-output.ts';
import { useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();

const browser = useBrowser({ permissions: CLIPBOARD });

/** Signs in, and sees what there is of a job. */
async function signIn(job: string): Promise<void> {
  await browser.page.goto(`${environment().url}/?q=job:${job}`);
  await browser.page.getByLabel('Token').fill(environment().operatorToken);
  await browser.page.getByRole('button', { name: 'Sign in' }).click();
  await browser.page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
}

/** The number of the last of the numbered lines on the screen. */
async function lastLine(): Promise<number> {
  return Number((await shownRows(browser.page)).at(-1)?.match(/line (\d+)/)?.[1] ?? 0);
}

function lineIsShown(number: number): Promise<boolean> {
  return waitFor(`line ${number}`, async () => (await lastLine()) >= number);
}

test('a wrong token is refused in words', async () => {
  await browser.page.goto(environment().url);
  await browser.page.getByLabel('Token').fill('leash_wrong');
  await browser.page.getByRole('button', { name: 'Sign in' }).click();
  await waitFor(
    'the page to say what is wrong',
    async () => ((await browser.page.locator('#sign-in-problem').textContent()) ?? '') !== '',
  );
});

test('a link with a token signs in, and the token leaves the address bar', async () => {
  await browser.page.goto(`${environment().url}/#token=${environment().operatorToken}`);
  await browser.page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
  expect(browser.page.url()).toBe(`${environment().url}/`);
  // The session outlives the page's memory.
  await browser.page.reload();
  await browser.page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
});

test('a run shows up, its output arrives live, and a kill is followed to its end', async () => {
  await signIn('watched');
  const wrapper = environment().wrapper({ job: 'watched', command: numberedLines(2_000, 0.1) });
  // Without a reload: the list is live.
  await browser.page.getByRole('link', { name: 'watched on m1.example.com' }).click();
  await lineIsShown(3);
  await lineIsShown((await lastLine()) + 5);

  await browser.page.getByRole('button', { name: 'Kill', exact: true }).click();
  expect(wrapper.isRunning).toBe(true);
  // No machine is too slow for it: SIGTERM suffices.
  await browser.page.getByLabel('Grace period before SIGKILL').selectOption('300');
  await browser.page.getByRole('button', { name: 'Kill now' }).click();

  await browser.page.locator('[data-step="gone"][data-step-state="done"]').waitFor();
  await browser.page.locator('[data-exit-code="143"]').waitFor();
  await browser.page.locator('.run-header[data-state="killed"]').waitFor();
  expect((await wrapper.exit).code).toBe(143);
  const states = await browser.page
    .locator('[data-step]')
    .evaluateAll((steps) =>
      steps.map((step) => `${step.getAttribute('data-step')} ${step.getAttribute('data-step-state')}`),
    );
  expect(states).toEqual(['requested done', 'delivered done', 'term done', 'kill skipped', 'gone done']);
});

test('a kill that SIGTERM does not settle shows SIGKILL, and can be forced', async () => {
  await signIn('stubborn-page');
  const wrapper = environment().wrapper({ job: 'stubborn-page', command: STUBBORN });
  const run = await environment().runOf('stubborn-page');
  await environment().output(run.id, 'ready');
  await browser.page.getByRole('link', { name: 'stubborn-page on m1.example.com' }).click();
  await browser.page.getByRole('button', { name: 'Kill', exact: true }).click();
  await browser.page.getByLabel('Grace period before SIGKILL').selectOption('300');
  await browser.page.getByRole('button', { name: 'Kill now' }).click();
  await browser.page.locator('[data-step="term"][data-step-state="done"]').waitFor();
  expect(wrapper.isRunning).toBe(true);

  await browser.page.getByRole('button', { name: 'Force kill now' }).click();

  await browser.page.locator('[data-step="kill"][data-step-state="done"]').waitFor();
  await browser.page.locator('[data-exit-code="143"]').waitFor();
  expect((await wrapper.exit).code).toBe(143);
  expect(run.pid === null ? [] : groupMembers(run.pid)).toEqual([]);
});

test('a key that is held opens the question and does not answer it; the keyboard alone can', async () => {
  await signIn('held-key');
  const wrapper = environment().wrapper({ job: 'held-key', command: FOREVER });
  await environment().runOf('held-key');
  await browser.page.getByRole('link', { name: 'held-key on m1.example.com' }).click();
  await browser.page.getByRole('button', { name: 'Kill', exact: true }).focus();
  for (let repeat = 0; repeat < 5; repeat++) await browser.page.keyboard.down('Enter');
  await browser.page.keyboard.up('Enter');
  await browser.page.getByRole('button', { name: 'Kill now' }).waitFor();
  expect(await browser.page.locator('[data-step]').count()).toBe(0);

  await browser.page.keyboard.press('Enter');
  await browser.page.locator('[data-exit-code="143"]').waitFor();
  expect((await wrapper.exit).code).toBe(143);
});

test.runIf(IS_PROOF)('a lost connection is shown, and what was missed appears when it is back', async () => {
  const LINES = 150;
  await signIn('interrupted');
  environment().wrapper({ job: 'interrupted', command: numberedLines(LINES, 0.1) });
  await browser.page.getByRole('link', { name: 'interrupted on m1.example.com' }).click();
  await lineIsShown(5);
  await browser.page.locator('[data-link="live"]').waitFor();

  await environment().crash();
  await browser.page.locator('[data-link="stale"]').waitFor();
  await environment().restart();

  await browser.page.locator('[data-link="live"]').waitFor();
  await lineIsShown(LINES);
  expect(await copiedOutput(browser.page)).toBe(expectedLines(LINES));
  await environment().kill('interrupted');
  await browser.page.locator('[data-exit-code="143"]').waitFor();
});

test('a run shows its user and its host, and what it has left running can be killed', async () => {
  const [job, run] = ['left-page', ulid()];
  const link = await RawLink.open({ url: environment().url, token: environment().machineToken, job, run });
  const os = 'Debian GNU/Linux 12 (bookworm), Linux 6.1.0 x86_64';
  link.start(run, { successor: 1, host: { user: 'root', is_root: true, os, node: 'v24.1.0' } });
  await link.message('ack', (ack) => ack.of === 'start');
  await signIn(job);
  await browser.page.goto(`${environment().url}/runs/${run}`);
  const details = browser.page.locator('.run-details');
  await details.locator('.root-mark').getByText('root').waitFor();
  for (const fact of [os, 'Node v24.1.0', 'took over from a killed wrapper']) await details.getByText(fact).waitFor();
  await browser.page.locator('[data-event="adopted"]').waitFor();
  const exited = { exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' } as const;
  const left = [{ pid: 4711, command_line: 'sleep 1000' }];
  link.say(completeMessage({ ...exited, left_running: left }));
  // It stays for what is left.
  link.say({ type: 'left_running', processes: left });
  await details.locator('[data-left-running="1"]').getByText('sleep 1000').waitFor();
  await browser.page.locator('[data-event="left_running"]').getByText('pid 4711 sleep 1000').waitFor();

  await browser.page.getByRole('button', { name: 'Kill', exact: true }).click();
  await browser.page.getByRole('dialog').getByText('4711').waitFor();
  await browser.page.getByRole('button', { name: 'Kill now' }).click();
  const { kill } = await link.message('kill');
  link.say(killingMessage(kill, 'term', { reason: 'operator' }));
  await browser.page.locator('[data-step="term"][data-step-state="done"]').waitFor();
  link.say(killingMessage(kill, 'gone', { reason: 'operator' }));
  link.say({ type: 'left_running', processes: [] });
  await browser.page.getByText('Nothing is left running.').waitFor();
  await details.locator('[data-left-running]').waitFor({ state: 'detached' });
  // How the run ended stays as it was.
  await browser.page.locator('.run-header[data-state="succeeded"] [data-exit-code="0"]').waitFor();
  expect(await browser.page.getByRole('button', { name: 'Kill', exact: true }).count()).toBe(0);
  link.close();
});

test('two runs with the same id are kept apart: each is opened, shown and killed by its job', async () => {
  const run = ulid();
  const open = async (job: string) => {
    const link = await RawLink.open({ url: environment().url, token: environment().machineToken, job, run });
    link.start(run);
    await link.message('ack', (ack) => ack.of === 'start');
    return link;
  };
  // The wrong one comes first.
  const evil = await open('namesake-evil');
  const real = await open('namesake-real');
  await signIn('namesake-');
  await browser.page.getByRole('link', { name: 'namesake-evil on raw.example.com' }).waitFor();
  await browser.page.getByRole('link', { name: 'namesake-real on raw.example.com' }).click();
  const job = browser.page.getByRole('heading').getByRole('link', { name: 'namesake-real' });
  await job.waitFor();
  await browser.page
    .locator('[data-event="run_conflict"]')
    .getByText('Job namesake-evil has reported a run with the same id')
    .waitFor();

  await browser.page.goto(`${environment().url}/runs/${run}`);
  await browser.page.getByText('Several jobs have a run with this id').waitFor();
  await browser.page.getByRole('link', { name: 'namesake-real' }).click();
  await job.waitFor();
  expect(new URL(browser.page.url()).search).toBe('?job=namesake-real');

  await browser.page.getByRole('button', { name: 'Kill', exact: true }).click();
  await browser.page.getByRole('button', { name: 'Kill now' }).click();
  const { kill } = await real.message('kill');
  real.say(killingMessage(kill, 'gone', { reason: 'operator' }));
  real.say(completeMessage());
  await browser.page.locator('.run-header[data-state="killed"]').waitFor();
  const { runs } = await (await environment().operator.request('GET', '/runs?job=namesake-evil')).json();
  expect(runs).toMatchObject([{ id: run, state: 'running' }]);
  evil.close();
  real.close();
});
