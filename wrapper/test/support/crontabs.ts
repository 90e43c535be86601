/** Crontabs for tests: real ones, generated ones, and what cron makes of a line. */
import fc from 'fast-check';
import type { PlanOptions } from '../../src/crontab/plan.ts';

export const PLAN: PlanOptions = {
  program: '/usr/local/bin/leash',
  runOptions: [],
  captureLogs: false,
  includeManaged: false,
  isSelected: () => true,
  names: new Map(),
};

/** What cron passes to the shell, and to the command's stdin. */
export interface CronJob {
  readonly command: string;
  readonly input: string;
}

/** How crons treat backslashes in front of a `%`: the original passes them on, cronie and Debian's take them away. */
export type PercentDialect = 'original' | 'cronie' | 'both_escapes';
export const PERCENT_DIALECTS: readonly PercentDialect[] = ['original', 'cronie', 'both_escapes'];

/** After do_command.c: the same state machine for the command; in the input `%` is a newline and `\%` is `%`. */
export function cronJob(text: string, dialect: PercentDialect): CronJob {
  let command = '';
  let isEscaped = false;
  for (const [index, char] of [...text].entries()) {
    if (isEscaped) {
      isEscaped = false;
      const isDropped = (char === '%' && dialect !== 'original') || (char === '\\' && dialect === 'both_escapes');
      command = (isDropped ? command.slice(0, -1) : command) + char;
    } else if (char === '%') {
      return { command, input: cronInput([...text].slice(index + 1).join('')) };
    } else {
      isEscaped = char === '\\';
      command += char;
    }
  }
  return { command, input: '' };
}

function cronInput(text: string): string {
  const input = text.replaceAll(/\\%|%/g, (each) => (each === '%' ? '\n' : '%'));
  return input.endsWith('\n') ? input : `${input}\n`;
}

const schedule = fc.constantFrom(
  '0 3 * * *',
  '*/5\t1-5,7 * jan sun',
  '@daily',
  '@reboot ',
  '-1 2 3 4 5',
  '0~30 * * * 1-5/2',
);
const word = fc.constantFrom(
  'a',
  "'b  c'",
  '"d $HOME"',
  '100\\%',
  "it\\'s",
  '"it\'s"',
  '$UNSET',
  '$(show e)',
  '`show f`',
  'in*',
  '~',
  "'\\'",
  '"\\\\"',
  '\\\\',
  '-x',
  '--',
  '"$UNSET"',
  "'#'",
  '{1,2}',
);
const program = fc.constantFrom(
  'show',
  'show',
  '"$BIN/show"',
  '$BIN/show',
  'env A=1 show',
  'nice -n 1 show',
  '/bin/echo',
);
const builtin = fc.constantFrom(
  'echo',
  'A=1 show',
  'exec show',
  'eval show',
  'if true; then show g; fi; show',
  '! show',
  '\\show',
);
const redirection = fc.constantFrom(
  '',
  '',
  '>/dev/null',
  '>> /dev/null 2>&1',
  '2>&1',
  '2>/dev/null',
  '>out',
  '>> out 2>&1',
  '2>&1 >> out',
  '<in',
  '</dev/null',
  '&>/dev/null',
);
const simple = fc
  .tuple(
    fc.oneof({ weight: 3, arbitrary: program }, { weight: 1, arbitrary: builtin }),
    fc.array(word, { maxLength: 3 }),
    redirection,
  )
  .map(([name, words, to]) => [name, ...words, to].filter((each) => each !== '').join(' '));
const joined = fc
  .tuple(simple, fc.constantFrom(' | ', ' && ', '||', ' ; '), fc.oneof(simple, fc.constantFrom('cat', '( cat; )')))
  .map(([first, separator, second]) => first + separator + second);
const input = fc.constantFrom('', '', '', '%', '%one%two', "%it's 5\\%", '% x % y');

/** Commands that can be run in a directory with `in`, `sub/`, and a program `show`. */
export const runnableCommand = fc
  .tuple(
    fc.constantFrom('', '', '', 'cd sub && '),
    fc.oneof(simple, joined),
    fc.constantFrom('', '', '  ', ' # x'),
    input,
  )
  .map((parts) => parts.join(''));

const anything = fc.string({ unit: fc.constantFrom(...' \t\'"\\%$`|&;<>(){}#=*@-/ab01~\r\u00e9'), maxLength: 40 });
const entry = fc
  .tuple(
    fc.constantFrom('', ' ', '\t'),
    schedule,
    fc.constantFrom(' ', '\t', '  '),
    fc.oneof(runnableCommand, anything),
  )
  .map((parts) => parts.join(''));
const otherLine = fc.constantFrom(
  '',
  '  ',
  '# comment',
  '\t# 0 3 * * * commented out',
  'MAILTO=""',
  'PATH=/usr/bin:/bin',
  "CRON_TZ = 'Europe/Berlin'",
  'SHELL=/bin/sh',
  'SHELL="/bin/bash" ',
  'SHELL=/usr/bin/zsh',
  'SHELL=/usr/bin/fish',
  'SHELL=/usr/bin/python3',
  '#Ansible: rotate',
  '# BEGIN ANSIBLE MANAGED BLOCK',
  '# END ANSIBLE MANAGED BLOCK',
  '0 1 * * * /usr/local/bin/leash run --job hand -- /usr/bin/thing',
  '0 1 * * * cd /x && leash run --job=hand -- ./thing %',
);
const line = fc.oneof(
  { weight: 5, arbitrary: entry },
  { weight: 2, arbitrary: otherLine },
  { weight: 1, arbitrary: anything },
);

export const crontab = fc
  .tuple(
    fc.array(fc.tuple(line, fc.constantFrom('\n', '\n', '\n', '\r\n')), { maxLength: 8 }),
    fc.constantFrom('', '0 9 * * * show'),
  )
  .map(([lines, last]) => lines.map(([text, ending]) => text + ending).join('') + last);

/** As one finds them. */
export const GROWN_CRONTAB = `# m h dom mon dow command
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin
MAILTO=""

0 3 * * *\t/usr/bin/backup --all
*/5 * * * * cd /var/www/shop && php artisan schedule:run >> /dev/null 2>&1
@daily pg_dump shop | gzip > /backup/$(date +\\%F).sql.gz
@reboot sleep 60 && /opt/thing/start.sh
0 4 * * 1-5 /usr/bin/mysqldump db1 > /backup/db1.sql
0 4 * * 1-5 /usr/bin/mysqldump db2 > /backup/db2.sql
5 4 * * sun flock -n /tmp/x.lock -c 'rsync -a /a "/b c"'
0 1 * * * mail -s "it's 100\\% done" root%Hello%there
#Ansible: rotate logs
0 5 * * * /usr/sbin/logrotate /etc/logrotate.conf
SHELL=/bin/bash
0 6 * * * [[ -f /x ]] && source ~/.profile && ~/bin/deploy.sh prod &>/var/log/deploy.log
0 7 * * * echo "unbalanced
0 0 3 * * * /usr/bin/six
61 * * * * nope
0 8 * * * /usr/local/bin/leash run --job hand -- /usr/bin/z
0 3 * * 6 /usr/bin/backup --all
`;
