/** Facts about the host of a run, for the person who looks at it. */
import fs from 'node:fs';
import os from 'node:os';
import type { Host } from '#protocol/machine-facts';

/** As long as the protocol allows. */
const MAX_USER_CHARS = 256;
const MAX_OS_CHARS = 256;
const MAX_NODE_CHARS = 64;
/** Longer than any real file, and a bound for whatever else has that name. */
const MAX_RELEASE_BYTES = 64 * 1024;

/**
 * The facts of this host. Never throws. Call it once the command has been started: it reads files.
 *
 * @param user whom the command was to run as; null for ourselves
 */
export function hostFacts(user: string | null): Host {
  return {
    user: (user ?? ownName())?.slice(0, MAX_USER_CHARS) ?? null,
    is_root: process.getuid?.() === 0,
    os: osName().slice(0, MAX_OS_CHARS),
    node: process.version.slice(0, MAX_NODE_CHARS),
  };
}

/** Our own name; a user without an entry in passwd has a number only. */
function ownName(): string | null {
  try {
    return os.userInfo().username;
  } catch {
    return process.geteuid === undefined ? null : String(process.geteuid());
  }
}

function osName(): string {
  const kernel = `${os.type()} ${os.release()} ${os.machine?.() ?? os.arch()}`;
  const distribution = os.type() === 'Linux' ? distributionName() : null;
  return distribution === null ? kernel : `${distribution}, ${kernel}`;
}

function distributionName(): string | null {
  for (const file of ['/etc/os-release', '/usr/lib/os-release']) {
    try {
      const { size } = fs.statSync(file);
      if (size === 0 || size > MAX_RELEASE_BYTES) continue;
      const name = prettyName(fs.readFileSync(file, 'utf8'));
      if (name !== null) return name;
    } catch {
      // ENOENT: os-release(5) names two places, and a container may have neither.
    }
  }
  return null;
}

/** What os-release(5) calls the system; null when it doesn't. */
export function prettyName(release: string): string | null {
  const value = /^PRETTY_NAME=(.*)$/m.exec(release)?.[1]?.trim() ?? '';
  const quoted = /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;
  return quoted.replace(/\\(["'$`\\])/g, '$1').trim() || null;
}
