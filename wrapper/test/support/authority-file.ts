import fs from 'node:fs';
import path from 'node:path';
import { AUTHORITY } from './certificates.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** A file with the authority of the certificates for tests, or with `text`. */
export function authorityFile(text = AUTHORITY): string {
  const file = path.join(temporaryDirectory(), 'ca.pem');
  fs.writeFileSync(file, text);
  return file;
}
