import { encodeTime } from 'ulid';

const TIME_CHARS = 10;
const RANDOM_CHARS = 16;

/** The lowest ULID of a time: all earlier ULIDs are lower. */
export function firstUlid(time: number): string {
  return encodeTime(Math.max(time, 0), TIME_CHARS) + '0'.repeat(RANDOM_CHARS);
}
