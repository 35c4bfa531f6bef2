/**
 * What the kernel says a process has cost. CPU time per request is the score of the benchmark because requests per
 * second mostly say how fast the load generator is. It comes in nanoseconds from the schedstat of each thread; where
 * the kernel keeps none, from /proc/<pid>/stat, in steps of 10 ms, which are a lot at a thousand requests a second.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: the unit of /proc times is fixed at 10 ms by the kernel's ABI. */
const tickMs = 10;

/** utime + stime of a process since it began, in ms. */
export function parseProcessCpuMs(stat: string): number {
  // The name in parentheses may hold spaces and parentheses itself; what follows the last one does not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/** Time on a core from the text of a thread's schedstat: `ns on a core, ns waiting for one, time slices`. */
export function parseThreadCpuMs(schedstat: string): number {
  return Number(schedstat.slice(0, schedstat.indexOf(' '))) / 1e6;
}

/** Of all its threads; none of the proxies has threads that come and go under load. */
export function processCpuMs(pid: number): number {
  const threads = `/proc/${pid}/task`;
  try {
    let sum = 0;
    for (const thread of readdirSync(threads)) {
      sum += parseThreadCpuMs(readFileSync(`${threads}/${thread}/schedstat`, 'utf8'));
    }
    if (sum > 0) return sum;
  } catch {
    // No schedstat in this kernel, or a thread that ended just now.
  }
  return parseProcessCpuMs(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

export interface CoreTimes {
  readonly busyMs: number;
  readonly interruptMs: number;
}

/** Times of one core from the text of /proc/stat: `cpuN user nice system idle iowait irq softirq steal guest guest_nice`. */
export function parseCoreTimes(stat: string, core: number): CoreTimes {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(stat)?.[1];
  if (line === undefined) throw new Error(`core ${core} is not in /proc/stat`);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(' ').map(Number);
  const interruptMs = (irq + softirq + steal) * tickMs;
  return { busyMs: (user + nice + system) * tickMs + interruptMs, interruptMs };
}

export function coreTimes(core: number): CoreTimes {
  return parseCoreTimes(readFileSync('/proc/stat', 'utf8'), core);
}

export function parseRssMb(status: string): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
  return kilobytes === undefined ? Number.NaN : Number(kilobytes) / 1024;
}

/** Resident memory of a process in MiB. */
export function processRssMb(pid: number): number {
  return parseRssMb(readFileSync(`/proc/${pid}/status`, 'utf8'));
}
