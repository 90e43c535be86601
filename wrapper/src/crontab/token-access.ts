/** Whether the user of a line can read the settings and the token: without them a run is unsupervised. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { DEFAULT_CONFIG_PATH, type Environment, userConfigPath } from '../config/config-file.ts';
import { type Account, findAccount, LOOKUP_MS } from '../host/account.ts';

/**
 * @param settings those of root, which a user without settings of their own shares
 * @returns the file that the user can't read; null when all is well, or not known
 */
export function unreadableFor(user: string, settings: Environment, configPath = DEFAULT_CONFIG_PATH): string | null {
  const found = findAccount(user);
  if (found.kind === 'unusable' || found.account.uid === 0) return null;
  const { account } = found;
  const own = userConfigPath({ HOME: account.home }, account.uid);
  if (own !== null && fs.existsSync(own)) return null;
  const groups = groupsOf(account);
  const files = [configPath, settings.LEASH_TOKEN_FILE?.trim() ?? ''];
  return files.find((file) => file !== '' && !isReadableBy(file, account.uid, groups)) ?? null;
}

function groupsOf({ name, gid }: Account): readonly number[] {
  const { status, stdout } = spawnSync('id', ['-G', name], { encoding: 'utf8', timeout: LOOKUP_MS });
  return status === 0 ? stdout.trim().split(' ').map(Number) : [gid];
}

/** By its mode. A file that isn't there is readable: what is missing is said elsewhere. */
function isReadableBy(file: string, uid: number, groups: readonly number[]): boolean {
  try {
    const stat = fs.statSync(file);
    const bit = stat.uid === uid ? 0o400 : groups.includes(stat.gid) ? 0o040 : 0o004;
    return (stat.mode & bit) !== 0;
  } catch {
    // ENOENT.
    return true;
  }
}
