/** `leash doctor`. */
import fs from 'node:fs';
import { JobName } from '#protocol/names';
import { readSettings } from '../../doctor/checks/settings.ts';
import { examine } from '../../doctor/doctor.ts';
import type { Section } from '../../doctor/finding.ts';
import { exitCodeFor, reportJson, sectionText, summaryText } from '../../doctor/report.ts';
import { TEST_JOB } from '../../doctor/test-job.ts';
import type { Operator } from '../../doctor/trial.ts';
import { hostFacts } from '../../host/host-facts.ts';
import { hostName } from '../../host/host-name.ts';
import { isSingleExecutable } from '../../host/own-program.ts';
import { describeError, printable } from '../../logging/log.ts';
import { loginPath, readLogin } from '../../operator/login-file.ts';
import { OperatorError } from '../../operator/operator-error.ts';
import { openTerminal } from '../../operator/terminal.ts';
import { machineName } from '../../run/identity.ts';
import { name, readFlags } from '../flags.ts';
import { defineSubcommand, type Program } from '../subcommand.ts';

const HELP = `leash doctor: check this machine's leash, and say what to mend.

Usage:
  leash doctor [options]

Checks, in this order: the program, and whether cron would find it and Node.js; the settings; the
token and what it may do; the way to the control plane (DNS, proxy, TLS, HTTPS, a WebSocket); the
clock; the state directory and what waits in it; memory, cgroup, cron and limits of this user. In
the end it starts a real run of a harmless command and ends it: by a kill, if this machine's token
or that of \`leash login\` can kill, else by a signal. The test run stays in the lists like any
other run. Call it as the user who runs the jobs. It prints no secrets.

Options:
  --url URL, --token-file FILE
                         the control plane and the token, as for \`leash run\`
  --job NAME             the job of the test run; default ${TEST_JOB}, or as the token allows
  --no-run               start no test run
  --offline              use no network: no way, no token's rights, no test run
  --json                 print JSON, one object
  -h, --help             print this text

Exit code:
  0    nothing to mend, or warnings only
  1    there are problems
  2    an argument is invalid
  6    the control plane can't be reached
`;

interface DoctorOptions {
  readonly url: string | null;
  readonly tokenFile: string | null;
  readonly job: string | null;
  readonly withTrial: boolean;
  readonly isOffline: boolean;
  readonly asJson: boolean;
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

function parseDoctor(argv: readonly string[]): DoctorOptions | null {
  const flags = readFlags(
    argv,
    {
      url: text,
      'token-file': text,
      job: text,
      'no-run': flag,
      offline: flag,
      json: flag,
      help: { ...flag, short: 'h' },
    },
    'leash doctor takes no arguments',
  );
  if (flags.help) return null;
  return {
    url: flags.url ?? null,
    tokenFile: flags['token-file'] ?? null,
    job: flags.job === undefined ? null : name('--job', JobName, flags.job),
    withTrial: !flags['no-run'],
    isOffline: flags.offline ?? false,
    asJson: flags.json ?? false,
  };
}

export const subcommand = defineSubcommand({ help: HELP, parse: parseDoctor, run: doctor });

async function doctor(options: DoctorOptions, { version, env }: Program): Promise<number> {
  const { url, tokenFile, job, withTrial, isOffline, asJson } = options;
  const settings = readSettings({ url, tokenFile }, env, (read) => machineName(read.LEASH_MACHINE ?? hostName()));
  const { machine } = settings.facts;
  const terminal = openTerminal(process.stdout, env);
  const controlPlane = settings.controlPlane?.baseUrl.replace(/^ws/, 'http') ?? null;
  const print = (printed: string) => {
    if (!asJson) process.stdout.write(printed);
  };
  print(`leash doctor on ${printable(machine)}, as ${hostFacts(null).user ?? 'an unknown user'}\n`);
  const flags = [...(url === null ? [] : ['--url', url]), ...(tokenFile === null ? [] : ['--token-file', tokenFile])];
  const sections: Section[] = [];
  for await (const section of examine({
    version,
    program: programPath(),
    settings,
    job,
    machine,
    flags,
    isOffline,
    withTrial,
    operator: await findOperator(controlPlane, env),
  })) {
    sections.push(section);
    print(sectionText(section, terminal));
  }
  if (asJson) {
    process.stdout.write(`${JSON.stringify(reportJson({ version, machine, url: controlPlane }, sections), null, 2)}\n`);
  } else print(summaryText(sections, terminal));
  return exitCodeFor(sections);
}

/** The path of the file that runs; null from the sources. */
function programPath(): string | null {
  const program = fs.realpathSync(isSingleExecutable() ? process.execPath : (process.argv[1] ?? ''));
  return program.endsWith('.ts') ? null : program;
}

/** Whoever has signed in at this control plane on this machine: the token of the machine itself should not be able to kill. */
async function findOperator(url: string | null, env: NodeJS.ProcessEnv): Promise<Operator> {
  try {
    const login = await readLogin(env);
    if (login === null || url === null || new URL(login.url).href !== new URL(url).href) return { kind: 'none' };
    return { kind: 'signed_in', killer: { token: login.token, name: 'the token of leash login' } };
  } catch (error) {
    if (error instanceof OperatorError) return { kind: 'unusable', why: error.message };
    return { kind: 'unusable', why: `${loginPath(env)}: ${describeError(error)}` };
  }
}
