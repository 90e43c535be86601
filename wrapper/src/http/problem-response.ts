/** Reads the problem document in a response, such as that to a refused WebSocket upgrade. */
import type { IncomingMessage } from 'node:http';
import { Problem } from '#protocol/problem';
import { parseJson } from './json.ts';

const MAX_PROBLEM_CHARS = 8_192;

/** `done` is called once, within a second, whatever the peer sends; with null if it isn't a problem document. */
export function readProblem(response: IncomingMessage, done: (problem: Problem | null) => void): void {
  let body = '';
  let isDone = false;
  const finish = () => {
    if (isDone) return;
    isDone = true;
    clearTimeout(timer);
    done(problemIn(body));
  };
  const timer = setTimeout(finish, 1_000);
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    body += text;
    if (body.length > MAX_PROBLEM_CHARS) finish();
  });
  response.on('close', finish);
  response.on('error', finish);
}

/** The problem document of a control plane; null for anything else. */
export function problemIn(body: string): Problem | null {
  return parseJson(Problem, body);
}
