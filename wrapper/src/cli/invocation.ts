/** What the words after `leash` ask for, as far as that can be said without loading a subcommand. */
import { findSubcommand, type RegisteredSubcommand } from './registry.ts';

export type Invocation =
  /** Help on `subcommand`; null: on leash itself. */
  | { readonly kind: 'help'; readonly subcommand: RegisteredSubcommand | null }
  | { readonly kind: 'version' }
  | { readonly kind: 'subcommand'; readonly subcommand: RegisteredSubcommand; readonly argv: readonly string[] }
  | { readonly kind: 'unknown'; readonly word: string };

export function readInvocation([first, ...rest]: readonly string[]): Invocation {
  switch (first) {
    case undefined:
    case '--help':
    case '-h':
    case 'help':
      return { kind: 'help', subcommand: findSubcommand(rest[0]) };
    case '--version':
    case '-V':
      return { kind: 'version' };
    default: {
      const subcommand = findSubcommand(first);
      return subcommand === null ? { kind: 'unknown', word: first } : { kind: 'subcommand', subcommand, argv: rest };
    }
  }
}
