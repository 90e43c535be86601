/** Lines to paste, with a token's secret in them, for what it may do. Pure. */
import type { Token } from '#protocol/api';
import { installLine } from '../../format/install-lines.ts';

export interface UsageLine {
  readonly title: string;
  readonly text: string;
  readonly help: string | null;
}

/** @param occasion a token that was there before is in its places already: only its secret is new */
export function usageLines(
  token: Pick<Token, 'scopes' | 'jobs'>,
  secret: string,
  origin: string,
  occasion: 'made' | 'rotated',
): UsageLine[] {
  const lines: UsageLine[] = [];
  const job = exampleJob(token.jobs);
  const isAdmin = token.scopes.includes('admin');
  if (token.scopes.includes('run')) {
    const store = `(umask 077; echo '${secret}' > /etc/leash.token)`;
    if (occasion === 'rotated') {
      lines.push({
        title: 'On each machine that uses it (as root)',
        text: store,
        help: 'Running wrappers pick up the new secret on their next connection.',
      });
    } else {
      lines.push(
        {
          title: 'Install leash on a machine',
          text: installLine(origin, 'root'),
          help: 'It asks for this secret. Root installs for all users, anyone else for themselves.',
        },
        {
          title: 'Then in the crontab, in front of the command',
          text: `0 3 * * *  /usr/local/bin/leash run --job ${job} -- /path/to/command`,
          help: 'The job appears here under this name; the command runs as before.',
        },
      );
    }
  }
  if (token.scopes.includes('kill') || isAdmin) {
    lines.push({
      title: 'Kill a job via API',
      text: [
        `TOKEN='${secret}'`,
        `curl -X POST -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\`,
        `  -d '{"reason": "fills the disk"}' "${origin}/api/v1/jobs/${job}/kill?wait=30"`,
      ].join('\n'),
      help: null,
    });
  }
  if (token.scopes.includes('read') && !token.scopes.includes('kill') && !isAdmin) {
    lines.push({
      title: 'List runs via API',
      text: [`TOKEN='${secret}'`, `curl -H "Authorization: Bearer $TOKEN" "${origin}/api/v1/runs?state=running"`].join(
        '\n',
      ),
      help: null,
    });
  }
  return lines;
}

/** A name that the token is for. */
export function exampleJob(glob: string): string {
  const [first = '', ...rest] = glob.split('*');
  return rest.length === 0 ? glob : `${first}backup${rest.join('')}`;
}
