/** This machine's full name. */
import fs from 'node:fs';
import os from 'node:os';

/**
 * The name with its domain, where that is known without asking the network: an answer could be late or change, and a
 * machine that changes its name can't be found by it.
 */
export function hostName(): string {
  const name = os.hostname();
  if (name.includes('.')) return name;
  try {
    return fullName(name, fs.readFileSync('/etc/hosts', 'latin1')) ?? name;
  } catch {
    // ENOENT, EACCES: its domain isn't known.
    return name;
  }
}

/** The first name of the first line that `name` is in: hosts(5) calls it the canonical one. Null if it has no domain. */
export function fullName(name: string, hosts: string): string | null {
  for (const line of hosts.split('\n')) {
    const [, canonical, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (canonical === undefined || ![canonical, ...aliases].includes(name)) continue;
    return canonical.startsWith(`${name}.`) ? canonical : null;
  }
  return null;
}
