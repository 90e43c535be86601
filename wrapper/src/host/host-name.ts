/** What this machine is called in full. */
import fs from 'node:fs';
import os from 'node:os';

/**
 * The name with its domain, where that can be told without asking the network: it would answer late, or otherwise on
 * another day, and a machine that changes its name can't be found by it.
 */
export function hostName(): string {
  const name = os.hostname();
  if (name.includes('.')) return name;
  try {
    return fullName(name, fs.readFileSync('/etc/hosts', 'latin1')) ?? name;
  } catch {
    // ENOENT, EACCES: nothing tells its domain.
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
