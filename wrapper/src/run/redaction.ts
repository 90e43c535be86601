/** What of a run's output and command line is a secret. */
import fs from 'node:fs';
import type { Environment } from '../cli/config-file.ts';
import type { TokenSource } from '../cli/control-plane.ts';
import type { Redaction } from '../cli/run-args.ts';
import { compilePattern } from '../redact/patterns.ts';
import { type RedactionRules, redactionRules } from '../redact/redactor.ts';
import { secretValues } from '../redact/secrets.ts';

/** Hides whole lines. */
const EVERYTHING = /.+/g;

export interface ChosenRules {
  /** For the command's output and its command line. */
  readonly rules: RedactionRules;
  /** For our own lines: a fault in a setting must not hide what is said of it. */
  readonly ownRules: RedactionRules;
  /** A line for a person, or null. */
  readonly problem: string | null;
}

/**
 * @param environment the command's
 * @param token our own, which the command may print if it can read it
 * @param settings for `LEASH_REDACT`. If that can't be read, every line is hidden: what was to stay home stays home
 */
export function chooseRules(
  redaction: Redaction,
  environment: Environment,
  token: TokenSource | null,
  settings: Environment,
): ChosenRules {
  if (redaction.kind === 'off') return chosen(redactionRules([]));
  const values = secretValues(environment, tokenText(token));
  const named = redactionRules(values, redaction.patterns);
  const everywhere = settings.LEASH_REDACT ?? '';
  if (everywhere === '') return chosen(named);
  const compiled = compilePattern(everywhere);
  switch (compiled.kind) {
    case 'compiled':
      return chosen(redactionRules(values, [...redaction.patterns, compiled.pattern]));
    case 'invalid':
      return {
        rules: redactionRules(values, [EVERYTHING]),
        ownRules: named,
        problem: `LEASH_REDACT: ${compiled.why}; until it is mended every line of the command is hidden on the page`,
      };
  }
}

function chosen(rules: RedactionRules): ChosenRules {
  return { rules, ownRules: rules, problem: null };
}

function tokenText(token: TokenSource | null): string[] {
  if (token === null) return [];
  if (token.kind === 'value') return [token.token];
  try {
    return [fs.readFileSync(token.path, 'utf8').trim()];
  } catch {
    // Not there yet, or not ours to read: then the command, which runs as we do, can't print it either.
    return [];
  }
}
