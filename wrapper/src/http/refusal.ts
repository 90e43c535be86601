/** An error that only a person can fix: trying again soon is useless. */
export class Refusal extends Error {}
