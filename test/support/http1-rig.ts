/** For tests of HTTP/1.1 on the wire: an app that is a script, a sidecar before it and a client, new for each test. */
import { afterEach, beforeEach } from 'vitest';
import { RawApp, RawClient } from './http1-wire.ts';
import { type RunningSidecar, startSidecar } from './sidecar.ts';

export const okAnswer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

export interface Http1Rig {
  readonly app: RawApp;
  readonly sidecar: RunningSidecar;
  readonly client: RawClient;
}

/** To be called where hooks may be; its parts stand inside tests. `argv`: of the sidecar, beside `--app`. */
export function http1Rig(argv: readonly string[] = []): Http1Rig {
  let parts: Http1Rig | undefined;
  const stand = (): Http1Rig => {
    if (parts === undefined) throw new Error('the rig stands inside tests only');
    return parts;
  };
  beforeEach(async () => {
    const app = await new RawApp().listen();
    const sidecar = await startSidecar({ argv: ['--app', app.address, ...argv] });
    parts = { app, sidecar, client: new RawClient(sidecar.inbound) };
  });
  afterEach(async () => {
    const { app, sidecar, client } = stand();
    client.destroy();
    await sidecar.stop();
    app.close();
  });
  return {
    get app() {
      return stand().app;
    },
    get sidecar() {
      return stand().sidecar;
    },
    get client() {
      return stand().client;
    },
  };
}
