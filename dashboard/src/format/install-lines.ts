/** The lines that install leash on a machine. Pure. */

export const INSTALL_AS = ['root', 'sudo', 'user'] as const;
/** Who pastes the line: root for all users, somebody with sudo for all users, or a user for themselves. */
export type InstallAs = (typeof INSTALL_AS)[number];

export const INSTALL_AS_LABELS: Readonly<Record<InstallAs, { readonly label: string; readonly help: string }>> = {
  root: { label: 'root', help: 'installs for all users' },
  sudo: { label: 'a user with sudo', help: 'installs for all users' },
  user: { label: 'one user', help: 'installs for this user only, in ~/.local/bin' },
};

/** Asks for the token on the terminal: what is on a command line is kept in the shell's history. */
export function installLine(origin: string, as: InstallAs): string {
  return `curl -fsSL ${origin}/install.sh | ${shellOf(as)} -s -- --token-stdin`;
}

/** For scripts and images, with the token in a file. */
export function unattendedLine(origin: string, as: InstallAs): string {
  return `curl -fsSL ${origin}/install.sh | ${shellOf(as)} -s -- --token-file TOKEN-FILE`;
}

function shellOf(as: InstallAs): string {
  return as === 'sudo' ? 'sudo sh' : 'sh';
}

export function crontabLine(as: InstallAs, job: string): string {
  return `0 3 * * *  ${as === 'user' ? '~/.local/bin' : '/usr/local/bin'}/leash run --job ${job} -- /path/to/command`;
}
