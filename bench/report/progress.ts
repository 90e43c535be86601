/** One line on the terminal that says what is being measured; on anything else than a terminal, nothing. */
export class Progress {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  show(text: string): void {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${this.#name}: ${text} …`);
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  }
}
