/** `leash __complete -- WORDS`: what may stand where the cursor is. For the scripts of `leash completion`. */
import { Job, type Run } from '#protocol/api';
import { LIVE_STATES } from '#protocol/run-state';
import { ApiClient } from '../../operator/api-client.ts';
import { listInStates } from '../../operator/list-runs.ts';
import { readOperatorSettings } from '../../operator/settings.ts';
import { type Candidate, complete, completionText, type Names } from '../completion/complete.ts';
import { SUBCOMMANDS } from '../registry.ts';
import { defineSubcommand, type Program } from '../subcommand.ts';

/** Somebody waits at a prompt. */
const LIMIT_MS = 1_000;
/** More than anybody reads. */
const MAX_NAMES = 1_000;

export const subcommand = defineSubcommand({
  help: 'leash __complete: for the scripts of leash completion only.\n',
  parse: (argv) => argv.slice(argv[0] === '--' ? 1 : 0),
  run: async (words, program) => {
    const completion = await complete(words, { subcommands: SUBCOMMANDS, names: namesOf(program) });
    process.stdout.write(completionText(completion));
    return 0;
  },
});

/** Whatever fails, there are just no names: an error has no place at a prompt. */
function namesOf({ env, version }: Program): Names {
  const read = async (
    list: (api: ApiClient, signal: AbortSignal) => AsyncIterable<Candidate>,
  ): Promise<Candidate[]> => {
    const names = new Map<string, Candidate>();
    try {
      const settings = await readOperatorSettings({ url: null, tokenFile: null }, env);
      const api = new ApiClient({ settings, version });
      for await (const candidate of list(api, AbortSignal.timeout(LIMIT_MS))) {
        names.set(candidate.text, candidate);
        if (names.size >= MAX_NAMES) break;
      }
      api.close();
    } catch {
      // Not signed in, out of reach, too slow: what there is has to do.
    }
    return [...names.values()];
  };
  return {
    jobs: () => read(jobs),
    machines: () => read((api, signal) => openRuns(api, signal, ({ machine }) => ({ text: machine, description: '' }))),
    runs: () =>
      read((api, signal) =>
        openRuns(api, signal, ({ id, job, machine }) => ({ text: id, description: `${job} on ${machine}` })),
      ),
  };
}

async function* jobs(api: ApiClient, signal: AbortSignal): AsyncGenerator<Candidate> {
  for await (const { value } of api.list(Job, 'jobs', { path: '/jobs', signal, isImpatient: true })) {
    yield { text: value.name, description: value.running_count > 0 ? `${value.running_count} running` : '' };
  }
}

async function* openRuns(
  api: ApiClient,
  signal: AbortSignal,
  candidateOf: (run: Run) => Candidate,
): AsyncGenerator<Candidate> {
  const call = { signal, isImpatient: true };
  for await (const { value } of listInStates(api, LIVE_STATES, call)) yield candidateOf(value);
}
