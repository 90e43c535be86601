/** Whether runs of this user get a cgroup of their own, and what that means for a kill. */
import fs from 'node:fs';
import { createCgroup } from '../../processes/cgroup.ts';
import { type Finding, note, ok } from '../finding.ts';

export type CgroupSupport =
  | { readonly kind: 'own'; readonly canKill: boolean }
  | { readonly kind: 'not_delegated' }
  /** Only the older version is mounted, or none at all. */
  | { readonly kind: 'no_v2' }
  | { readonly kind: 'other_system' };

export function checkCgroup(): Finding[] {
  return [judgeCgroup(probeCgroup(), process.getuid?.() === 0)];
}

const WITHOUT =
  'a kill still ends everything that it finds by descent, environment and output, ' +
  'but may miss a daemon that hides from all three';

/** Never more than a note: everything works without one, and for other users than root that is the usual case. */
export function judgeCgroup(support: CgroupSupport, isRoot: boolean): Finding {
  switch (support.kind) {
    case 'own':
      return support.canKill
        ? ok('cgroup', 'v2: each run gets its own cgroup, and a kill ends everything in it, daemons included')
        : note(
            'cgroup',
            'v2: each run gets its own cgroup, but this kernel (before 5.14) can’t kill one as a whole: ' +
              'its processes are ended one by one',
          );
    case 'not_delegated':
      return note(
        'cgroup',
        `v2, but ${isRoot ? 'it is read-only here' : 'not delegated to this user'}, so runs get no cgroup of their own: ` +
          `${WITHOUT}. A systemd unit with Delegate=yes gives them one.`,
      );
    case 'no_v2':
      return note('cgroup', `no cgroup v2 is mounted here, so runs get none of their own: ${WITHOUT}.`);
    case 'other_system':
      return note('cgroup', 'this system has no cgroups: a kill ends the command’s process group only');
  }
}

function probeCgroup(): CgroupSupport {
  if (process.platform !== 'linux') return { kind: 'other_system' };
  const cgroup = createCgroup();
  if (cgroup !== null) {
    const canKill = fs.existsSync(`${cgroup.path}/cgroup.kill`);
    cgroup.remove();
    return { kind: 'own', canKill };
  }
  return { kind: hasVersion2(readMounts()) ? 'not_delegated' : 'no_v2' };
}

/** @param mounts /proc/self/mountinfo */
function hasVersion2(mounts: string): boolean {
  return / - cgroup2 /.test(mounts);
}

function readMounts(): string {
  try {
    return fs.readFileSync('/proc/self/mountinfo', 'latin1');
  } catch {
    // No /proc.
    return '';
  }
}
