/**
 * The secret of a token: `leash_`, 43 random characters (256 bits), and 6 of a checksum.
 *
 * The prefix lets secret scanners find one that leaked; the checksum lets them tell it from an example. Only letters and
 * digits, so that a double click selects all of it.
 */
import { randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const PREFIX = 'leash_';
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_CHARS = 43;
const CHECKSUM_CHARS = 6;

export function newSecret(): string {
  const random = Array.from({ length: RANDOM_CHARS }, () => DIGITS[randomInt(DIGITS.length)]).join('');
  return PREFIX + random + checksum(random);
}

/** CRC-32 of the random characters, in base 62, most significant digit first. */
function checksum(random: string): string {
  let rest = crc32(random);
  let digits = '';
  for (let position = 0; position < CHECKSUM_CHARS; position++) {
    digits = DIGITS[rest % DIGITS.length] + digits;
    rest = Math.floor(rest / DIGITS.length);
  }
  return digits;
}
