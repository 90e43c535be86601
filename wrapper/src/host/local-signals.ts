/** Signals to the wrapper itself from its own machine, which are meant for the command. */
import os from 'node:os';

/**
 * These end the run: by default each terminates a process. The alarm of `perl -e 'alarm 15; exec @ARGV'` and the SIGXCPU of
 * a CPU limit would otherwise end the wrapper alone.
 *
 * Not included are the signals of a fault in the process itself (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS): after a
 * handler the same fault may occur again, endlessly. Real-time signals have no names in Node. Node ignores SIGPIPE and
 * SIGXFSZ.
 */
const TERMINATING = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGABRT',
  'SIGALRM',
  'SIGXCPU',
  'SIGVTALRM',
  'SIGPROF',
  'SIGIO',
  'SIGPWR',
  'SIGSTKFLT',
] as const;
/** These are forwarded and change nothing. Without a handler, the first opens Node's debugger and the second ends it. */
const FORWARDED = ['SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;

export type TerminatingSignal = (typeof TERMINATING)[number];
export type ForwardedSignal = (typeof FORWARDED)[number];

export type LocalSignal =
  | { readonly kind: 'end'; readonly signal: TerminatingSignal }
  | { readonly kind: 'pass_on'; readonly signal: ForwardedSignal }
  /** Ctrl-Z: stops the command, and us with it, so that the shell returns. */
  | { readonly kind: 'stop' };

/**
 * Catches the signals that would end the wrapper. Create it before the command is started: a signal in between would leave
 * the command unsupervised. Signals that arrive before there is a handler are queued for it.
 */
export class LocalSignals {
  readonly #early: LocalSignal[] = [];
  #handle: (signal: LocalSignal) => void = () => {};

  /** @param ignored numbers of the signals that were ignored when the wrapper was started (`nohup`): they stay ignored */
  constructor(ignored: readonly number[]) {
    this.queue();
    const listen = (name: NodeJS.Signals, what: LocalSignal) => {
      const isIgnored = ignored.includes(os.constants.signals[name]);
      // Node has reset them all: a listener that does nothing ignores the signal again.
      process.on(name, isIgnored ? () => {} : () => this.#handle(what));
    };
    for (const signal of TERMINATING) {
      // The ticks of V8's profiler would end the run.
      if (signal !== 'SIGPROF' || !isProfiled()) listen(signal, { kind: 'end', signal });
    }
    for (const signal of FORWARDED) listen(signal, { kind: 'pass_on', signal });
    listen('SIGTSTP', { kind: 'stop' });
  }

  /** Replaces the handler. */
  setHandler(handle: (signal: LocalSignal) => void): void {
    this.#handle = handle;
    for (const signal of this.#early.splice(0)) handle(signal);
  }

  /** Queues signals again, until there is a handler. */
  queue(): void {
    this.#handle = (signal) => {
      this.#early.push(signal);
    };
  }

  /** The same while there is no command, when only a terminating signal has an effect. */
  onTerminate(end: (signal: TerminatingSignal) => void): void {
    this.setHandler((signal) => {
      if (signal.kind === 'end') end(signal.signal);
      // Ctrl-Z, while a pager still shows what the command has printed.
      else if (signal.kind === 'stop') process.kill(process.pid, 'SIGSTOP');
    });
  }
}

function isProfiled(): boolean {
  return [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((options) => options.includes('-prof'));
}
