/**
 * Makes a job's output safe for a terminal.
 *
 * What a job prints may hold sequences that move the cursor, rewrite what is already shown, set the window's title or have
 * the terminal type something. Colours are removed; every other control and every invisible character is shown as a mark
 * such as `<U+001B>`. Line breaks and tabs stay.
 */
import { showInvisible } from '#protocol/invisible-characters';

/** A sequence that only sets colours and the like. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it matches control characters
const COLOURS = /\u001b\[[\d;:]*m/g;
/** What may become such a sequence, or a line break of two characters, with the bytes that follow. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same
const UNFINISHED = /(?:\u001b(?:\[[\d;:]{0,32})?|\r+)$/;

/** The text of one stream of output, which arrives in chunks that may end within a character or a sequence. */
export class SafeText {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #held = '';

  /** @returns the text that is complete */
  push(bytes: Uint8Array): string {
    const text = this.#held + this.#decoder.decode(bytes, { stream: true });
    this.#held = UNFINISHED.exec(text)?.[0] ?? '';
    return safe(text.slice(0, text.length - this.#held.length));
  }

  /** @returns the rest, when nothing follows */
  end(): string {
    const text = this.#held + this.#decoder.decode();
    this.#held = '';
    return safe(text);
  }
}

/** A progress display goes back to the beginning of its line: each of its states becomes a line. */
function safe(text: string): string {
  return showInvisible(text.replace(COLOURS, '').replace(/\r+\n?/g, '\n'), '\n\t');
}
