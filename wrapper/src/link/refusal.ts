/** A reason why no connection comes about that only a person can mend: asking again soon is of no use. */
export class Refusal extends Error {}
