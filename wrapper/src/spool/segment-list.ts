/** The files of a run's output, in the order of their offsets. */
import { readdir, realpath, symlink, unlink } from 'node:fs/promises';
import path from 'node:path';

export interface Segment {
  readonly path: string;
  /** Of two that start at the same offset the one with the higher number is the newer. */
  readonly number: number;
  /** The offset of its first byte; it reaches at most to the start of the next. */
  readonly start: number;
  /** Bytes of the file that may be read: what has been written whole, or all when another process wrote it. */
  size: number;
  /** Bytes of output in it, as far as this process wrote them. */
  outputBytes: number;
}

/** A run's output that is on disk already before more of it is written. */
export interface SpoolContents {
  readonly segments: SegmentList;
  /** Where the last of it ends. */
  readonly end: number;
}

/** The target is on a disk that could not be written any more, and may be gone by now. */
function resolveLink(link: string): Promise<string | null> {
  return realpath(link).catch(() => null);
}

/** Bytes of output in a segment that lie at or after `offset`, as far as this process wrote them. */
export function outputBytesFrom({ start, outputBytes }: Segment, offset: number): number {
  return Math.max(0, outputBytes - Math.max(0, offset - start));
}

/** `out-<number>-<start>`; both with leading zeros, so that `ls` shows them in order. */
const NAME = /^out-(\d{8})-(\d{15})$/;

export class SegmentList {
  readonly #segments: Segment[] = [];
  /** How many of the first are the head; null while that is open. */
  #head: number | null = null;

  /** The segments in a directory. Other files are ignored; sizes are not looked up. Throws when it can't be read. */
  static async ofDirectory(directory: string): Promise<SegmentList> {
    const list = new SegmentList();
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const { name } = entry;
      const match = NAME.exec(name);
      if (match === null) continue;
      const given = path.join(directory, name);
      const file = entry.isSymbolicLink() ? await resolveLink(given) : given;
      if (file === null) continue;
      const [, number, start] = match;
      list.#segments.push({
        path: file,
        number: Number(number),
        start: Number(start),
        size: Number.POSITIVE_INFINITY,
        outputBytes: 0,
      });
    }
    list.#segments.sort((a, b) => a.start - b.start || a.number - b.number);
    return list;
  }

  [Symbol.iterator](): IterableIterator<Segment> {
    return this.#segments.values();
  }

  at(index: number): Segment | undefined {
    return this.#segments.at(index);
  }

  /** Bytes of all files. */
  totalSize(): number {
    return this.#sizeOfFirst(this.#segments.length);
  }

  /** Adds a file at the end; it starts where the output so far ends. */
  addLast(directory: string, number: number, start: number): Segment {
    const name = `out-${String(number).padStart(8, '0')}-${String(start).padStart(15, '0')}`;
    const segment = { path: path.join(directory, name), number, start, size: 0, outputBytes: 0 };
    this.#segments.push(segment);
    return segment;
  }

  remove(segment: Segment): void {
    const index = this.#segments.indexOf(segment);
    if (index < 0) return;
    this.#segments.splice(index, 1);
    if (this.#head !== null && index < this.#head) this.#head -= 1;
  }

  /** Removes the segments without output at or after `offset`, where `end` is the end of the last one. */
  removeBefore(offset: number, end: number): Segment[] {
    let count = 0;
    while (count < this.#segments.length && (this.#segments[count + 1]?.start ?? end) <= offset) count += 1;
    if (this.#head !== null) this.#head = Math.max(0, this.#head - count);
    return this.#segments.splice(0, count);
  }

  /**
   * Removes the oldest segment that neither belongs to the head nor is the last. The head is what fits into `headBytes`.
   * Once something after the head has been removed, the head does not grow, or one gap would become many, until half of
   * it is gone.
   */
  removeOldestAfterHead(headBytes: number): Segment | null {
    const stays = this.#head !== null && this.#sizeOfFirst(this.#head) >= headBytes / 2;
    const head = stays && this.#head !== null ? this.#head : this.#countWithin(headBytes);
    if (head >= this.#segments.length - 1) return null;
    this.#head = head;
    return this.#segments.splice(head, 1)[0] ?? null;
  }

  #countWithin(bytes: number): number {
    let count = 0;
    while (count < this.#segments.length && this.#sizeOfFirst(count + 1) <= bytes) count += 1;
    return count;
  }

  #sizeOfFirst(count: number): number {
    return this.#segments.slice(0, count).reduce((sum, each) => sum + each.size, 0);
  }

  /** The last one that starts at or before `offset`, and where the one after it starts (`end` when none does). */
  find(offset: number, end: number): { readonly segment: Segment | null; readonly to: number } {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#segments[middle]?.start ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return { segment: this.#segments[low - 1] ?? null, to: Math.min(this.#segments[low]?.start ?? end, end) };
  }
}

/** Never fails: a file that can't be deleted now is deleted with the directory. */
export async function deleteSegment({ path: file }: Segment): Promise<void> {
  await unlink(file).catch(() => {});
}

/** Links the segments of one directory into another. Never fails: what can't be linked is missing. */
export async function linkSegments(from: string, to: string): Promise<void> {
  const segments = await SegmentList.ofDirectory(from).catch(() => new SegmentList());
  for (const { path: file } of segments) await symlink(file, path.join(to, path.basename(file))).catch(() => {});
}
