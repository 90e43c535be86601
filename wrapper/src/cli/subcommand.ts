/** What a file in `subcommands/` exports: one subcommand, with its help, its parsing and its entry. */

/** What every subcommand may need to know of this program. */
export interface Program {
  readonly version: string;
  /** The environment. Internal variables of leash are removed from it as they are read. */
  readonly env: NodeJS.ProcessEnv;
}

export interface Subcommand {
  /** What `--help` prints. At most 100 characters a line: it is read in terminals. */
  readonly help: string;
  /** @param argv the words after its name @throws {UsageError} for invalid arguments */
  check(argv: readonly string[]): void;
  /**
   * @param argv the words after its name
   * @returns the exit code to leave with
   * @throws {UsageError} for invalid arguments
   */
  start(argv: readonly string[], program: Program): Promise<number>;
}

export interface Definition<Options> {
  readonly help: string;
  /**
   * Reads the words after its name.
   *
   * @returns null when help is asked for
   * @throws {UsageError} for invalid arguments
   */
  readonly parse: (argv: readonly string[], env: NodeJS.ProcessEnv) => Options | null;
  /** @returns the exit code to leave with */
  readonly run: (options: Options, program: Program) => Promise<number> | number;
}

export function defineSubcommand<Options>({ help, parse, run }: Definition<Options>): Subcommand {
  return {
    help,
    check: (argv) => void parse(argv, {}),
    start: async (argv, program) => {
      const options = parse(argv, program.env);
      if (options !== null) return run(options, program);
      process.stdout.write(help);
      return 0;
    },
  };
}
