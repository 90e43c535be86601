/** Sizes as people write them on a command line. */
import { KIB, MIB } from '#protocol/limits';

const FORM = /^(\d+(?:\.\d+)?)([kmg])?(?:i?b)?$/i;
const UNIT_BYTES: Readonly<Record<string, number>> = { k: KIB, m: MIB, g: 1024 * MIB };

/**
 * Reads `64M`, `64MiB`, `1.5g` or `65536`; a bare number is bytes, units are powers of 1024.
 *
 * @returns bytes, whole; null when `text` isn't a size
 */
export function parseSize(text: string): number | null {
  const match = FORM.exec(text);
  if (match === null) return null;
  const unit = match[2] === undefined ? 1 : (UNIT_BYTES[match[2].toLowerCase()] ?? 1);
  const bytes = Math.ceil(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : null;
}
