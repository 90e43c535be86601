/** An error that only a person can fix: trying again soon is useless. */
export class Refusal extends Error {}

/** A setting can't be used: the network was not asked. */
export class InvalidSettings extends Refusal {}
