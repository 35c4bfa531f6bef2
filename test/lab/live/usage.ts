/** What the proxies of a live experiment take of the machine, sampled. */
import { readFileSync } from 'node:fs';
import type { Recording } from '../recording.ts';
import type { Program } from './processes.ts';

const sampleMs = 500;
const ticksPerSecond = 100;
const pageBytes = 4096;

export class Usage {
  private readonly recording: Recording;
  private readonly programs: readonly Program[];
  private readonly originMs: number;
  private readonly timer: NodeJS.Timeout;

  constructor(recording: Recording, programs: readonly Program[], originMs: number) {
    this.recording = recording;
    this.programs = programs;
    this.originMs = originMs;
    this.timer = setInterval(() => this.sample(), sampleMs);
  }

  stop(): void {
    this.sample();
    clearInterval(this.timer);
  }

  private sample(): void {
    let cpuMs = 0;
    let rssBytes = 0;
    for (const { pid, isRunning } of this.programs) {
      if (!isRunning) continue;
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      cpuMs += ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
      rssBytes += Number(fields[21]) * pageBytes;
    }
    this.recording.usage.push({ atMs: performance.now() - this.originMs, cpuMs, rssBytes });
  }
}
