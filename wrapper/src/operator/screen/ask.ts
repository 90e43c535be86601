/** Asks the operator a question that is answered by yes or no. */
import { createInterface } from 'node:readline';

export type Answer = 'yes' | 'no' | 'interrupted';

/** Whether there is somebody to ask. The question is written to stderr: stdout may be a file. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Everything but `y` and `yes` is a no, and so is the end of the input. */
export function ask(question: string): Promise<Answer> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise((resolve) => {
    const answer = (given: Answer) => {
      resolve(given);
      lines.close();
    };
    lines.on('SIGINT', () => {
      process.stderr.write('\n');
      answer('interrupted');
    });
    lines.on('close', () => resolve('no'));
    lines.question(question, (text) => answer(/^\s*y(es)?\s*$/i.test(text) ? 'yes' : 'no'));
  });
}
