/** Whether the user of a line can read the settings and the token: without them a run is unsupervised. */
import fs from 'node:fs';
import { DEFAULT_CONFIG_PATH, type Environment, userConfigPath } from '../config/config-file.ts';
import { type Account, findAccount } from '../host/account.ts';

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
  const files = [configPath, settings.LEASH_TOKEN_FILE?.trim() ?? ''];
  return files.find((file) => file !== '' && !isReadableBy(file, account)) ?? null;
}

/** By its mode. A file that isn't there is readable: what is missing is said elsewhere. */
function isReadableBy(file: string, { uid, gid }: Account): boolean {
  try {
    const stat = fs.statSync(file);
    const bit = stat.uid === uid ? 0o400 : stat.gid === gid ? 0o040 : 0o004;
    return (stat.mode & bit) !== 0;
  } catch {
    // ENOENT.
    return true;
  }
}
