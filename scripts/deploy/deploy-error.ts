/** A deployment that can't continue, for a reason that its operator can do something about: the message is all to print. */
export class DeployError extends Error {
  override readonly name = 'DeployError';
}
