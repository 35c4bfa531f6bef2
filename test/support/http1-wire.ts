/**
 * HTTP/1.1 without a library, so that a test can send what no library would, and see every byte that came back: a client
 * that writes text and waits for text, and an app that answers with text. Octets are Latin-1 characters.
 */
import net from 'node:net';
import { until } from './until.ts';

export class RawClient {
  readonly socket: net.Socket;
  received = '';
  isEnded = false;
  isClosed = false;
  /** The code of the socket's error, ECONNRESET when the other side broke off. */
  error = '';

  constructor(address: string) {
    const at = address.lastIndexOf(':');
    this.socket = net.connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)), noDelay: true });
    this.socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
    });
    this.socket.on('end', () => {
      this.isEnded = true;
    });
    this.socket.on('error', (error) => {
      this.error = 'code' in error ? String(error.code) : error.message;
    });
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  send(text: string): this {
    this.socket.write(Buffer.from(text, 'latin1'));
    return this;
  }

  /** Waits until everything up to and including `text` has come, and returns what had. */
  async reads(text: string): Promise<string> {
    await until(() => this.received.includes(text), {
      what: `"${text}" arrives`,
    });
    return this.received;
  }

  /** Waits until the other side has closed, and returns all that came. */
  async readsAll(): Promise<string> {
    await until(() => this.isClosed, { what: 'the connection closes' });
    return this.received;
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** The status lines in what a client received. */
export function statusLines(received: string): string[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1]!);
}

export interface RawConnection {
  readonly socket: net.Socket;
  received: string;
  isEnded: boolean;
  isClosed: boolean;
}

/** An app that is a script: called with each piece that comes in, and all that came so far on that connection. */
export class RawApp {
  address = '';
  readonly connections: RawConnection[] = [];
  onData: (connection: RawConnection) => void = () => {};
  private readonly server: net.Server;

  constructor() {
    this.server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection: RawConnection = { socket, received: '', isEnded: false, isClosed: false };
      this.connections.push(connection);
      socket.on('data', (bytes: Buffer) => {
        connection.received += bytes.toString('latin1');
        this.onData(connection);
      });
      socket.on('end', () => {
        connection.isEnded = true;
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        connection.isClosed = true;
      });
    });
  }

  /** Everything that reached the app. */
  get received(): string {
    return this.connections.map(({ received }) => received).join('');
  }

  /** Whether every connection on which something came has ended. Others are kept for later requests. */
  get hasBrokenOff(): boolean {
    return this.connections.every(({ received, isEnded }) => isEnded || received === '');
  }

  /** Forgets what has come, and the connections that are gone; those that stand are kept. */
  forget(): void {
    const standing = this.connections.filter(({ isClosed, isEnded }) => !isClosed && !isEnded);
    for (const connection of standing) connection.received = '';
    this.connections.splice(0, this.connections.length, ...standing);
  }

  /** Answers every request head with this text. */
  answers(text: string): void {
    this.onData = ({ socket, received }) => {
      if (received.endsWith('\r\n\r\n')) socket.write(Buffer.from(text, 'latin1'));
    };
  }

  listen(): Promise<this> {
    return new Promise((resolve) => {
      this.server.listen(0, '127.0.0.1', () => {
        const address = this.server.address();
        if (address !== null && typeof address === 'object') this.address = `127.0.0.1:${address.port}`;
        resolve(this);
      });
    });
  }

  close(): void {
    for (const { socket } of this.connections) socket.destroy();
    this.server.close();
  }
}
