/** A workload as a script for `sh`, and what it prints if nobody stops it. The command writes down itself how far it has come. */
import type { OwnEnd, Step, StreamName, Workload } from './schedule.ts';
import { TRAPPED_EXIT_CODE } from './schedule.ts';

/** Printed one by one; more are printed by `seq`, in large writes. */
const MOST_SINGLE_LINES = 20;
/** For as long as no check waits: what is not ended is found alive. */
const CHILD_LIVES_SECONDS = 900;

const PREFIX: Readonly<Record<StreamName, string>> = { stdout: 'out', stderr: 'err' };

/**
 * Its one argument is the file for its notes: its pid, its cgroup, its children, each step that is done, how it will exit,
 * and again and again that it is alive.
 * What the run is called stands beside it, in FILE.env.
 */
export function commandScript(workload: Workload): string {
  const lines = [
    'notes=$1',
    'note() { echo "$*" >> "$notes"; }',
    'export -p > "$notes.env"',
    'while read -r line; do case $line in 0::*) note "cgroup $line" ;; esac; done < /proc/self/cgroup',
    ...onTerm(workload.onTerm),
    'alive() { read -r up rest < /proc/uptime; note "alive $up"; }',
    'note "pid $$"',
    'alive',
    // What the shell has to say of its children is no output of the command.
    'exec 3>&2 2>/dev/null',
    ...child(workload.child),
    ...steps(workload.steps),
    ...end(workload.end),
  ];
  return lines.join('\n');
}

function onTerm(manner: Workload['onTerm']): string[] {
  switch (manner) {
    case 'die':
      return [];
    case 'ignore':
      return ["trap '' TERM HUP"];
    case 'exit':
      return [`trap 'note "trapped ${TRAPPED_EXIT_CODE}"; exit ${TRAPPED_EXIT_CODE}' TERM HUP`];
  }
}

function child(kind: Workload['child']): string[] {
  if (kind === 'none') return [];
  const ignores = kind === 'stubborn' ? 'trap "" TERM HUP; ' : 'trap - TERM HUP; ';
  const script = `${ignores}echo "child $$" >> "$1"; exec sleep ${CHILD_LIVES_SECONDS}`;
  const output = kind === 'holding' ? '3>&-' : '>/dev/null 3>&-';
  return [
    `setsid sh -c '${script}' child "$notes" </dev/null ${output} &`,
    // The command goes on once it is there: what it leaves behind is then known.
    'until grep -q "^child" "$notes"; do sleep 0.02; done',
  ];
}

function steps(all: readonly Step[]): string[] {
  const printed: Record<StreamName, number> = { stdout: 0, stderr: 0 };
  return all.flatMap((step, index) => {
    const first = printed[step.stream] + 1;
    printed[step.stream] += step.lines;
    return [...print(step, first), `note "step ${index + 1}"`, 'alive', ...pause(step.pauseMs)];
  });
}

function print(step: Step, first: number): string[] {
  const { stream, lines, restsWithinLine } = step;
  const to = stream === 'stdout' ? '>&1' : '>&3';
  const prefix = PREFIX[stream];
  const last = first + lines - 1;
  const begun = restsWithinLine
    ? [`printf ${prefix.slice(0, 2)} ${to}`, 'sleep 0.1', `echo "${prefix.slice(2)} ${first}" ${to}`]
    : [];
  const next = restsWithinLine ? first + 1 : first;
  if (next > last) return begun;
  if (lines > MOST_SINGLE_LINES) return [...begun, `seq -f '${prefix} %.0f' ${next} ${last} ${to}`];
  return [...begun, `i=${next}; while [ $i -le ${last} ]; do echo "${prefix} $i" ${to}; i=$((i + 1)); done`];
}

function pause(ms: number): string[] {
  return ms === 0 ? [] : [`sleep ${ms / 1000}`];
}

function end(own: OwnEnd): string[] {
  switch (own.kind) {
    case 'exit':
      return [`note "exit ${own.code}"`, `exit ${own.code}`];
    case 'signal':
      return [`note "signal SIG${own.signal}"`, `kill -s ${own.signal} $$`, 'sleep 60'];
    case 'wait':
      return ['while :; do alive; sleep 1; done'];
  }
}

/** What a stream has after so many steps. */
export function printedAfter(workload: Workload, stream: StreamName, stepsDone: number): Buffer {
  const ofStream = workload.steps.slice(0, stepsDone).filter((step) => step.stream === stream);
  const lines = ofStream.reduce((sum, step) => sum + step.lines, 0);
  return Buffer.from(Array.from({ length: lines }, (_, index) => `${PREFIX[stream]} ${index + 1}\n`).join(''));
}

/** What a command has written down. */
export interface Notes {
  readonly pid: number | null;
  /** The line of `/proc/self/cgroup`. */
  readonly cgroup: string | null;
  readonly children: readonly number[];
  readonly stepsDone: number;
  /** The exit code it was about to exit with by itself. */
  readonly exit: number | null;
  /** The exit code it was about to exit with because of a signal. */
  readonly trapped: number | null;
  /** The signal it was about to send to itself. */
  readonly signal: string | null;
  /** When it was certainly alive, for the first and the last time: seconds of the machine's uptime. Null: never. */
  readonly alive: { readonly first: number; readonly last: number } | null;
}

export function readNotes(text: string): Notes {
  const all = (word: string) =>
    text.split('\n').flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
  const number = (word: string) => {
    const value = all(word).at(-1);
    return value === undefined ? null : Number(value);
  };
  const [first, ...later] = all('alive').map(Number);
  return {
    pid: number('pid'),
    cgroup: all('cgroup').at(-1) ?? null,
    children: all('child').map(Number),
    stepsDone: number('step') ?? 0,
    exit: number('exit'),
    trapped: number('trapped'),
    signal: all('signal').at(-1) ?? null,
    alive: first === undefined ? null : { first, last: later.at(-1) ?? first },
  };
}
