/** Ids that sort by time. */
import { ulid } from 'ulid';
import { uniqueBytes } from './random-bytes.ts';

/** A new ULID. Nobody can predict it, and yet it is no secret. */
export function uniqueUlid(): string {
  return ulid(Date.now(), () => uniqueBytes(6).readUIntBE(0, 6) / 2 ** 48);
}
