/** nghttp and curl through one sidecar: prior knowledge, HTTP/1.1, uploads, trailers, awkward settings. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFront } from './mesh.ts';
import { startOrigin } from './origin.ts';
import { absent, findPeer, runPeer } from './peers.ts';
import { type CaseResult, judge, ran, type Suite, type SuiteOutcome } from './suite.ts';

interface ToolCase {
  readonly name: string;
  readonly args: readonly string[];
  /** Must all occur in what the tool printed. */
  readonly expects: readonly string[];
  readonly isUpload?: boolean;
}

const uploadBytes = 1_000_000;
const upload = Buffer.alloc(uploadBytes, 'weir');
const sha256 = createHash('sha256').update(upload).digest('hex');
const uploaded = [`"bytes":${uploadBytes}`, `"sha256":"${sha256}"`];
const file = '{file}';

const nghttpCases: readonly ToolCase[] = [
  { name: 'GET', args: ['-v'], expects: [':status: 200', '"method":"GET"'] },
  { name: 'HEAD', args: ['-v', '-H', ':method: HEAD'], expects: [':status: 200'] },
  { name: 'upload', args: ['-d', file], expects: uploaded },
  { name: 'upload with trailers', args: ['-d', file, '--trailer', 'x-note: end'], expects: ['"x-note":"end"'] },
  { name: 'trailers of the answer', args: ['-v'], expects: ['x-sha256: '] },
  { name: 'padded frames', args: ['-b', '200', '-d', file], expects: uploaded },
  { name: 'a header table of 0', args: ['-c', '0', '-v'], expects: [':status: 200'] },
  { name: 'windows of 1,023 bytes', args: ['-w', '10', '-W', '10', '-v'], expects: [':status: 200'] },
  {
    name: 'expect: 100-continue',
    args: ['-v', '-d', file, '--expect-continue'],
    expects: [':status: 100', ...uploaded],
  },
  { name: '40 requests at once', args: ['-m', '40', '-s'], expects: ['40 '] },
];

const curlCases: readonly ToolCase[] = [
  { name: 'prior knowledge', args: ['-i', '--http2-prior-knowledge'], expects: ['HTTP/2 200', '"method":"GET"'] },
  { name: 'prior knowledge, HEAD', args: ['-I', '--http2-prior-knowledge'], expects: ['HTTP/2 200'] },
  { name: 'prior knowledge, upload', args: ['--http2-prior-knowledge', '-T', file], expects: uploaded },
  {
    name: 'prior knowledge, chunked upload',
    args: ['--http2-prior-knowledge', '-T', '-'],
    expects: uploaded,
    isUpload: true,
  },
  { name: 'HTTP/1.1', args: ['-i', '--http1.1'], expects: ['HTTP/1.1 200', '"method":"GET"'] },
  { name: 'HTTP/1.1, upload', args: ['--http1.1', '-T', file], expects: uploaded },
  { name: 'HTTP/1.1, chunked upload', args: ['--http1.1', '-T', '-'], expects: uploaded, isUpload: true },
  {
    name: 'HTTP/1.1, trailers of the answer',
    args: ['-v', '--http1.1', '--raw', '-H', 'TE: trailers'],
    expects: ['x-sha256: '],
  },
  { name: 'HTTP/1.0', args: ['-i', '--http1.0'], expects: [' 200', '"method":"GET"'] },
  { name: 'an upgrade to h2c, which we do not take', args: ['-i', '--http2'], expects: ['HTTP/1.1 200'] },
];

export const nghttpSuite = toolSuite('nghttp', 'nghttp → sidecar → node:http2', nghttpCases);
export const curlSuite = toolSuite('curl', 'curl → sidecar → node:http2', curlCases);

function toolSuite(program: 'nghttp' | 'curl', about: string, cases: readonly ToolCase[]): Suite {
  return { name: program, about, run: () => runTool(program, cases) };
}

async function runTool(program: 'nghttp' | 'curl', cases: readonly ToolCase[]): Promise<SuiteOutcome> {
  const tool = findPeer(program);
  if (tool === null) return { kind: 'absent', ...absent(program) };
  const scratch = mkdtempSync(join(tmpdir(), 'weir-upload-'));
  const uploadFile = join(scratch, 'upload');
  writeFileSync(uploadFile, upload);
  const origin = await startOrigin();
  const front = await startFront(origin.address);
  try {
    const results: CaseResult[] = [];
    for (const { name, args, expects, isUpload } of cases) {
      results.push(
        await judge(name, async () => {
          const quiet = program === 'curl' ? ['-sS', '--max-time', '20'] : [];
          const url = `http://${front.address}/path?query=1`;
          const given = args.map((arg) => (arg === file ? uploadFile : arg));
          const input = isUpload === true ? { input: upload } : {};
          const { code, stdout, stderr } = await runPeer(tool, [...quiet, ...given, url], input);
          if (code !== 0) throw new Error(code === null ? 'no end within 30 s' : `exit ${code}: ${stderr.trim()}`);
          const missing = expects.filter((text) => !`${stdout}${stderr}`.includes(text));
          if (missing.length > 0) throw new Error(`not in its output: ${missing.join(', ')}`);
        }),
      );
    }
    return ran(results);
  } finally {
    await front.stop();
    origin.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}
