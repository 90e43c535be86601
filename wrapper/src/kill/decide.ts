/**
 * Ending a run: decides what to do when, without doing it.
 *
 * An operator's kill, the run's own limits and a local signal are carried out in the same way: a first signal to the whole
 * process tree, the grace, then SIGKILL to whatever is left of the *tree* until nothing is. The leader's exit decides
 * nothing, except that an exit before any signal was sent counts.
 */
import type { AppliedKill, Killing } from '#protocol/wrapper-link';

/** How long something that the command left behind may hold a pipe open after the command's exit. */
export const LINGER_MS = 2_000;

/** Why a run is to end. */
export type Cause =
  | { readonly kind: 'operator'; readonly kill: string }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'idle_timeout' }
  | { readonly kind: 'memory_limit' }
  | { readonly kind: 'cpu_limit' }
  | { readonly kind: 'offline_limit' }
  | { readonly kind: 'local_signal' }
  /** The command has exited, and what it has left running is not to stay (`--leftovers kill`). */
  | { readonly kind: 'leftovers' };

export interface EndRequest {
  readonly cause: Cause;
  readonly signal: string;
  readonly graceMs: number;
  /** Whether related processes are to be ended, too. */
  readonly includeRelated?: boolean;
  /** When an operator's kill was received (performance.now()), to tell how long it took. */
  readonly receivedAt?: number;
}

export type CauseKind = Cause['kind'];

/** How far a run is on its way out. Moments are the run's age in ms. */
export type Stage =
  | { readonly kind: 'running' }
  /** The command exited before any signal was sent. */
  | { readonly kind: 'exited' }
  /** The first signal was sent; SIGKILL follows at `killAt`. */
  | { readonly kind: 'term'; readonly reason: CauseKind; readonly killAt: number }
  /** SIGKILL was sent, and is sent again until nothing is left or it is `giveUpAt`. */
  | { readonly kind: 'kill'; readonly reason: CauseKind; readonly giveUpAt: number }
  | {
      readonly kind: 'gone';
      readonly reason: CauseKind;
      readonly survivors: readonly number[];
      /** Whether there are others whose pids are not known, or for which the list has no room. */
      readonly unnamedSurvivors: boolean;
    };

/** The last step that was reported for one request. */
export type RequestProgress = Omit<AppliedKill, 'kill'> & { readonly cause: Cause };

export interface Termination {
  readonly stage: Stage;
  /** Every signal sent so far except SIGKILL: a repeat is not sent again. */
  readonly sent: readonly string[];
  /** The last progress of each request, oldest first; operators' kills each, own causes one per kind. */
  readonly progress: readonly RequestProgress[];
  /** Since when something that no look shows has held the command's output; null while nothing does. */
  readonly heldUnseenSince: number | null;
  /** Whether related processes are ended, too: once somebody has asked for that. */
  readonly includesRelated: boolean;
}

export type Action =
  /** From now on related processes are ended, too. */
  | { readonly kind: 'include_related' }
  /** To each process these, in this order. */
  | { readonly kind: 'signal'; readonly signals: readonly string[] }
  /** Read what is in the pipes, so that their end is noticed. */
  | { readonly kind: 'drain' }
  | { readonly kind: 'report'; readonly killing: Killing };

export interface Decision {
  readonly next: Termination;
  readonly actions: readonly Action[];
}

/** What can happen. */
export type TerminationEvent =
  | { readonly kind: 'requested'; readonly request: EndRequest }
  /** The command's own process has ended. */
  | { readonly kind: 'leader_exited' }
  | Look
  /** It could not be looked at; `members` are those of the last look. Nothing is known to be gone. */
  | { readonly kind: 'not_looked'; readonly members: readonly number[] };

/** A look at the process tree. */
export interface Look {
  readonly kind: 'looked';
  /** Its living members. */
  readonly members: readonly number[];
  /** Whether the leader's exit has been seen. */
  readonly leaderCollected: boolean;
  /** Whether the command's output is held open, and by none of the members. */
  readonly isHeldUnseen: boolean;
}

/** How long SIGKILL is repeated before survivors are reported. */
export const SIGKILL_REPEAT_MS = 5_000;
/** As many as a message may list. */
export const MAX_SURVIVORS = 64;
/** A control plane gone mad must not fill the memory; more kills than this are never under way at once. */
const MAX_REMEMBERED = 200;

export const NOT_ENDING: Termination = {
  stage: { kind: 'running' },
  sent: [],
  progress: [],
  heldUnseenSince: null,
  includesRelated: false,
};

/** The next state and what to do, in order. `now` is the run's age in ms. */
export function decide(state: Termination, event: TerminationEvent, now: number): Decision {
  switch (event.kind) {
    case 'requested':
      return onRequest(state, event.request, now);
    case 'leader_exited':
      return state.stage.kind === 'running' ? unchanged({ ...state, stage: { kind: 'exited' } }) : unchanged(state);
    case 'looked':
      return isUnderWay(state.stage) ? onLook(state, state.stage.reason, event, now) : unchanged(state);
    case 'not_looked':
      return continueKill(state, event.members, now, true);
  }
}

/** Whether the end is under way, so that the tree must be looked at even if nothing happens. */
export function isUnderWay(stage: Stage): stage is Extract<Stage, { kind: 'term' | 'kill' }> {
  return stage.kind === 'term' || stage.kind === 'kill';
}

/** The operators' kills with their last progress, as `start` and `complete` carry them. */
export function appliedKills(state: Termination): AppliedKill[] {
  return state.progress.flatMap(({ cause, ...progress }) =>
    cause.kind === 'operator' ? [{ kill: cause.kill, ...progress }] : [],
  );
}

function onRequest(state: Termination, request: EndRequest, now: number): Decision {
  const known = state.progress.find((each) => isSameKill(each.cause, request.cause));
  if (known !== undefined) return { next: state, actions: report(known) };
  switch (state.stage.kind) {
    case 'running':
      return including(state, request, (next) => startKill(next, request, now));
    case 'term': {
      const { stage } = state;
      return including(state, request, (next, isNew) => shortenGrace(next, stage, request, isNew, now));
    }
    case 'kill': {
      const { stage } = state;
      return including(state, request, (next, isNew) =>
        reportStep(
          // Whoever has just been included gets as much time as the others had.
          isNew ? { ...next, stage: { ...stage, giveUpAt: now + SIGKILL_REPEAT_MS } } : next,
          request.cause,
          stepAt('kill', 'SIGKILL', now),
        ),
      );
    }
    case 'exited':
      if (request.cause.kind === 'leftovers') return startKill(state, request, now);
      return refuse(state, request.cause, now);
    case 'gone':
      return refuse(state, request.cause, now);
  }
}

function refuse(state: Termination, cause: Cause, now: number): Decision {
  // A limit or a local signal that comes too late needs no answer.
  if (cause.kind !== 'operator') return unchanged(state);
  return reportStep(state, cause, stepAt('refused', null, now));
}

/**
 * Includes related processes, if that is asked for, before any process is signalled.
 *
 * @param then is given whether that is new
 */
function including(
  state: Termination,
  { includeRelated = false }: EndRequest,
  then: (next: Termination, isNew: boolean) => Decision,
): Decision {
  if (!includeRelated || state.includesRelated) return then(state, false);
  const { next, actions } = then({ ...state, includesRelated: true }, true);
  return { next, actions: [{ kind: 'include_related' }, ...actions] };
}

function startKill(state: Termination, request: EndRequest, now: number): Decision {
  const reason = request.cause.kind;
  if (request.signal === 'SIGKILL') return escalate(addRequest(state, request, now), reason, now);
  const first = reportStep(
    { ...addRequest(state, request, now), stage: { kind: 'term', reason, killAt: now + request.graceMs } },
    request.cause,
    stepAt('term', request.signal, now),
  );
  return andThen({ next: first.next, actions: [firstSignal(request.signal), ...first.actions] }, (next) =>
    request.graceMs === 0 ? escalate(next, reason, now) : unchanged(next),
  );
}

/** A further request while the grace of the first is running: it can bring SIGKILL nearer, never push it away. */
function shortenGrace(
  state: Termination,
  stage: Extract<Stage, { kind: 'term' }>,
  request: EndRequest,
  areOthersIncluded: boolean,
  now: number,
): Decision {
  const added = addRequest(state, request, now);
  const killAt = request.signal === 'SIGKILL' ? now : Math.min(stage.killAt, now + request.graceMs);
  const moved: Termination = { ...added, stage: { ...stage, killAt } };
  if (request.signal === 'SIGKILL') return escalate(moved, stage.reason, now);
  const reported = reportStep(moved, request.cause, stepAt('term', request.signal, now));
  // A second Ctrl-C means something to many programs; a second SIGTERM from another operator is the same wish again.
  const resend = request.cause.kind === 'local_signal' || areOthersIncluded || !state.sent.includes(request.signal);
  return andThen(
    { next: reported.next, actions: [...(resend ? [firstSignal(request.signal)] : []), ...reported.actions] },
    (next) => (killAt <= now ? escalate(next, stage.reason, now) : unchanged(next)),
  );
}

/**
 * `gone` is reported only once nothing holds the output any more: a process that holds it and that no look shows is one
 * that could not be ended. A pipe ends with the last process that holds it, but we may hear of that a moment later.
 */
function onLook(state: Termination, reason: CauseKind, look: Look, now: number): Decision {
  const { members, leaderCollected } = look;
  const heldUnseenSince = leaderCollected && look.isHeldUnseen ? (state.heldUnseenSince ?? now) : null;
  const seen: Termination = { ...state, heldUnseenSince };
  const drain: Action[] = state.heldUnseenSince === null && heldUnseenSince !== null ? [{ kind: 'drain' }] : [];
  const isNobodySeen = members.length === 0 && leaderCollected;
  if (isNobodySeen && heldUnseenSince === null) return finish(seen, reason, [], false, now);
  if (isNobodySeen && hasLingered(seen, now)) return finish(seen, reason, [], true, now);
  // There is no process to signal: a grace that ends meanwhile changes nothing.
  if (isNobodySeen) return { next: seen, actions: drain };
  const { next, actions } = continueKill(seen, members, now, members.length > 0);
  return { next, actions: [...drain, ...actions] };
}

function hasLingered({ heldUnseenSince }: Termination, now: number): boolean {
  return heldUnseenSince !== null && now - heldUnseenSince >= LINGER_MS;
}

/** @param perhapsAlive whether there may be someone to signal */
function continueKill(state: Termination, members: readonly number[], now: number, perhapsAlive: boolean): Decision {
  const { stage } = state;
  if (!isUnderWay(stage)) return unchanged(state);
  if (stage.kind === 'term') return now >= stage.killAt ? escalate(state, stage.reason, now) : unchanged(state);
  if (now >= stage.giveUpAt) {
    // Nobody is seen, and yet it is not known to be over: no look was possible, or the command has not been collected.
    const isUnknown = members.length === 0;
    return finish(state, stage.reason, members, isUnknown || hasLingered(state, now), now);
  }
  // What forked while the signal went round has not got it.
  return perhapsAlive ? { next: state, actions: [{ kind: 'signal', signals: ['SIGKILL'] }] } : unchanged(state);
}

function escalate(state: Termination, reason: CauseKind, now: number): Decision {
  const reported = reportStepToAll(
    { ...state, stage: { kind: 'kill', reason, giveUpAt: now + SIGKILL_REPEAT_MS } },
    stepAt('kill', 'SIGKILL', now),
  );
  return { next: reported.next, actions: [{ kind: 'signal', signals: ['SIGKILL'] }, ...reported.actions] };
}

function finish(
  state: Termination,
  reason: CauseKind,
  members: readonly number[],
  areOthersLeft: boolean,
  now: number,
): Decision {
  const survivors = members.slice(0, MAX_SURVIVORS);
  const unnamedSurvivors = areOthersLeft || members.length > MAX_SURVIVORS;
  return reportStepToAll(
    { ...state, stage: { kind: 'gone', reason, survivors, unnamedSurvivors } },
    { phase: 'gone', signal: null, at_ms: now, survivors, unnamed_survivors: unnamedSurvivors },
  );
}

/** A stopped process gets its signal only when it goes on. */
function firstSignal(signal: string): Action {
  return { kind: 'signal', signals: [signal, 'SIGCONT'] };
}

type Step = Omit<RequestProgress, 'cause'>;

/** A step that has no survivors to report. */
function stepAt(phase: Step['phase'], signal: string | null, now: number): Step {
  return { phase, signal, at_ms: now, survivors: [], unnamed_survivors: false };
}

function addRequest(state: Termination, request: EndRequest, now: number): Termination {
  const sent = state.sent.includes(request.signal) ? state.sent : [...state.sent, request.signal];
  const first = stepAt('term', request.signal, now);
  return { ...state, sent, progress: withProgress(state.progress, { cause: request.cause, ...first }) };
}

function reportStep(state: Termination, cause: Cause, step: Step): Decision {
  const progress: RequestProgress = { cause, ...step };
  return { next: { ...state, progress: withProgress(state.progress, progress) }, actions: report(progress) };
}

/** Reports to each request; those that came too late have been refused already. */
function reportStepToAll(state: Termination, step: Step): Decision {
  const progress = state.progress.map((each) => (each.phase === 'refused' ? each : { cause: each.cause, ...step }));
  return {
    next: { ...state, progress },
    actions: progress.filter((each) => each.phase !== 'refused').flatMap(report),
  };
}

function withProgress(all: readonly RequestProgress[], one: RequestProgress): RequestProgress[] {
  return [...all.filter((each) => !isSameCause(each.cause, one.cause)), one].slice(-MAX_REMEMBERED);
}

/** The end of leftovers is no step of ending the run: the completion says what was ended, and what has survived. */
function report({ cause, ...progress }: RequestProgress): Action[] {
  if (cause.kind === 'leftovers') return [];
  const kill = cause.kind === 'operator' ? cause.kill : null;
  return [{ kind: 'report', killing: { type: 'killing', kill, reason: cause.kind, ...progress } }];
}

function isSameKill(one: Cause, other: Cause): boolean {
  return one.kind === 'operator' && isSameCause(one, other);
}

function isSameCause(one: Cause, other: Cause): boolean {
  if (one.kind === 'operator' && other.kind === 'operator') return one.kill === other.kill;
  return one.kind === other.kind;
}

function unchanged(next: Termination): Decision {
  return { next, actions: [] };
}

function andThen(first: Decision, then: (next: Termination) => Decision): Decision {
  const second = then(first.next);
  return { next: second.next, actions: [...first.actions, ...second.actions] };
}
