/** Asks the operator at a terminal. Questions go to stderr: stdout is for the result. */
import { createInterface } from 'node:readline';
import { EXIT } from './exit-codes.ts';
import { OperatorError } from './operator-error.ts';

/** Whether there is somebody to ask. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/**
 * @returns the answer without blanks around it; empty when Enter alone was pressed, or the terminal was closed
 * @throws {OperatorError} after Ctrl-C
 */
export async function ask(question: string): Promise<string> {
  const line = await readLine(question);
  if (line === null) throw interrupted();
  return line;
}

export type Answer = 'yes' | 'no' | 'interrupted';

/** Anything but `y` and `yes` is no, and so is the end of the input. */
export async function confirm(question: string): Promise<Answer> {
  const line = await readLine(`${question} [y/N] `);
  if (line === null) return 'interrupted';
  return /^y(es)?$/i.test(line) ? 'yes' : 'no';
}

/** @returns null after Ctrl-C */
function readLine(question: string): Promise<string | null> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise((resolve) => {
    const finish = (line: string | null) => {
      resolve(line);
      terminal.close();
    };
    terminal.once('SIGINT', () => {
      process.stderr.write('\n');
      finish(null);
    });
    terminal.once('close', () => resolve(''));
    terminal.question(question, (line) => finish(line.trim()));
  });
}

function interrupted(): OperatorError {
  return new OperatorError('Interrupted.', EXIT.interrupted);
}

export type Typed =
  | { readonly kind: 'more'; readonly text: string }
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'interrupted' };

/** What has been typed at a terminal that edits no lines itself. @param data a key, or all that was pasted */
function typeInto(typed: string, data: string): Typed {
  let text = typed;
  for (const character of data) {
    switch (character) {
      case '\r':
      case '\n':
      // Ctrl-D
      case '\x04':
        return { kind: 'done', text: text.trim() };
      // Ctrl-C
      case '\x03':
        return { kind: 'interrupted' };
      // Ctrl-U
      case '\x15':
        text = '';
        break;
      case '\x7f':
      case '\b':
        text = text.slice(0, -1);
        break;
      default:
        text += character;
    }
  }
  return { kind: 'more', text };
}

/** Asks without showing what is typed. @throws {OperatorError} when it is interrupted */
export function askSecret(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  return new Promise<string>((resolve, reject) => {
    let typed: Typed = { kind: 'more', text: '' };
    const finish = () => {
      stdin.off('data', onData).off('end', finish);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      if (typed.kind === 'interrupted') reject(interrupted());
      else resolve(typed.text.trim());
    };
    const onData = (data: string) => {
      if (typed.kind === 'more') typed = typeInto(typed.text, data);
      if (typed.kind !== 'more') finish();
    };
    stdin.on('data', onData).on('end', finish);
    stdin.resume();
  });
}

const MAX_STDIN_CHARS = 64 * 1024;

/** All of stdin, without blanks around it. @throws {OperatorError} when it is too long for a token */
export async function readStdin(): Promise<string> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > MAX_STDIN_CHARS) throw new OperatorError('What stdin holds is too long for a token.');
  }
  return text.trim();
}
