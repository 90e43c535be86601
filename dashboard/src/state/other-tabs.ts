/** The tabs of a browser share one session: who signs in or out in one of them does so in all. */

const CHANNEL = 'leash.session';

export function notifyOtherTabs(): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage('changed');
  channel.close();
}

export function listenToOtherTabs(changed: () => void): void {
  new BroadcastChannel(CHANNEL).onmessage = changed;
}
