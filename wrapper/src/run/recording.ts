/** What the command prints, on its way to the record: without its secrets. */
import type { StreamName } from '#protocol/output-frame';
import type { HeldBytes } from '../journal/run-journal.ts';
import { type RedactionRules, Redactor } from '../redact/redactor.ts';

/**
 * Takes the command's output and hands it on redacted. Never throws: a fault on the way ends the recording, because what
 * is not redacted must not leave, but not the reading, which the command waits for.
 */
export class Recording {
  readonly #redactors: Readonly<Record<StreamName, Redactor>>;
  readonly #onFault: (error: unknown) => void;
  readonly #onHeld: (held: HeldBytes) => void;
  #hasFailed = false;

  /**
   * @param record is given bytes that are valid only during the call
   * @param onFault is called once at most
   * @param onHeld is told what is held back, because it might become a secret: views, valid only during the call
   */
  constructor(
    rules: RedactionRules,
    record: (stream: StreamName, bytes: Uint8Array) => void,
    onFault: (error: unknown) => void,
    onHeld: (held: HeldBytes) => void = () => {},
  ) {
    const redactor = (stream: StreamName) => new Redactor(rules, (bytes) => record(stream, bytes));
    this.#redactors = { stdout: redactor('stdout'), stderr: redactor('stderr') };
    this.#onFault = onFault;
    this.#onHeld = onHeld;
  }

  /** Goes on from what another one held back. */
  resume({ stdout, stderr }: HeldBytes): void {
    if (stdout.length > 0) this.write('stdout', stdout);
    if (stderr.length > 0) this.write('stderr', stderr);
  }

  /** @param bytes are read only during the call */
  write(stream: StreamName, bytes: Uint8Array): void {
    this.#guarded(() => {
      this.#redactors[stream].write(bytes);
      this.#reportHeld();
    });
  }

  /** Nothing more comes: what was held back, because it might have become a secret, goes on. */
  end(): void {
    this.#guarded(() => {
      this.#redactors.stdout.end();
      this.#redactors.stderr.end();
      this.#reportHeld();
    });
  }

  #reportHeld(): void {
    this.#onHeld({ stdout: this.#redactors.stdout.held, stderr: this.#redactors.stderr.held });
  }

  #guarded(work: () => void): void {
    if (this.#hasFailed) return;
    try {
      work();
    } catch (error) {
      this.#hasFailed = true;
      this.#onFault(error);
    }
  }
}
