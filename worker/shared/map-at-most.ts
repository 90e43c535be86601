/** Maps the items with at most so many calls under way at once, in order of the items. */
export async function mapAtMost<Item, Result>(
  atOnce: number,
  items: readonly Item[],
  call: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = items.entries();
  const work = async () => {
    for (const [index, item] of waiting) results[index] = await call(item);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}
