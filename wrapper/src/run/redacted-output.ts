/** Redacts what the command prints on its way to the control plane. */
import type { StreamName } from '#protocol/output-frame';
import type { HeldBytes } from '../journal/run-journal.ts';
import { type RedactionRules, Redactor } from '../redact/redactor.ts';

/**
 * Redacts the command's output and passes it on. Never throws: a fault ends the recording, because output that isn't
 * redacted must not leave the machine, but not the reading, which the command waits for.
 */
export class RedactedOutput {
  readonly #redactors: Readonly<Record<StreamName, Redactor>>;
  readonly #onFault: (error: unknown) => void;
  readonly #onHeld: (held: HeldBytes) => void;
  #hasFailed = false;

  /**
   * @param record is given bytes that are valid only during the call
   * @param onFault is called once at most
   * @param onHeld is given what is held back, because it might become a secret: views, valid only during the call
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

  /** Continues from what another recording held back. */
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

  /** No more output follows: passes on what was held back because it might have become a secret. */
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
