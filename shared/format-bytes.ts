const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'];

/** An amount of bytes for people: `1 byte`, `512 bytes`, `1.5 KiB`, `64 MiB`, `256 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes === 1) return '1 byte';
  if (bytes < 1024) return `${bytes} bytes`;
  let amount = bytes / 1024;
  let unit = 0;
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${amount < 100 ? Math.round(amount * 10) / 10 : Math.round(amount)} ${UNITS[unit]}`;
}
