/** What `leash run` was asked to do. */

import type { About } from '#protocol/about';
import type { Expected } from '#protocol/expectations';
import type { AskOptions } from '../ask/ask-options.ts';

/** What becomes of the command when the wrapper itself is killed. */
export type WrapperDeath = 'keep' | 'kill';

/** What becomes of what the command leaves running when it exits. */
export type Leftovers = 'tell' | 'kill' | 'ignore';

export interface RunOptions {
  readonly job: string;
  readonly instance: string | null;
  readonly machine: string | null;
  /** Null: no limit. */
  readonly timeoutMs: number | null;
  readonly idleTimeoutMs: number | null;
  readonly maxOfflineMs: number | null;
  /** Of all processes of the run together. */
  readonly maxMemoryBytes: number | null;
  readonly maxCpuMs: number | null;
  /** The bound of a delay before the start; null: none. */
  readonly splayMs: number | null;
  /** Null: it starts without asking. */
  readonly ask: AskOptions | null;
  /** When runs like this one are expected; null: at any time. */
  readonly expected: Expected | null;
  /** Sent first when a limit ends the command. */
  readonly signal: NodeJS.Signals;
  readonly graceMs: number;
  readonly wrapperDeath: WrapperDeath;
  /** What the launcher does when Node can't run leash: read there (launcher.sh), and here only to refuse what is neither. */
  readonly withoutWrapper: 'run' | 'refuse';
  readonly leftovers: Leftovers;
  readonly cwd: string | null;
  readonly user: string | null;
  /** Added to the command's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** One pipe for stdout and stderr. */
  readonly merge: boolean;
  /** The command's output is not passed on. */
  readonly quiet: boolean;
  readonly detach: boolean;
  readonly redaction: RedactionOption;
  /** Null: as much as the control plane keeps of a run. */
  readonly spoolLimitBytes: number | null;
  readonly url: string | null;
  readonly tokenFile: string | null;
  readonly logFile: string | null;
  readonly verbose: boolean;
  /** What the job is, as given. */
  readonly about: About;
  /** Program and arguments, at least the program. */
  readonly command: readonly [string, ...string[]];
  /** What is shown as the command: a shell's line without the shell. */
  readonly shellLine: string | null;
}

export type RedactionOption = { readonly kind: 'off' } | { readonly kind: 'on'; readonly patterns: readonly RegExp[] };
