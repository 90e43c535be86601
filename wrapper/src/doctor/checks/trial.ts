/** What the test run shows. */
import { EXIT_KILLED } from '#protocol/run-state';
import { formatDuration } from '#shared/format-duration';
import { type Finding, note, ok, problem, warning } from '../finding.ts';
import type { EndOutcome, KillOutcome, Trial } from '../trial.ts';

export function judgeTrial(trial: Trial, job: string): Finding[] {
  switch (trial.kind) {
    case 'not_connected':
      return [
        problem(
          'trial.start',
          `a run of job ${job} did not connect${trial.exitCode === null ? '' : `, and exited with ${trial.exitCode}`}: ${trial.said || 'it printed nothing'}`,
          `See what it says by itself: leash run --job ${job} --verbose -- sleep 5`,
        ),
      ];
    case 'ended':
      return [
        ok('trial.start', `a run of job ${job} started and connected in ${formatDuration(trial.connectedMs)}`),
        killFinding(trial.kill),
        ...endFindings(trial.end),
      ];
  }
}

function killFinding(kill: KillOutcome): Finding {
  switch (kill.kind) {
    case 'done':
      return ok('trial.kill', `a kill with ${kill.by} ended it within ${formatDuration(kill.ms)}`);
    case 'no_token':
      return note(
        'trial.kill',
        'no kill was sent: the token of this machine can’t kill, as it should be. A signal ended the run instead. ' +
          'To try a kill as well, use leash login first (with a token that has the scope kill), or kill the job from the dashboard.',
      );
    case 'refused':
      return warning(
        'trial.kill',
        `a kill with ${kill.by} was not accepted: ${kill.why}. A signal ended the run instead`,
        'Use leash login with a token that may kill this job.',
      );
    case 'no_effect':
      return problem(
        'trial.kill',
        `a kill with ${kill.by} was accepted, and the command kept running`,
        'Report this, with the output of leash run --verbose.',
      );
  }
}

function endFindings(end: EndOutcome): Finding[] {
  if (end.kind === 'hung') {
    return [
      problem(
        'trial.end',
        'the wrapper did not exit by itself and was killed',
        'See whether a disk hangs: the state directory, or the log file of LEASH_LOG.',
      ),
    ];
  }
  const { exitCode, isStored, isCommandGone } = end;
  return [
    isCommandGone
      ? ok(
          'trial.end',
          `the command is gone, the wrapper exited with ${exitCode}${exitCode === EXIT_KILLED ? '' : ' instead of 143'}`,
        )
      : problem(
          'trial.end',
          'the wrapper exited, but the command still runs',
          'Report this, with the output of leash run --verbose.',
        ),
    isStored
      ? ok('trial.stored', 'its output and its end are stored')
      : warning(
          'trial.stored',
          'its end was not stored in time; it waits in the state directory',
          'Run leash flush: it says what prevents that.',
        ),
  ];
}
