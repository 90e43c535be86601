/** A link that carries a token in its fragment, as `npm start` prints it. Fragments never reach a server. */
import { leave, signIn } from './session.ts';

/** Signs in by the fragment, if it holds a token. The token is out of the address bar before anything else happens. */
export async function signInByLink(): Promise<boolean> {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return false;
  history.replaceState(history.state, '', location.pathname + location.search);
  const failure = await signIn(token);
  if (failure !== null) leave(failure.detail);
  return true;
}
