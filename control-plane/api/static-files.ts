/**
 * The dashboard's files, read into memory once: a request only looks up a name in a table, so no path it could send
 * reaches the disk. Files under assets/ have their content's hash in their name and may be cached for ever.
 */
import { createHash } from 'node:crypto';
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface StaticFile {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
  readonly cache: string;
}

export const filesMax = 200;
export const fileBytesMax = 5 * 1024 * 1024;

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  json: 'application/json',
  woff2: 'font/woff2',
  txt: 'text/plain; charset=utf-8',
};

const missing =
  'The dashboard is not part of this build: run "npm run build". The API is at /v1 and described at /openapi.json.\n';

const contentSecurityPolicy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export class StaticFiles {
  private readonly folder: string;
  private files: ReadonlyMap<string, StaticFile> = new Map();

  constructor(folder: string) {
    this.folder = folder;
    this.files = load(folder);
  }

  /** The file at this path of a URL; the dashboard may have been built since we began. */
  find(path: string): StaticFile | undefined {
    if (this.files.size === 0 && path === '/') this.files = load(this.folder);
    return this.files.get(path === '/' ? '/index.html' : path);
  }

  send(request: FastifyRequest, reply: FastifyReply, file: StaticFile | undefined): FastifyReply {
    reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer');
    if (!file)
      return reply.code(200).type('text/plain; charset=utf-8').header('cache-control', 'no-store').send(missing);
    reply.header('etag', file.etag).header('cache-control', file.cache);
    if (request.headers['if-none-match']?.split(/, */).includes(file.etag)) return reply.code(304).send();
    return reply.type(file.type).header('content-security-policy', contentSecurityPolicy).send(file.bytes);
  }
}

function load(folder: string): Map<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  // Only a build has its entry script under assets/.
  for (const path of walk(folder, '')) {
    if (files.size >= filesMax) break;
    const type = types[path.slice(path.lastIndexOf('.') + 1)];
    const full = join(folder, path);
    if (type === undefined || statSync(full).size > fileBytesMax) continue;
    const bytes = readFileSync(full);
    const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`;
    const cache = path.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
    files.set(`/${path}`, { bytes, type, etag, cache });
  }
  return files;
}

function* walk(folder: string, prefix: string): Generator<string> {
  for (const entry of entriesOf(join(folder, prefix))) {
    const path = `${prefix}${entry.name}`;
    if (entry.isDirectory()) yield* walk(folder, `${path}/`);
    else if (entry.isFile()) yield path;
  }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
