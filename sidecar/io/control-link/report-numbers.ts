/** The sequence numbers of this process's reports: one row for all of them, since receivers know reports by their number. */
export class ReportNumbers {
  private last = 0;

  next(): number {
    return ++this.last;
  }
}
