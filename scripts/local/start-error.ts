/**
 * An error that its reader can do something about: the message is all there is to print. Apart from what throws it: who
 * only starts a control plane needs no runtime of its own, which takes a second to load.
 */
export class StartError extends Error {
  override readonly name = 'StartError';
}
