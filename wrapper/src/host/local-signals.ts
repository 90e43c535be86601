/** Signals to the wrapper itself, on its own machine: they are meant for the command. */
import os from 'node:os';

/**
 * These ask for the run's end: by default a process ends of each. The alarm of `perl -e 'alarm 15; exec @ARGV'` and the
 * SIGXCPU of a CPU limit would otherwise end the wrapper alone.
 *
 * Not here is what the kernel raises at a fault of the process itself (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS):
 * to return from a handler may run into the same fault again, without end. Real-time signals have no names in Node.
 * SIGPIPE and SIGXFSZ are ignored by Node.
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
/** These are passed on and change nothing. Unhandled, Node opens its debugger at the first and dies of the second. */
const FORWARDED = ['SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;

export type TerminatingSignal = (typeof TERMINATING)[number];
export type ForwardedSignal = (typeof FORWARDED)[number];

export type LocalSignal =
  | { readonly kind: 'end'; readonly signal: TerminatingSignal }
  | { readonly kind: 'pass_on'; readonly signal: ForwardedSignal }
  /** Ctrl-Z: the command is to stop, and we with it, so that the shell is back. */
  | { readonly kind: 'stop' };

/**
 * Keeps the signals that would end the wrapper from doing so. Make one before the command is started, or a signal that
 * comes in between leaves the command unsupervised. What comes before there is a handler waits for it.
 */
export class LocalSignals {
  readonly #early: LocalSignal[] = [];
  #handle = (signal: LocalSignal): void => {
    this.#early.push(signal);
  };

  /** @param ignored numbers of the signals that were ignored when the wrapper was started (`nohup`): they stay ignored */
  constructor(ignored: readonly number[]) {
    const listen = (name: NodeJS.Signals, what: LocalSignal) => {
      const isIgnored = ignored.includes(os.constants.signals[name]);
      // Node has reset them all: to ignore one means to listen and do nothing.
      process.on(name, isIgnored ? () => {} : () => this.#handle(what));
    };
    for (const signal of TERMINATING) {
      // The ticks of V8's profiler would end the run.
      if (signal !== 'SIGPROF' || !isProfiled()) listen(signal, { kind: 'end', signal });
    }
    for (const signal of FORWARDED) listen(signal, { kind: 'pass_on', signal });
    listen('SIGTSTP', { kind: 'stop' });
  }

  /** From now on `handle` is told, in the place of who was told before. */
  setHandler(handle: (signal: LocalSignal) => void): void {
    this.#handle = handle;
    for (const signal of this.#early.splice(0)) handle(signal);
  }

  /** The same once the command is over, when only an order to end means anything to us. */
  onTerminate(end: () => void): void {
    this.setHandler((signal) => {
      if (signal.kind === 'end') end();
      // Ctrl-Z, while a pager still shows what the command has printed.
      else if (signal.kind === 'stop') process.kill(process.pid, 'SIGSTOP');
    });
  }
}

function isProfiled(): boolean {
  return [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((options) => options.includes('-prof'));
}
