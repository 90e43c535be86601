/** What the bench and the processes that play its wrappers send each other. */

export interface Wrapper {
  readonly job: string;
  readonly run: string;
  readonly machine: string;
}

/** To a process: connect all of these at once, or break all links and dial again. */
export type CrowdRequest =
  | {
      readonly type: 'connect';
      readonly url: string;
      readonly tokens: readonly string[];
      readonly wrappers: readonly Wrapper[];
    }
  | { readonly type: 'reconnect' };

/** From a process. Times are `Date.now()`: it is one machine. */
export type WrapperReport =
  | { readonly type: 'started'; readonly run: string; readonly at: number }
  | { readonly type: 'kill'; readonly run: string; readonly at: number }
  /** The completion is acked: the object has the run's end, and the kill is settled. */
  | { readonly type: 'settled'; readonly run: string; readonly at: number }
  /**
   * An attempt to connect failed, or a link broke that the bench didn't break; `busy`: the control plane asked it to wait.
   */
  | { readonly type: 'failed' | 'busy'; readonly run: string; readonly reason: string };
