/** Waits until a probe finds something, and fails with the reason when it does not. */
export async function until<Found>(
  what: string,
  probe: () => Found | null | undefined | false | Promise<Found | null | undefined | false>,
) {
  // The runtime's own clock stands still while a test pretends that time passes: count tries instead.
  for (let attempt = 0; attempt < 500; attempt++) {
    const found = await probe();
    if (found !== null && found !== undefined && found !== false) return found;
    await scheduler.wait(10);
  }
  throw new Error(`waited in vain for ${what}`);
}
