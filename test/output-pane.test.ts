import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Locator } from 'playwright-core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { expectedLines } from './support/commands.ts';
import { CLIPBOARD, copiedOutput, shownRows } from './support/shown-output.ts';
import type { SimulatedRun } from './support/simulated-run.ts';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
/** A frame has a largest size. All is ASCII. */
const FRAME_CHARS = 128 * 1024;
const ESC = '\u001b';

const browser = useBrowser({ permissions: CLIPBOARD });

/** Starts a run that prints `text`, waits until that is stored, and opens the page of it. */
async function watch(job: string, text: string): Promise<SimulatedRun> {
  const run = await environment().simulate(job);
  await print(run, text);
  await show(run.id);
  return run;
}

async function print(run: SimulatedRun, text: string): Promise<void> {
  for (let from = 0; from < text.length; from += FRAME_CHARS) run.print(text.slice(from, from + FRAME_CHARS));
  await environment().run(run.id, ({ output_bytes }) => output_bytes >= run.printedBytes, 'the output to be stored');
}

async function show(run: string): Promise<void> {
  await signInAs(browser.page, environment(), environment().operatorToken, `/runs/${run}`);
}

const box = () => browser.page.locator('[data-output]');
const row = (text: string) =>
  browser.page.locator('.xterm:not(.output-still) .xterm-rows > div', { hasText: text }).last();
const button = (name: string) => browser.page.getByRole('button', { name });
const followButton = () => button('Jump to latest');

async function rowsUntil(holds: (rows: string[]) => boolean, what: string): Promise<string[]> {
  return waitFor(what, async () => {
    const rows = await shownRows(browser.page);
    return holds(rows) ? rows : null;
  });
}

/** Presses again and again: when a part has been loaded, the view returns to its rows and undoes an earlier key. */
function pressUntil(key: string, holds: () => Promise<boolean>, what: string): Promise<boolean> {
  const press = async () => {
    await browser.page.keyboard.press(key);
    return holds();
  };
  return waitFor(what, press);
}

const bar = () => browser.page.getByRole('slider', { name: 'Position in the output' });

async function clickBar(share: number): Promise<void> {
  const place = await bar().boundingBox();
  if (place === null) throw new Error('there is no bar');
  await browser.page.mouse.click(place.x + share * place.width, place.y + place.height / 2);
}

const endsWith = (text: string) => rowsUntil((rows) => rows.at(-1) === text, `the last row to be ${text}`);

function colourOf(part: Locator): Promise<string> {
  return part.evaluate((element) => getComputedStyle(element).color);
}

describe('terminal output', () => {
  test('colours and returns are drawn as in a terminal, and the policy blocks nothing', async () => {
    await watch(
      'colours',
      `printed first\n${ESC}[H${ESC}[2J${ESC}[3Jcleared\n${ESC}[?1049hon no other screen\n` +
        `plain ${ESC}[31mred${ESC}[0m\n10%\r50%\r100% done\n${ESC}[38;2;8;200;8mall colours${ESC}[0m\nend\n`,
    );
    await endsWith('end');
    const rows = await shownRows(browser.page);
    expect(rows).toContain('100% done');
    expect(rows).toContain('plain red');
    const plain = await colourOf(row('plain red').getByText('plain'));
    expect(await colourOf(row('plain red').getByText('red'))).not.toBe(plain);
    expect(await colourOf(row('all colours').locator('span').first())).not.toBe(plain);
    // What is cleared has only scrolled away.
    expect(await copiedOutput(browser.page)).toContain('printed first\ncleared\non no other screen\n');
    // The styles that the policy would have blocked.
    expect(await row('plain red').evaluate((element) => getComputedStyle(element).whiteSpace)).toBe('pre');
  });

  for (const colorScheme of sampleOf(['light', 'dark'] as const)) {
    test(`every colour can be read (${colorScheme})`, async () => {
      await browser.reopen({ colorScheme });
      const codes = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((n) => [
        `3${n}`,
        `9${n}`,
        `2;3${n}`,
        `4${n}`,
        `10${n}`,
        `7;3${n}`,
      ]);
      const all = [...codes, '2', '7', '38;5;232', '38;5;255', '30;40', '97;107', '31;41', '38;2;127;127;127'];
      const text = all.map((code) => `${ESC}[${code}mcode${code};${ESC}[0m\n`).join('');
      await watch(`contrast-${colorScheme}`, `${text}end\n`);
      await row('end').waitFor();
      const found = new Map<string, number>();
      await browser.page.evaluate(() => document.querySelector('[data-output]')?.scrollTo(0, 0));
      for (let step = 0; step < 20 && found.size < all.length; step += 1) {
        const contrasts = await browser.page.locator('.xterm-rows span').evaluateAll((spans) => {
          const channels = (text: string) => (text.match(/[\d.]+/g) ?? []).map(Number);
          const light = (text: string) =>
            channels(text)
              .slice(0, 3)
              .map((value) => value / 255)
              .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
              .reduce((sum, value, index) => sum + value * ([0.2126, 0.7152, 0.0722][index] ?? 0), 0);
          const ground = (element: Element | null): string => {
            if (element === null) return 'rgb(255, 255, 255)';
            const colour = getComputedStyle(element).backgroundColor;
            return channels(colour)[3] === 0 ? ground(element.parentElement) : colour;
          };
          return spans
            .filter((span) => span.textContent?.startsWith('code'))
            .map((span): [string, number] => {
              const [a, b] = [light(getComputedStyle(span).color), light(ground(span))];
              return [span.textContent ?? '', (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
            });
        });
        for (const [name, contrast] of contrasts) found.set(name, contrast);
        const last = (await shownRows(browser.page))[0];
        await browser.page.evaluate(() => document.querySelector('[data-output]')?.scrollBy(0, 200));
        await waitFor(
          'the rows to scroll',
          async () => step > 15 || (await shownRows(browser.page))[0] !== last || found.size >= all.length,
        );
      }
      expect(found.size).toBe(all.length);
      expect([...found].filter(([, contrast]) => contrast < 4.5)).toEqual([]);
    });
  }

  test('rows from stderr are marked, and each stream can be shown alone', async () => {
    const run = await environment().simulate('streams');
    run.print('from stdout\n');
    run.print('from stderr\n\n', 'stderr');
    await print(run, 'and on\n');
    await show(run.id);
    await endsWith('and on');
    const marked = async () => {
      const marks = await browser.page
        .locator('.output-gutter i')
        .evaluateAll((elements) => elements.map((element) => element.className));
      const rows = await shownRows(browser.page);
      return rows.filter((_, index) => marks[index] === 'stderr');
    };
    // So has its empty line.
    expect(await marked()).toEqual(['from stderr', '']);
    await browser.page.getByLabel('Streams').selectOption('stderr');
    await rowsUntil((rows) => rows.join() === 'from stderr', 'only stderr');
    expect(await browser.page.locator('.output-gutter .stderr').count()).toBe(2);
    await browser.page.getByLabel('Streams').selectOption('stdout');
    await rowsUntil((rows) => rows.join() === 'from stdout,and on', 'only stdout');
    expect(await marked()).toEqual([]);
  });

  test('long lines are wrapped or scroll sideways, as the reader last chose', async () => {
    const line = `${'0123456789'.repeat(30)}!`;
    await watch('wide-lines', `${line}\n`);
    await rowsUntil((rows) => rows.length > 1 && rows.join('') === line, 'the line in more rows');
    await button('Wrap').click();
    await rowsUntil((rows) => rows.join() === line, 'the line in one row');
    expect(await box().evaluate((element) => element.scrollWidth > element.clientWidth)).toBe(true);
    await browser.page.reload();
    await rowsUntil((rows) => rows.join() === line, 'the line in one row');
    expect(await copiedOutput(browser.page)).toBe(`${line}\n`);
    await button('Wrap').click();
    await rowsUntil((rows) => rows.length > 1, 'the line in more rows');
    expect(await copiedOutput(browser.page)).toBe(`${line}\n`);
  });

  test('a link opens a web page, without an opener or a referrer', async () => {
    await browser.context.route('https://a.example/**', (route) =>
      route.fulfill({ body: 'there', contentType: 'text/plain' }),
    );
    await watch(
      'links',
      `see https://a.example/plain now\n${ESC}]8;;https://a.example/hidden${ESC}\\words${ESC}]8;;${ESC}\\\n`,
    );
    for (const [text, offset, path] of [
      ['see https://a.example/plain now', 60, 'plain'],
      ['words', 10, 'hidden'],
    ] as const) {
      const place = await row(text).boundingBox();
      if (place === null) throw new Error(`there is no row ${text}`);
      await browser.page.mouse.move(place.x + offset, place.y + 5);
      await browser.page.locator(`.output-screen[title="https://a.example/${path}"]`).waitFor();
      const opened = browser.context.waitForEvent('page');
      await browser.page.mouse.click(place.x + offset, place.y + 5);
      const there = await opened;
      await there.waitForLoadState();
      expect(there.url()).toBe(`https://a.example/${path}`);
      expect(await there.evaluate(() => [window.opener, document.referrer])).toEqual([null, '']);
      await there.close();
    }
  });
});

/** Ten million bytes: lines of 100. */
const LINES = 100_000;
const MANY_LINES = Array.from({ length: LINES }, (_, index) => `line ${String(index + 1).padEnd(94)}\n`).join('');

describe('long output', () => {
  let longRun: string;

  test('opens at its end and can be loaded up to its beginning, without moving the rows that are read', async () => {
    longRun = (await watch('long', `${MANY_LINES}done\n`)).id;
    await endsWith('done');
    // Not even a hundredth of it has been fetched.
    await browser.page.getByText(/^Last 64 KiB of 9\.5 MiB$/).waitFor();

    await box().focus();
    await browser.page.keyboard.press('PageUp');
    await followButton().waitFor();
    const before = await rowsUntil((rows) => !rows.includes('done'), 'a page further up');
    await button('Load earlier').click();
    await button('Load earlier').waitFor();
    await browser.page.getByText(/^Last 576 KiB of 9\.5 MiB$/).waitFor();
    await browser.page.locator('.output-still').waitFor({ state: 'detached' });
    expect(await shownRows(browser.page)).toEqual(before);

    /** Nothing is on its way, and what has come is drawn. */
    const isLoaded = async () => {
      await button('Load later').and(browser.page.locator(':enabled')).waitFor();
      await browser.page.locator('.output-still').waitFor({ state: 'detached' });
    };
    const firstNumber = async () => Number((await shownRows(browser.page))[0]?.match(/line (\d+)/)?.[1]);
    await button('Top').click();
    await rowsUntil((rows) => rows[0] === 'line 1', 'the first line');
    await browser.page.getByText(/^0 bytes to /).waitFor();
    await isLoaded();
    // And on from there: what is below comes when the bottom is reached.
    await box().focus();
    let last = 1;
    for (let step = 0; step < 3; step += 1) {
      await pressUntil('End', async () => (await firstNumber()) > last, 'rows further down');
      await isLoaded();
      last = await firstNumber();
    }
    expect(last).toBeGreaterThan(10_000);
    // The window slides: its beginning is no longer that of the log.
    await pressUntil('Home', async () => (await firstNumber()) < last, 'rows further up');
    await followButton().click();
    await endsWith('done');
  });

  test.runIf(IS_PROOF)('can be scrolled up to its first line', async () => {
    await show(longRun);
    await endsWith('done');
    const shown = browser.page.locator('.shown');
    await clickBar(0.25);
    await rowsUntil((rows) => rows[0]?.startsWith('line 2') === true, 'a quarter');
    for (let text = await shown.textContent(); !text?.startsWith('0 bytes to'); text = await shown.textContent()) {
      await button('Load earlier').click();
      await waitFor('more of it', async () => (await shown.textContent()) !== text);
    }
    await box().focus();
    await pressUntil('Home', async () => (await shownRows(browser.page))[0] === 'line 1', 'the first line');
  });

  test.runIf(IS_PROOF)(
    'can be opened at any offset, by a click or by keys on a slider that shows the position',
    async () => {
      await show(longRun);
      await endsWith('done');
      const says = () => bar().getAttribute('aria-valuetext');
      expect(await says()).toBe('9.5 MiB of 9.5 MiB');
      const firstLine = (rows: string[]) => Number(rows[0]?.match(/line (\d+)/)?.[1]);
      const near = (line: number) =>
        rowsUntil((rows) => Math.abs(firstLine(rows) - line) < LINES / 200, `lines near ${line}`);
      await clickBar(0.34);
      const there = await near(0.34 * LINES);
      expect(await says()).toMatch(/^3\.[23] MiB of 9\.5 MiB$/);
      // The rows stay, and it can be gone on from there.
      await button('Load earlier').click();
      await button('Load earlier').waitFor();
      await browser.page.locator('.output-still').waitFor({ state: 'detached' });
      expect(await shownRows(browser.page)).toEqual(there);
      // Within what is loaded, too.
      await bar().focus();
      await browser.page.keyboard.press('ArrowLeft');
      await near(0.33 * LINES);
      await browser.page.keyboard.press('PageUp');
      await browser.page.keyboard.press('PageUp');
      await near(0.53 * LINES);
      await browser.page.keyboard.press('Home');
      await rowsUntil((rows) => rows[0] === 'line 1', 'the first line');
      await browser.page.keyboard.press('End');
      await endsWith('done');
      expect(await followButton().count()).toBe(0);
      // The address leads to the very line that is on top.
      await clickBar(0.6);
      const rows = await near(0.6 * LINES);
      await browser.page.waitForURL(`**/runs/${longRun}?at=${100 * (firstLine(rows) - 1)}`);
      await browser.page.reload();
      await rowsUntil((again) => again[0] === rows[0], 'the same line');
      // The page's keys work on the bar as everywhere.
      await bar().focus();
      await browser.page.keyboard.press('/');
      await browser.page.getByLabel('Find in loaded output').waitFor();
    },
  );

  test('shows a trimmed middle in a line that no output can imitate', async () => {
    const run = await environment().simulate('gap');
    await print(run, `${MANY_LINES}${MANY_LINES}end of both\n${ESC}[53m… 1 MiB are missing here …${ESC}[0m\n`);
    await run.end(0);
    await show(run.id);
    await rowsUntil((rows) => rows.includes('end of both'), 'the end');
    expect(await browser.page.locator('.output-gutter .ours').count()).toBe(0);
    // What is kept of it is a head and a tail. Who goes to what is between them is told of all of it.
    await bar().locator('xpath=..').locator('.output-gap').waitFor({ state: 'attached' });
    await clickBar(0.35);
    await rowsUntil((rows) => /^… [78](\.\d)? MiB are missing here …$/.test(rows[0] ?? ''), 'the gap');
    expect(await bar().getAttribute('aria-valuetext')).toMatch(/^[23](\.\d)? MiB of 19\.1 MiB$/);
    await row('MiB are missing here').waitFor();
    expect(await browser.page.locator('.output-gutter .ours').count()).toBe(1);
  });
});

describe('following', () => {
  test('continues while at the end, pauses when the reader goes up, and continues again', async () => {
    const run = await watch('followed-output', expectedLines(40));
    let lines = 40;
    const printing = setInterval(() => run.print(`line ${++lines}\n`), 50);
    onTestFinished(() => clearInterval(printing));
    const lastLine = async () => Number((await shownRows(browser.page)).at(-1)?.match(/\d+/)?.[0] ?? 0);
    await waitFor('output', async () => (await lastLine()) > 40);
    const seen = await lastLine();
    await waitFor('more output', async () => (await lastLine()) > seen);
    expect(await followButton().count()).toBe(0);

    await box().hover();
    await browser.page.mouse.wheel(0, -120);
    await followButton().waitFor();
    const rows = await waitFor('the rows to stand still', async () => {
      const once = await shownRows(browser.page);
      await browser.page.getByText(/Jump to latest · .* new/).waitFor();
      const twice = await shownRows(browser.page);
      return once.join() === twice.join() ? once : null;
    });
    const news = await followButton().textContent();
    await waitFor('more that is new', async () => (await followButton().textContent()) !== news);
    expect(await shownRows(browser.page)).toEqual(rows);

    await followButton().click();
    await waitFor('the end', async () => (await lastLine()) > Number(rows.at(-1)?.match(/\d+/)?.[0]));
    expect(await followButton().count()).toBe(0);
    // By the keyboard as well: up, and down to the end.
    await browser.page.keyboard.press('ArrowUp');
    await followButton().waitFor();
    await browser.page.keyboard.press('End');
    await followButton().waitFor({ state: 'detached' });
  });
});

describe('tools', () => {
  const SOME = `${Array.from({ length: 300 }, (_, index) => `row ${index + 1} of some\n`).join('')}A Needle\nend\n`;

  test('the search finds and counts matches and moves between them, by the keyboard alone', async () => {
    await watch('searched', SOME);
    await endsWith('end');
    await box().focus();
    await browser.page.keyboard.press('Control+f');
    const count = browser.page.locator('.find-count');
    const counts = (text: string) => waitFor(`the count ${text}`, async () => (await count.textContent()) === text);
    await browser.page.keyboard.type('row 1');
    await counts('111 of 111');
    await rowsUntil((rows) => rows.includes('row 199 of some'), 'the last match');
    await browser.page.keyboard.press('Shift+Enter');
    await counts('110 of 111');
    await browser.page.keyboard.press('Enter');
    await counts('111 of 111');
    await browser.page.keyboard.press('Enter');
    await counts('1 of 111');
    await rowsUntil((rows) => rows.includes('row 1 of some'), 'the first match');
    await browser.page.getByLabel('Find in').fill('needle');
    await counts('1 of 1');
    await button('Match case').click();
    await counts('No matches');
    await browser.page.keyboard.press('Escape');
    await count.waitFor({ state: 'detached' });
    expect(await browser.page.evaluate(() => document.activeElement?.hasAttribute('data-output'))).toBe(true);
  });

  test('the selection is copied, or all that is shown; the whole output is downloaded under a descriptive name', async () => {
    const run = await watch('copied', SOME);
    await endsWith('end');
    // A log that is all there needs no bar.
    expect(await bar().count()).toBe(0);
    const all = await copiedOutput(browser.page);
    expect(all.startsWith('row 1 of some\nrow 2 of some\n')).toBe(true);
    expect(all.endsWith('\nA Needle\nend\n')).toBe(true);
    const place = await row('A Needle').boundingBox();
    if (place === null) throw new Error('there is no such row');
    await browser.page.mouse.dblclick(place.x + 30, place.y + 5);
    await browser.page.keyboard.press('Control+c');
    await waitFor(
      'the word in the clipboard',
      async () => (await browser.page.evaluate(() => navigator.clipboard.readText())) === 'Needle',
    );
    expect(await copiedOutput(browser.page)).toBe('Needle');

    const downloading = browser.page.waitForEvent('download');
    await browser.page.getByRole('link', { name: 'Download' }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe(`copied-m1.example.com-${run.id}.log`);
    expect(await readFile(await download.path(), 'utf8')).toBe(all);
  });

  test('Tab goes through it and leaves it, and axe finds nothing', async () => {
    await watch('accessible', SOME);
    await endsWith('end');
    const focused = () =>
      browser.page.evaluate(
        () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
      );
    await browser.page.getByLabel('Streams').focus();
    const passed: string[] = [];
    for (let step = 0; step < 12; step += 1) {
      passed.push(await focused());
      await browser.page.keyboard.press('Tab');
    }
    expect(passed).toContain('Run output');
    expect(passed.at(-1)).not.toBe('Run output');
    // After a click, too.
    await row('A Needle').click({ force: true });
    await browser.page.keyboard.press('Tab');
    expect(await focused()).not.toBe('Run output');
    // The page's keys work there, too.
    await row('A Needle').click({ force: true });
    await browser.page.keyboard.press('K');
    await browser.page.getByRole('dialog').waitFor();
    await browser.page.keyboard.press('Escape');
    await row('A Needle').click({ force: true });
    await browser.page.keyboard.press('Escape');
    expect(await browser.page.evaluate(() => document.activeElement === document.body)).toBe(true);

    await button('Find').click();
    const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    const problems = await browser.page.evaluate(
      async ([code]) => {
        const check = new Function(`${code}; return axe.run(document.querySelector('.output'))`);
        return (await check()).violations.map((violation: { id: string; nodes: { html: string }[] }) => [
          violation.id,
          violation.nodes.map((node) => node.html),
        ]);
      },
      [axe],
    );
    expect(problems).toEqual([]);
  });

  test('on a phone nothing is wider than the page, and touch scrolls', async () => {
    await browser.reopen({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    await watch('on-a-phone', SOME);
    await endsWith('end');
    expect(await browser.page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    await box().scrollIntoViewIfNeeded();
    const finger = await browser.context.newCDPSession(browser.page);
    const x = 150;
    const y = ((await box().boundingBox())?.y ?? 0) + 100;
    await finger.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x, y }] });
    for (let down = 20; down <= 200; down += 20) {
      await finger.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: [{ x, y: y + down }] });
    }
    await finger.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    await followButton().waitFor();
    const [top = ''] = await rowsUntil((rows) => !rows.includes('end'), 'rows further up');

    // What a finger can't select in a terminal it can in a text, which begins where the reader is.
    await button('Text view').click();
    const text = browser.page.locator('[data-text]');
    expect(await text.textContent()).toMatch(/^row 1 of some\n[\s\S]*\nA Needle\nend\n$/);
    await text.dblclick({ position: { x: 20, y: 10 } });
    expect(await browser.page.evaluate(() => getSelection()?.toString().trim())).toBe('row');
    expect(await text.evaluate((element) => element.scrollTop > 0 && element.matches(':focus'))).toBe(true);
    await button('Close').click();
    expect(await shownRows(browser.page)).toContain(top);
  });
});
