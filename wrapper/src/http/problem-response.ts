/** Reads the problem document in the response to a refused WebSocket upgrade. */
import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { Problem } from '#protocol/problem';

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

function problemIn(body: string): Problem | null {
  try {
    const problem = v.safeParse(Problem, JSON.parse(body));
    return problem.success ? problem.output : null;
  } catch {
    // Not JSON: it isn't from a control plane.
    return null;
  }
}
