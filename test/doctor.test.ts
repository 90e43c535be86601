/** `leash doctor` on a machine where all is well, against a real control plane. */
import { expect, test } from 'vitest';
import { IS_PROOF } from '#testing/seed';
import { LEASH_PROGRAM } from '../scripts/local/paths.ts';
import { useBareUser } from './support/bare-user.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const user = useBareUser();

interface Report {
  readonly problems: number;
  readonly findings: readonly { readonly check: string; readonly status: string; readonly message: string }[];
}

/** Installs settings and token as install.sh does, then asks the doctor. */
async function doctor(job: string, token: string): Promise<{ code: number | null; report: Report; printed: string }> {
  const machine = user();
  const file = await machine.write('.config/leash/token', `${token}\n`, 0o600);
  const settings = `LEASH_URL=${environment().url}\nLEASH_TOKEN_FILE=${file}\n`;
  await machine.write('.config/leash/leash.conf', settings, 0o600);
  const { code, printed } = await machine.sh(`${process.execPath} ${LEASH_PROGRAM} doctor --job ${job} --json`);
  return { code, printed, report: JSON.parse(printed) as Report };
}

function statuses({ findings }: Report, about: RegExp): string[] {
  return findings.filter(({ check }) => about.test(check)).map(({ check, status }) => `${check} ${status}`);
}

test.runIf(IS_PROOF)(
  'with a token that can only run, the test run is ended by a signal, and the report says so',
  async () => {
    const { code, report, printed } = await doctor('doctor-machine', environment().machineToken);
    expect(statuses(report, /^(settings|token|way|rights|trial)/)).toEqual([
      'settings.file ok',
      'settings.url ok',
      'settings.machine ok',
      'token.file ok',
      'way.tcp ok',
      'way.https ok',
      'way.upgrade ok',
      'way.round_trip ok',
      'rights.scopes ok',
      'trial.start ok',
      'trial.kill note',
      'trial.end ok',
      'trial.stored ok',
    ]);
    // This machine may have something else to mend.
    expect(code).toBe(report.problems === 0 ? 0 : 1);
    expect(printed).not.toContain(environment().machineToken);
    const [run] = (await environment().operator.runs({ job: 'doctor-machine' })).filter(
      ({ state }) => state !== 'running',
    );
    expect(run).toMatchObject({ state: 'failed', reason: 'local_signal', exit_code: 143 });
  },
);

test('with a token that can kill, the test run is killed through the control plane', async () => {
  const token = await environment().admin.createToken({ name: 'doctor', scopes: ['run', 'kill'], jobs: 'doctor-*' });
  const { report } = await doctor('doctor-killed', token.secret);
  expect(statuses(report, /^(rights|trial)/)).toEqual([
    'rights.scopes warning',
    'trial.start ok',
    'trial.kill ok',
    'trial.end ok',
    'trial.stored ok',
  ]);
  const [run] = await environment().operator.runs({ job: 'doctor-killed' });
  expect(run).toMatchObject({ state: 'killed', exit_code: 143 });
});
