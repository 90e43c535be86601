/** A range of bytes to be hidden, from `from` up to and without `to`. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}
