import fs from 'node:fs';
import type { ServerOptions } from 'node:https';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { AUTHORITY } from './certificates.ts';
import { ControlPlane } from './control-plane.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** A control plane that speaks TLS, and is gone when the test is over. */
export async function securePlane(tls: ServerOptions): Promise<ControlPlane> {
  const plane = new ControlPlane();
  plane.tls = tls;
  await plane.listen();
  onTestFinished(() => plane.stop());
  return plane;
}

/** A file with the authority of the certificates for tests, or with `text`. */
export function authorityFile(text = AUTHORITY): string {
  const file = path.join(temporaryDirectory(), 'ca.pem');
  fs.writeFileSync(file, text);
  return file;
}
