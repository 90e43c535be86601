/** How full D1 is. A full D1 accepts nothing more, and may not even answer queries: so the oldest runs leave before that. */

const WARNING_SHARE = 0.7;
const REMOVAL_SHARE = 0.8;
/** Removal stops here: if it stopped where it begins, a few new runs would start it again. */
const REMOVED_SHARE = 0.78;

export interface IndexLimits {
  /** D1 accepts nothing more. */
  readonly maxBytes: number;
  /** Admins are warned. */
  readonly warningBytes: number;
  /** The oldest ended runs leave the index. */
  readonly removalBytes: number;
  /** No more runs leave it. */
  readonly removedBytes: number;
}

export function indexLimits(maxBytes: number): IndexLimits {
  return {
    maxBytes,
    warningBytes: maxBytes * WARNING_SHARE,
    removalBytes: maxBytes * REMOVAL_SHARE,
    removedBytes: maxBytes * REMOVED_SHARE,
  };
}

/** How much D1 stores, without what is free for reuse. */
export async function indexBytes(db: D1Database): Promise<number> {
  const { meta } = await db.prepare('SELECT 1').run();
  return meta.size_after;
}
