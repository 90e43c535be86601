/**
 * The key that is meant, as shortcuts name it. Pure.
 *
 * With Caps Lock on, `k` for the previous row would be heard as `K`, and the Enter after it would answer the question for a
 * kill: there Shift alone tells whether a letter is large.
 */
export function keyOf(event: Pick<KeyboardEvent, 'key' | 'shiftKey' | 'getModifierState'>): string {
  const { key, shiftKey } = event;
  if (key.length !== 1 || !event.getModifierState('CapsLock')) return key;
  return shiftKey ? key.toUpperCase() : key.toLowerCase();
}
