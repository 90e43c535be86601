/** Which parts of a run's output and command line are secrets. */

import { withinRunning } from '../clock/running-clock.ts';
import type { Environment } from '../config/config-file.ts';
import type { TokenSource } from '../config/control-plane.ts';
import { onTokenRead, readTokenFile } from '../config/token-file.ts';
import { compilePattern } from '../redact/patterns.ts';
import { type RedactionRules, redactionRules } from '../redact/redactor.ts';
import { secretValues } from '../redact/secrets.ts';
import type { RedactionOption } from './run-options.ts';

/** Hides whole lines. */
const EVERYTHING = /.+/g;

export interface ChosenRules {
  /** For the command's output and its command line. */
  readonly rules: RedactionRules;
  /** For our own lines: a faulty setting must not hide the line that reports it. */
  readonly ownRules: RedactionRules;
  /** A line for a person, or null. */
  readonly problem: string | null;
}

/** How long the supervision of a running command waits until the token can be hidden. */
const TOKEN_WAIT_MS = 250;

/**
 * @param environment the command's
 * @param token our own, which the command may print if it can read it; for one in a file see `hideTokenFile`
 * @param settings for `LEASH_REDACT`. If that can't be parsed, every line is hidden
 */
export function chooseRules(
  redaction: RedactionOption,
  environment: Environment,
  token: TokenSource | null,
  settings: Environment,
): ChosenRules {
  if (redaction.kind === 'off') return chosen(redactionRules([]));
  const values = secretValues(environment, token?.kind === 'value' ? [token.token] : []);
  const named = redactionRules(values, redaction.patterns);
  const everywhere = settings.LEASH_REDACT ?? '';
  if (everywhere === '') return chosen(named);
  const compiled = compilePattern(everywhere);
  switch (compiled.kind) {
    case 'compiled':
      // A successor already has it from the run's record.
      if (redaction.patterns.some(({ source }) => source === compiled.pattern.source)) return chosen(named);
      return chosen(redactionRules(values, [...redaction.patterns, compiled.pattern]));
    case 'invalid':
      return {
        rules: redactionRules(values, [EVERYTHING]),
        ownRules: named,
        problem: `LEASH_REDACT: ${compiled.why}; until it is corrected, every line of output is hidden on the dashboard`,
      };
  }
}

function chosen(rules: RedactionRules): ChosenRules {
  return { rules, ownRules: rules, problem: null };
}

/**
 * Hides the token that is in a file as soon as it has been read, and each token that replaces it later.
 *
 * @returns resolves when the token is known, or the file can't be read in TOKEN_WAIT_MS: then the command, which runs as the
 *   same user, can't print it either
 */
export async function hideTokenFile(
  { rules, ownRules }: ChosenRules,
  redaction: RedactionOption,
  token: TokenSource | null,
): Promise<void> {
  if (redaction.kind === 'off' || token?.kind !== 'file') return;
  onTokenRead(token.path, (text) => {
    const values = secretValues({}, [text]);
    for (const each of new Set([rules, ownRules])) each.addValues(values);
  });
  const isRead = readTokenFile(token.path).then(
    () => {},
    // The link reads it again, and reports the error.
    () => {},
  );
  await withinRunning(isRead, TOKEN_WAIT_MS, undefined);
}
