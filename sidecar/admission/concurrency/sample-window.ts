/**
 * The samples of a stretch of time as one: how many, their mean, and the most that were in flight. In the cells of the
 * algorithm that uses it, from `at` on.
 */
const begun = 0;
const count = 1;
const sum = 2;
const most = 3;

export class SampleWindow {
  static readonly cells = 4;
  private readonly cells: Float64Array;
  private readonly at: number;

  constructor(cells: Float64Array, at: number) {
    this.cells = cells;
    this.at = at;
  }

  get isEmpty(): boolean {
    return this.cells[this.at + most] === 0;
  }

  get beganMs(): number {
    return this.cells[this.at + begun]!;
  }

  get count(): number {
    return this.cells[this.at + count]!;
  }

  get meanMs(): number {
    return this.cells[this.at + sum]! / this.cells[this.at + count]!;
  }

  get inFlightMax(): number {
    return this.cells[this.at + most]!;
  }

  begin(nowMs: number): void {
    this.cells.fill(0, this.at, this.at + SampleWindow.cells);
    this.cells[this.at + begun] = nowMs;
  }

  add(rttMs: number): void {
    this.cells[this.at + count]! += 1;
    this.cells[this.at + sum]! += rttMs;
  }

  see(inFlight: number): void {
    if (inFlight > this.cells[this.at + most]!) this.cells[this.at + most] = inFlight;
  }
}
