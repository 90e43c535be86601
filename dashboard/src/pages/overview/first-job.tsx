import type { Session } from '#protocol/api';
import { CopyButton } from '../../components/copy-button.tsx';
import { installLine } from '../../format/install-lines.ts';
import { Link } from '../../router.tsx';
import { mayAdminister } from '../../state/rights.ts';

interface FirstJobProps {
  readonly who: Session;
  readonly origin: string;
}

/** What to do when nothing has ever run. */
export function FirstJob({ who, origin }: FirstJobProps) {
  return (
    <section class="card first-job" aria-labelledby="first-job">
      <h2 id="first-job">No runs yet</h2>
      {mayAdminister(who) ? (
        <>
          <p>Connect your first machine: create its token, paste one line there, and its first run appears here.</p>
          <p>
            <Link to="/add-machine" class="button primary">
              Add a machine
            </Link>
          </p>
        </>
      ) : (
        <>
          <p>
            Install leash on a machine that can reach this address. It asks for a token with the <code>run</code> scope:
            ask your Leash admin for one.
          </p>
          <div class="command-box">
            <code>{installLine(origin, 'root')}</code>
            <CopyButton text={installLine(origin, 'root')} label="Copy the command" />
          </div>
        </>
      )}
    </section>
  );
}
