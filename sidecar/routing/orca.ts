/**
 * How loaded a server is, as it says so itself beside its answers: ORCA's OrcaLoadReport (github.com/cncf/xds), a small
 * protobuf in the field `endpoint-load-metrics-bin`, of trailers (gRPC, A51) or of the head. Written and read by hand,
 * with bounds: the bytes come from a server, and a codec of generated classes would allocate for every answer.
 *
 *   1 cpu_utilization  double      6 rps_fractional  double      9 application_utilization  double
 *   2 mem_utilization  double      7 eps             double
 *   3 rps              uint64      8 named_metrics   map<string, double>
 *
 * The requests that the server has in hand, which ORCA has no field for, travel as a named metric.
 */
export const orcaField = 'endpoint-load-metrics-bin';
/** Longer values are not read; a report with dozens of named metrics stays below. */
export const orcaTextMax = 4096;
const inFlightName = 'weir.in_flight';

export interface OrcaReport {
  cpuUtilization: number;
  memUtilization: number;
  applicationUtilization: number;
  qps: number;
  eps: number;
  /** -1 = it does not say. */
  inFlight: number;
}

export function emptyReport(): OrcaReport {
  return { cpuUtilization: 0, memUtilization: 0, applicationUtilization: 0, qps: 0, eps: 0, inFlight: -1 };
}

const scratch = Buffer.alloc((orcaTextMax * 3) / 4 + 3);
const wireVarint = 0;
const wireDouble = 1;
const wireBytes = 2;
const wireFixed32 = 5;

/** Into `report`, whose old values are gone either way. False for what is no report. Nothing is allocated. */
export function decodeOrca(text: string, report: OrcaReport): boolean {
  clear(report);
  if (text.length > orcaTextMax) return false;
  const end = scratch.write(text, 0, 'base64');
  // Buffer skips what is no base64; a value that has such characters is no report.
  if (end < Math.floor((text.replace(/=+$/, '').length * 3) / 4)) return false;
  if (readFields(report, end)) return true;
  clear(report);
  return false;
}

function clear(report: OrcaReport): void {
  report.cpuUtilization = 0;
  report.memUtilization = 0;
  report.applicationUtilization = 0;
  report.qps = 0;
  report.eps = 0;
  report.inFlight = -1;
}

let at = 0;

/** The varint at `at`, -1 when it does not end before `end` or is too large to be exact. */
function readVarint(end: number): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 8 && at < end; i++) {
    const byte = scratch[at++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : -1;
    scale *= 128;
  }
  return -1;
}

function readFields(report: OrcaReport, end: number): boolean {
  at = 0;
  while (at < end) {
    const tag = readVarint(end);
    if (tag < 8) return false;
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case wireVarint: {
        const value = readVarint(end);
        if (value < 0) return false;
        // Deprecated in favour of rps_fractional, which wins.
        if (field === 3 && report.qps === 0) report.qps = value;
        break;
      }
      case wireDouble:
        if (at + 8 > end) return false;
        setDouble(report, field, scratch.readDoubleLE(at));
        at += 8;
        break;
      case wireBytes: {
        const length = readVarint(end);
        if (length < 0 || length > end - at) return false;
        const next = at + length;
        if (field === 8 && !readNamed(report, next)) return false;
        at = next;
        break;
      }
      case wireFixed32:
        at += 4;
        if (at > end) return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

function setDouble(report: OrcaReport, field: number, value: number): void {
  // What is no amount is not there.
  if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) return;
  if (field === 1) report.cpuUtilization = value;
  else if (field === 2) report.memUtilization = value;
  else if (field === 6) report.qps = value;
  else if (field === 7) report.eps = value;
  else if (field === 9) report.applicationUtilization = value;
}

/** One entry of the map: key = 1, a text; value = 2, a double. */
function readNamed(report: OrcaReport, end: number): boolean {
  let isInFlight = false;
  let value = 0;
  while (at < end) {
    const tag = readVarint(end);
    if (tag === 10) {
      const length = readVarint(end);
      if (length < 0 || length > end - at) return false;
      isInFlight = length === inFlightName.length && scratch.latin1Slice(at, at + length) === inFlightName;
      at += length;
    } else if (tag === 17) {
      if (at + 8 > end) return false;
      value = scratch.readDoubleLE(at);
      at += 8;
    } else return false;
  }
  if (isInFlight && value >= 0 && value < Number.POSITIVE_INFINITY) report.inFlight = value;
  return true;
}

/** The field's value for a report; what is 0, or not known, is left out. */
export function encodeOrca(report: OrcaReport): string {
  const bytes = Buffer.alloc(5 * 9 + 2 + 2 + inFlightName.length + 9);
  let end = 0;
  const double = (field: number, value: number): void => {
    if (value === 0) return;
    bytes[end] = field * 8 + wireDouble;
    bytes.writeDoubleLE(value, end + 1);
    end += 9;
  };
  double(1, report.cpuUtilization);
  double(2, report.memUtilization);
  double(6, report.qps);
  double(7, report.eps);
  if (report.inFlight >= 0) {
    bytes[end] = 8 * 8 + wireBytes;
    bytes[end + 1] = 2 + inFlightName.length + 9;
    bytes[end + 2] = 10;
    bytes[end + 3] = inFlightName.length;
    bytes.write(inFlightName, end + 4, 'latin1');
    end += 4 + inFlightName.length;
    bytes[end] = 17;
    bytes.writeDoubleLE(report.inFlight, end + 1);
    end += 9;
  }
  double(9, report.applicationUtilization);
  // Binary fields travel without padding (gRPC over HTTP/2).
  return bytes.subarray(0, end).toString('base64').replace(/=+$/, '');
}
